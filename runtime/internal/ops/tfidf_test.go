package ops

import (
	"math"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Pairs of tokens, one skipped token or any number between them.
func TestTfIdfSkips(t *testing.T) {
	attrs := func(skips int64) []*onnx.Attr {
		return []*onnx.Attr{
			onnx.StringAttr("mode", "TF"), onnx.IntAttr("min_gram_length", 2), onnx.IntAttr("max_gram_length", 2), onnx.IntAttr("max_skip_count", skips),
			onnx.IntsAttr("ngram_counts", []int64{0, 0}), onnx.IntsAttr("ngram_indexes", []int64{0, 1}), onnx.IntsAttr("pool_int64s", []int64{1, 2, 1, 4}),
		}
	}
	tokens := list[int64](1, 2, 3, 4, 1, 4)
	runNodeTests(t, []nodeTest{
		{op: "TfIdfVectorizer", opset: 9, name: "neighbours", attrs: attrs(0), in: values(tokens), want: values(list[float32](1, 1))},
		{op: "TfIdfVectorizer", opset: 9, name: "up to three apart", attrs: attrs(2), in: values(tokens), want: values(list[float32](1, 2))},
		{op: "TfIdfVectorizer", opset: 9, name: "any distance", attrs: attrs(math.MaxInt64), in: values(tokens), want: values(list[float32](1, 3))},
		{op: "TfIdfVectorizer", opset: 9, name: "nothing at any distance", attrs: attrs(math.MaxInt64), in: values(list[int64]()), want: values(list[float32](0, 0))},
	})
}
