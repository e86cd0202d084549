package cli

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"pharos/internal/config"
)

func TestPasswd(t *testing.T) {
	for name, tt := range map[string]struct{ name, typed, fails string }{
		"a line":       {"anna", "opensesame\nmore\n", ""},
		"no line feed": {`Zoë "Z" \o/`, "pässwörd", ""},
		"windows":      {"anna", "opensesame\r\n", ""},
		"short":        {"anna", "open\n", "at least 8 characters, got 4"},
		"nothing":      {"anna", "", "at least 8 characters, got 0"},
		"long":         {"anna", strings.Repeat("a", 73), "at most 72 bytes, got 73"},
		"no name":      {"", "opensesame", "a name cannot be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := w.WriteString(tt.typed); err != nil {
				t.Fatal(err)
			}
			w.Close()
			var out bytes.Buffer
			err = (&PasswdCommand{Name: tt.name}).Run(t.Context(), r, &out, io.Discard)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || out.Len() > 0 {
					t.Errorf("got %v, %s", err, &out)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse("test.yaml", append([]byte("dashboard:\n  access: signed_in\n  users:\n"), out.Bytes()...), os.LookupEnv)
			if err != nil {
				t.Fatalf("%v in %s", err, &out)
			}
			hash := c.Dashboard.Access.Users[tt.name]
			if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(strings.TrimRight(strings.SplitN(tt.typed, "\n", 2)[0], "\r"))); err != nil {
				t.Errorf("%v of %s", err, &out)
			}
		})
	}
}
