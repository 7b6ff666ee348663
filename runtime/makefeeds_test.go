package runtime

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// symbolic is a tensor's type whose dimensions have names; numbers are sizes.
func symbolic(t onnx.DType, dims ...any) *onnx.Type {
	shape := make([]onnx.Dim, len(dims))
	for i, d := range dims {
		switch d := d.(type) {
		case int:
			shape[i] = onnx.Dim{Known: true, Size: int64(d)}
		case string:
			shape[i] = onnx.Dim{Param: d}
		}
	}
	return &onnx.Type{Kind: onnx.TensorKind, DType: t, HasShape: true, Shape: shape}
}

func TestMakeFeedsChoosesShapes(t *testing.T) {
	weight := stored(t, "w", ramp(24, 10))
	identity := []*onnx.Node{node("Identity", "x", "y")}
	tests := map[string]struct {
		input   *onnx.Type
		nodes   []*onnx.Node
		options FeedOptions
		want    []int
	}{
		"stated sizes":                 {symbolic(onnx.Float, 2, 3), identity, FeedOptions{}, []int{2, 3}},
		"a scalar":                     {symbolic(onnx.Float), identity, FeedOptions{}, []int{}},
		"a batch of sequences":         {symbolic(onnx.Float, "batch_size", "sequence_length", 4), identity, FeedOptions{}, []int{1, 8, 4}},
		"no names":                     {symbolic(onnx.Float, nil, nil), identity, FeedOptions{}, []int{1, 8}},
		"an image":                     {symbolic(onnx.Float, "N", 3, "H", "W"), identity, FeedOptions{}, []int{1, 3, 64, 64}},
		"a shape that is asked for":    {symbolic(onnx.Float, "batch", "seq"), identity, FeedOptions{Shapes: map[string][]int{"x": {3, 5}}}, []int{3, 5}},
		"what a weight asks for":       {symbolic(onnx.Float, nil, nil), []*onnx.Node{node("MatMul", "x,w", "y")}, FeedOptions{}, []int{1, 24}},
		"behind an Identity":           {symbolic(onnx.Float, nil, nil), []*onnx.Node{node("Identity", "x", "i"), node("MatMul", "i,w", "y")}, FeedOptions{}, []int{1, 24}},
		"from the left":                {symbolic(onnx.Float, nil, nil), []*onnx.Node{node("MatMul", "w,x", "y")}, FeedOptions{}, []int{10, 8}},
		"of a vector from the left":    {symbolic(onnx.Float, nil), []*onnx.Node{node("MatMul", "w,x", "y")}, FeedOptions{}, []int{10}},
		"transposed":                   {symbolic(onnx.Float, nil, nil), []*onnx.Node{node("Gemm", "x,w", "y", onnx.IntAttr("transB", 1))}, FeedOptions{}, []int{1, 10}},
		"both transposed":              {symbolic(onnx.Float, nil, nil), []*onnx.Node{node("Gemm", "x,w", "y", onnx.IntAttr("transA", 1), onnx.IntAttr("transB", 1))}, FeedOptions{}, []int{10, 8}},
		"a size that only a run tells": {symbolic(onnx.Float, nil, nil), []*onnx.Node{node("Reshape", "x,size", "y")}, FeedOptions{}, []int{1, 16}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := modelOf(17, graphOf([]*onnx.Value{value("x", test.input)}, "y", test.nodes, weight, onnx.Int64Tensor("size", []int64{2}, []int64{4, 4})))
			made, err := MakeFeeds(m, test.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := made["x"].(*tensor.Tensor).Shape(); !slices.Equal(got, test.want) {
				t.Errorf("the shape is %v, want %v", got, test.want)
			}
		})
	}
}

func TestMakeFeedsChoosesValues(t *testing.T) {
	table := onnx.FloatTensor("table", []int64{5, 2}, make([]float32, 10))
	indexing := []*onnx.Node{node("Cast", "x", "i", onnx.IntAttr("to", int64(onnx.Int64))), node("Gather", "table,i", "y")}
	tests := map[string]struct {
		name  string
		input *onnx.Type
		nodes []*onnx.Node
		want  func(i int, v float64) bool
	}{
		"indices of a table":              {"x", symbolic(onnx.Int64, 200), indexing, func(_ int, v float64) bool { return v >= 0 && v < 5 }},
		"a mask":                          {"attention_mask", symbolic(onnx.Int64, 9), nil, func(_ int, v float64) bool { return v == 1 }},
		"a mask of floats":                {"mask", symbolic(onnx.Float, 9), nil, func(_ int, v float64) bool { return v == 1 }},
		"positions":                       {"position_ids", symbolic(onnx.Int64, 2, 9), nil, func(i int, v float64) bool { return v == float64(i%9) }},
		"floats":                          {"x", symbolic(onnx.Float, 200), nil, func(_ int, v float64) bool { return v > -6 && v < 6 && v != 0 }},
		"half floats":                     {"x", symbolic(onnx.Float16, 200), nil, func(_ int, v float64) bool { return v > -6 && v < 6 }},
		"integers that are computed with": {"x", symbolic(onnx.Int8, 200), []*onnx.Node{node("Add", "x,x", "y")}, func(_ int, v float64) bool { return v >= -8 && v <= 8 }},
		"bytes that are computed with":    {"x", symbolic(onnx.Uint8, 200), []*onnx.Node{node("Add", "x,x", "y")}, func(_ int, v float64) bool { return v >= 0 && v <= 255 }},
		"integers of unknown use":         {"x", symbolic(onnx.Int64, 200), nil, func(_ int, v float64) bool { return v == 0 || v == 1 }},
		"truths":                          {"x", symbolic(onnx.Bool, 200), nil, func(_ int, v float64) bool { return v == 0 || v == 1 }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			nodes := test.nodes
			if nodes == nil {
				nodes = []*onnx.Node{node("Identity", test.name, "y")}
			}
			m := modelOf(17, graphOf([]*onnx.Value{value(test.name, test.input)}, "y", nodes, table))
			made, err := MakeFeeds(m, FeedOptions{})
			if err != nil {
				t.Fatal(err)
			}
			list, err := made[test.name].(*tensor.Tensor).Float64s()
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range list {
				if !test.want(i, v) {
					t.Fatalf("element %d is %v", i, v)
				}
			}
			run(t, m, made)
		})
	}
}

// TestMakeFeedsLengths has a recurrent layer with an input of lengths.
func TestMakeFeedsLengths(t *testing.T) {
	inputs := []*onnx.Value{value("x", symbolic(onnx.Float, 6, 2, 3)), value("l", symbolic(onnx.Int32, 2))}
	m := modelOf(17, graphOf(inputs, "y", []*onnx.Node{node("LSTM", "x,w,r,_,l", "y", onnx.IntAttr("hidden_size", 4))},
		stored(t, "w", ramp(1, 16, 3)), stored(t, "r", ramp(1, 16, 4))))
	made, err := MakeFeeds(m, FeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the lengths", made["l"], tensor.New([]int{2}, []int32{6, 6}))
	run(t, m, made)
}

func TestMakeFeedsOfOtherKinds(t *testing.T) {
	float := symbolic(onnx.Float, 3)
	list := &onnx.Type{Kind: onnx.SequenceKind, Elem: float}
	inputs := []*onnx.Value{value("s", list), value("o", &onnx.Type{Kind: onnx.OptionalKind, Elem: list}), value("t", symbolic(onnx.String, 2))}
	m := modelOf(17, graphOf(inputs, "y", []*onnx.Node{node("SequenceLength", "s", "y")}))
	made, err := MakeFeeds(m, FeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"s": "sequence of 2", "o": "optional sequence of 2", "t": "string[2]"} {
		if got := describe(made[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestMakeFeedsIsDeterministic(t *testing.T) {
	m := modelOf(17, graphOf([]*onnx.Value{value("x", symbolic(onnx.Float, 50)), value("z", symbolic(onnx.Float, 50))}, "y", []*onnx.Node{node("Add", "x,z", "y")}))
	text := func(seed uint64) string {
		made, err := MakeFeeds(m, FeedOptions{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(made["x"].(*tensor.Tensor).Any(), made["z"].(*tensor.Tensor).Any())
	}
	if first, again := text(1), text(1); first != again {
		t.Error("one seed gives two sets of values")
	}
	if text(1) == text(2) {
		t.Error("two seeds give one set of values")
	}
}

// TestMakeFeedsFollowsWhatIsGiven gives one input of two that share a dimension,
// and an initializer that is an input too.
func TestMakeFeedsFollowsWhatIsGiven(t *testing.T) {
	inputs := []*onnx.Value{value("a", symbolic(onnx.Float, "n")), value("b", symbolic(onnx.Float, "n")), value("w", symbolic(onnx.Float, 1))}
	m := modelOf(17, graphOf(inputs, "y", []*onnx.Node{node("Add", "a,b", "c"), node("Add", "c,w", "y")}, onnx.FloatTensor("w", []int64{1}, []float32{1})))
	given := ramp(7)
	made, err := MakeFeeds(m, FeedOptions{Given: feeds{"a": given}})
	if err != nil {
		t.Fatal(err)
	}
	if made["a"] != tensor.Value(given) || made["b"].(*tensor.Tensor).Len() != 7 || made["w"] != nil {
		t.Errorf("%v", made)
	}
}

func TestMakeFeedsRefuses(t *testing.T) {
	free := symbolic(onnx.Float, nil, nil)
	never := []*onnx.Node{node("Reshape", "x,size", "y")}
	size := onnx.Int64Tensor("size", []int64{1}, []int64{997})
	tests := map[string]struct {
		graph   *onnx.Graph
		options FeedOptions
		words   []string
	}{
		"a shape of no input":       {graphOf(inputX, "y", []*onnx.Node{node("Neg", "x", "y")}), FeedOptions{Shapes: map[string][]int{"z": {1}}}, []string{`"z"`}},
		"an input of no type":       {graphOf(inputX, "y", []*onnx.Node{node("Neg", "x", "y")}), FeedOptions{}, []string{`"x"`, "type"}},
		"an input of no rank":       {graphOf([]*onnx.Value{value("x", &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float})}, "y", []*onnx.Node{node("Neg", "x", "y")}), FeedOptions{}, []string{`"x"`, "rank"}},
		"a shape that is wrong":     {graphOf([]*onnx.Value{value("x", symbolic(onnx.Float, "n", 3))}, "y", []*onnx.Node{node("Neg", "x", "y")}), FeedOptions{Shapes: map[string][]int{"x": {1, 4}}}, []string{`"x"`, "[1 4]", "[n,3]"}},
		"a shape that is too large": {graphOf([]*onnx.Value{value("x", free)}, "y", []*onnx.Node{node("Neg", "x", "y")}), FeedOptions{Shapes: map[string][]int{"x": {1 << 30, 1 << 30}}}, []string{`"x"`, "too large"}},
		"sizes that do not exist":   {graphOf([]*onnx.Value{value("x", free)}, "y", never, size), FeedOptions{}, []string{`"x" float[?,?]`, "state", "Reshape"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := MakeFeeds(modelOf(17, test.graph), test.options)
			wantError(t, err, test.words...)
		})
	}
}

// TestMakeFeedsEnds has a model that runs forever.
func TestMakeFeedsEnds(t *testing.T) {
	forever := graphOf([]*onnx.Value{value("i", nil), value("c", nil)}, "c", nil)
	m := modelOf(17, graphOf([]*onnx.Value{value("x", symbolic(onnx.Float, "n"))}, "x", []*onnx.Node{node("Loop", "", "", onnx.GraphAttr("body", forever))}))
	begin := time.Now()
	made, err := makeFeeds(m, FeedOptions{}, 20*time.Millisecond)
	if err != nil || made["x"].(*tensor.Tensor).Len() == 0 {
		t.Errorf("%v, %v", made, err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestMakeFeedsRuns makes inputs for every shared model, which has to run on them.
func TestMakeFeedsRuns(t *testing.T) {
	dir := folderOf(t, "TINYQ_CASES", "shared/cases")
	cases, err := ReadCases(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			m, err := onnx.Open(filepath.Join(c.Dir, modelFile))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			feeds, err := MakeFeeds(m, FeedOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range feeds {
				t.Logf("%s: %s", name, describe(v))
			}
			session, err := Compile(m, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := session.Run(t.Context(), feeds); err != nil {
				t.Error(err)
			}
		})
	}
}
