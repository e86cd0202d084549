package redact

import "testing"

func TestTargetsForEverybody(t *testing.T) {
	for target, want := range map[string]string{
		"dice: two of them, of six sides": "dice: two of them, of six sides",
		"shop.example A of 192.0.2.1":     "shop.example A of 192.0.2.1",
		"https://shop.example/a b?needle": "https://shop.example/a b",
		"db.example:5432":                 "db.example:5432",
		"":                                "",
	} {
		if got := Target(target, false); got != want {
			t.Errorf("Target(%q) = %q, want %q", target, got, want)
		}
	}
	for target, want := range map[string]string{
		"https://shop.example/a;b=c?session=needle#needle": "https://shop.example/a;b=c",
		"https://shop.example/":                            "https://shop.example/",
		"db.example:5432":                                  "db.example:5432",
		"[::1]:22":                                         "[::1]:22",
		"/opt/check -H needle --token needle":              "/opt/check",
		"NEEDLE=needle curl https://x/?needle":             "NEEDLE",
		"echo${IFS}needle":                                 "echo",
		"cat</run/needle":                                  "cat",
		"wget\thttps://needle.example/":                    "wget",
		"curl https://needle.example/":                     "curl",
		"":                                                 "",
	} {
		if got := Target(target, true); got != want {
			t.Errorf("Target(%q) of a command = %q, want %q", target, got, want)
		}
	}
}

func TestArgumentsAreTakenOut(t *testing.T) {
	for _, tt := range []struct{ text, target, want string }{
		{"sh: 1: syntax error in 'grep -c needle /var/log/x'", "grep -c needle /var/log/x", "sh: 1: syntax error in 'grep •••'"},
		{"redirected to https://sso.example/login?token=needle and back", "https://shop.example/", "redirected to https://sso.example/login?••• and back"},
		{`<a href="/in?needle=1">in</a>`, "https://shop.example/", `<a href="/in?•••">in</a>`},
		{"GET /a?needle failed", "https://shop.example/a?needle", "GET /a••• failed"},
		{"what? no answer", "ls -l", "what? no answer"},
		{"total 0", "ls", "total 0"},
	} {
		if got := Arguments(tt.text, tt.target, true); got != tt.want {
			t.Errorf("Arguments(%q, %q) = %q, want %q", tt.text, tt.target, got, tt.want)
		}
	}
}
