package onnx

import (
	"fmt"
	"strconv"
	"strings"
)

// String gives a type as text: float[2,N,?] is a tensor, float one of rank 0,
// float[...] one of unknown rank; other kinds are written around what they hold,
// as in seq(float[2]). A nil Type is "?".
func (t *Type) String() string {
	if t == nil {
		return "?"
	}
	return t.text(0)
}

func (t *Type) text(depth int) string {
	if t == nil || depth > maxDepth {
		return "?"
	}
	switch t.Kind {
	case TensorKind:
		return t.DType.String() + t.shapeText()
	case SparseTensorKind:
		return "sparse_tensor(" + t.DType.String() + t.shapeText() + ")"
	case SequenceKind:
		return "seq(" + t.Elem.text(depth+1) + ")"
	case OptionalKind:
		return "optional(" + t.Elem.text(depth+1) + ")"
	case MapKind:
		return "map(" + t.DType.String() + ", " + t.Elem.text(depth+1) + ")"
	case OpaqueKind:
		return "opaque"
	}
	return "?"
}

func (t *Type) shapeText() string {
	switch {
	case !t.HasShape:
		return "[...]"
	case len(t.Shape) == 0:
		return ""
	}
	parts := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		switch {
		case d.Known:
			parts[i] = strconv.FormatInt(d.Size, 10)
		case d.Param != "":
			parts[i] = nameText(d.Param)
		default:
			parts[i] = "?"
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func dimsText(dims []int64) string {
	if len(dims) == 0 {
		return ""
	}
	return "[" + joined(dims, ",", func(d int64) string { return strconv.FormatInt(d, 10) }) + "]"
}

func joined[T any](list []T, separator string, text func(T) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = text(v)
	}
	return strings.Join(parts, separator)
}

func floatText(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
func intText(v int64) string     { return strconv.FormatInt(v, 10) }

// textShown is how much of a string attribute is shown.
const textShown = 200

func bytesText(b []byte) string {
	if len(b) > textShown {
		return fmt.Sprintf("%q... %d bytes", b[:textShown], len(b))
	}
	return strconv.Quote(string(b))
}

// tensorText is a tensor's type, name and elements or size.
func tensorText(t *Tensor) string {
	head := t.Type.String() + dimsText(t.Dims)
	if t.Name != "" {
		head += " " + nameText(t.Name)
	}
	return head + " = " + elementsText(t)
}

func elementsText(t *Tensor) string {
	if err := t.sizeShown(); err != nil {
		return "wrong: " + strconv.Quote(err.Error())
	}
	if x := t.External; x != nil {
		length := "rest"
		if x.Length >= 0 {
			length = intText(x.Length) + " bytes"
		}
		return fmt.Sprintf("external %q at %d, %s", x.Location, x.Offset, length)
	}
	n, err := product(t.Dims)
	switch {
	case err != nil:
		return "wrong: " + strconv.Quote(err.Error())
	case t.Type == String && n <= shownElements:
		return "{" + joined(t.Strings, ", ", bytesText) + "}"
	case t.Type == String:
		return fmt.Sprintf("%d strings", n)
	case n <= shownElements && t.Type != Complex64 && t.Type != Complex128 && !t.promised():
		if ints, err := t.Int64s(); err == nil {
			return "{" + joined(ints, ", ", intText) + "}"
		}
		if doubles, err := t.Float64s(); err == nil {
			bits := 32
			if t.Type == Double {
				bits = 64
			}
			return "{" + joined(doubles, ", ", func(v float64) string { return strconv.FormatFloat(v, 'g', -1, bits) }) + "}"
		}
	}
	return fmt.Sprintf("%d bytes", t.claim())
}

// promised reports whether the payload would have to be computed. What was
// planned without reading weights is shown without reading them.
func (t *Tensor) promised() bool {
	switch t.Data.(type) {
	case nil, Bytes, *stored:
		return false
	}
	return true
}

// sizeShown is checkSize for what is in the model's own file.
func (t *Tensor) sizeShown() error {
	if t.External != nil {
		return nil
	}
	return t.checkSize()
}

func sparseText(s *SparseTensor) string {
	if s.Values == nil || s.Indices == nil {
		return "sparse, without values or indices"
	}
	return fmt.Sprintf("sparse %s%s %s = {%s, %s}", s.Values.Type, dimsText(s.Dims), nameText(s.Values.Name),
		tensorText(s.Indices), elementsText(s.Values))
}

// attrText is an attribute's name and value; graphs are returned, to be written
// after the node.
func attrText(a *Attr) (text string, graphs []*Graph) {
	name := nameText(a.Name)
	if a.RefName != "" {
		return name + " = @" + nameText(a.RefName), nil
	}
	list := func(s string) string { return "[" + s + "]" }
	var value string
	switch a.Type {
	case AttrFloat:
		value = floatText(a.F)
	case AttrInt:
		value = intText(a.I)
	case AttrString:
		value = bytesText(a.S)
	case AttrFloats:
		value = list(joined(a.Floats, ", ", floatText))
	case AttrInts:
		value = list(joined(a.Ints, ", ", intText))
	case AttrStrings:
		value = list(joined(a.Strings, ", ", bytesText))
	case AttrTensor:
		if a.T != nil {
			value = tensorText(a.T)
		}
	case AttrTensors:
		value = list(joined(a.Tensors, ", ", tensorText))
	case AttrSparseTensor:
		if a.Sparse != nil {
			value = sparseText(a.Sparse)
		}
	case AttrSparseTensors:
		value = list(joined(a.SparseTensors, ", ", sparseText))
	case AttrTypeProto:
		value = a.TypeProto.String()
	case AttrTypeProtos:
		value = list(joined(a.TypeProtos, ", ", (*Type).String))
	case AttrGraph:
		if a.G != nil {
			return "", []*Graph{a.G}
		}
	case AttrGraphs:
		return "", a.Graphs
	}
	if value == "" {
		value = "nothing"
	}
	return name + " = " + value, nil
}
