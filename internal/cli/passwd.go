package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"

	"pharos/internal/field"
)

const (
	passwordCost = 12 // of bcrypt: a quarter of a second
	minPassword  = 8  // characters
	maxPassword  = 72 // bytes, of which bcrypt looks at no more
)

// PasswdCommand is "passwd": it makes the line of somebody who may sign in.
type PasswdCommand struct {
	Name string `arg:"" help:"Who may sign in."`
}

// Alone is that of a program with the command.
func (p *PasswdCommand) Alone(ctx context.Context, command string) (bool, error) {
	if !strings.HasPrefix(command, "passwd ") {
		return false, nil
	}
	return true, p.Run(ctx, os.Stdin, os.Stdout, os.Stderr)
}

// Run reads a password and writes the line. On a terminal it asks for it, twice.
func (p *PasswdCommand) Run(ctx context.Context, in *os.File, out, say io.Writer) error {
	if err := field.CheckName(p.Name); err != nil {
		return fmt.Errorf("naming a user %q: %w", field.Short(p.Name), err)
	}
	password, err := readPassword(ctx, in, say)
	if err != nil {
		return fmt.Errorf("reading the password: %w", err)
	}
	switch n := len([]rune(password)); {
	case n < minPassword:
		return fmt.Errorf("the password is too short: want at least %d characters, got %d", minPassword, n)
	case len(password) > maxPassword:
		return fmt.Errorf("the password is too long: want at most %d bytes, got %d", maxPassword, len(password))
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), passwordCost)
	if err != nil {
		return fmt.Errorf("hashing the password: %w", err)
	}
	name, err := json.Marshal(p.Name) // which is YAML, too
	if err != nil {
		return err
	}
	fmt.Fprintln(say, "Put this line under dashboard.users in the file:")
	_, err = fmt.Fprintf(out, "    - {name: %s, password: %q}\n", name, hash)
	return err
}

func readPassword(ctx context.Context, in *os.File, say io.Writer) (string, error) {
	terminal := int(in.Fd())
	if !term.IsTerminal(terminal) {
		line, err := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { // it waits for a line, and hears no signal
		_ = term.Restore(terminal, before) // the process ends whatever comes of it
		fmt.Fprintln(say)
		os.Exit(1)
	})()
	var typed [2]string
	for i, question := range []string{"Password: ", "Again: "} {
		fmt.Fprint(say, question)
		line, err := term.ReadPassword(terminal)
		fmt.Fprintln(say)
		if err != nil {
			return "", err
		}
		typed[i] = string(line)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two are not the same")
	}
	return typed[0], nil
}
