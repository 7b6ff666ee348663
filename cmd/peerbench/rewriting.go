package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// What people do with a model in Python instead.
var (
	//go:embed python/load_save.py
	loadAndSave string
	//go:embed python/matmul_nbits.py
	quantizeInPython string
	//go:embed python/float16.py
	halveInPython string
)

// The ways of rewriting a model that marks are set for.
const (
	copied        = "cp"
	copiedSynced  = "cp, sync"
	rewritten     = "rewrite -j 2, no sync, no check"
	rewrittenOne  = "rewrite -j 1, no sync, no check"
	rewriteSynced = "rewrite -j 2, no check"
	rewriteAll    = "rewrite"
	pythonCopy    = "Python: onnx load, save"
	pythonNBits   = "Python: ONNX Runtime MatMulNBits, 8 bit"
	pythonFloat16 = "Python: ONNX Runtime float16"
)

// rewriting is how rewriting is compared with copying and with Python.
type rewriting struct {
	binary  string // our program
	python  string // "": without it
	folder  string // where models are made and written
	only    *regexp.Regexp
	rounds  int
	pythons int // rounds that Python takes part in: it takes long
	log     io.Writer
}

// transformerOf is about a number of GiB large.
func transformerOf(gib int64) transformer {
	t := transformer{width: 1024, heads: 16, inner: 4096, vocabulary: 1000, positions: 64}
	if gib > 2 {
		t.width, t.heads, t.inner = 4096, 32, 16384
	}
	layer := 4 * (4*t.width*t.width + 2*t.width*t.inner)
	t.layers = (gib<<30 + layer - 1) / layer
	return t
}

// large models are in external data, and nothing for Python, which takes many
// times their size in memory.
func large(gib int64) bool { return gib > 1 }

// run compares everyone on a model.
func (r *rewriting) run(ctx context.Context, name string, m *onnx.Model, large bool) (result, error) {
	shown := result{Work: name, Threads: 2}
	folder, err := os.MkdirTemp(r.folder, "rewriting")
	if err != nil {
		return shown, err
	}
	defer os.RemoveAll(folder)
	model := filepath.Join(folder, "model.onnx")
	options := onnx.WriteOptions{NoSync: true}
	if large {
		options.ExternalData = onnx.ExternalAlways
	}
	if err := onnx.WriteFile(model, m, options); err != nil {
		return shown, err
	}
	unix.Sync() // the copies' time is not for writing the model to the disk
	for _, file := range []string{model, model + ".data"} {
		if info, err := os.Stat(file); err == nil {
			shown.Bytes += info.Size()
		}
	}
	list, err := r.contestants(model, folder, large)
	if err != nil {
		return shown, err
	}
	// The first round is not counted: a disk's first new file can take seconds.
	for round := range r.rounds + 1 {
		for i := range list {
			c := list[(i+round)%len(list)]
			if c.failure != nil || ctx.Err() != nil || strings.HasPrefix(c.name, "Python") && (round == 0 || round > r.pythons) {
				continue
			}
			t, err := c.work(ctx)
			if ctx.Err() != nil {
				continue // what there is by now is shown
			}
			if err != nil {
				c.failure = err
			} else if round > 0 {
				c.times = append(c.times, t)
			}
		}
	}
	shown.fill(list, []mark{
		{rewritten, copied, 2.0}, {rewrittenOne, copied, 1.5}, {rewriteSynced, copiedSynced, 1.5},
		{rewriteAll, copiedSynced, 0}, {rewriteAll, pythonCopy, 0}, {rewriteAll, pythonNBits, 0}, {rewriteAll, pythonFloat16, 0},
	})
	for _, c := range list {
		if strings.HasPrefix(c.name, "rewrite -j") && c.failure == nil {
			shown.limit(c, 256<<20)
		}
	}
	return shown, ctx.Err()
}

// contestants are those that are asked for.
func (r *rewriting) contestants(model, folder string, large bool) (list []*contestant, err error) {
	outputs := filepath.Join(folder, "outputs")
	output := filepath.Join(outputs, "model.onnx")
	files := []string{model}
	if _, err := os.Stat(model + ".data"); err == nil {
		files = append(files, model+".data")
	}
	add := func(name string, commands ...[]string) {
		if !r.only.MatchString(name) {
			return
		}
		c := &contestant{name: name}
		c.work = func(ctx context.Context) (time.Duration, error) {
			if err := errors.Join(os.RemoveAll(outputs), os.Mkdir(outputs, 0o755)); err != nil {
				return 0, err
			}
			unix.Sync() // nobody waits for what was written before
			one, err := runChildren(ctx, commands)
			c.peak = max(c.peak, one.peak)
			if _, missing := os.Stat(output); err == nil && missing != nil {
				err = missing
			}
			return one.elapsed, err
		}
		list = append(list, c)
	}
	cp := append(append([]string{"cp"}, files...), outputs)
	sync := []string{"sync"}
	for _, file := range files {
		sync = append(sync, filepath.Join(outputs, filepath.Base(file)))
	}
	ours := func(flags ...string) []string {
		return append([]string{r.binary, "rewrite", "--quiet", "--output", output, model}, flags...)
	}
	add(copied, cp)
	add(copiedSynced, cp, sync)
	add(rewritten, ours("-j", "2", "--sync", "off", "--check", "off"))
	add(rewrittenOne, ours("-j", "1", "--sync", "off", "--check", "off"))
	add(rewriteSynced, ours("-j", "2", "--check", "off"))
	if large {
		return list, nil
	}
	add(rewriteAll, ours())
	if r.python == "" {
		if r.only.MatchString("Python") {
			fmt.Fprintln(r.log, "without Python: set TINYQ_PYTHON, or name it with --python")
		}
		return list, nil
	}
	for _, script := range []struct{ name, text string }{
		{pythonCopy, loadAndSave}, {pythonNBits, quantizeInPython}, {pythonFloat16, halveInPython},
	} {
		add(script.name, []string{r.python, "-c", script.text, model, output})
	}
	return list, nil
}

// buildProgram builds this repository's program.
func buildProgram(folder string) (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/onnx-tinyq/onnx-tinyq").Output()
	if err != nil {
		return "", fmt.Errorf("the program is built from the repository if peerbench runs in its folder; else name it with --binary: %w", err)
	}
	program := filepath.Join(folder, "onnx-tinyq")
	build := exec.Command("go", "build", "-o", program, "./cmd/onnx-tinyq")
	build.Dir = strings.TrimSpace(string(root))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, said)
	}
	return program, nil
}
