package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"pharos/internal/bus"
	"pharos/internal/dashboard"
	"pharos/internal/pharos"
)

func forget(ctx context.Context, o bus.Options, f pharos.Forget) error {
	o.Name, o.Log = "pharos-forget", slog.New(slog.DiscardHandler)
	n, err := dashboard.Forget(ctx, o, f)
	switch {
	case errors.Is(err, bus.ErrNoStore):
		fmt.Println("the dashboards that run have been asked to forget it; NATS keeps no last values that could be deleted")
		return nil
	case err != nil:
		return err
	}
	fmt.Printf("forgotten; %d stored values deleted\n", n)
	return nil
}
