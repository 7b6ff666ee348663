package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// needONNXRuntime loads the library, or skips the test where there is none.
func needONNXRuntime(t *testing.T) {
	t.Helper()
	path, err := findONNXRuntime("")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err := openONNXRuntime(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeONNXRuntime() })
}

// small is a transformer whose sizes are all unlike.
var small = transformer{layers: 2, width: 24, heads: 3, inner: 40, vocabulary: 50, positions: 9}

func TestModelsAreValid(t *testing.T) {
	for name, m := range map[string]*onnx.Model{
		"one product": product{1, 3, 70, 40}.model(),
		"products":    product{3, 2, 33, 33}.model(),
		"encoder":     small.encoder(7),
		"decoder":     small.decoder(5),
	} {
		if _, err := onnx.Check(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLayersAreCompared runs the smallest contests that there are: everyone
// takes part, agrees with whom it has to, and gets a ratio.
func TestLayersAreCompared(t *testing.T) {
	needONNXRuntime(t)
	var log bytes.Buffer
	c := comparison{folder: t.TempDir(), threads: []int{1, 2}, pace: pace{rounds: 1, turn: time.Millisecond}, only: regexp.MustCompile(""), log: &log}
	everyone := []string{peerFloat, peerFolded, peerInt8, peerW8A8, oursFloat, oursExact, oursV16, oursW8A8}
	results, err := c.run(t.Context(), []work{
		{
			name: "small", model: made(product{1, 5, 64, 48}.model), ways: everyone,
			marks: []mark{{oursExact, peerFloat, 1e-9}, {oursW8A8, peerW8A8, 1e9}},
		},
		{name: "encoder", model: made(func() *onnx.Model { return small.encoder(7) }), ways: everyone},
		{name: "decoder", model: made(func() *onnx.Model { return small.decoder(5) }), ways: everyone},
		{name: "creation", model: made(product{1, 5, 64, 48}.model), ways: everyone, create: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 8 {
		t.Fatalf("%d results, not one for each of four works and two numbers of threads", len(results))
	}
	for _, r := range results {
		if r.Failure != "" {
			t.Errorf("%s: %s", r.Work, r.Failure)
		}
		if len(r.Contestants) != len(everyone) {
			t.Errorf("%s: %d contestants, not %d", r.Work, len(r.Contestants), len(everyone))
		}
		for _, entry := range r.Contestants {
			if entry.Failure != "" || entry.Rounds != 1 || entry.MedianMS <= 0 {
				t.Errorf("%s: %+v", r.Work, entry)
			}
		}
		for i, s := range r.Ratios {
			if want := i == 0; s.Ratio <= 0 || *s.Holds != want {
				t.Errorf("%s: %v", r.Work, s)
			}
		}
	}
	if t.Failed() {
		io.Copy(os.Stderr, &log)
	}
}

// TestWrongAnswersAreNotTimed has one executor run another model.
func TestWrongAnswersAreNotTimed(t *testing.T) {
	right, wrong := [][]float32{{1, 2, 3}}, [][]float32{{1, 2, 4}}
	c := contestant{}
	for i, results := range [][][]float32{right, wrong} {
		err := c.verify(way{agrees: "right", apart: 1e-3}, fixed(results), map[string][][]float32{"right": right})
		if wrong := i == 1; (err != nil) != wrong {
			t.Errorf("results %v: %v", results, err)
		}
	}
}

// fixed is a session that always gives the same.
type fixed [][]float32

func (f fixed) run() error                    { return nil }
func (f fixed) results() ([][]float32, error) { return f, nil }
func (f fixed) close()                        {}
