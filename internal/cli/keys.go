package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"pharos/internal/keys"
)

// KeysCommand is "keys": it makes what programs prove with who they are.
type KeysCommand struct {
	Folder string   `name:"keys" env:"PHAROS_KEYS" placeholder:"FOLDER" help:"Where the keys are made."`
	NATS   []string `name:"nats" placeholder:"HOST:PORT" help:"Where the others reach NATS; several with commas."`

	Init struct {
		With []string `placeholder:"KIND NAME" sep:"none" help:"Make this key as well, in a folder of its own: \"prober oslo/*\"; can be repeated."`
	} `cmd:"" help:"Make a CA, the server's certificate, an admin's key and a dashboard's; renew what has to be."`
	Add struct {
		Kind string `arg:"" enum:"prober,dashboard,admin,push" help:"prober, dashboard, admin or push."`
		Name string `arg:"" help:"SITE/PROBER or SITE/*; the name of a dashboard or an admin; SITE.SET.WATCHER of what is pushed, with * for any set or watcher."`
		Out  string `short:"o" placeholder:"FILE" help:"Where the key goes; without it, to the standard output, or a file where that is a terminal."`
	} `cmd:"" help:"Make a key: one file, which is all that its machine needs."`
	List   struct{} `cmd:"" help:"Say who has a key."`
	Revoke struct {
		Kind string `arg:"" enum:"prober,dashboard,admin,push" help:"As with add."`
		Name string `arg:"" help:"As with add."`
	} `cmd:"" help:"Make a key worthless."`
}

// KeysOf are the keys of one NATS.
type KeysOf struct {
	// Make makes what is missing in the folder, and the folder.
	Make func(folder string, addresses []string, with ...keys.Role) (*keys.Folder, error)
	// Open opens the folder.
	Open func(folder string) (*keys.Folder, error)
	// System: the server's certificate is one that everybody trusts.
	System bool
	// After says what is to be done for a change to be in force; empty: nothing.
	After string
}

// Run does what the command line says. Keys go to out, words to people to say.
func (k *KeysCommand) Run(command string, of KeysOf, out *os.File, say io.Writer) error {
	switch command, _, _ := strings.Cut(strings.TrimPrefix(command, "keys "), " "); command {
	case "init":
		var with []keys.Role
		for _, text := range k.Init.With {
			kind, name, _ := strings.Cut(text, " ")
			r, err := keys.ParseRole(kind, name)
			if err != nil {
				return err
			}
			with = append(with, r)
		}
		f, err := of.Make(k.Folder, k.NATS, with...)
		if err != nil {
			return err
		}
		certificate, _ := f.ServerFiles()
		server := filepath.Dir(certificate)
		fmt.Fprintf(say, "the keys are in %s, in folders for each machine; what NATS needs is in %s. Keep ca.key safe\n", filepath.Dir(server), server)
		return nil
	case "add":
		return k.add(of, out, say)
	case "list":
		f, err := of.Open(k.Folder)
		if err != nil {
			return err
		}
		members, err := f.List()
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, m := range members {
			fmt.Fprintf(w, "%s\tsince %s\t%s\n", m.Role, m.Since.Format(time.DateOnly), m.NKey)
		}
		return w.Flush()
	case "revoke":
		r, err := keys.ParseRole(k.Revoke.Kind, k.Revoke.Name)
		if err != nil {
			return err
		}
		f, err := of.Open(k.Folder)
		if err == nil {
			err = f.Revoke(r)
		}
		if err == nil {
			sayAfter(say, "the key of "+r.String()+" is worthless", of.After)
		}
		return err
	}
	return fmt.Errorf("keys %s: want init, add, list or revoke", command)
}

func sayAfter(say io.Writer, done, after string) {
	if after != "" {
		done += " once NATS has read it: " + after
	}
	fmt.Fprintln(say, done)
}

func (k *KeysCommand) add(of KeysOf, out *os.File, say io.Writer) (err error) {
	r, err := keys.ParseRole(k.Add.Kind, k.Add.Name)
	if err != nil {
		return err
	}
	info, err := out.Stat()
	if err != nil {
		return fmt.Errorf("looking where the key goes: %w", err)
	}
	path := k.Add.Out
	if path == "" && info.Mode()&os.ModeCharDevice != 0 {
		path = r.Slug() + ".key"
	}
	if path != "" {
		// What is there is not overwritten: it may be a key that is in use.
		if out, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return err
		}
		defer func() {
			if err = errors.Join(err, out.Close()); err != nil {
				err = errors.Join(err, os.Remove(path))
			}
		}()
	} else if info.Mode().IsRegular() {
		if err := out.Chmod(0o600); err != nil { // the shell has made it for everybody to read
			return err
		}
		if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", out.Fd())); err == nil {
			path = filepath.Base(name)
		}
	}
	f, err := of.Open(k.Folder)
	if err != nil {
		return err
	}
	key, err := f.Add(r, k.NATS, of.System)
	if err != nil {
		return err
	}
	if _, err := out.Write(key.Format()); err != nil {
		return fmt.Errorf("writing the key: %w", errors.Join(err, f.Revoke(r)))
	}
	sayAfter(say, "the key of "+r.String()+" is good", of.After)
	fmt.Fprintf(say, "copy it to its machine, where it is a secret, and run there:\n  %s\n", runLine(key, cmp.Or(path, r.Slug()+".key")))
	return nil
}

// runLine returns what uses a key.
func runLine(k keys.File, path string) string {
	switch k.Role.Kind {
	case keys.Prober:
		return "prober -c pharos.yaml --key " + path
	case keys.Admin:
		return "dashboard forget --key " + path + " --prober SITE/PROBER"
	case keys.Push:
		ca := ""
		if k.CA != nil {
			ca = " --tlsca " + path
		}
		return "nats pub -s " + k.URL() + " --nkey " + path + ca + " pharos.push." + strings.ReplaceAll(k.Role.Name, "*", "NAME") + ` '{"status":"ok"}'`
	}
	return "dashboard --key " + path
}
