package quantops

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Weights is a view of stored floats that are to be quantized: little-endian
// elements of Type in the order [Batch][Rows][Columns]. Nothing of it is
// written; Data may be a mapped file.
type Weights struct {
	Type                 FloatType
	Data                 []byte
	Batch, Rows, Columns int
	// Axis says what shares a scale: with AlongColumns one scale for each
	// column (over all batches and rows), with AlongRows one for each row, with
	// Whole one for all.
	Axis Axis
	// Block, if positive, splits the other axis into runs of so many that have
	// scales of their own; the last may be shorter. It asks for Batch 1 and an
	// Axis that is not Whole.
	Block int
	// Flip stores the result transposed: [Batch][Columns][Rows]. The axis is
	// that of the floats as they lie in Data.
	Flip bool
}

// Axis says along which axis of Weights scales lie.
type Axis uint8

// The axes.
const (
	Whole Axis = iota
	AlongColumns
	AlongRows
)

// check panics on a view that cannot be: that is the caller's mistake.
func (w *Weights) check() {
	if w.Batch < 0 || w.Rows < 0 || w.Columns < 0 || len(w.Data) != w.len()*w.Type.Size() {
		panic(fmt.Sprintf("quantops: %d×%d×%d floats of %d bytes are not %d bytes",
			w.Batch, w.Rows, w.Columns, w.Type.Size(), len(w.Data)))
	}
	if w.Block > 0 && (w.Batch != 1 || w.Axis == Whole) {
		panic("quantops: blocks ask for a matrix and an axis")
	}
}

func (w *Weights) len() int { return w.Batch * w.Rows * w.Columns }

// shape is how many scales there are: for each channel, in blocks along the
// other axis.
func (w *Weights) shape() (channels, blocks int) {
	var other int
	switch w.Axis {
	case AlongColumns:
		channels, other = w.Columns, w.Rows
	case AlongRows:
		channels, other = w.Rows, w.Columns
	default:
		return 1, 1
	}
	if w.Block <= 0 {
		return channels, 1
	}
	return channels, (other + w.Block - 1) / w.Block
}

// steps is how far apart the scales of neighbouring channels and blocks lie.
// They lie as the quantized weights do, with Flip transposed.
func (w *Weights) steps() (channel, block int) {
	channels, blocks := w.shape()
	if (w.Axis == AlongColumns) != w.Flip {
		return 1, channels
	}
	return blocks, 1
}

// Grid says which scale each quantized weight uses, in the order in which
// Quantize writes them.
func (w *Weights) Grid() Grid {
	rows, columns, axis := w.Rows, w.Columns, w.Axis
	if w.Flip {
		rows, columns = columns, rows
		axis = [...]Axis{Whole: Whole, AlongColumns: AlongRows, AlongRows: AlongColumns}[axis]
	}
	switch {
	case axis == Whole:
		return Grid{Outer: 1, Length: 1, Inner: w.len()}
	case axis == AlongColumns && w.Block > 0:
		return Grid{Outer: 1, Length: rows, Inner: columns, Block: w.Block}
	case axis == AlongColumns:
		return Grid{Outer: w.Batch * rows, Length: columns, Inner: 1}
	case w.Block > 0:
		return Grid{Outer: rows, Length: columns, Inner: 1, Block: w.Block}
	}
	return Grid{Outer: w.Batch, Length: rows, Inner: columns}
}

// scaleAt is the index of the scale of a weight (row counts over all batches),
// and the column up to which its neighbours have it too.
func (w *Weights) scaleAt(row, column int) (scale, until int) {
	channelStep, blockStep := w.steps()
	switch {
	case w.Axis == AlongColumns && w.Block > 0:
		return column*channelStep + row/w.Block*blockStep, column + 1
	case w.Axis == AlongColumns:
		return column * channelStep, column + 1
	case w.Axis == AlongRows && w.Block > 0:
		block := column / w.Block
		return row*channelStep + block*blockStep, (block + 1) * w.Block
	case w.Axis == AlongRows:
		return row % w.Rows * channelStep, w.Columns
	}
	return 0, w.Columns
}

// Floats reads elements from one on, in the order in which they are stored, as
// float32.
func (w *Weights) Floats(dst []float32, first int) { decodeFloats(dst, w.from(first), w.Type) }

// from are the bytes of the floats from one element on.
func (w *Weights) from(element int) []byte { return w.Data[element*w.Type.Size():] }

// decodeFloats reads floats as float32.
func decodeFloats(dst []float32, from []byte, t FloatType) {
	from = from[:len(dst)*t.Size()]
	switch t {
	case Float32Type:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(from[4*i:]))
		}
	case Float64Type:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(from[8*i:])))
		}
	case Float16Type:
		for i := range dst {
			dst[i] = Float16(binary.LittleEndian.Uint16(from[2*i:])).widen()
		}
	case BFloat16Type:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(from[2*i:])) << 16)
		}
	}
}

// at is one element as it is stored.
func (w *Weights) at(i int) float64 {
	if w.Type == Float64Type {
		return math.Float64frombits(binary.LittleEndian.Uint64(w.Data[8*i:]))
	}
	var one [1]float32
	decodeFloats(one[:], w.from(i), w.Type)
	return float64(one[0])
}
