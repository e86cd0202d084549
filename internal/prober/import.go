package prober

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"pharos/internal/config"
	"pharos/internal/field"
	"pharos/internal/importer"
	"pharos/internal/pharos"
)

// ImportCommand is the command that writes a file of what other programs watch.
type ImportCommand struct {
	Files []string `arg:"" name:"file" help:"A Gatus configuration, an Uptime Kuma backup (JSON), blackbox_exporter modules with the targets of Prometheus, or a configuration of the first Pharos in Python, which is read and not run."`
}

// Alone runs the command, if it is meant: it needs no file of Pharos.
func (i *ImportCommand) Alone(_ context.Context, command string) (bool, error) {
	if !strings.HasPrefix(command, "import") {
		return false, nil
	}
	return true, i.run(os.Stdout, os.Stderr)
}

func (i *ImportCommand) run(out, said io.Writer) error {
	var inputs []importer.Input
	for _, name := range i.Files {
		data, err := pharos.ReadFile(name, field.MaxFile)
		if err != nil {
			return fmt.Errorf("reading %q: %w", name, err)
		}
		inputs = append(inputs, importer.Input{Name: name, Data: data})
	}
	made, err := importer.Import(inputs...)
	if err != nil {
		return err
	}
	if _, err := out.Write(made.Data); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	fmt.Fprintf(said, "watchers: %d; not carried over, each a comment in the file: %d\n", made.Watchers, made.Left)
	// What the other program takes and this one does not is to be mended by hand. Its
	// variables are those of another machine.
	anything := func(string) (string, bool) { return "1", true }
	if _, err := config.Parse("the file", made.Data, anything, Kinds()...); err != nil {
		fmt.Fprintf(said, "to be mended by hand:\n%v\n", err)
	}
	return nil
}
