package main

import (
	"context"
	"fmt"
	"log/slog"

	"pharos/internal/bus"
	"pharos/internal/dashboard"
	"pharos/internal/pharos"
)

func forget(ctx context.Context, o bus.Options, f pharos.Forget) error {
	o.Name, o.Log = "pharos-forget", slog.New(slog.DiscardHandler)
	n, err := dashboard.Forget(ctx, o, f)
	if err != nil {
		return err
	}
	fmt.Printf("forgotten; %d stored values deleted\n", n)
	return nil
}
