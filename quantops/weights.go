package quantops

import (
	"encoding/binary"
	"fmt"
	"math"
)

// FloatType is the type that floats are stored in.
type FloatType uint8

// The float types of weights and scales.
const (
	Float32Type FloatType = iota
	Float64Type
	Float16Type
	BFloat16Type
)

// Size is an element's size in bytes.
func (t FloatType) Size() int { return [...]int{4, 8, 2, 2}[t] }

func (t FloatType) String() string {
	return [...]string{"float32", "float64", "float16", "bfloat16"}[t]
}

// smallestNormal is the smallest positive value that is not subnormal.
func (t FloatType) smallestNormal() float32 {
	if t == Float16Type {
		return 0x1p-14
	}
	return 0x1p-126
}

// Round is the value that a float32 has once it is stored in the type.
func (t FloatType) Round(f float32) float32 {
	switch t {
	case Float16Type:
		return Float16FromFloat32(f).Float32()
	case BFloat16Type:
		return BFloat16FromFloat32(f).Float32()
	}
	return f
}

// Scheme says how weights become int8.
type Scheme struct {
	// Asymmetric gives each scale a zero point: q = round(w/scale) + zero in
	// −128…127, with scale = (max−min)/255 over a range that holds 0. Else
	// q = round(w/scale) in −127…127 with scale = absmax/127.
	Asymmetric bool
	// Scale is the type that scales are stored in. q is computed from the scale
	// as stored. Float64Type is not a scale type.
	Scale FloatType
}

// Weights is a view of stored floats that are to be quantized: little-endian
// elements of Type in the order [Batch][Rows][Columns].
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

// Scales are the scales of Weights. With blocks they are laid out
// [blocks][channels] for AlongColumns and [channels][blocks] for AlongRows,
// both as the floats lie in Data.
type Scales struct {
	Scheme   Scheme
	Channels int // columns, rows, or 1
	Blocks   int // along the other axis; 1 without blocks
	// Values are the scales as stored, all positive and normal: what a reader
	// of the stored type sees. Zeros are the zero points, nil if symmetric.
	Values []float32
	Zeros  []int8
	// Substituted counts the channels (or blocks) of zeros and those whose
	// scale would be subnormal in float32: their scale is 1 and their weights
	// become 0.
	Substituted int
	// Underflow counts those whose scale float32 holds and the narrower stored
	// type does not (it would be subnormal or zero); Overflow those whose
	// largest weight, dequantized, would be infinite in the stored type. Either
	// way Values are of no use for the stored type.
	Underflow, Overflow int
}

// NonfiniteError is a weight that is NaN or infinite.
type NonfiniteError struct {
	Value   float64
	Channel int // along the scales' axis
	Index   int // among the stored floats, in their order
}

func (e *NonfiniteError) Error() string {
	return fmt.Sprintf("element %d (channel %d) is %v", e.Index, e.Channel, e.Value)
}

// check panics on a view that cannot be: that is the caller's mistake.
func (w *Weights) check() {
	n := w.Batch * w.Rows * w.Columns
	if len(w.Data) != n*w.Type.Size() {
		panic(fmt.Sprintf("quantops: %d×%d×%d floats of %d bytes are not %d bytes", w.Batch, w.Rows, w.Columns, w.Type.Size(), len(w.Data)))
	}
	if w.Block > 0 && (w.Batch != 1 || w.Axis == Whole) {
		panic("quantops: blocks ask for a matrix and an axis")
	}
}

// grid is the shape of the scales.
func (w *Weights) grid() (channels, blocks int) {
	other := 1
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

// row decodes one row of floats into dst.
func (w *Weights) row(dst []float32, row int) {
	size := w.Type.Size()
	from := w.Data[row*w.Columns*size:][:w.Columns*size]
	switch w.Type {
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
			dst[i] = Float16(binary.LittleEndian.Uint16(from[2*i:])).Float32()
		}
	case BFloat16Type:
		for i := range dst {
			dst[i] = BFloat16(binary.LittleEndian.Uint16(from[2*i:])).Float32()
		}
	}
}

// scaleRun is the scales that a run of a row's elements use.
func (w *Weights) scaleOf(channels, blocks, row, column int) int {
	switch w.Axis {
	case AlongColumns:
		if blocks == 1 {
			return column
		}
		return row/w.Block*channels + column
	case AlongRows:
		row %= w.Rows
		if blocks == 1 {
			return row
		}
		return row*blocks + column/w.Block
	}
	return 0
}

// Measure finds the scales of weights in one sweep over them. Its error is a
// *NonfiniteError. A float64 is rounded to float32 first; one beyond float32's
// range is infinite then.
func Measure(w *Weights, scheme Scheme) (*Scales, error) {
	w.check()
	channels, blocks := w.grid()
	low, high := make([]float32, channels*blocks), make([]float32, channels*blocks)
	row := make([]float32, w.Columns)
	for r := range w.Batch * w.Rows {
		w.row(row, r)
		for c := 0; c < len(row); {
			// One scale index serves a whole run, or each column has its own.
			first := w.scaleOf(channels, blocks, r, c)
			if w.Axis == AlongColumns {
				for ; c < len(row); c++ {
					v := row[c]
					low[first+c], high[first+c] = min(low[first+c], v), max(high[first+c], v)
				}
				break
			}
			end := len(row)
			if w.Axis == AlongRows && blocks > 1 {
				end = min(c+w.Block, end)
			}
			l, h := low[first], high[first]
			for _, v := range row[c:end] {
				l, h = min(l, v), max(h, v)
			}
			low[first], high[first] = l, h
			c = end
		}
	}
	s := &Scales{Scheme: scheme, Channels: channels, Blocks: blocks, Values: make([]float32, len(low))}
	if scheme.Asymmetric {
		s.Zeros = make([]int8, len(low))
	}
	for i := range low {
		if d := high[i] - low[i]; d-d != 0 { // NaN or infinite; min and max pass a NaN on
			if err := w.findNonfinite(); err != nil {
				return nil, err
			}
		}
		s.set(i, low[i], high[i])
	}
	return s, nil
}

// findNonfinite names the first weight that is NaN or infinite.
func (w *Weights) findNonfinite() error {
	channels, blocks := w.grid()
	row := make([]float32, w.Columns)
	for r := range w.Batch * w.Rows {
		w.row(row, r)
		for c, v := range row {
			if v-v != 0 {
				channel := w.scaleOf(channels, blocks, r, c)
				if blocks > 1 && w.Axis == AlongColumns {
					channel %= channels
				} else if blocks > 1 {
					channel /= blocks
				}
				return &NonfiniteError{Value: float64(v), Channel: channel, Index: r*w.Columns + c}
			}
		}
	}
	return nil
}

// set computes one scale, and its zero point, from the range of its weights.
func (s *Scales) set(i int, low, high float32) {
	var exact float32
	if s.Scheme.Asymmetric {
		// Halves first: the range of two large floats may be beyond float32.
		exact = (high/2 - low/2) / 127.5
	} else {
		exact = max(-low, high) / 127
	}
	if exact < Float32Type.smallestNormal() {
		s.Values[i] = 1
		s.Substituted++
		return
	}
	stored := s.Scheme.Scale.Round(exact)
	if stored < s.Scheme.Scale.smallestNormal() {
		s.Underflow++
	}
	if s.Scheme.Scale == Float16Type && max(-low, high, 127*stored) >= 65520 || stored > math.MaxFloat32 {
		s.Overflow++
	}
	s.Values[i] = stored
	if s.Scheme.Asymmetric {
		zero := math.RoundToEven(-128 - float64(low/stored))
		s.Zeros[i] = int8(max(-128, min(127, zero)))
	}
}

// Quantize writes the int8 weights, one a byte, in the order of Data, or with
// Flip transposed. dst is as long as there are weights.
//
//	q = clamp(roundHalfEven(w / scale) + zero)
func Quantize(dst []byte, w *Weights, s *Scales) {
	w.check()
	if len(dst) != w.Batch*w.Rows*w.Columns {
		panic("quantops: the destination is not as long as the weights")
	}
	low, high := float32(-127), float32(127)
	if s.Scheme.Asymmetric {
		low = -128
	}
	row := make([]float32, w.Columns)
	for r := range w.Batch * w.Rows {
		w.row(row, r)
		batch, in := r/w.Rows, r%w.Rows
		out, step := r*w.Columns, 1
		if w.Flip {
			out, step = batch*w.Rows*w.Columns+in, w.Rows
		}
		for c, v := range row {
			i := w.scaleOf(s.Channels, s.Blocks, r, c)
			var q float32
			// A substituted scale stands for weights that become 0.
			q = roundHalfEven(v / s.Values[i])
			if s.Zeros != nil {
				q += float32(s.Zeros[i])
			}
			dst[out+c*step] = byte(int8(max(low, min(high, q))))
		}
	}
}

// roundHalfEven rounds values up to 2²² in magnitude; larger ones, which are
// clamped anyway, keep their sign and size.
func roundHalfEven(v float32) float32 {
	const magic = 3 << 22 // 1.5·2²³: adding it leaves no bits for a fraction
	if v > 1<<22 || v < -1<<22 {
		return v
	}
	return (v + magic) - magic
}
