package main

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// recipes store the weights of the default operators, and compute in floats.
var recipes = map[string][]string{
	"w8a32":          {"--recipe", "w8a32"},
	"w8a16 float16":  {"--recipe", "w8a16", "--activation", "float16"},
	"w8a16 bfloat16": {"--recipe", "w8a16", "--activation", "bfloat16"},
}

// qualities are the recipes whose quality is measured, the weights of all
// operators among them, with what they may lose: in accuracy, and in perplexity
// as a part of it.
var qualities = []struct {
	name  string
	flags []string
	loss  float64
}{
	{"w8a32", recipes["w8a32"], 0.005},
	{"w8a16 float16", recipes["w8a16 float16"], 0.005},
	{"w8a16 bfloat16", recipes["w8a16 bfloat16"], 0.005},
	{"w8a32 of all operators", []string{"--ops", "all"}, 0.005},
	{"w8a16 of the whole graph", []string{"--ops", "all", "--recipe", "w8a16", "--scope", "graph"}, 0.005},
	{"w8a8", []string{"--recipe", "w8a8"}, 0.01},
	{"w8a8 of all operators", []string{"--ops", "all", "--recipe", "w8a8"}, 0.01},
}

// TestAccuracy measures classifiers of handwritten digits on the 450 digits
// that were held back from their training.
func TestAccuracy(t *testing.T) {
	ships := func(*testing.T) string { return filepath.Join("..", "..", "testdata", "models", "digits_vit") }
	shared := func(model string) func(*testing.T) string {
		return func(t *testing.T) string { return filepath.Join(casesFolder(t), "trained", model) }
	}
	for _, test := range []struct {
		name   string
		folder func(*testing.T) string
		float  float64
	}{
		{"digits_vit", ships, 0.9644},
		{"digits_vit_ts13", shared("digits_vit_ts13"), 0.9644},
		{"digits_mlp_ts13", shared("digits_mlp_ts13"), 0.9689},
		{"digits_cnn_ts13", shared("digits_cnn_ts13"), 0.9911},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := test.folder(t)
			path := filepath.Join(folder, "model.onnx")
			labels := numbers(t, readArray(t, filepath.Join(folder, "labels.npy")))
			_, feeds, _ := readInputs(t, path, folder)
			if got := accuracy(t, path, feeds, labels); math.Abs(got-test.float) > 5e-5 {
				t.Fatalf("the float model's accuracy is %.4f, want %.4f: the measurement is wrong", got, test.float)
			}
			for _, q := range qualities {
				got := accuracy(t, rewritten(t, path, q.flags), feeds, labels)
				t.Logf("%s: accuracy %.4f, in float %.4f", q.name, got, test.float)
				if got < test.float-q.loss {
					t.Errorf("%s: accuracy %.4f is more than %.3f below %.4f", q.name, got, q.loss, test.float)
				}
			}
		})
	}
}

// accuracy is the part of images whose largest logit is their label's.
func accuracy(t *testing.T, model string, feeds map[string]tensor.Value, labels []float64) float64 {
	t.Helper()
	logits := numbers(t, runModel(t, model, feeds)["logits"].(*tensor.Tensor))
	classes := len(logits) / len(labels)
	right := 0
	for i, label := range labels {
		best := 0
		for class := range classes {
			if logits[i*classes+class] > logits[i*classes+best] {
				best = class
			}
		}
		if float64(best) == label {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}

// TestPerplexity measures a byte-level language model on text that was held
// back from its training.
func TestPerplexity(t *testing.T) {
	const float = 3.2254
	folder := filepath.Join(casesFolder(t), "trained", "bytegpt_ts17")
	path := filepath.Join(folder, "model.onnx")
	ids, _ := tensor.Data[int64](readArray(t, filepath.Join(folder, "eval_ids.npy")).WithShape([]int{16 * 129}))
	if len(ids) != 16*129 {
		t.Fatalf("eval_ids.npy has %d int64 numbers, want 16 rows of 129", len(ids))
	}
	if got := perplexity(t, path, ids); math.Abs(got-float) > 5e-5 {
		t.Fatalf("the float model's perplexity is %.4f, want %.4f: the measurement is wrong", got, float)
	}
	for _, q := range qualities {
		got := perplexity(t, rewritten(t, path, q.flags), ids)
		t.Logf("%s: perplexity %.4f, in float %.4f", q.name, got, float)
		if got > float*(1+q.loss) {
			t.Errorf("%s: perplexity %.4f is more than %.1f %% above %.4f", q.name, got, 100*q.loss, float)
		}
	}
}

// perplexity is e to the mean cross-entropy of the logits at each byte against
// the byte that follows, over rows of 129 bytes.
func perplexity(t *testing.T, model string, ids []int64) float64 {
	t.Helper()
	const row = 129
	rows := len(ids) / row
	var inputs []int64
	for r := range rows {
		inputs = append(inputs, ids[r*row:r*row+row-1]...)
	}
	outputs := runModel(t, model, map[string]tensor.Value{"ids": tensor.New([]int{rows, row - 1}, inputs)})
	logits := numbers(t, outputs["logits"].(*tensor.Tensor))
	classes := len(logits) / len(inputs)
	sum := 0.0
	for r := range rows {
		for p := range row - 1 {
			at := logits[(r*(row-1)+p)*classes:][:classes]
			sum += logSumExp(at) - at[ids[r*row+p+1]]
		}
	}
	return math.Exp(sum / float64(len(inputs)))
}

func logSumExp(values []float64) float64 {
	largest := math.Inf(-1)
	for _, v := range values {
		largest = max(largest, v)
	}
	sum := 0.0
	for _, v := range values {
		sum += math.Exp(v - largest)
	}
	return largest + math.Log(sum)
}

// rewritten rewrites a model and returns the new one's file.
func rewritten(t *testing.T, model string, flags []string) string {
	t.Helper()
	output := filepath.Join(t.TempDir(), "model.onnx")
	rewriteFile(t, model, output, append([]string{"--check", "off", "--sync", "off"}, flags...)...)
	return output
}
