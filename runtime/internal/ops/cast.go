package ops

import (
	"fmt"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// castFamily holds the operators that change the type of elements.
var castFamily = []Kernel{
	{Op: "Cast", Since: 1, Build: needs(1, Single(buildCast))},
	{Op: "CastLike", Since: 15, Build: needs(2, Single(buildCastLike))},
	{Op: "BitCast", Since: 26, Build: needs(1, Single(buildBitCast))},
}

// rounding says how a cast to a float type of 8 bits rounds.
type rounding struct {
	saturate bool
	power    quantops.RoundMode // for float8e8m0
}

func readRounding(n *Node) (rounding, error) {
	r := rounding{saturate: n.Int("saturate", 1) != 0}
	switch mode := n.Text("round_mode", "up"); mode {
	case "up":
		r.power = quantops.RoundUp
	case "down":
		r.power = quantops.RoundDown
	case "nearest":
		r.power = quantops.RoundNearest
	default:
		return r, fmt.Errorf("round_mode is %q: want up, down or nearest", mode)
	}
	return r, nil
}

// targetType is the type that attribute to names: by its number or, in version
// 1 of Cast, by its name.
func targetType(n *Node) (onnx.DType, error) {
	if name := n.Text("to", ""); name != "" {
		return onnx.ParseDType(strings.ToLower(name))
	}
	if !n.Has("to") {
		return 0, fmt.Errorf("attribute to is missing")
	}
	return onnx.DType(n.Int("to", 0)), nil
}

func buildCast(n *Node) (single, error) {
	target, err := targetType(n)
	if err != nil {
		return nil, err
	}
	r, err := readRounding(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return cast(c, in[0], target, r)
	}, err
}

func buildCastLike(n *Node) (single, error) {
	r, err := readRounding(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return cast(c, in[0], in[1].DType(), r)
	}, err
}

// cast converts t's elements. Floats become integers by cutting their fraction
// off, integers shorter ones by dropping bits, and whatever is not zero true.
func cast(c *Call, t *tensor.Tensor, target onnx.DType, r rounding) (*tensor.Tensor, error) {
	if t.DType() == target {
		return t, nil
	}
	if list, ok := tensor.Data[string](t); ok {
		parsed, err := parseNumbers(t.Shape(), list, target)
		if err != nil {
			return nil, err
		}
		return cast(c, parsed, target, r)
	}
	switch target {
	case onnx.Float:
		return castNumbers[float32](c, t)
	case onnx.Double:
		return castNumbers[float64](c, t)
	case onnx.Int8:
		return castNumbers[int8](c, t)
	case onnx.Int16:
		return castNumbers[int16](c, t)
	case onnx.Int32:
		return castNumbers[int32](c, t)
	case onnx.Int64:
		return castNumbers[int64](c, t)
	case onnx.Uint8:
		return castNumbers[uint8](c, t)
	case onnx.Uint16:
		return castNumbers[uint16](c, t)
	case onnx.Uint32:
		return castNumbers[uint32](c, t)
	case onnx.Uint64:
		return castNumbers[uint64](c, t)
	case onnx.Int4:
		return castThrough(c, t, perElement(func(v int8) quantops.Int4 { return quantops.Int4(v << 4 >> 4) }))
	case onnx.Int2:
		return castThrough(c, t, perElement(func(v int8) quantops.Int2 { return quantops.Int2(v << 6 >> 6) }))
	case onnx.Uint4:
		return castThrough(c, t, perElement(func(v uint8) quantops.Uint4 { return quantops.Uint4(v & 0xf) }))
	case onnx.Uint2:
		return castThrough(c, t, perElement(func(v uint8) quantops.Uint2 { return quantops.Uint2(v & 0x3) }))
	case onnx.Bool:
		return castThrough(c, t, perElement(func(v float64) bool { return v != 0 }))
	case onnx.String:
		return formatNumbers(t)
	case onnx.Float16:
		if t.DType() == onnx.Double {
			return castThrough(c, t, perElement(quantops.Float16FromFloat64))
		}
		return castThrough(c, t, quantops.NarrowFloat16)
	case onnx.BFloat16:
		if t.DType() == onnx.Double {
			return castThrough(c, t, perElement(quantops.BFloat16FromFloat64))
		}
		return castThrough(c, t, quantops.NarrowBFloat16)
	case onnx.Float8E4M3FN:
		return castThrough(c, t, saturating(r, quantops.Float8E4M3FNFromFloat32))
	case onnx.Float8E4M3FNUZ:
		return castThrough(c, t, saturating(r, quantops.Float8E4M3FNUZFromFloat32))
	case onnx.Float8E5M2:
		return castThrough(c, t, saturating(r, quantops.Float8E5M2FromFloat32))
	case onnx.Float8E5M2FNUZ:
		return castThrough(c, t, saturating(r, quantops.Float8E5M2FNUZFromFloat32))
	case onnx.Float8E8M0:
		return castThrough(c, t, perElement(func(v float32) quantops.Float8E8M0 {
			return quantops.Float8E8M0FromFloat32(v, r.saturate, r.power)
		}))
	case onnx.Float4E2M1:
		return castThrough(c, t, perElement(quantops.Float4E2M1FromFloat32))
	case onnx.Float6E2M3:
		return castThrough(c, t, perElement(quantops.Float6E2M3FromFloat32))
	case onnx.Float6E3M2:
		return castThrough(c, t, perElement(quantops.Float6E3M2FromFloat32))
	}
	return nil, fmt.Errorf("elements of type %v cannot be cast to %v", t.DType(), target)
}

// castNumbers casts to a type that Go computes with.
func castNumbers[C interface {
	number
	tensor.Element
}](c *Call, t *tensor.Tensor) (*tensor.Tensor, error) {
	return castThrough(c, t, func(to []C, from []C) { copy(to, from) })
}

// castThrough casts by way of C, of which narrow makes the elements to store.
func castThrough[C number, T tensor.Element](c *Call, t *tensor.Tensor, narrow func(to []T, from []C)) (*tensor.Tensor, error) {
	source, err := readAs[C](t)
	if err != nil {
		return nil, err
	}
	y := buffer[T](c, t.Len())
	err = eachBlock(c, len(y), []reader[C]{source}, func(lo int, x [][]C) { narrow(y[lo:], x[0]) })
	return tensor.New(t.Shape(), y), err
}

func perElement[C, T any](f func(C) T) func(to []T, from []C) {
	return func(to []T, from []C) {
		to = to[:len(from)]
		for i, v := range from {
			to[i] = f(v)
		}
	}
}

func saturating[T any](r rounding, f func(v float32, saturate bool) T) func(to []T, from []float32) {
	return perElement(func(v float32) T { return f(v, r.saturate) })
}

func buildBitCast(n *Node) (single, error) {
	target, err := targetType(n)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		from := in[0].DType()
		if from.Bits() == 0 || from.Bits() != target.Bits() {
			return nil, fmt.Errorf("the bits of %v elements are not those of %v elements: want types of one width", from, target)
		}
		stored, err := tensor.ToONNX("", in[0])
		if err != nil {
			return nil, err
		}
		return tensor.FromONNX(onnx.NewTensor("", target, stored.Dims, stored.Data))
	}, err
}
