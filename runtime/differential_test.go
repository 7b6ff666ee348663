package runtime

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

const (
	randomGraphs = 2000
	// refusedShare is how many of the graphs ONNX Runtime may decline: it lacks
	// some types of some operators. More would mean that little is compared.
	refusedShare = 0.03
	// shownDifferences keeps the report of a systematic error readable.
	shownDifferences = 25
)

// TestDifferential runs random small graphs in the executor and in ONNX Runtime,
// and compares every output. The seed is printed; TINYQ_SEED repeats a run, and
// as SEED/NUMBER one graph of it.
func TestDifferential(t *testing.T) {
	program := pythonProgram(t)
	seed, only := chosenSeed(t)
	t.Logf("repeat with TINYQ_SEED=%d", seed)
	numbers := make(chan int)
	var tally tally
	var workers sync.WaitGroup
	for range 2 {
		judge := startJudge(t, program)
		workers.Go(func() {
			for number := range numbers {
				tally.add(judge.try(t, seed, number))
			}
		})
	}
	for number := range randomGraphs {
		if only < 0 || number == only {
			numbers <- number
		}
	}
	close(numbers)
	workers.Wait()
	tally.report(t, only >= 0)
}

func chosenSeed(t *testing.T) (seed uint64, only int) {
	text := os.Getenv("TINYQ_SEED")
	if text == "" {
		return rand.Uint64(), -1
	}
	first, second, one := strings.Cut(text, "/")
	seed, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		t.Fatalf("TINYQ_SEED=%s is not a number: %v", text, err)
	}
	if !one {
		return seed, -1
	}
	only, err = strconv.Atoi(second)
	if err != nil {
		t.Fatalf("TINYQ_SEED=%s is not SEED/NUMBER: %v", text, err)
	}
	return seed, only
}

// verdict is what came of one graph.
type verdict struct {
	number     int
	refused    string // why ONNX Runtime declined it
	difference string // how the executor's outputs differ, or why it could not run
	operators  []string
	graph      string
}

// tally collects verdicts.
type tally struct {
	mutex       sync.Mutex
	total       int
	compared    map[string]int // by operator
	refused     map[string]int // by reason
	differences []verdict
}

func (y *tally) add(v verdict) {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	if y.compared == nil {
		y.compared, y.refused = map[string]int{}, map[string]int{}
	}
	y.total++
	switch {
	case v.refused != "":
		y.refused[v.refused]++
	case v.difference != "":
		y.differences = append(y.differences, v)
	default:
		for _, op := range v.operators {
			y.compared[op]++
		}
	}
}

func (y *tally) report(t *testing.T, one bool) {
	slices.SortFunc(y.differences, func(a, b verdict) int { return a.number - b.number })
	for i, v := range y.differences {
		if i == shownDifferences {
			t.Errorf("and %d more", len(y.differences)-i)
			break
		}
		t.Errorf("graph %d: %s\n%s", v.number, v.difference, v.graph)
	}
	refused := 0
	for _, reason := range slices.Sorted(maps.Keys(y.refused)) {
		refused += y.refused[reason]
		t.Logf("%d declined by ONNX Runtime: %s", y.refused[reason], reason)
	}
	t.Logf("%d graphs, %d declined by ONNX Runtime, %d differ; agreed on by operator: %v", y.total, refused, len(y.differences), y.compared)
	if one {
		return
	}
	if share := float64(refused) / float64(y.total); share > refusedShare {
		t.Errorf("ONNX Runtime declined %.1f %% of the graphs, want at most %.1f %%", 100*share, 100*refusedShare)
	}
	for _, drawer := range drawers() {
		if y.compared[drawer.op] == 0 {
			t.Errorf("no graph with %s was compared", drawer.op)
		}
	}
}

// judge is a running .ci/interop/expected_outputs.py.
type judge struct {
	dir string
	in  io.Writer
	out *bufio.Reader
}

func startJudge(t *testing.T, program string) *judge {
	process := exec.Command(program, interopScript("expected_outputs.py"))
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := process.Wait(); err != nil {
			t.Errorf("the Python process ended badly: %v", err)
		}
	})
	return &judge{dir: t.TempDir(), in: in, out: bufio.NewReader(out)}
}

// try makes a graph and compares what the two make of it.
func (j *judge) try(t *testing.T, seed uint64, number int) verdict {
	g := drawGraph(rand.New(rand.NewPCG(seed, uint64(number))))
	v := verdict{number: number, operators: g.operators(), graph: g.String()}
	dir := filepath.Join(j.dir, strconv.Itoa(number))
	if err := g.write(dir); err != nil {
		v.difference = fmt.Sprintf("cannot be written: %v", err)
		return v
	}
	answer, err := j.ask(dir)
	if err != nil {
		v.difference = err.Error()
		return v
	}
	if answer.Refused != "" || answer.Failed != "" {
		v.refused = shortReason(answer.Refused + answer.Failed)
		return v
	}
	if err := g.compare(t, dir); err != nil {
		v.difference = err.Error()
		return v
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	return v
}

type judgement struct{ Refused, Failed string }

func (j *judge) ask(dir string) (judgement, error) {
	var answer judgement
	if _, err := fmt.Fprintln(j.in, dir); err != nil {
		return answer, fmt.Errorf("asking Python: %w", err)
	}
	line, err := j.out.ReadBytes('\n')
	if err != nil {
		return answer, fmt.Errorf("asking Python: %w", err)
	}
	return answer, json.Unmarshal(line, &answer)
}

// shortReason is ONNX Runtime's error without the file and the names that differ from graph to graph.
func shortReason(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if _, after, ok := strings.Cut(text, "model.onnx failed:"); ok {
		text = after
	}
	return text[:min(len(text), 240)]
}

// write lays the graph out as a case without outputs.
func (g *graphMaker) write(dir string) error {
	data := filepath.Join(dir, "test_data_set_0")
	if err := os.MkdirAll(data, 0o777); err != nil {
		return err
	}
	if err := onnx.WriteFile(filepath.Join(dir, modelFile), g.model(), onnx.WriteOptions{NoSync: true}); err != nil {
		return err
	}
	for i, input := range g.graph.Inputs {
		stored, err := tensor.ToONNX(input.Name, g.feeds[input.Name].(*tensor.Tensor))
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := onnx.EncodeTensor(&b, stored); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(data, fmt.Sprintf("input_%d.pb", i)), b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// compare runs the graph and compares its outputs with those that lie beside it.
func (g *graphMaker) compare(t *testing.T, dir string) error {
	model, err := onnx.Open(filepath.Join(dir, modelFile))
	if err != nil {
		return err
	}
	defer model.Close()
	session, err := Compile(model, Options{Threads: 2})
	if err != nil {
		return err
	}
	want, err := readValues(filepath.Join(dir, "test_data_set_0"), "output_", session.Outputs())
	if err != nil {
		return err
	}
	got, err := session.Run(t.Context(), g.feeds)
	if err != nil {
		return err
	}
	for _, output := range g.graph.Outputs {
		if err := g.outputs[output.Name].Equal(got[output.Name], want[output.Name]); err != nil {
			return fmt.Errorf("output %q: %w", output.Name, err)
		}
	}
	return nil
}
