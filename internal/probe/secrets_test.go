package probe

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/redact"
)

func TestSecretsAreNotShown(t *testing.T) {
	s, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=abcdef")
		w.WriteHeader(500)
		r.Write(w)
	})
	w := pageAt(strings.Replace(s.URL, "http://", "http://anna:wonderland@", 1))
	pageOf(w).Headers = field.Dictionary{{Name: "X-Api-Key", Value: "key-12345"}}
	r := watch(t, w)
	said := fmt.Sprint(r)
	for _, secret := range []string{"wonderland", "key-12345", "session=abcdef", "YW5uYTp3b25kZXJsYW5k"} {
		if strings.Contains(said, secret) {
			t.Errorf("the result shows %q:\n%s", secret, r.Detail)
		}
	}
	if !strings.Contains(r.Detail, "Authorization: Basic •••") {
		t.Errorf("the server was not sent the address's own password:\n%s", r.Detail)
	}
}

func TestAddressesAreShownWithoutUserAndQuery(t *testing.T) {
	if got, want := sayURL(address2url("http://anna:wonderland@example.com/a?token=x")), "http://•••@example.com/a?..."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCutsShowNoHalfOfASecret(t *testing.T) {
	const secret = "wonderland-marchhare"
	x, y := func(n int) string { return strings.Repeat("x", n) }, strings.Repeat("y", 2*keptHead)
	broken := func(body string) string { return "HTTP/1.1 500 No\r\n\r\n" + body }
	well := func(body string) string { return "HTTP/1.1 200 OK\r\n\r\n" + body }
	not := func(pattern string) func(*pageSpec) {
		return func(p *pageSpec) { p.NotMatch = []*regexp.Regexp{regexp.MustCompile(pattern)} }
	}
	for name, test := range map[string]struct {
		answer string
		edit   func(*pageSpec)
		shown  string
	}{
		"a status line":               {"HTTP/1.1 500 " + secret + "\r\n\r\n", nil, "500 •••"},
		"a body within":               {broken("a " + secret + " b"), nil, "a ••• b"},
		"a body's cut":                {broken(x(keptBody-10) + secret + y), nil, "xx…"},
		"a body's cut at its end":     {broken(x(keptBody-10) + secret), nil, "xx…"},
		"a body of secrets":           {broken(strings.Repeat(secret+" ", 500)), nil, "••• •••"},
		"a body past the limit":       {broken("a " + secret), func(p *pageSpec) { p.MaxBody = 12 }, "\na …"},
		"a body that ends too early":  {"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\na " + secret[:10], nil, "\na "},
		"a header's cut":              {"HTTP/1.1 500 No\r\nX-Echo: " + x(190) + secret + y + "\r\n\r\n", nil, "xx…\n"},
		"a text that was found":       {well("error: " + x(70) + secret + y), not("error: .*"), `xx…"`},
		"a pattern that ends in it":   {well("key: " + secret), not("key: .{9}"), `found "key: "`},
		"a pattern that begins in it": {well(secret + " is"), not(".{9} is"), `found " is"`},
		"a find at the limit":         {well("key: " + secret), func(p *pageSpec) { p.MaxBody = 14; not("key: .*")(p) }, `found "key: "`},
	} {
		t.Run(name, func(t *testing.T) {
			w := pageAt("http://" + listen(t, says(test.answer)) + "/")
			pageOf(w).Bearer = secret
			if test.edit != nil {
				test.edit(pageOf(w))
			}
			r := watch(t, w)
			showsNoHalf(t, r, secret)
			if said := r.Summary + "\n" + r.Detail; !strings.Contains(said, test.shown) {
				t.Errorf("got %q, want %q in it", said, test.shown)
			}
		})
	}
	say := func(text string) cmd { return cmd{Args: []string{"printf", "%s", text}} }
	fails := func(text string) cmd {
		return cmd{Args: []string{"sh", "-c", `printf %s "$0"; exit 1`, text}}
	}
	for name, test := range map[string]struct {
		command cmd
		shown   string
	}{
		"the head of an output":      {say(x(shownHead-10) + secret + y), "xx\n…\nyy"},
		"the tail of an output":      {say(y + secret + x(shownTail-10)), "yy\n…\nxx"},
		"both of a short one":        {say(x(shownHead-10) + secret + x(300) + secret + x(shownTail-10)), "xx\n…\nxx"},
		"an output of secrets":       {say(strings.Repeat(secret+" ", 5000)), "••• •••"},
		"a first line":               {fails(secret + x(170) + secret + "\n" + y), "•••xx"},
		"a value that is no number":  {cmd{Shell: "echo key: " + secret, Pattern: regexp.MustCompile("key: (.{9})")}, `"" in the output is not a number`},
		"a value that is not a half": {cmd{Shell: "echo key: " + secret, Pattern: regexp.MustCompile("key: (.*)")}, `"•••" in the output is not a number`},
	} {
		t.Run(name, func(t *testing.T) {
			w := none()
			w.Spec = test.command.spec()
			e := New(Options{})
			defer e.Close()
			known := make(redact.Secrets)
			known.Add(secret)
			p, err := e.Prepare(w, known.Redactor())
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, p, 0)
			showsNoHalf(t, r, secret)
			if said := r.Summary + "\n" + r.Detail; !strings.Contains(said, test.shown) {
				t.Errorf("got %q, want %q in it", said, test.shown)
			}
		})
	}
}

func showsNoHalf(t *testing.T, r pharos.Result, secret string) {
	t.Helper()
	said := fmt.Sprint(r.Summary, r.Detail, r.Facts)
	for i := range len(secret) - 3 {
		if strings.Contains(said, secret[i:i+4]) {
			t.Fatalf("the result shows %q of the secret: %q", secret[i:i+4], said)
		}
	}
}

func TestCutsKeepRunesWhole(t *testing.T) {
	for _, before := range []string{"", "x", "xx"} {
		text := before + strings.Repeat("€", 2*keptHead)
		w := of(cmd{Args: []string{"printf", "%s", text}}.spec())
		target := "http://" + listen(t, says("HTTP/1.1 500 No\r\nX-Long: "+text[:999]+"\r\n\r\n"+text)) + "/"
		page, limited := pageAt(target), pageAt(target)
		pageOf(limited).MaxBody = 100
		for _, w := range []pharos.Watcher{w, page, limited} {
			r := watch(t, w)
			if !utf8.ValidString(r.Detail) {
				t.Errorf("of %T, with %q before, the detail has half a rune: %q", w.Spec, before, r.Detail)
			}
			if _, ok := w.Spec.(*pageSpec); ok && !strings.HasSuffix(r.Detail, "€…") {
				t.Errorf("the cut of a body is not marked: %q", r.Detail)
			}
		}
	}
}

func TestACommandInheritsNothingOfThePrograms(t *testing.T) {
	t.Setenv("PHAROS_NATS_URL", "nats://prober:broker-pass@a")
	t.Setenv("BROKER_PASSWORD", "broker-pass")
	t.Setenv("CLOUD_TOKEN", "cloud-token")
	t.Setenv("DATABASE_URL", "postgres://u:in-url@db/x")
	e := New(Options{})
	defer e.Close()
	r := make(redact.Secrets).Redactor("BROKER_PASSWORD").WithEnvironment(os.Environ())
	p, err := e.Prepare(shell(`echo "$CLOUD_TOKEN"; echo in-url; env; exit 1`), r)
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprint(run(t, p, 0))
	for _, secret := range []string{"PHAROS_NATS", "BROKER_PASSWORD", "broker-pass", "cloud-token", "in-url"} {
		if strings.Contains(said, secret) {
			t.Errorf("the result shows %q:\n%s", secret, said)
		}
	}
	if !strings.Contains(said, "PATH=") {
		t.Errorf("the command has no PATH:\n%s", said)
	}
}

func TestAForeignAnswerIsNotShown(t *testing.T) {
	const inside = "HTTP/1.1 500 from-inside\r\nX-From: from-inside\r\n\r\nfrom-inside"
	for name, edit := range map[string]func(*pageSpec){
		"a wrong status": func(*pageSpec) {},
		"a text that must not be": func(p *pageSpec) {
			p.Status, p.NotMatch = statuses{{500, 500}}, []*regexp.Regexp{regexp.MustCompile("from-in.*")}
		},
		"a text that is missing": func(p *pageSpec) {
			p.Status, p.Match = statuses{{500, 500}}, []*regexp.Regexp{regexp.MustCompile("nothing")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			away := listen(t, says(inside))
			w := pageAt("http://" + listen(t, says("HTTP/1.1 302 Found\r\nLocation: http://"+away+"/\r\nContent-Length: 0\r\n\r\n")) + "/")
			pageOf(w).FollowRedirects = true
			edit(pageOf(w))
			r := watch(t, w)
			if said := fmt.Sprint(r); r.Status != pharos.Critical || strings.Contains(said, "from-inside") {
				t.Errorf("got %s", said)
			}
		})
	}
}
