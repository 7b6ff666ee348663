package rewrite

import (
	"bytes"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A model may hold one table twice: an embedding that is looked up by row and,
// transposed by a node or stored a second time, multiplies as the output layer;
// or plain copies that an exporter made of a shared weight. Such twins are
// stored once.

// twin is the weight that stands in for another.
type twin struct {
	weight     *weight
	transposed bool // the other reads the table's transpose
}

// unify finds the twins among the prepared weights. It runs once, before the
// first replacement is built. Weights that are looked up come first: rows of a
// transposed table could not be.
func (q *quantizer) unify() {
	type size struct {
		home  *onnx.Scope
		dtype onnx.DType
		bytes int64
	}
	alike := map[size][]*weight{}
	for _, lookups := range []bool{true, false} {
		for _, w := range q.ordered {
			if w.lookup == lookups && w.measurable() {
				key := size{w.home, w.source.Type, w.source.Data.Len()}
				alike[key] = append(alike[key], w)
			}
		}
	}
	for _, group := range alike {
		if len(group) == 1 {
			continue // nothing is read for it
		}
		owners := map[uint64][]*weight{}
		for _, w := range group {
			signature, err := w.signature()
			if err == nil && !slices.ContainsFunc(owners[signature], w.adopt) {
				owners[signature] = append(owners[signature], w)
			}
		}
	}
}

// adopt makes another weight stand in for this one, if they are twins.
func (w *weight) adopt(owner *weight) bool {
	if w.dtype != owner.dtype || w.lookup && !owner.lookup {
		return false
	}
	if slices.Equal(w.dims, owner.dims) && w.axis == owner.axis && w.scale == owner.scale && w.block == owner.block && w.batched == owner.batched {
		// Floats that lie in the same order, or in each other's transposed order.
		same := w.flip == owner.flip && (w.source == owner.source || sameBytes(w.source, owner.source)) ||
			w.flip != owner.flip && transposedBytes(w.source, owner.source)
		if same {
			w.twin = &twin{weight: owner}
			return true
		}
	}
	if !owner.lookup || w.block > 0 || len(w.dims) != 2 || len(owner.dims) != 2 || w.dims[0] != owner.dims[1] || w.dims[1] != owner.dims[0] {
		return false
	}
	if w.axis >= 0 && w.axis != 1-owner.axis || w.axis < 0 && owner.axis >= 0 {
		return false
	}
	// The same floats in the same order are transposes of each other if just
	// one of the two is read transposed; else the floats themselves have to be.
	switch {
	case w.flip != owner.flip:
		if w.source != owner.source && !sameBytes(w.source, owner.source) {
			return false
		}
	case !transposedBytes(w.source, owner.source):
		return false
	}
	w.twin = &twin{weight: owner, transposed: true}
	return true
}

func sameBytes(a, b *onnx.Tensor) bool {
	left, err := a.Data.Bytes()
	if err != nil {
		return false
	}
	right, err := b.Data.Bytes()
	return err == nil && a.Type == b.Type && slices.Equal(a.Dims, b.Dims) && bytes.Equal(left, right)
}

// transposedBytes says whether one matrix holds the other's transpose.
func transposedBytes(a, b *onnx.Tensor) bool {
	left, err := a.Data.Bytes()
	if err != nil {
		return false
	}
	right, err := b.Data.Bytes()
	if err != nil || a.Type != b.Type || len(left) != len(right) || len(a.Dims) != 2 || len(b.Dims) != 2 || a.Dims[0] != b.Dims[1] {
		return false
	}
	size := a.Type.Bits() / 8
	rows, columns := int(a.Dims[0]), int(a.Dims[1])
	for r := range rows {
		for c := range columns {
			from, to := (r*columns+c)*size, (c*rows+r)*size
			if !bytes.Equal(left[from:from+size], right[to:to+size]) {
				return false
			}
		}
	}
	return true
}

// measurable says whether the weight can be quantized, as far as that is known.
func (w *weight) measurable() bool {
	if w.late() {
		_, err := w.floats()
		return err == nil
	}
	return w.finding().err == nil
}

// corner is how many rows and columns of a table are looked at to find twins.
const corner = 16

// signature is a sum over the elements of a table's first rows and columns, in
// whatever order: equal for twins, hardly ever for others. It reads some pages,
// so that finding out that there are no twins costs nothing.
func (w *weight) signature() (uint64, error) {
	data, err := w.source.Data.Bytes()
	if err != nil {
		return 0, err
	}
	size := w.source.Type.Bits() / 8
	columns := len(data) / size
	if dims := w.source.Dims; len(dims) == 2 {
		columns = int(dims[1])
	}
	rows := len(data) / size / max(1, columns)
	var sum uint64
	for row := range min(corner, rows) {
		for column := range min(corner, columns) {
			var v uint64
			for i, b := range data[(row*columns+column)*size:][:size] {
				v |= uint64(b) << (8 * i)
			}
			// A finalizer that spreads every bit (MurmurHash3's fmix64).
			v ^= v >> 33
			v *= 0xff51afd7ed558ccd
			v ^= v >> 33
			v *= 0xc4ceb9fe1a85ec53
			v ^= v >> 33
			sum += v
		}
	}
	return sum, nil
}
