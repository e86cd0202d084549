package allinone_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pharos/internal/config"
	"pharos/internal/field"
	"pharos/internal/pharos"
	"pharos/internal/pharostest"
	"pharos/internal/probe"
	"pharos/internal/prober"
)

// dice is a kind that nobody else knows: it rolls a dice.
var dice = probe.Kind{
	Key: "dice", Doc: "Rolls a dice, whose value is what it shows.", Phases: []string{"roll"},
	New: func() probe.Spec { return &diceSpec{Sides: 6} },
}

type diceSpec struct {
	field.Section
	Dice   field.Text     `yaml:"dice" also:"die" doc:"Whose dice it is." required:"true"`
	Sides  field.Int      `yaml:"sides" min:"2" max:"100" doc:"How many sides it has." default:"6"`
	Shows  field.Int      `yaml:"shows" doc:"What it shows, if it is loaded."`
	Falls  field.YesNo    `yaml:"falls" doc:"It falls off the table." default:"false"`
	Rolls  field.Duration `yaml:"rolls" doc:"For how long it rolls."`
	Breaks field.YesNo    `yaml:"breaks" doc:"It breaks." default:"false"`
}

func (s *diceSpec) Check(c *field.Checker) {
	if s.Shows > s.Sides {
		c.Fail(s.At("shows"), "shows: a dice of %d sides never shows %d", s.Sides, s.Shows)
	}
}

func (s *diceSpec) Target() string        { return "the dice of " + string(s.Dice) }
func (s *diceSpec) Traits() pharos.Traits { return pharos.Traits{Class: pharos.Local, Unit: "dots"} }

func (s *diceSpec) Prepare(*probe.Engine, pharos.Watcher) (probe.Run, error) {
	return func(ctx context.Context, t *probe.Trace) probe.Measurement {
		t.Enter("roll")
		select {
		case <-time.After(time.Duration(s.Rolls)):
		case <-ctx.Done():
		}
		switch {
		case bool(s.Breaks):
			panic("it broke")
		case bool(s.Falls):
			return pharos.Failure(errors.New("it fell off the table"))
		}
		return probe.Measurement{Value: pharos.Num(float64(s.Shows)), Facts: []pharos.Fact{{Name: "sides", Value: fmt.Sprint(s.Sides)}}}
	}, nil
}

func TestAKindOfItsOwnIsCheckedDocumentedRunAndShown(t *testing.T) {
	t.Parallel()
	kinds := prober.Kinds(dice)
	none := func(string) (string, bool) { return "", false }
	_, err := config.Parse("a.yaml", []byte(`
sets:
  - name: Games
    watchers:
      - {name: A, dice: Anna, sides: 6, shows: 7}
      - {name: B, die: Berta}
      - {name: C, dice: Carla, sidse: 6, thresholds: {warning: 3, rol: {warning: 1s}}}
      - {name: D, dice: Dora, command: "true", ssh_host: slw}
`), none, kinds...)
	const wrong = `a.yaml: line 5: shows: a dice of 6 sides never shows 7
a.yaml: line 6: unknown key "die" (did you mean "dice"?)
a.yaml: line 7: unknown key "sidse" (did you mean "sides"?)
a.yaml: line 7: unknown key "thresholds.rol" (did you mean "thresholds.roll"?)
a.yaml: line 8: dice beside command: a watcher has one of them`
	if err == nil || err.Error() != wrong {
		t.Errorf("checked: got\n%v\nwant\n%s", err, wrong)
	}

	schema, err := config.Schema(kinds...)
	if err != nil || !strings.Contains(string(schema), `"How many sides it has. Default: 6."`) || !strings.Contains(string(schema), `"Bounds of the phase roll alone."`) {
		t.Errorf("the schema does not know it: %v", err)
	}
	const row = "### dice\n\nRolls a dice, whose value is what it shows.\n\n| key | holds | default | |\n|---|---|---|---|\n| `dice` | text | required | Whose dice it is. |\n"
	if !strings.Contains(config.Tables(kinds...)["kinds"], row) {
		t.Error("the document does not know it")
	}

	c, err := config.Parse("a.yaml", []byte(`
sets:
  - name: Games
    watchers:
      - {name: Well, dice: Anna, shows: 2, interval: 100ms, thresholds: {warning: 4, critical: 6}}
      - {name: High, dice: Berta, shows: 5, interval: 100ms, thresholds: {warning: 4, critical: 6}}
      - {name: Slow, dice: Dora, shows: 1, rolls: 150ms, interval: 200ms, thresholds: {roll: {warning: 50ms}}}
      - {name: Lost, dice: Carla, falls: true, interval: 100ms}
      - {name: Broken, dice: Emma, breaks: true, interval: 100ms}
`), none, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, c)
	s := p.screen()
	if well := s.AwaitStatus(t, "Well", "ok"); well["v"] != "2" || well["u"] != "dots" {
		t.Errorf("it shows %v %v", well["v"], well["u"])
	}
	for name, want := range map[string]struct{ status, says string }{
		"High": {"warning", "over 4 dots"}, "Slow": {"warning", "over 50 ms"}, "Lost": {"critical", "it fell off the table"}, "Broken": {"unknown", "the probe broke: it broke"},
	} {
		if tile := s.AwaitStatus(t, name, want.status); !strings.Contains(fmt.Sprint(tile["m"]), want.says) {
			t.Errorf("%s says %v, want %q", name, tile["m"], want.says)
		}
	}
	pharostest.Eventually(t, func() error {
		one := pharostest.GetJSON[struct {
			Kind, Target string
			Phases       []pharos.Phase
			Facts        []pharos.Fact
		}](t, p.url+"/api/v1/watchers/"+s.Tile("Slow").Text("id"))
		if one.Kind != "dice" || one.Target != "the dice of Dora" || len(one.Phases) != 1 || one.Phases[0].Name != "roll" || len(one.Facts) == 0 {
			return fmt.Errorf("its detail is %+v", one)
		}
		return nil
	})
}
