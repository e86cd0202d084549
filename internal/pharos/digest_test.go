package pharos

import "testing"

func TestDigest(t *testing.T) {
	type watcher struct {
		id     WatcherID
		status Status
		change uint64
	}
	sum := func(watchers ...watcher) (d Digest) {
		for _, w := range watchers {
			d.Add(w.id, w.status, w.change)
		}
		return d
	}
	a, b := watcher{"a.s.x", OK, 1}, watcher{"a.s.y", Critical, 4}
	whole := sum(a, b)
	if whole.OK != 1 || whole.Critical != 1 || whole != sum(b, a) {
		t.Errorf("%+v, and in the other order %+v", whole, sum(b, a))
	}
	for name, other := range map[string]Digest{
		"a watcher less":                 sum(a),
		"another watcher":                sum(a, watcher{"a.s.z", Critical, 4}),
		"another status":                 sum(a, watcher{"a.s.y", Warning, 4}),
		"red, green and red meanwhile":   sum(a, watcher{"a.s.y", Critical, 6}),
		"the two statuses are exchanged": sum(watcher{"a.s.x", Critical, 1}, watcher{"a.s.y", OK, 4}),
		"one twice":                      sum(a, b, b),
		"nothing":                        sum(),
		"one that has not been run":      sum(a, watcher{"a.s.y", Waiting, 0}),
	} {
		if other == whole || other.Hash == whole.Hash {
			t.Errorf("%s: the digest is the same, %+v", name, other)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	var d Digest
	for b.Loop() {
		d.Add("berlin.shop--4qmurh6c.home-page--chkywcg6", OK, 12345)
	}
}
