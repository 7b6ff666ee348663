package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Case is a test in ONNX's own form: a folder with model.onnx and folders
// test_data_set_0, test_data_set_1, ... that hold input_0.pb, ... and
// output_0.pb, ..., each a value of the type that the model declares. A file tol
// may state the tolerance as "rtol atol".
type Case struct {
	Name string // the folder's path from the folder that was read, or its own name
	Dir  string
}

// CaseOptions say how a case is run.
type CaseOptions struct {
	Threads int // as in Options
	// RelativeTolerance and AbsoluteTolerance say how far a number may be from
	// the expected one: |a-b| <= absolute + relative·|b|. Both 0: 1e-3 and 1e-5.
	// What a case's own file states wins.
	RelativeTolerance, AbsoluteTolerance float64

	how judged
}

// CaseOutcome is how a case ended.
type CaseOutcome string

// The outcomes. A case is unsupported if its model uses an operator that the
// executor does not have.
const (
	Passed         CaseOutcome = "passed"
	Failed         CaseOutcome = "failed"
	NotImplemented CaseOutcome = "unsupported"
)

// CaseResult is how a case ended, and unless it passed, why.
type CaseResult struct {
	Name    string
	Outcome CaseOutcome
	Detail  string
}

const modelFile = "model.onnx"

// ReadCases finds the cases in folders: each may be a case or hold cases at any
// depth. They come in the order of their paths. A folder without any is an error.
func ReadCases(dirs ...string) ([]Case, error) {
	var cases []Case
	for _, dir := range dirs {
		found := false
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return err
			}
			sets, err := dataSets(path)
			if err != nil || len(sets) == 0 {
				return err
			}
			if _, err := os.Stat(filepath.Join(path, modelFile)); err != nil {
				return nil
			}
			name, err := filepath.Rel(dir, path)
			if err != nil || name == "." {
				name = filepath.Base(path)
			}
			cases = append(cases, Case{Name: filepath.ToSlash(name), Dir: path})
			found = true
			return fs.SkipDir
		})
		if err != nil {
			return nil, fmt.Errorf("runtime: looking for test cases: %w", err)
		}
		if !found {
			return nil, fmt.Errorf("runtime: there is no test case in %s: a case is a folder with %s and test_data_set_0", dir, modelFile)
		}
	}
	return cases, nil
}

// dataSets lists a case's folders of data, in the order of their numbers.
func dataSets(dir string) ([]string, error) { return numbered(dir, "test_data_set_", "") }

// numbered lists the entries of a folder that are called prefix, a number and
// suffix, in the order of the numbers, which count from 0 without gaps.
func numbered(dir, prefix, suffix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	byNumber := map[int]string{}
	for _, entry := range entries {
		number, ok := strings.CutPrefix(entry.Name(), prefix)
		if !ok || !strings.HasSuffix(number, suffix) {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSuffix(number, suffix)); err == nil && n >= 0 {
			byNumber[n] = filepath.Join(dir, entry.Name())
		}
	}
	list := make([]string, len(byNumber))
	for i := range list {
		path, ok := byNumber[i]
		if !ok {
			return nil, fmt.Errorf("%s: %s%d%s is missing", dir, prefix, i, suffix)
		}
		list[i] = path
	}
	return list, nil
}

// Run runs a case's model on each of its data sets and compares the outputs:
// types and shapes must be equal, numbers within the tolerance; NaN equals NaN
// and an infinity equals itself.
func (c Case) Run(ctx context.Context, o CaseOptions) CaseResult {
	result := CaseResult{Name: c.Name, Outcome: Passed}
	if err := c.run(ctx, o); err != nil {
		result.Outcome, result.Detail = Failed, err.Error()
		var unsupported *UnsupportedError
		if errors.As(err, &unsupported) {
			result.Outcome = NotImplemented
		}
	}
	return result
}

func (c Case) run(ctx context.Context, o CaseOptions) error {
	tolerance, err := c.tolerance(o)
	if err != nil {
		return err
	}
	model, err := onnx.Open(filepath.Join(c.Dir, modelFile))
	if err != nil {
		return err
	}
	defer model.Close()
	flat, err := inline(model)
	if err != nil {
		return err
	}
	session, err := compile(flat, Options{Threads: o.Threads}, o.how)
	if err != nil {
		return err
	}
	sets, err := dataSets(c.Dir)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if err := runDataSet(ctx, session, set, tolerance); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(set), err)
		}
	}
	return nil
}

// tolerance is what the case's file states, or else what the options do.
func (c Case) tolerance(o CaseOptions) (Tolerance, error) {
	t := Tolerance{Relative: o.RelativeTolerance, Absolute: o.AbsoluteTolerance}
	if t == (Tolerance{}) {
		t = Tolerance{Relative: 1e-3, Absolute: 1e-5}
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, "tol"))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	fields := strings.Fields(string(text))
	if len(fields) == 2 {
		relative, err1 := strconv.ParseFloat(fields[0], 64)
		absolute, err2 := strconv.ParseFloat(fields[1], 64)
		if err1 == nil && err2 == nil && relative >= 0 && absolute >= 0 {
			return Tolerance{Relative: relative, Absolute: absolute}, nil
		}
	}
	return t, fmt.Errorf("tol: %q is not a relative and an absolute tolerance", strings.TrimSpace(string(text)))
}

func runDataSet(ctx context.Context, s *Session, dir string, tolerance Tolerance) error {
	inputs, err := readValues(dir, "input_", s.feedOrder())
	if err != nil {
		return err
	}
	outputs, err := readValues(dir, "output_", s.outputs)
	if err != nil {
		return err
	}
	results, err := s.Run(ctx, inputs)
	if err != nil {
		return err
	}
	for _, p := range s.outputs {
		want, listed := outputs[p.Name]
		if !listed {
			continue
		}
		if err := tolerance.Equal(results[p.Name], want); err != nil {
			return fmt.Errorf("output %q: %w", p.Name, err)
		}
	}
	return nil
}

// feedOrder is the order in which test data files go with a model's inputs:
// those that need a value before those that have a default.
func (s *Session) feedOrder() []Port {
	ports := s.Inputs()
	slices.SortStableFunc(ports, func(a, b Port) int {
		switch {
		case a.Default == b.Default:
			return 0
		case b.Default:
			return -1
		}
		return 1
	})
	return ports
}

// readValues reads the numbered files of a data set, which go with ports in order.
func readValues(dir, prefix string, ports []Port) (map[string]tensor.Value, error) {
	files, err := numbered(dir, prefix, ".pb")
	if err != nil {
		return nil, err
	}
	if len(files) > len(ports) {
		return nil, fmt.Errorf("there are %d files %s*.pb, the model has %d", len(files), prefix, len(ports))
	}
	values := map[string]tensor.Value{}
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(data, ports[i].Type)
		if err != nil {
			return nil, fmt.Errorf("%s, for %q: %w", filepath.Base(file), ports[i].Name, err)
		}
		values[ports[i].Name] = v
	}
	return values, nil
}
