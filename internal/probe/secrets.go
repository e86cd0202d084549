package probe

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"pharos/internal/pharos"
)

// redacted stands where a secret was.
const redacted = "•••"

// slack is how much more of a text is kept than is shown of it: the longest
// secret that is known for one where the cut goes through it.
const slack = 4 << 10

// secrets are what must not be shown, even where it is echoed. A text is cut
// only after they are hidden: half a secret is not recognized any more. A nil
// one hides nothing.
type secrets struct {
	own     []string // of the watcher
	hideOwn *strings.Replacer
	more    func(string) string // hides others; may be nil
}

// setOwn takes those of the watcher.
func (s *secrets) setOwn(own []string) {
	s.own = own
	if len(own) == 0 {
		return
	}
	// The first that fits wins: a secret goes before those that begin it.
	slices.SortFunc(own, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(own))
	for _, secret := range own {
		pairs = append(pairs, secret, redacted)
	}
	s.hideOwn = strings.NewReplacer(pairs...)
}

// secretsOf returns those of a page.
func secretsOf(spec *pharos.Page) []string {
	u, _ := url.Parse(spec.URL)
	all := []string{spec.Password, spec.Bearer}
	if password, ok := u.User.Password(); ok {
		all = append(all, password)
	}
	if auth := authorization(spec, u); auth != "" {
		_, credentials, _ := strings.Cut(auth, " ")
		all = append(all, credentials)
	}
	for _, h := range spec.Headers {
		if name := http.CanonicalHeaderKey(h.Name); name != "Host" && !harmless[name] {
			all = append(all, h.Value)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < 4 })
}

func (s *secrets) hide(text string) string {
	if s == nil {
		return text
	}
	if s.more != nil {
		text = s.more(text)
	}
	if s.hideOwn != nil {
		text = s.hideOwn.Replace(text)
	}
	return text
}

// hideIn hides them in all that a result shows.
func (s *secrets) hideIn(r *pharos.Result) {
	r.Summary, r.Detail = s.hide(r.Summary), s.hide(r.Detail)
	for i := range r.Facts {
		r.Facts[i].Value = s.hide(r.Facts[i].Value)
	}
}

// show returns text[from:to] as a part of the text whose secrets are hidden.
// Of a secret or a rune that one of the two cuts nothing is left.
func (s *secrets) show(text string, from, to int) string {
	whole := s.hide(text)
	before, after := s.hide(text[:to]), s.hide(text[from:])
	end, left := 0, 0
	for end < min(len(before), len(whole)) && before[end] == whole[end] {
		end++
	}
	for left < min(len(after), len(whole)) && after[len(after)-1-left] == whole[len(whole)-1-left] {
		left++
	}
	return wholeRunes(whole[min(len(whole)-left, end):end])
}

// dropBegun returns a text that was cut off without a secret that its end may
// have begun.
func (s *secrets) dropBegun(text string) string {
	cut := len(text)
	for _, secret := range s.own {
		for n := min(len(secret)-1, len(text)); n > 0; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				cut = min(cut, len(text)-n)
				break
			}
		}
	}
	return text[:cut]
}

// wholeRunes returns a text that was cut at both ends without the halves of
// runes there.
func wholeRunes(s string) string {
	for i := 0; i < utf8.UTFMax-1 && s != "" && !utf8.RuneStart(s[0]); i++ {
		s = s[1:]
	}
	for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
		if end := s[len(s)-i:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRuneInString(end) {
				return s[:len(s)-i]
			}
			break
		}
	}
	return s
}
