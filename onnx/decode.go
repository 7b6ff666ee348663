package onnx

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// The limits that keep a hostile file from costing more than it should.
const (
	// maxDepth is how deep messages may nest: what Protocol Buffers
	// implementations accept by default, so no file that others read is refused.
	maxDepth = 100
	// maxMerges is how often a field that holds one message may be repeated.
	// Each repetition is merged into what came before, as the encoding asks.
	maxMerges = 16
	// At any place in a file, the views of what comes before it may take viewFactor
	// times its bytes and viewAllowance more. The smallest useful attribute takes
	// some ten bytes in the file and under five hundred as a view; only a file of
	// empty messages goes beyond, and is refused near its beginning.
	viewFactor    = 32
	viewAllowance = 1 << 20
)

// Decode reads a model from memory. The model's views and payloads share data,
// which must not change while the model is in use. Tensors in external data can
// be listed but not read, as there is no folder to read them from: see Open.
// What is wrong with data is reported as a *FormatError.
func Decode(data []byte) (*Model, error) {
	return decodeModel(data, &source{})
}

func decodeModel(data []byte, from *source) (*Model, error) {
	d := &decoder{source: from}
	m := &Model{source: from}
	m.raw = data[:len(data):len(data)]
	if _, err := d.message(m.raw, 0, 0, m); err != nil {
		return nil, err
	}
	if m.Graph == nil {
		return nil, &FormatError{Err: errors.New("there is no graph in it: not an ONNX model, or an empty one")}
	}
	return m, nil
}

// DecodeTensor reads a TensorProto from memory, as ONNX's test data files hold
// one. The tensor shares data, which must not change while it is in use.
func DecodeTensor(data []byte) (*Tensor, error) {
	d := &decoder{source: &source{}}
	t := &Tensor{}
	t.raw = data[:len(data):len(data)]
	seen, err := d.message(t.raw, 0, 0, t)
	if err != nil {
		return nil, under("tensor", err)
	}
	if err := t.settle(d, seen); err != nil {
		return nil, under("tensor", &FormatError{Err: err})
	}
	return t, nil
}

// fielder is a message that lists its fields: see fields.
type fielder interface{ fields(*fields) }

// decoder reads the messages of one file.
type decoder struct {
	taken  int64 // bytes, by views
	source *source
	frames []*fields       // one for each depth, reused
	text   strings.Builder // that strings are parts of
}

// Strings are kept together, in runs that grow with the model: one by one they
// would be most of what the garbage collector has to look after.
const (
	leastText = 1 << 10
	mostText  = 64 << 10
)

// string is a copy of bytes of the file.
func (d *decoder) string(b []byte) string {
	if len(b) >= leastText {
		return string(b)
	}
	if d.text.Cap()-d.text.Len() < len(b) {
		next := max(leastText, min(mostText, 2*d.text.Cap()))
		d.text = strings.Builder{}
		d.text.Grow(next)
	}
	from := d.text.Len()
	d.text.Write(b)
	return d.text.String()[from:]
}

// charge counts the size of what is about to be made of the record at hand.
func (f *fields) charge(size uintptr) error {
	d := f.decoder
	d.taken += int64(size)
	if d.taken > viewAllowance+viewFactor*(f.offset+int64(len(f.bytes))) {
		return errors.New("the messages need far more memory than the file has bytes: most of them are empty")
	}
	return nil
}

// message reads the fields of one message into v and returns the set of field
// numbers below 64 that were taken. Fields that v does not list are passed over.
func (d *decoder) message(b []byte, offset int64, depth int, v fielder) (seen uint64, err error) {
	if depth > maxDepth {
		return 0, &FormatError{Offset: offset, Err: fmt.Errorf("messages are nested more than %d deep", maxDepth)}
	}
	if depth == len(d.frames) {
		d.frames = append(d.frames, &fields{})
	}
	f := d.frames[depth]
	*f = fields{decoder: d, depth: depth}
	for pos := 0; pos < len(b); {
		n, err := f.next(b[pos:])
		if err != nil {
			return 0, &FormatError{Offset: offset + int64(pos), Err: err}
		}
		f.offset = offset + int64(pos) + int64(n-len(f.bytes))
		f.taken, f.err = false, nil
		v.fields(f)
		if f.err != nil {
			var format *FormatError
			if !errors.As(f.err, &format) {
				f.err = &FormatError{Path: f.name, Offset: offset + int64(pos), Err: f.err}
			}
			return 0, f.err
		}
		if f.taken && f.number < 64 {
			f.seen |= 1 << f.number
		}
		pos += n
	}
	return f.seen, nil
}

// next parses the record that b starts with and returns its length.
func (f *fields) next(b []byte) (int, error) {
	number, wire, tagLen := protowire.ConsumeTag(b)
	if tagLen < 0 {
		return 0, fmt.Errorf("field tag: %w", protowire.ParseError(tagLen))
	}
	f.number, f.wire, f.scalar, f.bytes = number, wire, 0, nil
	n := 0
	switch wire {
	case protowire.VarintType:
		f.scalar, n = protowire.ConsumeVarint(b[tagLen:])
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(b[tagLen:])
		f.scalar = uint64(v)
	case protowire.Fixed64Type:
		f.scalar, n = protowire.ConsumeFixed64(b[tagLen:])
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b[tagLen:])
	default:
		n = protowire.ConsumeFieldValue(number, wire, b[tagLen:])
	}
	if n < 0 {
		return 0, fmt.Errorf("field %d: %w", number, protowire.ParseError(n))
	}
	return tagLen + n, nil
}

// viewOf is a pointer to a view V.
type viewOf[V any] interface {
	*V
	fielder
	meta() *message
}

// settler is a view with something to work out once all its fields are read.
type settler interface {
	settle(d *decoder, seen uint64) error
}

// readView reads the record at hand into v, which may hold an earlier record of
// the same field: the later one is merged into it.
func readView[V any, P viewOf[V]](f *fields, v P) error {
	meta := v.meta()
	if meta.raw == nil {
		meta.raw = f.bytes[:len(f.bytes):len(f.bytes)]
	} else {
		meta.raw = append(meta.raw, f.bytes...)
	}
	seen, err := f.decoder.message(f.bytes, f.offset, f.depth+1, v)
	if err != nil {
		return err
	}
	if s, ok := any(v).(settler); ok {
		if err := s.settle(f.decoder, seen); err != nil {
			return &FormatError{Offset: f.offset, Err: err}
		}
	}
	return nil
}

func readOne[V any, P viewOf[V]](f *fields, p *P) {
	if *p == nil {
		if f.err = f.charge(unsafe.Sizeof(*new(V))); f.err != nil {
			return
		}
		*p = new(V)
	} else if f.merges++; f.merges > maxMerges {
		f.err = fmt.Errorf("%s is there more than %d times", f.name, maxMerges)
		return
	}
	name := f.name
	if err := readView[V](f, *p); err != nil {
		f.err = under(name, err)
	}
}

func readMany[V any, P viewOf[V]](f *fields, p *[]P) {
	if f.err = f.charge(unsafe.Sizeof(*new(V)) + 2*unsafe.Sizeof(P(nil))); f.err != nil {
		return
	}
	v := P(new(V))
	*p = append(*p, v)
	if err := readView[V](f, v); err != nil {
		f.err = under(fmt.Sprintf("%s[%d]", f.name, len(*p)-1), err)
	}
}

// eachNumber calls visit for the numbers of one record of a repeated numeric
// field: one if it stands alone, any number if they are packed.
func eachNumber(wire, element protowire.Type, scalar uint64, packed []byte, visit func(uint64)) error {
	if wire != protowire.BytesType {
		visit(scalar)
		return nil
	}
	for len(packed) > 0 {
		v, n := uint64(0), 0
		switch element {
		case protowire.Fixed32Type:
			var v32 uint32
			v32, n = protowire.ConsumeFixed32(packed)
			v = uint64(v32)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(packed)
		default:
			v, n = protowire.ConsumeVarint(packed)
		}
		if n < 0 {
			return fmt.Errorf("packed numbers: %w", protowire.ParseError(n))
		}
		visit(v)
		packed = packed[n:]
	}
	return nil
}

// countNumbers is how many numbers eachNumber visits in a packed record; it
// looks at no more than the record, so a count is never a claim.
func countNumbers(element protowire.Type, packed []byte) int {
	switch element {
	case protowire.Fixed32Type:
		return len(packed) / 4
	case protowire.Fixed64Type:
		return len(packed) / 8
	}
	count := 0
	for _, b := range packed {
		if b < 0x80 {
			count++
		}
	}
	return count
}

func float32FromBits(v uint64) float32 { return math.Float32frombits(uint32(v)) }
