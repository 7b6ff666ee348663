package main

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// A wholeVariant is one way to rewrite a model with the weights of all operators.
type wholeVariant struct {
	name    string
	flags   []string
	targets []string
	// tolerance is the relative L2 distance that our executor may have from
	// ONNX Runtime on the rewritten model; 0: that runtime cannot load it.
	tolerance float64
	// quality is the signal-to-noise ratio in dB that every output has to have on
	// the trained and the real models; 0: it is not held to one.
	quality float64
	// integers says that products of integers are compared site by site.
	integers bool
}

var wholeVariants = []wholeVariant{
	{name: "w8a32", targets: everyTarget, tolerance: exactTolerance, quality: 33,
		flags: []string{"--recipe", "w8a32"}},
	{name: "w8a16-linear", targets: everyTarget, tolerance: float16Tolerance, quality: 30,
		flags: []string{"--recipe", "w8a16"}},
	{name: "w8a16-graph", targets: everyTarget, tolerance: 2e-2, quality: 30,
		flags: []string{"--recipe", "w8a16", "--scope", "graph"}},
	{name: "w8a16-graph-bfloat16", targets: both, quality: 20,
		flags: []string{"--recipe", "w8a16", "--scope", "graph", "--activation", "bfloat16"}},
	// One flipped rounding of an activation is quantized again further on.
	{name: "w8a8", targets: both, tolerance: 2e-2, integers: true,
		flags: []string{"--recipe", "w8a8"}},
}

var everyTarget = []string{"portable", "fold", "ort"}

// TestAllOperators rewrites every model with the weights of all operators, and
// has the result judged: by our own check, by the ONNX checker, by ONNX Runtime,
// and, where the model was trained, by how much noise there is in its outputs.
func TestAllOperators(t *testing.T) {
	cases := casesFolder(t)
	j := &wholeJudge{pool: startPythons(t, 2)}
	t.Cleanup(func() { j.findings.log(t) })
	for _, name := range modelsIn(t, cases) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trained := strings.HasPrefix(name, "real/") || strings.HasPrefix(name, "trained/")
			j.judge(t, name, filepath.Join(cases, filepath.FromSlash(name)), trained, -1)
		})
	}
}

// TestMadeUpOperators does the same with models made for it, which have the
// places of weights that the shared cases do not have.
func TestMadeUpOperators(t *testing.T) {
	j := &wholeJudge{pool: startPythons(t, 2)}
	t.Cleanup(func() { j.findings.log(t) })
	for name, made := range madeModels() {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			j.judge(t, name, made.sketch.folder(t), false, made.sites)
		})
	}
}

// wholeJudge judges models in every variant.
type wholeJudge struct {
	pool     pythons
	findings wholeFindings
}

// judge judges one model. sites is how many weights are to be quantized; -1:
// that is not held to a number.
func (j *wholeJudge) judge(t *testing.T, name, folder string, trained bool, sites int) {
	model := filepath.Join(folder, "model.onnx")
	inputs, feeds, wide := readInputs(t, model, folder)
	original := runModel(t, model, feeds)
	for _, v := range wholeVariants {
		for _, target := range v.targets {
			t.Run(v.name+"-"+target, func(t *testing.T) {
				output := filepath.Join(t.TempDir(), "model.onnx")
				flags := slices.Concat([]string{"--ops", "all", "--target", target, "--ort-accuracy-level", "1", "--check", "on", "--sync", "off", "--nonfinite", "skip"}, v.flags)
				report := rewriteFile(t, model, output, flags...)
				if c := report.Check; len(report.Sites) > 0 && (c == nil || !c.Within) {
					t.Errorf("it is not within what the check allows: %+v", c)
				}
				for _, s := range report.Sites {
					unmeasured := s.WeightSQNR == 0 || s.OutputSQNR == 0 // null in JSON
					if sites >= 0 && v.name == "w8a32" && unmeasured {
						t.Errorf("%s %s: the error of its weight is %s dB, of its output %s", s.Op, s.Node, ratio(s.WeightSQNR), ratio(s.OutputSQNR))
					}
				}
				if sites >= 0 && len(report.Sites) != sites {
					t.Errorf("%d weights are quantized, want %d; left alone: %v", len(report.Sites), sites, report.Skips)
				}
				again := filepath.Join(t.TempDir(), "again.onnx")
				rewriteFile(t, output, again, slices.Concat(flags, []string{"--check", "off"})...)
				if !slices.Equal(read(t, output), read(t, again)) {
					t.Error("rewriting the result changed it")
				}
				j.pool.ask(t, map[string]any{"do": "check", "model": output}, &struct{}{})

				ours := runModel(t, output, feeds)
				if v.tolerance > 0 {
					tolerance, by := v.tolerance, ""
					if !wide {
						tolerance = max(tolerance, float16Tolerance)
					}
					if v.integers {
						by = integersBy(t, output)
					}
					distance := distanceFromORT(t, j.pool, output, inputs, ours, by)
					if !(distance <= tolerance) {
						t.Errorf("an output is %.3g from ONNX Runtime's, more than %.3g", distance, tolerance)
					}
					j.findings.add(v.name, wide, distance)
				}
				quality := lowestSQNR(t, original, ours)
				if trained {
					j.findings.hear(fmt.Sprintf("%s %s-%s: %.1f dB", name, v.name, target, quality))
					if quality < v.quality {
						t.Errorf("the noisiest output has %.1f dB, less than %g", quality, v.quality)
					}
				}
				if v.integers && target == "portable" {
					j.findings.count(compareIntegers(t, j.pool, output, feeds))
				}
			})
		}
	}
}

// lowestSQNR is the signal-to-noise ratio in dB of the noisiest output.
func lowestSQNR(t *testing.T, want, got map[string]tensor.Value) float64 {
	t.Helper()
	lowest := math.Inf(1)
	for name, value := range want {
		distance := relativeL2(numbers(t, got[name].(*tensor.Tensor)), numbers(t, value.(*tensor.Tensor)))
		lowest = min(lowest, -20*math.Log10(distance))
	}
	return lowest
}

// wholeFindings are the figures that the test comes to.
type wholeFindings struct {
	mu       sync.Mutex
	distance map[string]float64 // the largest of each variant, of models in float32
	models   int
	quality  []string
	integers integerCounts
}

func (f *wholeFindings) add(variant string, wide bool, distance float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.distance == nil {
		f.distance = map[string]float64{}
	}
	f.models++
	if wide {
		f.distance[variant] = max(f.distance[variant], distance)
	}
}

func (f *wholeFindings) hear(quality string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quality = append(f.quality, quality)
}

func (f *wholeFindings) count(c integerCounts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.integers.activations += c.activations
	f.integers.products += c.products
}

func (f *wholeFindings) log(t *testing.T) {
	for _, variant := range slices.Sorted(maps.Keys(f.distance)) {
		t.Logf("%s: at most %.2g from ONNX Runtime", variant, f.distance[variant])
	}
	slices.Sort(f.quality)
	t.Logf("%d rewritten models\n%s", f.models, strings.Join(f.quality, "\n"))
	t.Logf("%d quantized activations and %d products of integers are the same as ONNX Runtime's", f.integers.activations, f.integers.products)
	if f.models > 0 && (f.integers.activations == 0 || f.integers.products == 0) {
		t.Error("no product of integers was compared")
	}
}
