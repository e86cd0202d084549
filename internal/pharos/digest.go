package pharos

import "encoding/binary"

// Digest sums up the state of all watchers of one prober. A prober sends it in
// its heartbeat, and a board computes the same from the results that arrived:
// where the two differ, something was lost or forged on the way.
type Digest struct {
	OK       int    `json:"ok"` // how many watchers are in each status
	Warning  int    `json:"warning"`
	Critical int    `json:"critical"`
	Unknown  int    `json:"unknown"`
	Waiting  int    `json:"waiting"`
	Hash     uint64 `json:"hash"` // the sum, modulo 2^64, of a hash of each watcher's id, status and change
}

// Add takes one watcher in. change is the Change of its last result; 0 where
// there is none yet. The order of the watchers does not matter.
func (d *Digest) Add(id WatcherID, s Status, change uint64) {
	switch s {
	case OK:
		d.OK++
	case Warning:
		d.Warning++
	case Critical:
		d.Critical++
	case Unknown:
		d.Unknown++
	default:
		d.Waiting++
	}
	var tail [9]byte
	tail[0] = byte(s)
	binary.BigEndian.PutUint64(tail[1:], change)
	d.Hash += hash(hash(offset64, string(id)), tail[:])
}
