package board

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"sync"
)

// Event is one Server-Sent Event. It is encoded once for all screens that get
// it, and never changes.
type Event struct {
	Bytes  []byte
	pack   sync.Once
	packed []byte
}

// Whole reports whether the event is a snapshot.
func (e *Event) Whole() bool { return bytes.HasPrefix(e.Bytes, []byte("event: board\n")) }

// PackedHead is what a gzip stream (RFC 1952) of packed events begins with.
const PackedHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// minPacked is the least that is worth compressing.
const minPacked = 256

// Packed returns the event as whole blocks of a deflate stream (RFC 1951) that
// end at a byte and refer to nothing before them: whatever else a screen was
// sent, it can be sent these. They are made once for all screens.
func (e *Event) Packed() []byte {
	e.pack.Do(func() { e.packed = Pack(e.Bytes) })
	return e.packed
}

// Pack does for any bytes what Packed does for an event.
func Pack(data []byte) []byte {
	if len(data) < minPacked {
		return Store(data)
	}
	var out bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(data) // a buffer takes all
	_ = w.Flush()
	return out.Bytes()
}

// Store is Pack without compressing, of at most 64 KiB.
func Store(data []byte) []byte {
	out := binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(data)))
	out = binary.LittleEndian.AppendUint16(out, ^uint16(len(data)))
	out = append(out, data...)
	return append(out, "\x00\x00\x00\xff\xff"...) // an empty one, as Flush writes: some readers hand nothing on before it
}

var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // there is such a level
	return w
}}
