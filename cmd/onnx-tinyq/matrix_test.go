package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/cmd/onnx-tinyq/internal/npy"
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// A variant is one way to rewrite a model.
type variant struct {
	name    string
	flags   []string
	targets []string
	// sites is how many weights it quantizes; nil: that is not held to a number.
	sites func(sitesOf) int
	// bounded says that every rewritten layer has a proven bound.
	bounded bool
	// tolerance is the relative L2 distance that our executor may have from
	// ONNX Runtime on the rewritten model; 0: that runtime cannot load it.
	tolerance float64
}

var (
	both       = []string{"portable", "fold"}
	inFloat    = func(s sitesOf) int { return s.w8a32 }
	inFloat16  = func(s sitesOf) int { return s.float16 }
	inBFloat16 = func(s sitesOf) int { return s.bfloat16 }
)

var variants = []variant{
	{name: "w8a32", targets: both, sites: inFloat, bounded: true, tolerance: exactTolerance,
		flags: []string{"--recipe", "w8a32"}},
	{name: "w8a16-float16", targets: both, sites: inFloat16, bounded: true, tolerance: float16Tolerance,
		flags: []string{"--recipe", "w8a16", "--activation", "float16"}},
	{name: "w8a16-bfloat16", targets: both, sites: inBFloat16, bounded: true,
		flags: []string{"--recipe", "w8a16", "--activation", "bfloat16"}},
	{name: "block", targets: both, sites: inFloat, bounded: true, tolerance: exactTolerance,
		flags: []string{"--granularity", "block", "--block", "16"}},
	{name: "tensor", targets: both, sites: inFloat, bounded: true, tolerance: exactTolerance,
		flags: []string{"--granularity", "tensor"}},
	{name: "asymmetric", targets: both, sites: inFloat, bounded: true, tolerance: exactTolerance,
		flags: []string{"--asymmetric"}},
	{name: "nbits", targets: []string{"ort"}, sites: inFloat, tolerance: exactTolerance,
		flags: []string{"--ort-accuracy-level", "1"}},
	{name: "nbits-asymmetric", targets: []string{"ort"}, sites: inFloat, tolerance: exactTolerance,
		flags: []string{"--ort-accuracy-level", "1", "--asymmetric", "--block", "64"}},
	// One flipped rounding of an activation is quantized again further on.
	{name: "w8a8", targets: []string{"portable"}, sites: inFloat, tolerance: 2e-2,
		flags: []string{"--recipe", "w8a8"}},
}

const (
	exactTolerance = 1e-4
	// float16Tolerance is for models that compute in float16: on the CPU ONNX
	// Runtime keeps float32 between their operators.
	float16Tolerance = 5e-3
)

// TestMatrix rewrites every model in every way and has the result judged: by
// our own check, by the ONNX checker, and by ONNX Runtime.
func TestMatrix(t *testing.T) {
	cases := casesFolder(t)
	pool := startPythons(t, 2)
	models := modelsIn(t, cases)
	for name := range expectedSites {
		if !slices.Contains(models, name) {
			t.Errorf("%s is in the table of sites, but not among the cases", name)
		}
	}
	var worst worstOf
	t.Cleanup(func() { worst.log(t) })
	for _, name := range models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, ok := expectedSites[name]
			if !ok {
				t.Fatal("the table of sites does not have this model: add it")
			}
			folder := filepath.Join(cases, filepath.FromSlash(name))
			small, hasSmall := expectedSmallSites[name]
			for _, v := range variants {
				for _, target := range v.targets {
					t.Run(v.name+"-"+target, func(t *testing.T) {
						checkVariant(t, pool, &worst, folder, v, want, "--target", target)
						if hasSmall {
							checkVariant(t, pool, &worst, folder, v, small, "--target", target, "--min-bytes", "0")
						}
					})
				}
			}
		})
	}
}

func checkVariant(t *testing.T, pool pythons, worst *worstOf, folder string, v variant, want sitesOf, more ...string) {
	output := filepath.Join(t.TempDir(), "model.onnx")
	model := filepath.Join(folder, "model.onnx")
	common := slices.Concat([]string{"--check", "on", "--sync", "off"}, more)
	if filepath.Base(folder) == "nan_inf_weight" {
		common = append(common, "--nonfinite", "skip")
	}
	flags := slices.Concat(common, v.flags)
	report := rewriteFile(t, model, output, flags...)
	sites := len(report.Sites)
	if v.sites != nil && sites != v.sites(want) {
		t.Errorf("%d weights were quantized, want %d; left alone: %v", sites, v.sites(want), report.Skips)
	}
	if sites > 0 {
		switch c := report.Check; {
		case c == nil:
			t.Fatal("there was no check")
		case !c.Within:
			t.Errorf("not within: %v", c.Reasons)
		case v.bounded && (c.BoundHeld == nil || !*c.BoundHeld || len(c.Sites) != sites):
			t.Errorf("the bound did not hold at %d layers: %+v", sites, c.Sites)
		case v.bounded:
			for _, s := range c.Sites {
				if s.BoundHeld == nil && !strings.Contains(s.Note, "did not run") {
					t.Errorf("layer %s has no bound: %s", s.Node, s.Note)
				}
			}
		}
	} else if before, after := read(t, model), read(t, output); !slices.Equal(before, after) {
		t.Error("nothing was rewritten, but the output is not the input")
	}
	again := filepath.Join(t.TempDir(), "again.onnx")
	rewriteFile(t, output, again, flags...)
	if !slices.Equal(read(t, output), read(t, again)) {
		t.Error("rewriting the result changed it")
	}
	pool.ask(t, map[string]any{"do": "check", "model": output}, &struct{}{})

	inputs, feeds, wide := readInputs(t, model, folder)
	ours := runModel(t, output, feeds)
	tolerance := v.tolerance
	switch {
	case sites == 0:
		tolerance = exactTolerance // the model is as it was
	case tolerance == 0:
		return
	}
	if !wide {
		tolerance = max(tolerance, float16Tolerance)
	}
	by := ""
	if v.name == "w8a8" {
		by = integersBy(t, output)
	}
	distance := distanceFromORT(t, pool, output, inputs, ours, by)
	if wide && sites > 0 {
		worst.add(v.name, distance)
	}
	if !(distance <= tolerance) {
		t.Errorf("an output is %.3g from ONNX Runtime's, more than %.3g", distance, tolerance)
	}
}

// integersBy names who computes a rewritten model's integer products, if it is not
// ONNX Runtime: made to multiply integers exactly whatever the processor, which it
// does not do by itself, it cannot load an int8 weight that two nodes read.
func integersBy(t *testing.T, path string) string {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	readers := map[string]int{}
	for _, s := range integerSites(t, m) {
		if readers[s.product.Inputs[1]]++; readers[s.product.Inputs[1]] > 1 {
			return "reference"
		}
	}
	return ""
}

// distanceFromORT is the largest relative L2 distance of an output of ours from
// ONNX Runtime's, or whoever else is to compute it.
func distanceFromORT(t *testing.T, pool pythons, model string, inputs map[string]string, ours map[string]tensor.Value, by string) float64 {
	t.Helper()
	var answer struct{ Outputs map[string]string }
	pool.ask(t, map[string]any{"do": "run", "model": model, "inputs": inputs, "into": t.TempDir(), "by": by}, &answer)
	if len(answer.Outputs) != len(ours) {
		t.Fatalf("ONNX Runtime gives outputs %v, we give %d", answer.Outputs, len(ours))
	}
	largest := 0.0
	for name, file := range answer.Outputs {
		theirs := readArray(t, file)
		mine, ok := ours[name].(*tensor.Tensor)
		if !ok {
			t.Fatalf("our output %q is a %T", name, ours[name])
		}
		if !slices.Equal(mine.Shape(), theirs.Shape()) {
			t.Fatalf("output %q has shape %v, ONNX Runtime's %v", name, mine.Shape(), theirs.Shape())
		}
		distance := relativeL2(numbers(t, mine), numbers(t, theirs))
		if math.IsNaN(distance) {
			return distance
		}
		largest = max(largest, distance)
	}
	return largest
}

// worstOf keeps the largest distance of each variant.
type worstOf struct {
	mu       sync.Mutex
	distance map[string]float64
}

func (w *worstOf) add(variant string, distance float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.distance == nil {
		w.distance = map[string]float64{}
	}
	w.distance[variant] = max(w.distance[variant], distance)
}

func (w *worstOf) log(t *testing.T) {
	for _, variant := range slices.Sorted(maps.Keys(w.distance)) {
		t.Logf("%s: at most %.2g from ONNX Runtime", variant, w.distance[variant])
	}
}

// rewriteFile runs the command and returns what it reports.
func rewriteFile(t *testing.T, model, output string, flags ...string) *rewriteReport {
	t.Helper()
	stdout := mustRun(t, append([]string{"rewrite", model, "--output", output, "--json"}, flags...)...)
	var report rewriteReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("the report is not JSON: %v\n%s", err, stdout)
	}
	return &report
}

// mustRun runs a command line that has to succeed and returns its standard output.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := run(context.Background(), args, &stdout, &stderr); code != exitDone {
		t.Fatalf("onnx-tinyq %s: exit code %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func readArray(t *testing.T, file string) *tensor.Tensor {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	array, err := npy.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	return array
}

// readInputs finds the inputs of a case's first data set: their files for
// Python, their values for us. wide is false for a model that takes float16.
func readInputs(t *testing.T, model, folder string) (files map[string]string, feeds map[string]tensor.Value, wide bool) {
	t.Helper()
	m, err := onnx.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	files, feeds, wide = map[string]string{}, map[string]tensor.Value{}, true
	i := 0
	for _, input := range m.Graph.Inputs {
		file := filepath.Join(folder, "test_data_set_0", fmt.Sprintf("input_%d.pb", i))
		if _, err := os.Stat(file); err != nil {
			continue // an input with an initializer
		}
		i++
		if files[input.Name], err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
		if feeds[input.Name], err = readValue(file, input.Name); err != nil {
			t.Fatal(err)
		}
		wide = wide && input.Type.DType != onnx.Float16
	}
	return files, feeds, wide
}

// runModel runs a model in our executor.
func runModel(t *testing.T, model string, feeds map[string]tensor.Value) map[string]tensor.Value {
	t.Helper()
	m, err := onnx.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return runOpen(t, m, feeds)
}

func runOpen(t *testing.T, m *onnx.Model, feeds map[string]tensor.Value) map[string]tensor.Value {
	t.Helper()
	session, err := runtime.Compile(m, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := session.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// numbers are a tensor's elements, widened.
func numbers(t *testing.T, array *tensor.Tensor) []float64 {
	t.Helper()
	list, err := array.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// relativeL2 is the length of the difference over the length of want. Two NaNs
// are equal, as is an infinity to itself; any other NaN makes the result NaN.
func relativeL2(got, want []float64) float64 {
	var difference, length float64
	for i, w := range want {
		g := got[i]
		if math.IsNaN(g) && math.IsNaN(w) || g == w && math.IsInf(w, 0) {
			continue
		}
		difference += (g - w) * (g - w)
		length += w * w
	}
	if difference == 0 {
		return 0
	}
	return math.Sqrt(difference / length)
}
