package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// python is a running .ci/interop/worker.py: the ONNX checker and ONNX Runtime,
// loaded once for many questions.
type python struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// pythons are several of them; whoever takes one out puts it back.
type pythons chan *python

func startPythons(t *testing.T, n int) pythons {
	t.Helper()
	program := pythonProgram(t)
	pool := make(pythons, n)
	for range n {
		p := &python{}
		if err := p.start(program); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			p.in.Close()
			if err := p.process.Wait(); err != nil {
				t.Errorf("the Python process ended badly: %v", err)
			}
		})
		pool <- p
	}
	var version struct{ Onnx, Onnxruntime, Numpy, Python string }
	pool.ask(t, map[string]any{"do": "version"}, &version)
	t.Logf("compared with onnx %s, onnxruntime %s, numpy %s, Python %s", version.Onnx, version.Onnxruntime, version.Numpy, version.Python)
	return pool
}

func (p *python) start(program string) (err error) {
	p.process = exec.Command(program, filepath.Join("..", "..", ".ci", "interop", "worker.py"))
	p.process.Stderr = os.Stderr
	if p.in, err = p.process.StdinPipe(); err != nil {
		return err
	}
	out, err := p.process.StdoutPipe()
	if err != nil {
		return err
	}
	p.out = bufio.NewReader(out)
	return p.process.Start()
}

// ask puts a question and reads the answer; an answer that is an error fails the test.
func (pool pythons) ask(t *testing.T, question map[string]any, answer any) {
	t.Helper()
	if err := pool.tryAsk(question, answer); err != nil {
		t.Fatal(err)
	}
}

func (pool pythons) tryAsk(question map[string]any, answer any) error {
	p := <-pool
	defer func() { pool <- p }()
	if err := json.NewEncoder(p.in).Encode(question); err != nil {
		return fmt.Errorf("asking Python: %w", err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		// A model may bring ONNX Runtime down. The others are to be asked about all
		// the same.
		ended := p.process.Wait()
		if err := p.start(p.process.Path); err != nil {
			return fmt.Errorf("asking Python: %w", err)
		}
		return fmt.Errorf("%v %v: the Python process ended: %v", question["do"], question["model"], ended)
	}
	var failure struct{ Error string }
	if err := json.Unmarshal(line, &failure); err != nil {
		return fmt.Errorf("asking Python: %w", err)
	}
	if failure.Error != "" {
		return fmt.Errorf("%v %v: %s", question["do"], question["model"], failure.Error)
	}
	return json.Unmarshal(line, answer)
}
