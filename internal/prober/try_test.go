package prober

import (
	"context"
	"net"
	"strings"
	"testing"
)

func TestTry(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := parse(t, `
site: berlin
prober: p1
sets:
  - name: Shop
    watchers:
      - {name: Well, tcp: "`+l.Addr().String()+`"}
      - {name: Bad, command: "echo first; echo second; exit 3"}
      - {name: Sum, group: [Middle]}
      - {name: Middle, group: [Well, Bad]}
      - {name: Load, command: "echo 7", value: number, thresholds: {warning: 5}}
  - name: Jobs
    watchers:
      - {name: Backup, push: 1h}
`)
	for name, test := range map[string]struct {
		command TryCommand
		wrong   string
		want    []string
		not     []string
	}{
		"all": {TryCommand{}, "4 of 6 are not ok", []string{
			"Shop / Well: ok, ", "  tcp            " + l.Addr().String() + "\n", "  phases         connect ", "  address        " + l.Addr().String() + "\n",
			"Shop / Bad: critical, first\n", "  exit code      3\n", "  | second\n",
			"Shop / Middle: critical, 50 %, Bad: first\n", "Shop / Sum: critical, 0 %, Middle: Bad: first\n",
			"Shop / Load: warning, 7, over 5\n", "Jobs / Backup: waiting, nothing to say so far\n", "  listens to     pharos.push.berlin.jobs--",
		}, []string{"subject"}},
		"one":     {TryCommand{Names: []string{"Well"}}, "", []string{"Shop / Well: ok"}, []string{"Bad", "Backup"}},
		"a set":   {TryCommand{Names: []string{"Jobs"}}, "", []string{"Jobs / Backup"}, []string{"Shop"}},
		"a group": {TryCommand{Names: []string{"Middle"}}, "2 of 3 are not ok", []string{"Shop / Well", "Shop / Bad", "Shop / Middle"}, []string{"Load", "Sum"}},
		"a message": {TryCommand{Names: []string{"Shop / Load"}, JSON: true}, "1 of 1 are not ok", []string{
			"  subject        pharos.result.berlin.p1.shop--", `{"status":"warning","value":7,"summary":"over 5"`,
		}, nil},
		"no such": {TryCommand{Names: []string{"Well", "Nothing"}}, `no watcher and no set is named "Nothing": --check -v lists them all`, nil, []string{"Well"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := test.command.Run(context.Background(), c, &out)
			if got := ""; err != nil && err.Error() != test.wrong || err == nil && test.wrong != got {
				t.Errorf("got %v, want %q", err, test.wrong)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not in\n%s", want, &out)
				}
			}
			for _, not := range test.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("%q is in\n%s", not, &out)
				}
			}
		})
	}
}
