package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func TestText(t *testing.T) {
	maxsplit := func(v int64) *onnx.Attr { return onnx.IntAttr("maxsplit", v) }
	delimiter := func(v string) *onnx.Attr { return onnx.StringAttr("delimiter", v) }
	pattern := func(v string) []*onnx.Attr { return attrs(onnx.StringAttr("pattern", v)) }
	stop, sensitive := onnx.StringsAttr("stopwords", []string{"Monday"}), onnx.IntAttr("is_case_sensitive", 1)
	upper := onnx.StringAttr("case_change_action", "UPPER")
	runNodeTests(t, []nodeTest{
		{name: "broadcasts", op: "StringConcat", opset: 20, in: values(list("a", "b"), tensor.Scalar("c")), want: values(list("ac", "bc"))},
		{name: "of numbers", op: "StringConcat", opset: 20, in: values(list[int32](1), list("a")), err: "want string"},

		{name: "at space", op: "StringSplit", opset: 20, in: values(list(" a  b\t", "", "c")), want: values(shaped([]int{3, 2}, "a", "b", "", "", "c", ""), list[int64](2, 0, 1))},
		{name: "at space, once", op: "StringSplit", opset: 20, attrs: attrs(maxsplit(1)), in: values(list("  a  b  c ", "d")), want: values(shaped([]int{2, 2}, "a", "b  c", "d", ""), list[int64](2, 1))},
		{name: "at space, never", op: "StringSplit", opset: 20, attrs: attrs(maxsplit(0)), in: values(list(" a b ")), want: values(shaped([]int{1, 1}, "a b"), list[int64](1))},
		{name: "at a delimiter", op: "StringSplit", opset: 20, attrs: attrs(delimiter("--")), in: values(list("a----b", "")), want: values(shaped([]int{2, 3}, "a", "", "b", "", "", ""), list[int64](3, 1))},
		{name: "at a delimiter, once", op: "StringSplit", opset: 20, attrs: attrs(delimiter(","), maxsplit(1)), in: values(tensor.Scalar("a,b,c")), want: values(list("a", "b,c"), tensor.Scalar(int64(2)))},
		{name: "of nothing", op: "StringSplit", opset: 20, in: values(list[string]()), want: values(shaped[string]([]int{0, 0}), list[int64]())},
		{name: "less than never", op: "StringSplit", opset: 20, attrs: attrs(maxsplit(-1)), in: values(list("a")), err: "maxsplit"},

		{name: "whole strings", op: "RegexFullMatch", opset: 20, attrs: pattern(`a|ab`), in: values(list("a", "ab", "abc", "a\n")), want: values(list(true, true, false, false))},
		{name: "no pattern", op: "RegexFullMatch", opset: 20, attrs: pattern(`(`), in: values(list("a")), err: "pattern"},

		{name: "with cases", op: "StringNormalizer", opset: 10, attrs: attrs(stop, sensitive, upper), in: values(list("Monday", "monday", "ärger")), want: values(list("MONDAY", "ÄRGER"))},
		{name: "without cases", op: "StringNormalizer", opset: 10, attrs: attrs(stop), in: values(shaped([]int{1, 2}, "MONDAY", "Tuesday")), want: values(shaped([]int{1, 1}, "Tuesday"))},
		{name: "nothing is left", op: "StringNormalizer", opset: 10, attrs: attrs(stop), in: values(shaped([]int{1, 1}, "monday")), want: values(shaped([]int{1, 1}, ""))},
		{name: "of a matrix", op: "StringNormalizer", opset: 10, in: values(shaped([]int{2, 1}, "a", "b")), err: "(1, C)"},
	})
}

func TestTfIdf(t *testing.T) {
	// 1-grams 5 and 6, 2-grams (5, 6) and (6, 5).
	pool := func(mode string, shortest, longest, skips int64, more ...*onnx.Attr) []*onnx.Attr {
		return append(more, onnx.StringAttr("mode", mode),
			onnx.IntAttr("min_gram_length", shortest), onnx.IntAttr("max_gram_length", longest), onnx.IntAttr("max_skip_count", skips),
			onnx.IntsAttr("ngram_counts", []int64{0, 2}), onnx.IntsAttr("ngram_indexes", []int64{0, 1, 3, 2}),
			onnx.IntsAttr("pool_int64s", []int64{5, 6, 5, 6, 6, 5}))
	}
	weights := onnx.FloatsAttr("weights", []float32{10, 20, 30, 40})
	x := list[int64](5, 7, 6, 5, 5)
	runNodeTests(t, []nodeTest{
		{name: "counts", op: "TfIdfVectorizer", opset: 9, attrs: pool("TF", 1, 2, 0, weights), in: values(x), want: values(list[float32](3, 1, 1, 0))},
		{name: "skips", op: "TfIdfVectorizer", opset: 9, attrs: pool("TF", 2, 2, 1), in: values(x), want: values(list[float32](0, 0, 2, 1))},
		{name: "presence", op: "TfIdfVectorizer", opset: 9, attrs: pool("IDF", 1, 1, 3, weights), in: values(x), want: values(list[float32](10, 20, 0, 0))},
		{name: "weighted counts", op: "TfIdfVectorizer", opset: 9, attrs: pool("TFIDF", 1, 2, 0, weights), in: values(shaped[int32]([]int{2, 2}, 5, 5, 6, 5)), want: values(shaped[float32]([]int{2, 4}, 20, 0, 0, 0, 10, 20, 40, 0))},
		{name: "of nothing", op: "TfIdfVectorizer", opset: 9, attrs: pool("TF", 1, 2, 0), in: values(list[int64]()), want: values(tensor.Make[float32]([]int{4}))},
		{name: "of strings", op: "TfIdfVectorizer", opset: 9, attrs: pool("TF", 1, 2, 0), in: values(list("5")), err: "int64"},
		{name: "no such mode", op: "TfIdfVectorizer", opset: 9, attrs: pool("FT", 1, 2, 0), in: values(x), err: "FT"},
		{name: "backwards", op: "TfIdfVectorizer", opset: 9, attrs: pool("TF", 2, 1, 0), in: values(x), err: "cannot be"},
		{name: "too few weights", op: "TfIdfVectorizer", opset: 9, attrs: pool("IDF", 1, 1, 0, onnx.FloatsAttr("weights", []float32{1})), in: values(x), err: "1 weights"},
		{
			name: "an uneven pool", op: "TfIdfVectorizer", opset: 9, in: values(x), err: "do not divide",
			attrs: attrs(onnx.StringAttr("mode", "TF"), onnx.IntsAttr("ngram_counts", []int64{0, 2}), onnx.IntsAttr("ngram_indexes", []int64{0, 1, 2}), onnx.IntsAttr("pool_int64s", []int64{1, 2, 3})),
		},
	})
}
