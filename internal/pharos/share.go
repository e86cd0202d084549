package pharos

import (
	"fmt"
	"math"
)

// MaxWeight is the greatest weight of a prober that shares its work, in the file.
// WeightUnit is what a weight of 1 is in heartbeats, so that a prober that has too
// much to do can take less.
const (
	MaxWeight  = 100
	WeightUnit = 10
)

// Share is what a prober says in its heartbeat of how it shares its watchers with
// the other probers of its site. Probers whose rosters have the same hash share:
// each watcher is run by one of them, by Owner.
type Share struct {
	Roster  uint64 `json:"roster"`            // a hash of what the file says of the watchers
	Weight  int    `json:"weight"`            // how much it takes beside the others: 1 to MaxWeight*WeightUnit
	Joining bool   `json:"joining,omitempty"` // it takes nothing yet
	Members uint64 `json:"members"`           // MembersHash of those among whom it shares, itself included
}

func (s *Share) check() error {
	if s != nil && (s.Weight < 1 || s.Weight > MaxWeight*WeightUnit) {
		return fmt.Errorf("weight %d, want 1 to %d", s.Weight, MaxWeight*WeightUnit)
	}
	return nil
}

// Member is one of the probers that share.
type Member struct {
	Prober string // token
	Weight int
}

// Owner returns the member that runs a watcher, as an index; -1 where there is none.
// It is weighted rendezvous hashing (highest random weight, Thaler and Ravishankar
// 1998): who joins takes its share alone, and who leaves hands on its share alone.
// The order of the members does not matter.
func Owner(id WatcherID, members []Member) int {
	best, most := -1, 0.0
	for i, m := range members {
		h := mix(hash(hash(offset64, m.Prober+"\x00"), string(id)))
		// The score -weight/ln(u) of a u that is spread evenly over (0, 1) is greatest
		// with the probability that the weight is of all weights.
		u := (float64(h>>11) + 0.5) / (1 << 53)
		score := -float64(m.Weight) / math.Log(u)
		if best < 0 || score > most || score == most && m.Prober < members[best].Prober {
			best, most = i, score
		}
	}
	return best
}

// MembersHash sums up members; their order does not matter.
func MembersHash(members []Member) uint64 {
	var sum uint64
	for _, m := range members {
		sum += mix(hash(offset64, fmt.Sprint(m.Prober, " ", m.Weight)))
	}
	return sum
}

// FNV-1a, of 64 bits (RFC 9923).
const offset64, prime64 = 14695981039346656037, 1099511628211

func hash[T string | []byte](h uint64, data T) uint64 {
	for i := range len(data) {
		h = (h ^ uint64(data[i])) * prime64
	}
	return h
}

// Hash returns a number that is spread evenly over all of 64 bits and is the same
// in every process.
func (id WatcherID) Hash() uint64 { return mix(hash(offset64, string(id))) }

// mix spreads a hash over all bits: FNV leaves those of short texts alike. It is
// the last step of SplitMix64 (Steele, Lea and Flood 2014).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
