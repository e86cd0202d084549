package pharos

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// whole is a result with every field that a result can have.
func whole() Result {
	return Result{
		Status: Critical, Value: Num(1.84), Unit: "s", Text: "leader", Summary: `status 503, wanted "2xx"`,
		Detail: "HTTP/1.1 503\n\tRetry-After: 5\n<b>größer</b> \\ 日本",
		Facts:  []Fact{{"address", "127.0.0.1:443"}, {"certificate", "71 days"}},
		Phases: []Phase{{"lookup", Seconds(time.Millisecond)}, {"connect", Seconds(20 * time.Millisecond)}, {"first_byte", Seconds(10 * time.Microsecond)}},
		For:    Seconds(12100 * time.Millisecond),
		Outage: Outage{Critical, Seconds(65200 * time.Millisecond)},
		Flickers: []Flicker{
			{Warning, Seconds(3100 * time.Millisecond), Seconds(61 * time.Second)},
			{Unknown, Seconds(time.Microsecond), Seconds(FlickerSpan)},
		},
		Running: true, TTL: Seconds(6 * time.Second), Incarnation: 1767366245123, Seq: math.MaxUint64, Lag: Seconds(100 * time.Microsecond),
		Missed: 7, At: time.Date(2026, 1, 2, 15, 4, 5, 123e6, time.UTC),
		Name: "Home page", Set: "Shop", Site: "Berlin",
	}
}

// encoded returns a result as it is sent.
func encoded(t testing.TB, r *Result) []byte {
	t.Helper()
	data, err := r.Encode(MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestResultComesBackAsItWas(t *testing.T) {
	for name, want := range map[string]Result{
		"everything":  whole(),
		"nothing":     {},
		"zeros":       {Status: OK, Value: Num(0)},
		"big numbers": {Status: OK, Value: Num(-1e18), For: Seconds(maxSeconds*time.Second - time.Microsecond), Incarnation: math.MinInt64},
		"a fraction":  {Status: OK, Value: Num(0.000123456789)},
		"the year 0":  {Status: OK, At: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		data := encoded(t, &want)
		if !json.Valid(data) {
			t.Errorf("%s: not JSON: %s", name, data)
		}
		got, err := ParseResult(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want -, got +\n%s", name, diff)
		}
	}
}

func TestResultOnTheWire(t *testing.T) {
	r := whole()
	const want = `{"status":"critical","value":1.84,"unit":"s","text":"leader","summary":"status 503, wanted \"2xx\"",` +
		`"detail":"HTTP/1.1 503\n\tRetry-After: 5\n<b>größer</b> \\ 日本","facts":[{"name":"address","value":"127.0.0.1:443"},{"name":"certificate","value":"71 days"}],` +
		`"phases":[{"name":"lookup","took":0.001},{"name":"connect","took":0.02},{"name":"first_byte","took":0.00001}],"for":12.1,"outage":{"status":"critical","lasted":65.2},` +
		`"flickers":[{"status":"warning","lasted":3.1,"ago":61},{"status":"unknown","lasted":0.000001,"ago":600}],"running":true,"ttl":6,` +
		`"incarnation":1767366245123,"seq":18446744073709551615,"lag":0.0001,"missed":7,"at":"2026-01-02T15:04:05.123Z",` +
		`"name":"Home page","set":"Shop","site":"Berlin"}`
	if diff := cmp.Diff(want, string(encoded(t, &r))); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
	if got := string(encoded(t, &Result{})); got != `{"status":"waiting","for":0}` {
		t.Errorf("nothing is written %s", got)
	}
	part := Result{Status: OK, Phases: []Phase{{"lookup", 0}, {"connect", Seconds(time.Second)}}}
	if got, want := string(encoded(t, &part)), `{"status":"ok","phases":[{"name":"connect","took":1}],"for":0}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseResult(t *testing.T) {
	cut := strings.Repeat("x", MaxText-len(Ellipsis)) + Ellipsis
	for _, tt := range []struct {
		name, data string
		want       Result
	}{
		{"the least", `{"status":"ok"}`, Result{Status: OK}},
		{"what is unknown is ignored", `{"status":"ok","version":7,"for":1,"extra":{"a":[1]}}`, Result{Status: OK, For: Seconds(time.Second)}},
		{"null is absent", `{"status":"ok","value":null,"text":null,"for":null,"ttl":null,"phases":null,"outage":null,"flickers":null,"facts":null,"at":null}`, Result{Status: OK}},
		{"space around", " \n{\"status\" : \"warning\"}\n ", Result{Status: Warning}},
		{"whole microseconds", `{"status":"ok","for":0.0000016,"ttl":0.0000004}`, Result{Status: OK, For: Seconds(2 * time.Microsecond)}},
		{"texts are cleaned", `{"status":"ok","text":"a\u0000\u001b[1m\u202eb\nc","summary":"x\ty","unit":"m\u0000s","detail":"a\u0000\n\tb"}`,
			Result{Status: OK, Text: "a[1mb c", Summary: "x y", Unit: "ms", Detail: "a\n\tb"}},
		{"texts are cut", `{"status":"ok","text":"` + strings.Repeat("x", 500) + `"}`, Result{Status: OK, Text: cut}},
		{"texts are cut at a rune", `{"status":"ok","unit":"` + strings.Repeat("日", 6) + `"}`, Result{Status: OK, Unit: "日日日日…"}},
		{"invalid UTF-8", "{\"status\":\"ok\",\"text\":\"a\xffb\"}", Result{Status: OK, Text: "a\ufffdb"}},
		{"five flickers, of those that were bad, of ten minutes", `{"status":"ok","flickers":[{"status":"critical","lasted":1,"ago":2},{"status":"ok"},{"status":"warning","ago":601},
			{"ago":1},{"status":"unknown","lasted":0,"ago":600},{"status":"critical","lasted":1,"ago":3}]}`,
			Result{Status: OK, Flickers: []Flicker{{Critical, Seconds(time.Second), Seconds(2 * time.Second)}, {Unknown, 0, Seconds(FlickerSpan)}}}},
		{"a spell worse than its end", `{"status":"warning","for":35,"outage":{"status":"critical","lasted":65.2}}`,
			Result{Status: Warning, For: Seconds(35 * time.Second), Outage: Outage{Critical, Seconds(65200 * time.Millisecond)}}},
		{"a spell that goes on while nothing is known", `{"status":"waiting","for":3,"outage":{"status":"critical","lasted":1}}`,
			Result{For: Seconds(3 * time.Second), Outage: Outage{Critical, Seconds(time.Second)}}},
		{"a spell that tells nothing more", `{"status":"warning","for":35,"outage":{"status":"warning","lasted":35}}`, Result{Status: Warning, For: Seconds(35 * time.Second)}},
		{"a spell is as bad as the status, and as long", `{"status":"critical","for":35,"outage":{"status":"warning","lasted":40}}`,
			Result{Status: Critical, For: Seconds(35 * time.Second), Outage: Outage{Critical, Seconds(40 * time.Second)}}},
		{"a spell shorter than the status", `{"status":"warning","for":35,"outage":{"status":"critical","lasted":1}}`,
			Result{Status: Warning, For: Seconds(35 * time.Second), Outage: Outage{Critical, Seconds(35 * time.Second)}}},
		{"no spell goes on while ok", `{"status":"ok","for":35,"outage":{"status":"critical","lasted":65.2}}`, Result{Status: OK, For: Seconds(35 * time.Second)}},
		{"a spell that is none", `{"status":"warning","outage":{"status":"ok","lasted":65.2}}`, Result{Status: Warning}},
		{"a spell without a status", `{"status":"warning","outage":{"lasted":65.2}}`, Result{Status: Warning}},
		{"facts without a value", `{"status":"ok","facts":[{"name":"a"},{"name":"b","value":"c","more":1}]}`, Result{Status: OK, Facts: []Fact{{"a", ""}, {"b", "c"}}}},
		{"eight facts", `{"status":"ok","facts":[` + strings.Repeat(`{"name":"a","value":"b"},`, 8) + `{"name":"c","value":"d"}]}`,
			Result{Status: OK, Facts: []Fact{{"a", "b"}, {"a", "b"}, {"a", "b"}, {"a", "b"}, {"a", "b"}, {"a", "b"}, {"a", "b"}, {"a", "b"}}}},
		{"phases of any name", `{"status":"ok","phases":[{"name":"tls","took":0.5},{"name":"coffee","took":60},{"name":"tea"}]}`,
			Result{Status: OK, Phases: []Phase{{"tls", Seconds(500 * time.Millisecond)}, {"coffee", Seconds(time.Minute)}}}},
		{"a time elsewhere", `{"status":"ok","at":"2026-01-02T03:04:05.5+05:30"}`, Result{Status: OK, At: time.Date(2026, 1, 1, 21, 34, 5, 5e8, time.UTC)}},
		{"a century", `{"status":"ok","for":3153600000}`, Result{Status: OK, For: Seconds(maxSeconds * time.Second)}},
	} {
		got, err := ParseResult([]byte(tt.data))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: want -, got +\n%s", tt.name, diff)
		}
	}
}

func TestParseResultRefuses(t *testing.T) {
	for _, tt := range []struct{ name, data, reason, text string }{
		{"nothing", ``, ReasonNotJSON, "unexpected end of JSON input"},
		{"no JSON", `ok`, ReasonNotJSON, "invalid character 'o'"},
		{"two values", `{"status":"ok"}{}`, ReasonNotJSON, "after top-level value"},
		{"an array", `["ok"]`, ReasonNotJSON, "cannot unmarshal array"},
		{"NaN", `{"status":"ok","value":NaN}`, ReasonNotJSON, "invalid character 'N'"},
		{"beyond floats", `{"status":"ok","value":1e999}`, ReasonNotJSON, "cannot unmarshal number 1e999"},
		{"a number as text", `{"status":"ok","value":"5"}`, ReasonNotJSON, "cannot unmarshal string"},
		{"an unknown status", `{"status":"fine"}`, ReasonNotJSON, `reading status "fine"`},
		{"a negative time", `{"status":"ok","for":-0.1}`, ReasonNotJSON, "-0.1 is not a number of seconds"},
		{"a time beyond a century", `{"status":"ok","ttl":3153600001}`, ReasonNotJSON, "3153600001 is not a number of seconds"},
		{"a time as text", `{"status":"ok","lag":"5"}`, ReasonNotJSON, `"5" is not a number of seconds`},
		{"a negative phase", `{"status":"ok","phases":[{"name":"tls","took":-1}]}`, ReasonNotJSON, "-1 is not a number of seconds"},
		{"a negative flicker", `{"status":"ok","flickers":[{"status":"critical","ago":-1}]}`, ReasonNotJSON, "-1 is not a number of seconds"},
		{"a negative spell", `{"status":"warning","outage":{"status":"critical","lasted":-1}}`, ReasonNotJSON, "-1 is not a number of seconds"},
		{"a spell of more than a century", `{"status":"warning","outage":{"status":"critical","lasted":3153600001}}`, ReasonNotJSON, "3153600001 is not a number of seconds"},
		{"a spell of an unknown status", `{"status":"warning","outage":{"status":"fine"}}`, ReasonNotJSON, `reading status "fine"`},
		{"an outage as a list", `{"status":"warning","outage":[]}`, ReasonNotJSON, "cannot unmarshal array"},
		{"a negative number", `{"status":"ok","seq":-1}`, ReasonNotJSON, "cannot unmarshal number -1"},
		{"no status", `{"value":1}`, ReasonInvalid, `no "status"`},
		{"a status of null", `{"status":null}`, ReasonInvalid, `no "status"`},
		{"null", `null`, ReasonInvalid, `no "status"`},
		{"a value beyond all sense", `{"status":"ok","value":-1.1e18}`, ReasonNotJSON, "value -1.1e+18 is beyond 1e+18"},
		{"a time that is empty", `{"status":"ok","at":""}`, ReasonNotJSON, "parsing time"},
		{"facts as pairs", `{"status":"ok","facts":[["a","b"]]}`, ReasonNotJSON, "cannot unmarshal array"},
		{"no time", `{"status":"ok","at":"yesterday"}`, ReasonNotJSON, `"yesterday"`},
		{"the year 10000", `{"status":"ok","at":"9999-12-31T23:59:59-01:00"}`, ReasonInvalid, "beyond the years 0 to 9999"},
		{"too large", `{"status":"ok","detail":"` + strings.Repeat("x", MaxMessage) + `"}`, ReasonTooLarge, "16411 bytes, want at most 16384"},
	} {
		got, err := ParseResult([]byte(tt.data))
		bad, ok := errors.AsType[*BadMessage](err)
		if !ok {
			t.Errorf("%s: got %v, want a *BadMessage", tt.name, err)
			continue
		}
		if bad.Reason != tt.reason || !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "reading a message: "+tt.reason+": ") {
			t.Errorf("%s: got %s, want %s and %q", tt.name, err, tt.reason, tt.text)
		}
		if diff := cmp.Diff(Result{}, got); diff != "" {
			t.Errorf("%s: beside the error there is\n%s", tt.name, diff)
		}
	}
}

func TestBadMessageUnwraps(t *testing.T) {
	_, err := ParseResult([]byte(`{`))
	if _, ok := errors.AsType[*json.SyntaxError](err); !ok {
		t.Errorf("the cause of %v cannot be found", err)
	}
}

func TestSecondsSurviveHops(t *testing.T) {
	// Beyond two months a float64 is coarser than a nanosecond.
	for _, d := range []time.Duration{time.Microsecond, 999999 * time.Microsecond, 100*24*time.Hour + time.Microsecond, maxSeconds*time.Second - time.Microsecond} {
		r := Result{Status: OK, For: Seconds(d)}
		for range 10 {
			next, err := ParseResult(encoded(t, &r))
			if err != nil {
				t.Fatal(err)
			}
			r = next
		}
		if r.For.Duration() != d {
			t.Errorf("%v is %v after ten hops", d, r.For)
		}
	}
}

func TestWhatMayNotBeSentIsLeftOut(t *testing.T) {
	for name, v := range map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(-1), "beyond all sense": 1.0000001e18} {
		r := Result{Status: OK, Value: Num(v), For: Seconds(-time.Second), TTL: Seconds(-time.Second), Lag: -1}
		if got, want := string(encoded(t, &r)), `{"status":"ok","for":0}`; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	over := Result{Status: OK, Outage: Outage{Critical, Seconds(time.Minute)}}
	if got, want := string(encoded(t, &over)), `{"status":"ok","for":0}`; got != want {
		t.Errorf("a spell under way while ok: got %s, want %s", got, want)
	}
	r := Result{Status: OK}
	for range 20 {
		r.Flickers = append(r.Flickers, Flicker{Critical, Seconds(time.Second), Seconds(time.Second)})
		r.Facts = append(r.Facts, Fact{"a", "b"})
	}
	got, err := ParseResult(encoded(t, &r))
	if err != nil || len(got.Flickers) != MaxFlickers || len(got.Facts) != MaxFacts {
		t.Errorf("%d flickers, %d facts, %v", len(got.Flickers), len(got.Facts), err)
	}
}

// crowded is a result whose every text is as long as it may be, of a character.
func crowded(c string) Result {
	fill := func(limit int) string { return strings.Repeat(c, limit/len(c)-1) + "x" }
	r := whole()
	r.Unit, r.Text, r.Summary, r.Detail = fill(MaxUnit), fill(MaxText), fill(MaxSummary), fill(MaxDetail)
	r.Name, r.Set, r.Site = fill(MaxName), fill(MaxName), fill(MaxName)
	r.Facts = nil
	for range MaxFacts {
		r.Facts = append(r.Facts, Fact{fill(MaxText), fill(MaxSummary)})
	}
	return r
}

func TestNoResultIsTooLarge(t *testing.T) {
	for _, c := range []string{"x", `"`, `\`, "\n", "\t", "\x00", "日", "\xff", "<", "\u2028"} {
		t.Run(fmt.Sprintf("%q", c), func(t *testing.T) {
			r := crowded(c)
			data := encoded(t, &r)
			if len(data) > MaxMessage {
				t.Errorf("%d bytes", len(data))
			}
			got, err := ParseResult(data)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Detail) != len(crowded(c).Detail) {
				t.Error("Encode changed its result")
			}
			if want := CleanText(r.Detail, MaxDetail); got.Detail != want && !strings.HasSuffix(got.Detail, Ellipsis) {
				t.Errorf("a detail of %d bytes came as one of %d, and is not marked as cut", len(want), len(got.Detail))
			}
			if got.Summary != CleanLine(r.Summary, MaxSummary) || got.Site != CleanLine(r.Site, MaxName) {
				t.Error("something else than the detail was cut")
			}
		})
	}
}

func TestAged(t *testing.T) {
	r := Result{Status: OK, For: Seconds(time.Second), TTL: Seconds(5 * time.Second), Flickers: []Flicker{
		{Critical, Seconds(time.Second), Seconds(time.Minute)}, {Warning, Seconds(time.Second), Seconds(FlickerSpan - 2*time.Second)}, {Warning, Seconds(time.Second), Seconds(FlickerSpan)},
	}}
	for _, tt := range []struct {
		d    time.Duration
		want Result
	}{
		{-time.Second, r},
		{0, r},
		{2 * time.Second, Result{Status: OK, For: Seconds(3 * time.Second), TTL: Seconds(3 * time.Second), Flickers: []Flicker{
			{Critical, Seconds(time.Second), Seconds(time.Minute + 2*time.Second)}, {Warning, Seconds(time.Second), Seconds(FlickerSpan)}}}},
		{5 * time.Second, Result{Status: OK, For: Seconds(6 * time.Second), TTL: Seconds(time.Millisecond), Flickers: []Flicker{{Critical, Seconds(time.Second), Seconds(time.Minute + 5*time.Second)}}}},
		{time.Hour, Result{Status: OK, For: Seconds(time.Hour + time.Second), TTL: Seconds(time.Millisecond), Flickers: []Flicker{}}},
	} {
		before := r.Flickers[0]
		if diff := cmp.Diff(tt.want, r.Aged(tt.d)); diff != "" {
			t.Errorf("after %v: want -, got +\n%s", tt.d, diff)
		}
		if r.Flickers[0] != before {
			t.Fatal("Aged changed its result's flickers")
		}
	}
	tail := Result{Status: Warning, For: Seconds(time.Second), Outage: Outage{Critical, Seconds(time.Minute)}}.Aged(2 * time.Second)
	if want := (Outage{Critical, Seconds(time.Minute + 2*time.Second)}); tail.For.Duration() != 3*time.Second || tail.Outage != want {
		t.Errorf("2 s later: warning for %v, in a spell of %v, want 3 s and %v", tail.For, tail.Outage, want)
	}
	if plain := (Result{Status: Warning, For: Seconds(time.Second)}).Aged(time.Second); plain.Outage != (Outage{}) {
		t.Errorf("with time alone the spell %v has come", plain.Outage)
	}
	silent := Result{Status: OK}
	if silent.TTLOrDefault() != DefaultTTL || silent.Aged(20*time.Second).TTL.Duration() != 40*time.Second {
		t.Errorf("of a result that does not say: due in %v, 20 s later in %v", silent.TTLOrDefault(), silent.Aged(20*time.Second).TTL)
	}
}

func TestUnderWay(t *testing.T) {
	for name, tt := range map[string]struct {
		r    Result
		want Outage
	}{
		"of one status":                {Result{Status: Warning, For: Seconds(time.Second)}, Outage{Warning, Seconds(time.Second)}},
		"of several":                   {Result{Status: Warning, For: Seconds(time.Second), Outage: Outage{Critical, Seconds(time.Minute)}}, Outage{Critical, Seconds(time.Minute)}},
		"before what is not known yet": {Result{Outage: Outage{Critical, Seconds(time.Minute)}}, Outage{Critical, Seconds(time.Minute)}},
		"ok":                           {Result{Status: OK, For: Seconds(time.Second)}, Outage{}},
		"ok, whatever else is said":    {Result{Status: OK, Outage: Outage{Critical, Seconds(time.Minute)}}, Outage{}},
		"nothing known":                {Result{For: Seconds(time.Second)}, Outage{}},
	} {
		if got := tt.r.OpenOutage(); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestAppendSeconds(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0"}, {-time.Hour, "0"}, {999, "0"}, {time.Microsecond, "0.000001"}, {1999, "0.000001"},
		{100 * time.Millisecond, "0.1"}, {time.Second, "1"}, {12345678 * time.Microsecond, "12.345678"}, {1500100 * time.Microsecond, "1.5001"},
		{10 * 365 * 24 * time.Hour, "315360000"},
	} {
		if got := string(AppendSeconds(nil, tt.d)); got != tt.want {
			t.Errorf("%v is written %s, want %s", tt.d, got, tt.want)
		}
	}
}

func TestAppendNumber(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "0"}, {-7, "-7"}, {999_999_999_999_999, "999999999999999"}, {1e15, "1e+15"}, {1e18, "1e+18"},
		{0.1, "0.1"}, {1.0 / 3, "0.333333333"}, {123456.7891234, "123456.789"}, {1e-9, "1e-09"},
	} {
		if got := string(AppendNumber(nil, tt.v)); got != tt.want || !json.Valid([]byte(got)) {
			t.Errorf("%g is written %s, want %s", tt.v, got, tt.want)
		}
	}
}

func FuzzParseResult(f *testing.F) {
	r := whole()
	f.Add(encoded(f, &r))
	for _, c := range []string{`"`, "\t", "日", "\x00"} {
		r := crowded(c)
		f.Add(encoded(f, &r))
	}
	for _, data := range []string{
		`{"status":"ok"}`, `{"status":"ok","value":1234567890.5}`, `{"status":"ok","for":8640000.000001,"ttl":0.0000004}`,
		`{"status":"ok","at":"9999-12-31T23:59:59-01:00"}`, `{"status":"ok","at":"2026-01-02T15:04:05,5+24:00"}`, `{"status":"ok","text":"\ud800"}`,
		`{"status":"warning","for":35,"outage":{"status":"critical","lasted":65.2}}`, `{"status":"critical","for":7,"outage":{"status":"unknown","lasted":0.0000004}}`,
		`{"status":"waiting","outage":{"status":"critical","lasted":1}}`, `{"status":"ok","outage":{"status":"critical","lasted":1}}`,
		`{"status":"ok","facts":[{}]}`, `null`, `[]`, "",
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := ParseResult(data)
		if err != nil {
			if _, ok := errors.AsType[*BadMessage](err); !ok {
				t.Errorf("reading %q: got %v, want a *BadMessage", data, err)
			}
			return
		}
		sent := encoded(t, &first)
		if len(sent) > MaxMessage || !json.Valid(sent) {
			t.Fatalf("%d bytes: %s", len(sent), sent)
		}
		// The first hop rounds; after it nothing changes any more.
		second, err := ParseResult(sent)
		if err != nil {
			t.Fatalf("refusing its own %s: %v", sent, err)
		}
		third, err := ParseResult(encoded(t, &second))
		if err != nil {
			t.Fatalf("refusing its own %s: %v", encoded(t, &second), err)
		}
		if diff := cmp.Diff(second, third); diff != "" {
			t.Errorf("one hop more, and it is another: -, +\n%s", diff)
		}
		if first.Status != second.Status || first.Summary != second.Summary || first.For != second.For || first.Outage != second.Outage || len(first.Flickers) != len(second.Flickers) {
			t.Errorf("sent %+v, arrived %+v", first, second)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", `"\`, "\n\t\r\x00\x1f\x7f", "日本🔦", "a\xffb\xe6\x97", "\u2028<>&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data := AppendString([]byte("x"), s)[1:]
		var got string
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%q is written %s: %v", s, data, err)
		}
		if want := string([]rune(s)); got != want || !utf8.Valid(data) {
			t.Errorf("%q is written %s, which reads %q", s, data, got)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("%q is written %s", s, data)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, bench := range []struct {
		name string
		r    Result
	}{
		{"page", Result{Status: OK, Value: Num(0.133), Unit: "s", For: Seconds(time.Hour), TTL: Seconds(6 * time.Second), Incarnation: 1767366245123, Seq: 12345,
			Phases: whole().Phases, At: time.Now()}},
		{"everything", whole()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(encoded(b, &bench.r))))
			b.ReportAllocs()
			for b.Loop() {
				encoded(b, &bench.r)
			}
		})
	}
}

func BenchmarkParseResult(b *testing.B) {
	for name, r := range map[string]Result{"least": {Status: OK}, "everything": whole()} {
		data := encoded(b, &r)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := ParseResult(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseCrowded reads the most expensive messages that fit: their lists
// hold thousands of elements.
func BenchmarkParseCrowded(b *testing.B) {
	for name, one := range map[string]string{"facts": `{"name":"a"},`, "empty": `{},`, "numbers": `1,`} {
		field := "facts"
		data := []byte(`{"status":"ok","` + field + `":[` + strings.Repeat(one, (MaxMessage-40)/len(one)) + strings.TrimSuffix(one, ",") + `]}`)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, _ = ParseResult(data)
			}
		})
	}
}

// TestWhatGrowsOldStaysValid: a last value that says the longest time that there is
// goes on to grow, and what is sent of it can still be read.
func TestWhatGrowsOldStaysValid(t *testing.T) {
	const century = Seconds(maxSeconds * time.Second)
	r := Result{Status: Critical, For: century, TTL: century, Lag: century, Outage: Outage{Critical, century}, Flickers: []Flicker{{Critical, century, 0}}}.Aged(time.Minute)
	got, err := ParseResult(encoded(t, &r))
	if err != nil || got.For != century || len(got.Flickers) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
