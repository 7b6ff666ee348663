package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestTuneReachesTheMarkInFewerBytes tunes a transformer with planted outliers,
// and holds the result to what leaving the worst weights in float would take.
func TestTuneReachesTheMarkInFewerBytes(t *testing.T) {
	wholeProgram(t)
	const mark = 40
	folder := t.TempDir()
	path := filepath.Join(folder, "transformer.onnx")
	if err := onnx.WriteFile(path, outlierTransformer(), onnx.WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	plain := rewriteFile(t, path, filepath.Join(folder, "plain.onnx"), "--sync", "off")
	if got := float64(plain.Check.Outputs[0].SQNR); got >= mark-3 {
		t.Fatalf("all layers quantized give %.1f dB: there is nothing to tune for %d dB", got, mark)
	}
	html, list := filepath.Join(folder, "report.html"), filepath.Join(folder, "report.json")
	flags := []string{"--sync", "off", "--tune", "--min-sqnr", fmt.Sprint(mark)}
	tuned := rewriteFile(t, path, filepath.Join(folder, "tuned.onnx"), append(flags, "--report", list)...)
	if got := float64(tuned.Check.Outputs[0].SQNR); !(got >= mark) {
		t.Errorf("tuned for %d dB, it has %.1f", mark, got)
	}
	byWeights, left := worstWeightsLeft(t, path, mark)
	t.Logf("plain: %d bytes, %.1f dB; tuned: %d bytes, %.1f dB; the %d worst weights left in float: %d bytes",
		plain.BytesAfter, float64(plain.Check.Outputs[0].SQNR), tuned.BytesAfter, float64(tuned.Check.Outputs[0].SQNR), left, byWeights)
	if tuned.BytesAfter >= byWeights {
		t.Errorf("tuned, the model takes %d bytes; with the %d worst weights left in float %d", tuned.BytesAfter, left, byWeights)
	}

	// Whoever gets another form, or none, is told why; and the curve is there.
	chosen := 0
	for i, p := range tuned.Curve {
		if i > 0 && p.Bytes < tuned.Curve[i-1].Bytes {
			t.Error("the curve is not in the order of bytes")
		}
		if p.Chosen {
			chosen++
			if p.LeftInFloat != strings.Count(fmt.Sprint(tuned.Skips), "left in float to reach 40 dB") {
				t.Errorf("%d layers left in float, the skips are %v", p.LeftInFloat, tuned.Skips)
			}
			notes := 0
			for _, s := range tuned.Sites {
				if strings.Contains(s.Note, "in blocks of 32 to reach 40 dB: quantized alone it brings the outputs to") && strings.Contains(s.Form, "blocks of 32") {
					notes++
				}
			}
			if p.InOtherForm != notes {
				t.Errorf("%d layers in a finer form, %d sites say so", p.InOtherForm, notes)
			}
		}
	}
	if len(tuned.Curve) < 3 || chosen != 1 {
		t.Errorf("the curve has %d points, %d chosen", len(tuned.Curve), chosen)
	}
	var written rewriteReport
	if err := json.Unmarshal(read(t, list), &written); err != nil || len(written.Curve) != len(tuned.Curve) {
		t.Errorf("the report's curve has %d points, want %d: %v", len(written.Curve), len(tuned.Curve), err)
	}
	rewriteFile(t, path, filepath.Join(folder, "again.onnx"), append(flags, "--report", html)...)
	if page := string(read(t, html)); strings.Count(page, "<circle") != len(tuned.Curve) || !strings.Contains(page, `class="mark"`) {
		t.Errorf("the page does not draw the curve of %d points, or not the mark", len(tuned.Curve))
	}
	if !slices.Equal(read(t, filepath.Join(folder, "tuned.onnx")), read(t, filepath.Join(folder, "again.onnx"))) {
		t.Error("tuning a second time gives another model")
	}
}

// worstWeightsLeft leaves ever more layers in float, the one whose weight has
// lost most first, until the model reaches a mark. It returns the bytes of the
// file, and how many layers that took.
func worstWeightsLeft(t *testing.T, path string, mark float64) (bytes int64, count int) {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	plan, err := rewrite.New(m, rewrite.Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := plan.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ratios := map[int]float64{}
	var order []int
	for i := range result.Sites {
		if ratios[i], err = result.Sites[i].WeightSQNR(); err != nil {
			t.Fatal(err)
		}
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(ratios[a], ratios[b]) })
	feeds, err := runtime.MakeFeeds(m, runtime.FeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	reference, err := runtime.NewReference(t.Context(), m, runtime.CompareOptions{Feeds: []map[string]tensor.Value{feeds}})
	if err != nil {
		t.Fatal(err)
	}
	left := map[int]string{}
	for _, site := range order {
		left[site] = "its weight lost most"
		result, err := plan.Without(left).Apply(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		outputs, err := reference.Compare(t.Context(), result.Model)
		if err != nil {
			t.Fatal(err)
		}
		if outputs[0].SQNR >= mark {
			file := filepath.Join(t.TempDir(), "left.onnx")
			if err := onnx.WriteFile(file, result.Model, onnx.WriteOptions{NoSync: true}); err != nil {
				t.Fatal(err)
			}
			return int64(len(read(t, file))), len(left)
		}
	}
	t.Fatalf("%g dB are not reached with all layers in float", mark)
	return 0, 0
}

// outlierTransformer is a transformer of four blocks with random weights. Every
// layer has some input columns with weights far larger than the others, which
// take the scales for themselves; and the blocks do not count alike, since what
// they add to the stream is scaled, as trained ones are.
func outlierTransformer() *onnx.Model {
	const size, wide, length, blocks = 64, 128, 12, 4
	random := rand.New(rand.NewPCG(3, 5))
	g := &onnx.Graph{
		Name:    "transformer with outliers",
		Inputs:  []*onnx.Value{matrixValue("x", length, size)},
		Outputs: []*onnx.Value{matrixValue("y", length, size)},
	}
	add := func(op, output string, inputs []string, attrs ...*onnx.Attr) string {
		g.Nodes = append(g.Nodes, &onnx.Node{Name: op + " " + output, OpType: op, Inputs: inputs, Outputs: []string{output}, Attrs: attrs})
		return output
	}
	constant := func(name string, values []float32, dims ...int64) string {
		g.Initializers = append(g.Initializers, onnx.FloatTensor(name, dims, values))
		return name
	}
	linear := func(name, x string, rows, columns int, gain float64, outlier float32) string {
		values := make([]float32, rows*columns)
		for i := range values {
			values[i] = float32(random.NormFloat64() * gain / math.Sqrt(float64(rows)))
		}
		for range 2 {
			row := random.IntN(rows)
			for c := range columns {
				values[row*columns+c] *= outlier
			}
		}
		return add("MatMul", name, []string{x, constant(name+".weight", values, int64(rows), int64(columns))})
	}
	ones := make([]float32, size)
	for i := range ones {
		ones[i] = 1
	}
	norm := func(name, x string) string {
		return add("LayerNormalization", name, []string{x, constant(name+".gain", ones, size)})
	}
	factor := constant("factor", []float32{1 / float32(math.Sqrt(size))})
	stream := "x"
	for b := range blocks {
		// The later a block, the less it adds, and the larger its outliers are.
		gain, outlier := math.Pow(0.4, float64(b)), float32(5+10*b)
		in := func(part string) string { return fmt.Sprintf("%d.%s", b, part) }
		h := norm(in("norm1"), stream)
		q, k, v := linear(in("q"), h, size, size, 0.3, 4), linear(in("k"), h, size, size, 0.3, 4), linear(in("v"), h, size, size, 1, outlier)
		scores := add("MatMul", in("scores"), []string{q, add("Transpose", in("kT"), []string{k}, onnx.IntsAttr("perm", []int64{1, 0}))})
		scores = add("Softmax", in("softmax"), []string{add("Mul", in("scaled"), []string{scores, factor})})
		mixed := add("MatMul", in("mixed"), []string{scores, v})
		stream = add("Add", in("stream1"), []string{stream, linear(in("o"), mixed, size, size, gain, outlier)})
		up := add("Relu", in("relu"), []string{linear(in("up"), norm(in("norm2"), stream), size, wide, 1, outlier)})
		output := in("stream2")
		if b == blocks-1 {
			output = "y"
		}
		stream = add("Add", output, []string{stream, linear(in("down"), up, wide, size, gain, outlier)})
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetImport{{Version: 17}}, Graph: g}
}

func matrixValue(name string, dims ...int64) *onnx.Value {
	v := tensorValue(name, onnx.Float, len(dims))
	for i, d := range dims {
		v.Type.Shape[i] = onnx.Dim{Known: true, Size: d}
	}
	return v
}
