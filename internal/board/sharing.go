package board

import (
	"time"

	"pharos/internal/pharos"
)

// apartFor is how long a prober may share among others than the board sees before
// the board says so: who came or went just now is not known to all.
const apartFor = 4 * time.Second

// assignment is which of its watchers a prober runs, as the board computes it from
// the heartbeats, in the same way as the probers do.
type assignment struct {
	membership
	share   map[pharos.WatcherID]bool
	members uint64        // hash of those among whom it shares
	apart   time.Duration // since when it shares among others than those; 0: it does not
}

// runs reports whether a prober is to run a watcher.
func (p *prober) runs(id pharos.WatcherID) bool {
	return p.listed[id] && (p.heartbeat.Share == nil || p.share[id])
}

// sharing reports whether two probers share their watchers, or are about to.
func sharing(p, q *prober) bool {
	return p != nil && p.heartbeat.Share != nil && q.heartbeat.Share != nil && p.heartbeat.Share.Roster == q.heartbeat.Share.Roster
}

// membership is a prober's place among those who share.
type membership struct {
	here   bool   // it takes part
	list   uint64 // the hash of its roster
	weight int
}

// noticeSharing computes anew who runs what where a prober has another place than
// before.
func (b *Board) noticeSharing(p *prober) {
	var now membership
	if s := p.heartbeat.Share; s != nil && p.up && !s.Joining && p.rosterIsNewest() {
		now = membership{true, s.Roster, s.Weight}
	}
	if now != p.membership {
		p.membership = now
		b.reshare(p.token)
	}
}

// reshare computes anew who runs what at a site.
func (b *Board) reshare(site string) {
	groups := map[uint64][]*prober{}
	for _, p := range b.probers {
		if p.token != site {
			continue
		}
		p.share, p.members = nil, 0
		if p.here {
			groups[p.list] = append(groups[p.list], p)
		}
	}
	for _, group := range groups {
		members := make([]pharos.Member, len(group))
		for i, p := range group {
			members[i] = pharos.Member{Prober: p.tokenOfName(), Weight: p.weight}
			p.share = map[pharos.WatcherID]bool{}
		}
		hash := pharos.MembersHash(members)
		for id := range group[0].listed {
			group[pharos.Owner(id, members)].share[id] = true
		}
		for _, p := range group {
			p.members = hash
		}
	}
}

// agrees reports whether a prober shares among the same probers as the board sees.
func (p *prober) agrees() bool {
	return p.heartbeat.Share != nil && p.heartbeat.Share.Members == p.members
}

// judgeSharing looks whether a prober shares among those whom the board sees.
func (b *Board) judgeSharing(p *prober) {
	s := p.heartbeat.Share
	switch {
	case s == nil || s.Joining || p.agrees():
		p.apart = 0
	case p.apart == 0:
		p.apart = b.now
	}
}

// isApart reports whether a prober does not hear the others of its site.
func (b *Board) isApart(p *prober) bool { return p.up && p.apart > 0 && b.now-p.apart >= apartFor }

// digested returns the watchers that a prober's digest is about: its share, or all
// that it lists where it thinks that it is alone; false where nobody can tell.
func (p *prober) digested() (map[pharos.WatcherID]bool, bool) {
	s := p.heartbeat.Share
	switch {
	case s == nil:
		return p.listed, true
	case s.Joining:
		return nil, false
	case p.agrees():
		return p.share, true
	}
	alone := pharos.MembersHash([]pharos.Member{{Prober: p.tokenOfName(), Weight: s.Weight}})
	return p.listed, s.Members == alone
}
