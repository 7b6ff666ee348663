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
// one clear line or a valid model, within a second. Every tenth is checked too,
// so the executor sees damaged models as well.
func TestDamagedModels(t *testing.T) {
	wholeProgram(t)
	whole := read(t, filepath.Join(casesFolder(t), "real", "ppocr_cls", "model.onnx"))
	type damaged struct {
		name    string
		content []byte
	}
	var models []damaged
	for percent := range 100 {
		models = append(models, damaged{fmt.Sprintf("the first %d %%", percent), whole[:len(whole)*percent/100]})
	}
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		place, flip := random.IntN(len(whole)), byte(1+random.IntN(255))
		flipped := append([]byte(nil), whole...)
		flipped[place] ^= flip
		models = append(models, damaged{fmt.Sprintf("byte %d with bits %08b flipped", place, flip), flipped})
	}
	folder := t.TempDir()
	model, output := filepath.Join(folder, "model.onnx"), filepath.Join(folder, "out.onnx")
	results := map[int]int{}
	var longest time.Duration
	for i, damaged := range models {
		name := damaged.name
		if err := os.WriteFile(model, damaged.content, 0o600); err != nil {
			t.Fatal(err)
		}
		check := "off"
		if i%10 == 0 {
			check = "auto"
		}
		var stdout, stderr strings.Builder
		begin := time.Now()
		code := run(context.Background(), []string{"rewrite", model, "-o", output, "--sync", "off", "--check", check, "--quiet"}, &stdout, &stderr)
		took := time.Since(begin)
		longest = max(longest, took)
		// Each takes well under a second, which the log tells on a machine with
		// nothing else to do; what fails here is one that hangs on a busy one.
		if took > 30*time.Second {
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
		case code != exitFailed && (code != exitApart || check == "off"):
			t.Errorf("%s: exit code %d: %s", name, code, text)
		case strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "onnx-tinyq: "):
			t.Errorf("%s: the error is not one line: %q", name, text)
		default:
			if _, err := os.Stat(output); err == nil {
				t.Errorf("%s: it failed and left an output", name)
			}
		}
	}
	t.Logf("seed %d: exit codes %v, the longest took %v", seed, results, longest)
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
