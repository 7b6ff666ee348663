package onnx

import (
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxFile is the largest file Encode writes. Protocol Buffers stop at 2 GiB;
// the margin leaves room for those who add a little to the model later.
const maxFile = 2<<30 - 16<<20

// Encode writes a model as a file holds it. Whatever was not changed since the
// model was read is written as it was, byte for byte; see the package's
// introduction for what becomes of the rest. Payloads are asked for their bytes
// one at a time, when it is their turn. A result that is too large for one file
// is an error before anything is written: WriteFile can move weights out of it.
// A *ChangedError says that the model's file was changed meanwhile.
func Encode(w io.Writer, m *Model) error {
	return m.Guard(func() error {
		if err := encodeModel(w, m); err != nil {
			return err
		}
		return m.unchanged()
	})
}

func encodeModel(w io.Writer, m *Model) error {
	out, err := layOut(m, &m.message)
	if err != nil {
		return err
	}
	if out.size > maxFile {
		return fmt.Errorf("onnx: the model takes %d bytes, more than a file may hold (%d): "+
			"write it with WriteFile, which can put its weights in external data", out.size, int64(maxFile))
	}
	if err := out.writeTo(w, nil); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// EncodeTensor writes a tensor as a TensorProto file, as ONNX's test data are.
func EncodeTensor(w io.Writer, t *Tensor) error {
	out, err := layOut(t, &t.message)
	if err != nil {
		return err
	}
	if out.size > maxFile {
		return fmt.Errorf("onnx: tensor %q takes %d bytes, more than a file may hold (%d)", t.Name, out.size, int64(maxFile))
	}
	if err := out.writeTo(w, nil); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// layOut works out every byte of a message but those of its payloads.
func layOut(v fielder, meta *message) (*output, error) {
	out := &output{}
	if meta.raw != nil {
		out.verbatim(meta.raw)
		return out, nil
	}
	e := &encoder{}
	e.fill(out, meta.base, v)
	return out, e.err
}

// encoder is what the writers of one file share.
type encoder struct {
	depth int
	err   error // the first
}

// fill lays out a changed message: its base's records in their order, each known
// field at the place of its first record; what the base had no place for follows.
func (e *encoder) fill(out *output, base []byte, v fielder) {
	if e.err != nil {
		return
	}
	if e.depth > maxDepth {
		e.err = fmt.Errorf("onnx: messages are nested more than %d deep, or a graph is inside itself", maxDepth)
		return
	}
	e.depth++
	w := &writer{encoder: e, out: out, base: base, index: indexRecords(base)}
	v.fields(&fields{writer: w})
	w.finish()
	e.depth--
}

// record is one occurrence of one field in a message.
type record struct {
	number protowire.Number
	wire   protowire.Type
	scalar uint64
	bytes  []byte
	whole  []byte // with its tag
}

// indexRecords splits a message into its records. The message has been read
// before, so it is well formed; should it not be, the rest is left out.
func indexRecords(b []byte) []record {
	var index []record
	var f fields
	for len(b) > 0 {
		n, err := f.next(b)
		if err != nil {
			return index
		}
		index = append(index, record{f.number, f.wire, f.scalar, f.bytes, b[:n]})
		b = b[n:]
	}
	return index
}

// writer lays out the fields of one message.
type writer struct {
	*encoder
	out    *output
	base   []byte
	index  []record
	groups []*group
}

// group is all that is written for one field.
type group struct {
	number protowire.Number
	wires  []protowire.Type
	body   output
	kept   bool // the base's records stay as they are
	placed bool
}

func (g *group) covers(r record) bool {
	return g.number == r.number && slices.Contains(g.wires, r.wire)
}

// was returns the base's last record of a field: the one that counts.
func (w *writer) was(number protowire.Number, wire protowire.Type) (record, bool) {
	for _, r := range slices.Backward(w.index) {
		if r.number == number && r.wire == wire {
			return r, true
		}
	}
	return record{}, false
}

// records returns the base's records of a field.
func (w *writer) records(number protowire.Number, wires ...protowire.Type) []record {
	var list []record
	for _, r := range w.index {
		if r.number == number && slices.Contains(wires, r.wire) {
			list = append(list, r)
		}
	}
	return list
}

// same reports whether the base has n records of a field, each equal to what is there now.
func (w *writer) same(number protowire.Number, wire protowire.Type, n int, equal func(i int, was record) bool) bool {
	i := 0
	for _, r := range w.index {
		if r.number == number && r.wire == wire {
			if i >= n || !equal(i, r) {
				return false
			}
			i++
		}
	}
	return i == n
}

// keep has a field written as the base has it.
func (w *writer) keep(number protowire.Number, wires ...protowire.Type) {
	if w.base != nil {
		w.groups = append(w.groups, &group{number: number, wires: wires, kept: true})
	}
}

// field returns where to write a field's records in place of the base's.
func (w *writer) field(number protowire.Number, wires ...protowire.Type) *output {
	if w.base == nil {
		return w.out
	}
	g := &group{number: number, wires: wires}
	w.groups = append(w.groups, g)
	return &g.body
}

// finish puts the groups in their places.
func (w *writer) finish() {
	for _, r := range w.index {
		at := slices.IndexFunc(w.groups, func(g *group) bool { return g.covers(r) })
		if at < 0 || w.groups[at].kept {
			w.out.verbatim(r.whole)
			continue
		}
		if g := w.groups[at]; !g.placed {
			g.placed = true
			w.out.merge(&g.body)
		}
	}
	for _, g := range w.groups {
		if !g.placed && !g.kept {
			w.out.merge(&g.body)
		}
	}
}

// view writes a message that is a view of its own.
func (w *writer) view(out *output, number protowire.Number, v fielder, meta *message) {
	if meta.raw != nil {
		out.bytes(number, meta.raw)
		return
	}
	w.nest(out, number, meta.base, v)
}

// nest writes a message field by field.
func (w *writer) nest(out *output, number protowire.Number, base []byte, v fielder) {
	var in output
	w.fill(&in, base, v)
	out.header(number, in.size)
	out.merge(&in)
}

// longestPayload is more than any disk holds, and keeps sums from overflowing.
const longestPayload = 1 << 56

// payload writes a promise of bytes.
func (w *writer) payload(number protowire.Number, tensor string, p Payload) {
	out := w.field(number, protowire.BytesType)
	length := p.Len()
	if length < 0 || length > longestPayload {
		if w.err == nil {
			w.err = fmt.Errorf("onnx: tensor %q: its payload claims a length of %d bytes", tensor, length)
		}
		return
	}
	out.header(number, length)
	out.promise(tensor, p, length)
}
