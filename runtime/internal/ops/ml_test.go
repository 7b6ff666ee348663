package ops

import (
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// tensorAttr makes an attribute of a test's tensor.
func tensorAttr(t *testing.T, name string, v *tensor.Tensor) *onnx.Attr {
	t.Helper()
	stored, err := tensor.ToONNX("", v)
	if err != nil {
		t.Fatal(err)
	}
	return onnx.TensorAttr(name, stored)
}

func TestLabels(t *testing.T) {
	strings, ints := onnx.StringsAttr("keys_strings", []string{"a", "b", "a"}), onnx.IntsAttr("values_int64s", []int64{1, 2, 3})
	classes := onnx.StringsAttr("classes_strings", []string{"a", "b"})
	doubles := tensorAttr(t, "keys_tensor", list(0.5, float64(notNumber)))
	names := onnx.StringsAttr("values_strings", []string{"half", "none"})
	runNodeTests(t, []nodeTest{
		{name: "to numbers", domain: mlDomain, op: "LabelEncoder", opset: 1, attrs: attrs(classes), in: values(list("b", "c")), want: values(list[int64](1, -1))},
		{name: "to names", domain: mlDomain, op: "LabelEncoder", opset: 1, attrs: attrs(classes), in: values(list[int64](1, 2)), want: values(list("b", "_Unused"))},
		{name: "the last of equal keys", domain: mlDomain, op: "LabelEncoder", opset: 4, attrs: attrs(strings, ints), in: values(shaped([]int{1, 3}, "a", "b", "c")), want: values(shaped[int64]([]int{1, 3}, 3, 2, -1))},
		{name: "a default", domain: mlDomain, op: "LabelEncoder", opset: 2, attrs: attrs(strings, ints, onnx.IntAttr("default_int64", 9)), in: values(list("c")), want: values(list[int64](9))},
		{name: "of NaN", domain: mlDomain, op: "LabelEncoder", opset: 4, attrs: attrs(doubles, names), in: values(list(float64(-notNumber), 0.5, 1)), want: values(list("none", "half", "_Unused"))},
		{name: "a default tensor", domain: mlDomain, op: "LabelEncoder", opset: 4, attrs: attrs(onnx.IntsAttr("keys_int64s", []int64{1}), tensorAttr(t, "values_tensor", list[int16](7)), tensorAttr(t, "default_tensor", list[int16](8))), in: values(list[int64](0, 1)), want: values(list[int16](8, 7))},
		{name: "a default of another type", domain: mlDomain, op: "LabelEncoder", opset: 4, attrs: attrs(strings, ints, tensorAttr(t, "default_tensor", list[int16](8))), in: values(list("a")), err: "default_tensor"},
		{name: "other keys", domain: mlDomain, op: "LabelEncoder", opset: 4, attrs: attrs(strings, ints), in: values(list[int64](1)), err: "keys of type string"},
		{name: "too few values", domain: mlDomain, op: "LabelEncoder", opset: 4, attrs: attrs(strings, onnx.IntsAttr("values_int64s", []int64{1})), in: values(list("a")), err: "3 keys and 1 values"},
		{name: "no keys", domain: mlDomain, op: "LabelEncoder", opset: 4, attrs: attrs(ints), in: values(list("a")), err: "keys"},

		{name: "picks", domain: mlDomain, op: "ArrayFeatureExtractor", opset: 1, in: values(counting(2, 3), shaped[int64]([]int{1, 2}, 2, 0)), want: values(shaped[float32]([]int{2, 2}, 2, 0, 5, 3))},
		{name: "of a row", domain: mlDomain, op: "ArrayFeatureExtractor", opset: 1, in: values(list("a", "b"), list[int64](1)), want: values(shaped([]int{1, 1}, "b"))},
		{name: "beyond the row", domain: mlDomain, op: "ArrayFeatureExtractor", opset: 1, in: values(list("a", "b"), list[int64](2)), err: "out of range"},
		{name: "above", domain: mlDomain, op: "Binarizer", opset: 1, attrs: attrs(onnx.FloatAttr("threshold", 1)), in: values(list[int64](0, 1, 2)), want: values(list[int64](0, 0, 1))},
	})
}

// forest is two trees: x0 <= 1 ? leaf 0 : (x1 in {3, 4} ? leaf 1 : leaf 2), and leaf 3.
func forest(t *testing.T, change func(map[string]*onnx.Attr)) []*onnx.Attr {
	t.Helper()
	parts := map[string]*onnx.Attr{}
	for _, a := range []*onnx.Attr{
		onnx.IntsAttr("tree_roots", []int64{0, 2}),
		onnx.IntAttr("n_targets", 2),
		onnx.IntsAttr("nodes_featureids", []int64{0, 1, 0}),
		tensorAttr(t, "nodes_modes", list[uint8](0, 6, 0)),
		tensorAttr(t, "nodes_splits", list[float32](1, 0, 0)),
		onnx.IntsAttr("nodes_truenodeids", []int64{0, 1, 3}),
		onnx.IntsAttr("nodes_trueleafs", []int64{1, 1, 1}),
		onnx.IntsAttr("nodes_falsenodeids", []int64{1, 2, 3}),
		onnx.IntsAttr("nodes_falseleafs", []int64{0, 1, 1}),
		onnx.IntsAttr("nodes_missing_value_tracks_true", []int64{1, 0, 0}),
		tensorAttr(t, "membership_values", list(3, 4, notNumber)),
		onnx.IntsAttr("leaf_targetids", []int64{0, 0, 1, 1}),
		tensorAttr(t, "leaf_weights", list[float32](10, 20, 30, 1)),
	} {
		parts[a.Name] = a
	}
	change(parts)
	var list []*onnx.Attr
	for _, a := range parts {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *onnx.Attr) int { return len(a.Name) - len(b.Name) })
	return list
}

func TestTreeEnsemble(t *testing.T) {
	x := shaped([]int{4, 2}, 1, 0, 2, 3, 2, 5, notNumber, 0)
	with := func(more ...*onnx.Attr) []*onnx.Attr {
		return forest(t, func(parts map[string]*onnx.Attr) {
			for _, a := range more {
				parts[a.Name] = a
			}
		})
	}
	test := func(name string, attrs []*onnx.Attr, want ...float32) nodeTest {
		return nodeTest{name: name, domain: mlDomain, op: "TreeEnsemble", opset: 5, attrs: attrs, in: values(x), want: values(shaped([]int{4, 2}, want...))}
	}
	wrong := func(name, err string, attrs []*onnx.Attr) nodeTest {
		return nodeTest{name: name, domain: mlDomain, op: "TreeEnsemble", opset: 5, attrs: attrs, in: values(x), err: err}
	}
	runNodeTests(t, []nodeTest{
		test("sums", with(), 10, 1, 20, 1, 0, 31, 10, 1),
		test("averages", with(onnx.IntAttr("aggregate_function", 0)), 5, 0.5, 10, 0.5, 0, 15.5, 5, 0.5),
		test("smallest", with(onnx.IntAttr("aggregate_function", 2)), 10, 1, 20, 1, 0, 1, 10, 1),
		test("largest", with(onnx.IntAttr("aggregate_function", 3)), 10, 1, 20, 1, 0, 30, 10, 1),
		test("softmax of what is not zero", with(onnx.IntAttr("post_transform", 3), tensorAttr(t, "leaf_weights", list[float32](1, 1, 0, 1))), 0.5, 0.5, 0.5, 0.5, 0, 1, 0.5, 0.5),
		test("logistic", with(onnx.IntAttr("post_transform", 2), tensorAttr(t, "leaf_weights", list[float32](1000, 1000, 0, -1000))), 1, 0, 1, 0, 0.5, 0, 1, 0),
		wrong("a ring", "back into itself", with(onnx.IntsAttr("nodes_falsenodeids", []int64{0, 2, 3}))),
		wrong("a node beyond", "leads to 9", with(onnx.IntsAttr("nodes_falsenodeids", []int64{9, 2, 3}))),
		wrong("a leaf beyond", "leads to -1", with(onnx.IntsAttr("nodes_truenodeids", []int64{-1, 1, 3}))),
		wrong("a target beyond", "target 2", with(onnx.IntsAttr("leaf_targetids", []int64{0, 0, 2, 1}))),
		wrong("a root beyond", "tree_roots", with(onnx.IntsAttr("tree_roots", []int64{3}))),
		wrong("no such mode", "mode 7", with(tensorAttr(t, "nodes_modes", list[uint8](0, 7, 0)))),
		wrong("unequal lists", "as long as", with(tensorAttr(t, "nodes_modes", list[uint8](0)))),
		wrong("too few features", "at least 6 features", with(onnx.IntsAttr("nodes_featureids", []int64{0, 5, 0}))),
	})
}
