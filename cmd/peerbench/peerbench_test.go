package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
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
		"perceptron":  perceptron(3),
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
	everyone := []string{peerFloat, peerFolded, peerInt8, peerW8A8, oursFloat, oursExact, oursFast, oursV16, oursW8A8}
	results, err := c.run(t.Context(), []work{
		{
			name: "small", model: made(product{1, 5, 64, 48}.model), ways: everyone,
			marks: []mark{{oursExact, peerFloat, 1e-9}, {oursW8A8, peerW8A8, 1e9}},
		},
		{name: "perceptron", model: made(func() *onnx.Model { return perceptron(3) }), ways: append(everyone, peerGorgonia, peerGomlx)},
		{name: "encoder", model: made(func() *onnx.Model { return small.encoder(7) }), ways: everyone},
		{name: "decoder", model: made(func() *onnx.Model { return small.decoder(5) }), ways: everyone},
		{name: "creation", model: made(product{1, 5, 64, 48}.model), ways: everyone, create: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 10 {
		t.Fatalf("%d results, not one for each of five works and two numbers of threads", len(results))
	}
	for _, r := range results {
		if r.Failure != "" {
			t.Errorf("%s: %s", r.Work, r.Failure)
		}
		if len(r.Contestants) < len(everyone) {
			t.Errorf("%s: %d contestants, not %d or more", r.Work, len(r.Contestants), len(everyone))
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

// TestRewritingIsCompared has a small model copied and rewritten.
func TestRewritingIsCompared(t *testing.T) {
	program, err := buildProgram(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := rewriting{binary: program, folder: t.TempDir(), only: regexp.MustCompile(""), rounds: 1, log: io.Discard}
	for _, large := range []bool{false, true} {
		m := transformer{layers: 2, width: 64, heads: 4, inner: 128, vocabulary: 50, positions: 8}.encoder(8)
		shown, err := r.run(t.Context(), "small", m, large)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{false: 6, true: 5}[large]; len(shown.Contestants) != want {
			t.Errorf("%d contestants, not %d", len(shown.Contestants), want)
		}
		for _, entry := range shown.Contestants {
			if entry.Failure != "" || entry.Rounds != 1 || entry.MedianMS <= 0 || entry.PeakBytes == 0 && strings.HasPrefix(entry.Name, "rewrite") && highWater(os.Getpid()) > 0 {
				t.Errorf("%+v", entry)
			}
		}
	}
}

// TestPeakMemoryIsTheChildsOwn has a child that needs less memory than this
// process once did, and one that needs more.
func TestPeakMemoryIsTheChildsOwn(t *testing.T) {
	if highWater(os.Getpid()) == 0 {
		t.Skip("this system does not tell")
	}
	ballast := make([]byte, 200<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	for _, check := range []struct {
		args        []string
		least, most int64
	}{
		{[]string{"sleep", "0.05"}, 100 << 10, 20 << 20},
		{[]string{"dd", "if=/dev/zero", "of=/dev/null", "bs=400M", "count=1"}, 400 << 20, 410 << 20},
	} {
		c, err := runChild(t.Context(), check.args)
		if err != nil {
			t.Fatal(err)
		}
		if c.peak < check.least || c.peak > check.most {
			t.Errorf("%v: peak %d, not between %d and %d", check.args, c.peak, check.least, check.most)
		}
	}
	runtime.KeepAlive(ballast)
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
