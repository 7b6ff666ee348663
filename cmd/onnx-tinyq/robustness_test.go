package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestDamagedModels rewrites a model that was cut off at every percent of its
// length, and one with a byte flipped at each of a thousand places: each gives
// one clear line or a valid model, within a second.
func TestDamagedModels(t *testing.T) {
	whole := read(t, filepath.Join(casesFolder(t), "real", "ppocr_cls", "model.onnx"))
	damage := map[string][]byte{}
	for percent := range 100 {
		damage[fmt.Sprintf("the first %d %%", percent)] = whole[:len(whole)*percent/100]
	}
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		place, flip := random.IntN(len(whole)), byte(1+random.IntN(255))
		flipped := append([]byte(nil), whole...)
		flipped[place] ^= flip
		damage[fmt.Sprintf("byte %d with bits %08b flipped", place, flip)] = flipped
	}
	folder := t.TempDir()
	model, output := filepath.Join(folder, "model.onnx"), filepath.Join(folder, "out.onnx")
	results := map[int]int{}
	for name, content := range damage {
		if err := os.WriteFile(model, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr strings.Builder
		begin := time.Now()
		code := run(context.Background(), []string{"rewrite", model, "-o", output, "--sync", "off", "--check", "off", "--quiet"}, &stdout, &stderr)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		results[code]++
		switch text := stderr.String(); {
		case code == exitDone:
			if err := isValid(output); err != nil {
				t.Errorf("%s: the result is not valid: %v", name, err)
			}
			if err := os.Remove(output); err != nil {
				t.Error(err)
			}
		case code != exitFailed:
			t.Errorf("%s: exit code %d: %s", name, code, text)
		case strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "onnx-tinyq: "):
			t.Errorf("%s: the error is not one line: %q", name, text)
		default:
			if _, err := os.Stat(output); err == nil {
				t.Errorf("%s: it failed and left an output", name)
			}
		}
	}
	t.Logf("seed %d: %d rewritten, %d refused", seed, results[exitDone], results[exitFailed])
	if results[exitDone] == 0 || results[exitFailed] < 99 {
		t.Errorf("results by exit code: %v; flipped weights are no error, truncation always is one", results)
	}
}

func isValid(path string) error {
	m, err := onnx.Open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = onnx.Check(m)
	return err
}
