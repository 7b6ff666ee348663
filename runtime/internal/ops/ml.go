package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

const mlDomain = "ai.onnx.ml"

// mlFamily holds the operators on features and labels.
var mlFamily = []Kernel{
	{Domain: mlDomain, Op: "ArrayFeatureExtractor", Since: 1, Build: needs(2, Single(buildFeatureExtractor))},
	{Domain: mlDomain, Op: "Binarizer", Since: 1, Build: needs(1, Single(buildBinarizer))},
	{Domain: mlDomain, Op: "LabelEncoder", Since: 1, Build: needs(1, Single(buildClassEncoder))},
	{Domain: mlDomain, Op: "LabelEncoder", Since: 2, Build: needs(1, Single(buildLabelEncoder))},
	{Domain: mlDomain, Op: "TreeEnsemble", Since: 5, Build: needs(1, Single(buildTreeEnsemble))},
}

// buildFeatureExtractor builds ArrayFeatureExtractor, which picks elements of
// the last axis; of a row alone it makes a matrix.
func buildFeatureExtractor(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		x := in[0]
		if x.Rank() == 1 {
			x = x.WithShape([]int{1, x.Len()})
		}
		indices, err := integers(in[1])
		if err != nil {
			return nil, fmt.Errorf("indices: %w", err)
		}
		last, err := resolveAxis(-1, x.Rank())
		if err != nil {
			return nil, err
		}
		if err := resolveIndices(indices, x.Shape()[last]); err != nil {
			return nil, err
		}
		return gather(c, x, last, indices, []int{len(indices)})
	}, nil
}

func buildBinarizer(n *Node) (single, error) {
	threshold := float64(n.Float("threshold", 0))
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.apply(c, floatFunction{exact: func(x float64) float64 {
			if x > threshold {
				return 1
			}
			return 0
		}}, in[0])
	}, nil
}

// labels maps keys to values, as LabelEncoder does.
type labels struct {
	keys *tensor.Tensor
	// values has one for each key, and at the end one for what is no key.
	values *tensor.Tensor
}

// buildClassEncoder builds the first LabelEncoder, whose integers are the
// positions of strings in a list.
func buildClassEncoder(n *Node) (single, error) {
	classes := n.Texts("classes_strings")
	names := tensor.New([]int{len(classes)}, classes)
	positions := make([]int64, len(classes))
	for i := range positions {
		positions[i] = int64(i)
	}
	numbers := tensor.New([]int{len(positions)}, positions)
	toNumber := labels{names, tensor.New([]int{len(positions) + 1}, append(positions, int64(n.Int("default_int64", -1))))}
	toName := labels{numbers, tensor.New([]int{len(classes) + 1}, append(slices.Clone(classes), n.Text("default_string", "_Unused")))}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.String {
			return toNumber.look(in[0])
		}
		return toName.look(in[0])
	}, nil
}

func buildLabelEncoder(n *Node) (single, error) {
	keys, err := labelList(n, "keys")
	if err != nil {
		return nil, err
	}
	values, err := labelList(n, "values")
	if err != nil {
		return nil, err
	}
	if keys.Len() != values.Len() {
		return nil, fmt.Errorf("there are %d keys and %d values", keys.Len(), values.Len())
	}
	otherwise, err := defaultLabel(n, values.DType())
	if err != nil {
		return nil, err
	}
	values, err = concat(nil, []*tensor.Tensor{values.WithShape([]int{values.Len()}), otherwise.WithShape([]int{1})}, 0)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return labels{keys, values}.look(in[0])
	}, err
}

// labelList is the list of keys or values that a LabelEncoder states in one of
// four attributes.
func labelList(n *Node, name string) (*tensor.Tensor, error) {
	switch {
	case n.Has(name + "_strings"):
		list := n.Texts(name + "_strings")
		return tensor.New([]int{len(list)}, list), nil
	case n.Has(name + "_int64s"):
		return intsTensor(n.Ints(name + "_int64s")), nil
	case n.Has(name + "_floats"):
		list := n.Floats(name + "_floats")
		return tensor.New([]int{len(list)}, list), nil
	case n.attr(name+"_tensor", onnx.AttrTensor) != nil:
		return tensor.FromONNX(n.attr(name+"_tensor", onnx.AttrTensor).T)
	}
	return nil, fmt.Errorf("no attribute lists %s", name)
}

// defaultLabel is the value, of the type of the others, for what is no key.
func defaultLabel(n *Node, t onnx.DType) (*tensor.Tensor, error) {
	stated := n.attr("default_tensor", onnx.AttrTensor)
	switch {
	case stated != nil:
		value, err := tensor.FromONNX(stated.T)
		if err == nil && (value.Len() != 1 || value.DType() != t) {
			err = fmt.Errorf("attribute default_tensor is %v of shape %v: want one %v", value.DType(), value.Shape(), t)
		}
		return value, err
	case t == onnx.String:
		return tensor.Scalar(n.Text("default_string", "_Unused")), nil
	case t == onnx.Float:
		return tensor.Scalar(n.Float("default_float", 0)), nil
	case t == onnx.Int64:
		return tensor.Scalar(int64(n.Int("default_int64", -1))), nil
	case t == onnx.Double:
		return tensor.Scalar(float64(0)), nil
	case t == onnx.Int32:
		return tensor.Scalar(int32(-1)), nil
	case t == onnx.Int16:
		return tensor.Scalar(int16(-1)), nil
	}
	return nil, fmt.Errorf("values of type %v: want strings, integers or floats", t)
}

func (l labels) look(t *tensor.Tensor) (*tensor.Tensor, error) {
	if t.DType() != l.keys.DType() {
		return nil, fmt.Errorf("operand of type %v for keys of type %v", t.DType(), l.keys.DType())
	}
	var found []int
	switch keys := l.keys.Any().(type) {
	case []string:
		found = findKeys(keys, t.Any().([]string))
	case []int64:
		found = findKeys(keys, t.Any().([]int64))
	default:
		// Every other type's numbers are float64's too.
		keysOf, err := numbersAs[float64](l.keys)
		if err != nil {
			return nil, err
		}
		list, err := numbersAs[float64](t)
		if err != nil {
			return nil, err
		}
		found = findKeys(keysOf, list)
	}
	values := elementsIn(l.values)
	return values.take(nil, 1, l.values.Len(), found, 1).tensor(t.Shape()), nil
}

// findKeys gives the position of each element among the keys, the last one if
// there are several, and len(keys) for what is not there. A NaN is any other's equal.
func findKeys[T comparable](keys, list []T) []int {
	positions, notNumber := map[T]int{}, len(keys)
	for i, key := range keys {
		if key != key {
			notNumber = i
		}
		positions[key] = i
	}
	found := make([]int, len(list))
	for i, v := range list {
		at, ok := positions[v]
		switch {
		case v != v:
			at = notNumber
		case !ok:
			at = len(keys)
		}
		found[i] = at
	}
	return found
}
