package board

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// notices are the lines that name what is wrong with the works themselves.
func (b *Board) notices() []string {
	var out []string
	if b.notice != "" {
		out = append(out, b.notice)
	}
	if b.behind > 0 {
		out = append(out, "this dashboard is behind: more arrives than it can read; of each watcher it takes the newest")
	}
	if b.isolation.here {
		out = append(out, "NATS is there, and no prober is heard through it: is this server cut off from its cluster?")
	}
	if more := len(b.probers) - maxListed; more > 0 {
		out = append(out, fmt.Sprintf("%d more probers are not listed here", more))
	}
	for _, p := range b.sortedProbers() {
		if p.up && p.late {
			out = append(out, fmt.Sprintf("%s: its list of %d watchers does not arrive here; may NATS pass on pharos.roster.%s.> and pharos.refresh?", p.place(), p.heartbeat.Watchers, strings.ReplaceAll(p.id, "/", ".")))
		}
		if p.up && p.agreement.lost(b.now) {
			out = append(out, p.place()+": its messages do not all arrive here: "+p.agreement.text)
		}
		if b.isApart(p) {
			out = append(out, fmt.Sprintf("%s does not hear the other probers of its site, and runs more than its share; may it subscribe to pharos.heartbeat.%s.*?", p.place(), p.token))
		}
		if p.backwards > 0 && !p.isDuplicated() {
			out = append(out, p.place()+": its numbers ran backwards; was its machine set back, or does somebody else send in its name?")
		}
		if p.isDuplicated() {
			out = append(out, p.place()+" runs twice: give one of them another name")
		}
		if p.heartbeat.Rejected != "" && p.up {
			out = append(out, p.site+" "+p.name+": "+p.heartbeat.Rejected)
		}
		if p.heartbeat.Unable != "" && p.up {
			out = append(out, p.place()+": "+p.heartbeat.Unable)
		}
		if p.heartbeat.Denied != "" && p.up {
			out = append(out, p.site+" "+p.name+", NATS: "+p.heartbeat.Denied)
		}
	}
	for _, p := range b.sortedProbers() {
		if n := len(p.listed) - len(p.watches); n > 0 && p.up && b.full() {
			are := "are"
			if n == 1 {
				are = "is"
			}
			out = append(out, fmt.Sprintf("%d of %s's %d watchers %s not shown: max_watchers is %d", n, p.place(), len(p.listed), are, b.o.MaxWatchers))
		}
	}
	if b.refused.text != "" {
		out = append(out, b.refused.text)
	}
	for _, p := range b.sortedProbers() {
		if p.trouble.text != "" {
			out = append(out, p.trouble.text)
		}
	}
	if n := len(b.conflicts); n > 0 {
		ids := slices.Sorted(maps.Keys(b.conflicts))
		d := b.conflicts[ids[0]]
		more := ""
		if n > 1 {
			more = fmt.Sprintf(" and %d more", n-1)
		}
		name := string(ids[0])
		if t := b.tiles[ids[0]]; t != nil {
			name = t.name
		}
		other := cmp.Or(d.other, "a sender without a name")
		out = append(out, fmt.Sprintf("published twice: %q%s, by %s and by %s; shown is %s", name, more, d.owner, other, d.owner))
	}
	return out
}
