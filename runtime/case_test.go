package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// writeCase makes a test case in a new folder; files are paths in it.
func writeCase(t *testing.T, m *onnx.Model, files map[string][]byte) Case {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a_case")
	if err := os.MkdirAll(filepath.Join(dir, "test_data_set_0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := onnx.WriteFile(filepath.Join(dir, modelFile), m, onnx.WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cases, err := ReadCases(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 1 || cases[0].Name != "a_case" {
		t.Fatalf("the cases are %v", cases)
	}
	return cases[0]
}

func encoded(t *testing.T, v *tensor.Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := onnx.EncodeTensor(&b, stored(t, "", v)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// field is a length-delimited field of a message.
func field(number byte, message []byte) []byte {
	return append(binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(message))), message...)
}

func withTypes(m *onnx.Model, t *onnx.Type) *onnx.Model {
	for _, list := range []*[]*onnx.Value{&m.Graph.Inputs, &m.Graph.Outputs} {
		typed := make([]*onnx.Value, len(*list))
		for i, v := range *list {
			typed[i] = value(v.Name, t)
		}
		*list = typed
	}
	return m
}

func TestCase(t *testing.T) {
	neg := func() *onnx.Model {
		return withTypes(modelOf(17, graphOf([]*onnx.Value{value("x", nil)}, "y", []*onnx.Node{node("Neg", "x", "y")})), floatType(-1))
	}
	echo := func(kind *onnx.Type) *onnx.Model {
		return withTypes(modelOf(17, graphOf([]*onnx.Value{value("x", nil)}, "y", []*onnx.Node{node("Identity", "x", "y")})), kind)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := encoded(t, floats([]int{3}, 1, 2, 1000))
	set := func(in, out []byte) map[string][]byte {
		return map[string][]byte{"test_data_set_0/input_0.pb": in, "test_data_set_0/output_0.pb": out}
	}
	with := func(files map[string][]byte, name, text string) map[string][]byte {
		files[name] = []byte(text)
		return files
	}
	sequence := &onnx.Type{Kind: onnx.SequenceKind, Elem: floatType(-1)}
	optional := &onnx.Type{Kind: onnx.OptionalKind, Elem: floatType(-1)}
	a, b := encoded(t, floats([]int{1}, 1)), encoded(t, floats([]int{2}, 2, 3))
	list := append(field(3, a), field(3, b)...)
	tests := map[string]struct {
		model   *onnx.Model
		files   map[string][]byte
		options CaseOptions
		outcome CaseOutcome
		detail  string
	}{
		"equal":                             {neg(), set(x, encoded(t, floats([]int{3}, -1, -2, -1000))), CaseOptions{}, Passed, ""},
		"within the default tolerance":      {neg(), set(x, encoded(t, floats([]int{3}, -1, -2, -1000.9))), CaseOptions{}, Passed, ""},
		"beyond the default tolerance":      {neg(), set(x, encoded(t, floats([]int{3}, -1, -2.1, -1002))), CaseOptions{}, Failed, `test_data_set_0: output "y": element [1] is -2, expected -2.1 (2 of 3 differ)`},
		"within a stated tolerance":         {neg(), set(x, encoded(t, floats([]int{3}, -1, -2.1, -1002))), CaseOptions{RelativeTolerance: 0.1}, Passed, ""},
		"the case's own tolerance wins":     {neg(), with(set(x, encoded(t, floats([]int{3}, -1, -2.1, -1002))), "tol", "0 0.01\n"), CaseOptions{RelativeTolerance: 0.1}, Failed, "element [1]"},
		"an absolute tolerance":             {neg(), with(set(x, encoded(t, floats([]int{3}, -1, -2.1, -1002))), "tol", "0 2"), CaseOptions{}, Passed, ""},
		"a tolerance that is none":          {neg(), with(set(x, x), "tol", "small"), CaseOptions{}, Failed, `tol: "small"`},
		"NaN equals NaN, infinity itself":   {neg(), set(encoded(t, floats([]int{2}, nan, inf)), encoded(t, floats([]int{2}, nan, -inf))), CaseOptions{}, Passed, ""},
		"NaN equals no number":              {neg(), set(encoded(t, floats([]int{1}, nan)), encoded(t, floats([]int{1}, 0))), CaseOptions{}, Failed, "element [0] is NaN, expected 0"},
		"infinity equals no number":         {neg(), set(encoded(t, floats([]int{1}, inf)), encoded(t, floats([]int{1}, -3e38))), CaseOptions{RelativeTolerance: 10}, Failed, "-Inf"},
		"another shape":                     {neg(), set(x, encoded(t, floats([]int{3, 1}, -1, -2, -1000))), CaseOptions{}, Failed, "float[3], expected float[3,1]"},
		"another type":                      {neg(), set(x, encoded(t, tensor.New([]int{3}, []float64{-1, -2, -1000}))), CaseOptions{}, Failed, "float[3], expected double[3]"},
		"an input is missing":               {neg(), map[string][]byte{"test_data_set_0/output_0.pb": x}, CaseOptions{}, Failed, `"x" is missing`},
		"an input too many":                 {neg(), with(set(x, x), "test_data_set_0/input_1.pb", string(x)), CaseOptions{}, Failed, "2 files input_"},
		"a file of data between is missing": {neg(), with(set(x, x), "test_data_set_0/output_2.pb", string(x)), CaseOptions{}, Failed, "output_1.pb is missing"},
		"a file that is no tensor":          {neg(), set([]byte("nonsense"), x), CaseOptions{}, Failed, `input_0.pb, for "x"`},
		"a second set that fails": {neg(), with(with(set(x, encoded(t, floats([]int{3}, -1, -2, -1000))), "test_data_set_1/input_0.pb", string(x)), "test_data_set_1/output_0.pb", string(x)),
			CaseOptions{}, Failed, "test_data_set_1"},
		"an operator that is missing": {withTypes(modelOf(17, graphOf(inputX, "y", []*onnx.Node{node("Missing", "x", "y")})), floatType(-1)), set(x, x), CaseOptions{}, NotImplemented, "Missing"},
		"sequences":                   {echo(sequence), set(list, list), CaseOptions{}, Passed, ""},
		"sequences that differ":       {echo(sequence), set(list, field(3, a)), CaseOptions{}, Failed, "a sequence of 2, expected 1"},
		"elements of sequences that differ": {echo(sequence), set(list, append(field(3, a), field(3, encoded(t, floats([]int{2}, 2, 4)))...)), CaseOptions{}, Failed,
			"element 1 of the sequence: element [1] is 3, expected 4"},
		"an optional":                                {echo(optional), set(field(3, a), field(3, a)), CaseOptions{}, Passed, ""},
		"an optional without a value":                {echo(optional), set(nil, nil), CaseOptions{}, Passed, ""},
		"optionals that differ":                      {echo(optional), set(field(3, a), nil), CaseOptions{}, Failed, "optional float[1], expected optional nothing"},
		"an optional sequence":                       {echo(&onnx.Type{Kind: onnx.OptionalKind, Elem: sequence}), set(field(5, list), field(5, list)), CaseOptions{}, Passed, ""},
		"an optional sequence, stored as a sequence": {echo(&onnx.Type{Kind: onnx.OptionalKind, Elem: sequence}), set(list, field(5, list)), CaseOptions{}, Passed, ""},
		"a map": {echo(&onnx.Type{Kind: onnx.MapKind, DType: onnx.Int64, Elem: floatType()}),
			set(append([]byte{2 << 3, byte(onnx.Int64), 3 << 3, 9}, field(5, field(3, a))...), append([]byte{2 << 3, byte(onnx.Int64), 3 << 3, 9}, field(5, field(3, a))...)), CaseOptions{}, Passed, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result := writeCase(t, test.model, test.files).Run(t.Context(), test.options)
			if result.Outcome != test.outcome || !strings.Contains(result.Detail, test.detail) || (result.Detail == "") != (test.outcome == Passed) {
				t.Errorf("%s: %s, want %s: %s", result.Outcome, result.Detail, test.outcome, test.detail)
			}
		})
	}
}

// TestCaseOfOldModel lists an initializer among the inputs, before the one that
// is fed: data files go with the inputs that have no initializer.
func TestCaseOfOldModel(t *testing.T) {
	m := modelOf(8, graphOf([]*onnx.Value{value("w", floatType(1)), value("x", floatType(1))}, "y", []*onnx.Node{node("Add", "x,w", "y")}, onnx.FloatTensor("w", []int64{1}, []float32{5})))
	m.Graph.Outputs[0].Type = floatType(1)
	one, three, six := encoded(t, floats([]int{1}, 1)), encoded(t, floats([]int{1}, 3)), encoded(t, floats([]int{1}, 6))
	files := map[string][]byte{"test_data_set_0/input_0.pb": one, "test_data_set_0/output_0.pb": six}
	for _, version := range []int64{3, 8} {
		m.IRVersion = version
		if r := writeCase(t, m, files).Run(t.Context(), CaseOptions{}); r.Outcome != Passed {
			t.Errorf("IR version %d: %s", version, r.Detail)
		}
	}
	files["test_data_set_0/input_0.pb"], files["test_data_set_0/input_1.pb"] = three, three // overrides it
	if r := writeCase(t, m, files).Run(t.Context(), CaseOptions{}); r.Outcome != Passed {
		t.Error(r.Detail)
	}
}

func TestReadCasesFindsThem(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"b/test_data_set_0", "a/deeper/test_data_set_0", "no_model/test_data_set_0", "no_data"} {
		if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(dir)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"b", "a/deeper", "no_data"} {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(dir), modelFile), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cases, err := ReadCases(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 2 || cases[0].Name != "a/deeper" || cases[1].Name != "b" {
		t.Errorf("%v", cases)
	}
	if cases, err = ReadCases(filepath.Join(root, "b")); err != nil || len(cases) != 1 || cases[0].Name != "b" {
		t.Errorf("a case itself: %v, %v", cases, err)
	}
	_, err = ReadCases(filepath.Join(root, "no_data"))
	wantError(t, err, "no test case in")
	_, err = ReadCases(filepath.Join(root, "nowhere"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestToleranceOfOtherTypes(t *testing.T) {
	five := []int{1}
	tests := map[string]struct {
		got, want tensor.Value
		equal     bool
	}{
		"strings":               {tensor.New(five, []string{"a"}), tensor.New(five, []string{"a"}), true},
		"strings that differ":   {tensor.New(five, []string{"a"}), tensor.New(five, []string{"b"}), false},
		"truths that differ":    {tensor.New(five, []bool{true}), tensor.New(five, []bool{false}), false},
		"large integers":        {tensor.New(five, []int64{1<<62 + 1}), tensor.New(five, []int64{1<<62 + 1}), true},
		"integers that differ":  {tensor.New(five, []int32{100}), tensor.New(five, []int32{101}), false},
		"complex":               {tensor.New(five, []complex64{1 + 2i}), tensor.New(five, []complex64{1.00001 + 2i}), true},
		"complex that differ":   {tensor.New(five, []complex128{1 + 2i}), tensor.New(five, []complex128{1 - 2i}), false},
		"half":                  {tensor.New(five, []quantops.Float16{0x3c00}), tensor.New(five, []quantops.Float16{0x3c00}), true},
		"half that differs":     {tensor.New(five, []quantops.Float16{0x3c00}), tensor.New(five, []quantops.Float16{0x3d00}), false},
		"a tensor and a list":   {tensor.New(five, []float32{1}), &tensor.Sequence{}, false},
		"an optional's content": {tensor.New(five, []float32{1}), &tensor.Optional{Value: tensor.New(five, []float32{1})}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := (Tolerance{Relative: 1e-3, Absolute: 1e-5}).Equal(test.got, test.want); (err == nil) != test.equal {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
