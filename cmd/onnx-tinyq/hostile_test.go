package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostileFile is a model that somebody made to do harm, and what is said of it.
type hostileFile struct {
	name, class string
	data        []byte
	beside      func(folder string) error // makes what lies beside the model
	says        string                    // a part of some command's error; "": it is dealt with like any model
	endless     bool                      // it runs until it is interrupted, by its own right
}

// The limits that every hostile file is answered within.
const (
	hostileMemory  = 100 << 20
	hostileTime    = time.Second      // on a machine that has nothing else to do: told, not asserted
	hostileHang    = 60 * time.Second // by then it hangs, on any machine
	hostileEndless = 300 * time.Millisecond
)

// answer is what became of one hostile file in a process of its own.
type answer struct {
	Steps  []answerStep
	Memory int64 // the most that the process had resident
}

type answerStep struct {
	Command string
	Code    int
	Stderr  string
	Took    time.Duration
}

// answerHostile is a program: it does to the model that its argument names all
// that the command line can, and prints what came of it.
func answerHostile() {
	boundMemory()
	model, endless := os.Args[1], os.Args[2] == "true"
	output := filepath.Join(filepath.Dir(model), "out", "out.onnx")
	var a answer
	for _, args := range [][]string{
		{"inspect", model},
		{"plan", model, "--ops", "all", "--min-bytes", "0"},
		{"rewrite", model, "-o", output, "--ops", "all", "--min-bytes", "0", "--nonfinite", "skip"},
		{"rewrite", model, "-o", output, "--recipe", "w8a16", "--scope", "graph", "--ops", "all", "--min-bytes", "0", "--nonfinite", "skip", "--check", "off", "--external-data", "always"},
		{"run", model},
	} {
		ctx, cancel := context.Background(), func() {}
		if endless {
			ctx, cancel = context.WithTimeout(ctx, hostileEndless)
		}
		var stdout, stderr bytes.Buffer
		begin := time.Now()
		code := run(ctx, args, &stdout, &stderr)
		a.Steps = append(a.Steps, answerStep{args[0], code, stderr.String(), time.Since(begin)})
		cancel()
	}
	a.Memory = peakMemory()
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestHostileFiles gives each hostile file to every command, in a process of its
// own: each answers with an exit code of the contract, at most one line that says
// what is wrong, within bounded memory, and what is written is valid.
func TestHostileFiles(t *testing.T) {
	wholeProgram(t)
	files := slices.Concat(hostileWire(), hostileGraphs(), hostileTensors(), hostileExternal(), hostileWork(), hostileTexts())
	classes, names := map[string]int{}, map[string]bool{}
	var slowest, largest string
	var longest time.Duration
	var most int64
	for _, file := range files {
		classes[file.class]++
		if names[file.name] {
			t.Errorf("two files are called %q", file.name)
		}
		names[file.name] = true
		a := answerOf(t, file)
		if a == nil {
			continue
		}
		took := time.Duration(0)
		said := ""
		for _, step := range a.Steps {
			took = max(took, step.Took)
			said += step.Stderr
			what := fmt.Sprintf("%s (%s): %s: exit code %d: %.300q", file.name, file.class, step.Command, step.Code, step.Stderr)
			switch {
			case step.Code < exitDone || step.Code > exitApart:
				t.Errorf("%s: that is no exit code", what)
			case step.Code == exitUsage:
				t.Errorf("%s: the command line was right", what)
			case strings.Count(step.Stderr, "onnx-tinyq: ") > 1 || step.Code == exitFailed && !strings.Contains(step.Stderr, "onnx-tinyq: "):
				t.Errorf("%s: the error is not one line", what)
			case strings.Contains(step.Stderr, "goroutine ") || strings.Contains(step.Stderr, "runtime error") || strings.Contains(step.Stderr, "cannot work with these operands"):
				t.Errorf("%s: it fell over", what)
			case len(step.Stderr) > 20_000:
				t.Errorf("%s: the error is %d bytes long", what, len(step.Stderr))
			}
		}
		if !strings.Contains(said, file.says) {
			t.Errorf("%s (%s): said is %.500q, want %q", file.name, file.class, said, file.says)
		}
		if file.says == "" && strings.Contains(said, "onnx-tinyq: ") {
			t.Errorf("%s (%s): an error for what is no fault: %.500q", file.name, file.class, said)
		}
		if a.Memory > hostileMemory {
			t.Errorf("%s (%s): it took %s bytes of memory", file.name, file.class, grouped(a.Memory))
		}
		if took > longest {
			longest, slowest = took, file.name
		}
		if a.Memory > most {
			most, largest = a.Memory, file.name
		}
		if took > hostileTime {
			t.Logf("%s (%s) took %v", file.name, file.class, took)
		}
	}
	t.Logf("%d hostile files of the classes %v; the slowest command took %v (%s), the most memory was %s bytes (%s)",
		len(files), classes, longest, slowest, grouped(most), largest)
	if len(files) < 60 {
		t.Errorf("%d hostile files are too few", len(files))
	}
}

func answerOf(t *testing.T, file hostileFile) *answer {
	t.Helper()
	folder := t.TempDir()
	model := filepath.Join(folder, "model.onnx")
	if err := os.WriteFile(model, file.data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	if file.beside != nil {
		if err := file.beside(folder); err != nil {
			t.Logf("SKIPPED: %s: %v", file.name, err)
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), hostileHang)
	defer cancel()
	command := exec.CommandContext(ctx, "answer-hostile", model, fmt.Sprint(file.endless))
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Errorf("%s (%s): the program ends with %v: %.2000s", file.name, file.class, err, stderr.String())
		return nil
	}
	var a answer
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(folder, "out", "out.onnx")
	written := a.Steps[2].Code == exitDone || a.Steps[3].Code == exitDone
	if _, err := os.Stat(output); (err == nil) != written {
		t.Errorf("%s (%s): exit codes %d and %d, but the output: %v", file.name, file.class, a.Steps[2].Code, a.Steps[3].Code, err)
	}
	if written {
		if err := isValid(output); err != nil && isValid(model) == nil {
			t.Errorf("%s (%s): what was written is not valid: %v", file.name, file.class, err)
		}
	}
	return &a
}
