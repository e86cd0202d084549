package pharos

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func members(names ...string) []Member {
	var all []Member
	for _, name := range names {
		all = append(all, Member{name, 1})
	}
	return all
}

func owners(n int, all []Member) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = all[Owner(MakeID("berlin", "set", fmt.Sprint("w", i)), all)].Prober
	}
	return out
}

func TestOwnersAreSpreadByWeight(t *testing.T) {
	all := members("p1", "p2", "p3", "p4")
	all[3].Weight = 3
	const n = 6000
	counts := map[string]int{}
	for _, p := range owners(n, all) {
		counts[p]++
	}
	for _, m := range all {
		want := float64(n*m.Weight) / 6
		if off := math.Abs(float64(counts[m.Prober]) - want); off > 5*math.Sqrt(want) { // five standard deviations
			t.Errorf("%s has %d of %d, want about %.0f", m.Prober, counts[m.Prober], n, want)
		}
	}
}

func TestWhoJoinsOrLeavesMovesItsOwnShareAlone(t *testing.T) {
	before, after := owners(1000, members("p1", "p2", "p3")), owners(1000, members("p1", "p2", "p3", "p4"))
	moved := 0
	for i := range before {
		switch {
		case before[i] == after[i]:
		case after[i] != "p4":
			t.Fatalf("watcher %d went from %s to %s", i, before[i], after[i])
		default:
			moved++
		}
	}
	if moved < 180 || moved > 320 {
		t.Errorf("%d of 1000 went to the fourth, want about 250", moved)
	}
}

func TestTheOrderOfMembersDoesNotMatter(t *testing.T) {
	all := members("p1", "p2", "p3", "p4", "p5")
	want, hash := owners(100, all), MembersHash(all)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if got := owners(100, all); fmt.Sprint(got) != fmt.Sprint(want) || MembersHash(all) != hash {
		t.Errorf("the order changes owners or the hash")
	}
	all[0].Weight = 2
	if MembersHash(all) == hash || MembersHash(all[1:]) == hash {
		t.Error("another weight, or one member less, has the same hash")
	}
	if Owner("a.b.c", nil) != -1 {
		t.Error("nobody runs it, and it has an owner")
	}
}
