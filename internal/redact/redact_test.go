package redact

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSecretsAreFoundByTheirPlace(t *testing.T) {
	var none *Redactor
	for text, want := range map[string]string{
		"curl -u admin:pw https://a/":                        "curl -u admin:••• https://a/",
		"curl -uadmin:pw https://a/":                         "curl -uadmin:••• https://a/",
		"curl -su admin:pw https://a/":                       "curl -su admin:••• https://a/",
		"curl --user admin:p:w https://a/":                   "curl --user admin:••• https://a/",
		"curl --user=admin:pw https://a/":                    "curl --user=admin:••• https://a/",
		"curl --proxy-user 'a:p w' https://a/":               "curl --proxy-user 'a:•••' https://a/",
		"curl -u \"$USER:$PW\" https://a/":                   "curl -u \"$USER:$PW\" https://a/",
		"https://anna:wonder@host/x":                         "https://anna:•••@host/x",
		"https://anna:won/der@host/x":                        "https://anna:•••@host/x",
		"https://anna:won@der@host/x":                        "https://anna:•••@host/x",
		"https://anna:8a/b@host/x":                           "https://anna:•••@host/x",
		"postgres://u:p@db:5432/x?sslmode=off":               "postgres://u:•••@db:5432/x?sslmode=off",
		"nats://u:p@a:4222,nats://v:q@b:4222":                "nats://u:•••@a:4222,nats://v:•••@b:4222",
		"redis://:secret@host:6379/0":                        "redis://:•••@host:6379/0",
		"nats://s3cr3t@host:4222":                            "nats://•••@host:4222",
		"ssh://git@host/x":                                   "ssh://git@host/x",
		"http://host:8080/@user/x":                           "http://host:8080/@user/x",
		"http://host:8080/x?mail=a@b.c":                      "http://host:8080/x?mail=a@b.c",
		"http://host/a:b@c":                                  "http://host/a:b@c",
		"root:geheim@tcp(127.0.0.1:3306)/db":                 "root:•••@tcp(127.0.0.1:3306)/db",
		"DSN=root:geheim@db":                                 "DSN=root:•••@db",
		"wget anna:wonder@host/x":                            "wget anna:•••@host/x",
		"mailto:anna@example.com":                            "mailto:anna@example.com",
		"anna@example.com:22":                                "anna@example.com:22",
		"PGPASSWORD=abc psql":                                "PGPASSWORD=••• psql",
		"AWS_SECRET_ACCESS_KEY=abc/def+x":                    "AWS_SECRET_ACCESS_KEY=•••",
		`{"token": "abc", "ok": true}`:                       `{"token": "•••", "ok": true}`,
		"password: hunter2":                                  "password: •••",
		"x-api-key: abc":                                     "x-api-key: •••",
		"curl -H 'Authorization: Bearer abc.def' https://a/": "curl -H 'Authorization: Bearer •••' https://a/",
		"Cookie: a=b; c=d\nHost: x":                          "Cookie: •••\nHost: x",
		"prog --token abc --x":                               "prog --token ••• --x",
		"prog --db-password=abc --x":                         "prog --db-password=••• --x",
		"mysql -h db -u root -pgeheim -e 'select 1'":         "mysql -h db -u root -p••• -e 'select 1'",
		"redis-cli -h x -a geheim ping":                      "redis-cli -h x -a ••• ping",
		"sshpass -p geheim ssh x":                            "sshpass -p ••• ssh x",
		"token: expired":                                     "token: expired",
		"https://•••@host/x":                                 "https://•••@host/x",
		"https://a/?token=abc&q=1":                           "https://a/?token=•••&q=1",
		"token=${TOKEN} x":                                   "token=${TOKEN} x",
		"the 12:30:45 train, 5 of 7 at 10:00":                "the 12:30:45 train, 5 of 7 at 10:00",
		"exit code 2: no route to host":                      "exit code 2: no route to host",
	} {
		if got := none.Text(text); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
		if again := none.Text(want); again != want {
			t.Errorf("%s\ntwice is %s", want, again)
		}
	}
}

func TestSecretsAreFoundByTheirValue(t *testing.T) {
	s := make(Secrets)
	s.AddEnvironment([]string{
		"GITHUB_TOKEN=ghp_0123", "DB_PW=geheim", "REDISCLI_AUTH=in redis", "DATABASE_URL=postgres://u:in%20url@h/x",
		"HOME=/root", "PWD=/srv/x", "GIT_AUTHOR_NAME=Anna", "SSH_AUTH_SOCK=/tmp/agent", "KEY_ENABLED=true", "SHORT_KEY=abc",
		"TLS_KEY=-----BEGIN KEY-----\nMIIEvQIBADANBgkqhki\nabcdefghijklmnopqrs\n-----END KEY-----\n",
	})
	s.AddText("curl -u admin:tea-party https://a/; chown -u 1000:1000 x")
	r := s.Redactor("NATS_PASSWORD")
	for _, secret := range []string{"ghp_0123", "geheim", "in redis", "in+redis", "in url", "in%20url", "tea-party", "MIIEvQIBADANBgkqhki", "abcdefghijklmnopqrs"} {
		if got := r.Text("it is " + secret + " there"); got != "it is ••• there" {
			t.Errorf("%q: got %q", secret, got)
		}
	}
	for _, text := range []string{"/root", "/srv/x", "Anna", "/tmp/agent", "true", "abc", "1000"} {
		if got := r.Text("it is " + text + " there"); got != "it is "+text+" there" {
			t.Errorf("%q is no secret, got %q", text, got)
		}
	}
	env := r.Environ([]string{"HOME=/root", "PHAROS_NATS_URL=nats://a", "NATS_PASSWORD=x", "PATH=/bin"})
	if want := []string{"HOME=/root", "PATH=/bin"}; !slices.Equal(env, want) {
		t.Errorf("a command inherits %q, want %q", env, want)
	}
}

func TestWithEnvironmentKeepsWhatWasKnown(t *testing.T) {
	s := make(Secrets)
	s.Add("of the file")
	r := s.Redactor("X").WithEnvironment([]string{"A_TOKEN=of the environment"})
	if got := r.Text("of the file, of the environment"); got != "•••, •••" {
		t.Errorf("got %q", got)
	}
	if !r.Same(s.Redactor("X").WithEnvironment([]string{"A_TOKEN=of the environment"})) || r.Same(s.Redactor("X")) || r.Same(nil) {
		t.Error("Same is wrong")
	}
}

// FuzzParts shows that no cut of a text shows more than half of a secret in it.
func FuzzParts(f *testing.F) {
	f.Add("a http://u:", "geheimnis", "@h b", 3, 14)
	f.Add("x ", "geheimnis", " y", 0, 5)
	f.Fuzz(func(t *testing.T, before, secret, after string, from, to int) {
		text := before + secret + after
		if len(secret) < minSecret || strings.Contains(before+after, secret[:minSecret]) || !utf8.ValidString(text) || from < 0 || from > to || to > len(text) {
			t.Skip()
		}
		s := make(Secrets)
		s.Add(secret)
		r := s.Redactor()
		for _, shown := range []string{r.Text(text), r.Part(text, from, to), r.Text(r.Ended(text[:to]))} {
			if strings.Contains(shown, secret) {
				t.Fatalf("%q shows %q", shown, secret)
			}
		}
	})
}
