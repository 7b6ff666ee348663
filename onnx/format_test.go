package onnx

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// everyForm has every kind of attribute, type and tensor that Format shows.
func everyForm() *Model {
	m := soundModel()
	m.ProducerName, m.ProducerVersion, m.Domain, m.ModelVersion = "tests", "1.0", "com.example", 3
	tensorOf := func(d DType, dims ...Dim) *Type {
		return &Type{Kind: TensorKind, DType: d, HasShape: true, Shape: dims}
	}
	unranked := &Type{Kind: TensorKind, DType: Float16}
	m.Graph.Inputs = append(m.Graph.Inputs,
		&Value{Name: "symbols", Type: tensorOf(Int64, Dim{Param: "batch"}, Dim{}, Dim{Known: true, Size: 3}, Dim{Param: "a + b"})},
		&Value{Name: "scalar", Type: tensorOf(Bool)},
		&Value{Name: "unranked", Type: unranked},
		&Value{Name: "list", Type: &Type{Kind: SequenceKind, Elem: unranked}},
		&Value{Name: "maybe", Type: &Type{Kind: OptionalKind, Elem: &Type{Kind: SequenceKind, Elem: tensorOf(Float)}}},
		&Value{Name: "table", Type: &Type{Kind: MapKind, DType: String, Elem: tensorOf(Float)}},
		&Value{Name: "thin", Type: &Type{Kind: SparseTensorKind, DType: Float, HasShape: true, Shape: []Dim{{Known: true, Size: 9}}}},
		&Value{Name: "opaque", Type: &Type{Kind: OpaqueKind}},
		&Value{Name: "two words", Type: &Type{}},
	)
	sparse := &SparseTensor{Values: FloatTensor("s", []int64{1}, []float32{5}), Indices: Int64Tensor("", []int64{1}, []int64{3}), Dims: []int64{9}}
	m.Graph.SparseInitializers = []*SparseTensor{sparse}
	m.Graph.Initializers = append(m.Graph.Initializers,
		NewTensor("large", Float, []int64{100, 3}, untouchable{1200}),
		NewTensor("promised", Int8, []int64{2}, untouchable{2}),
		NewTensor("packed", Int4, []int64{3}, Bytes{0x8f, 0x07}),
		NewTensor("complex", Complex64, nil, Bytes(make([]byte, 8))),
		NewTensor("short", Float, []int64{3}, Bytes{1}),
		NewTensor("thirds", Double, []int64{2}, Bytes{0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f}),
		&Tensor{Name: "text", Type: String, Dims: []int64{2}, Strings: [][]byte{[]byte("a"), []byte("\x00\"")}},
		&Tensor{Name: "outside", Type: Float, Dims: []int64{4}, External: &External{Location: "w.bin", Offset: 64, Length: 16}},
		&Tensor{Name: "tail", Type: Float, Dims: []int64{4}, External: &External{Location: "w.bin", Length: -1}},
	)
	m.Graph.Nodes = append(m.Graph.Nodes, &Node{
		Domain: "com.microsoft", OpType: "Everything", Overload: "v2", Inputs: names("x", "", "two words"), Outputs: names("", "z"),
		Attrs: []*Attr{
			IntAttr("int", -1), FloatAttr("float", 0.1), StringAttr("string", "a\nb"), IntsAttr("ints", []int64{1, 2}), IntsAttr("none", nil),
			FloatsAttr("floats", []float32{1, 1e-10}), StringsAttr("strings", []string{"a", ""}),
			StringAttr("long", strings.Repeat("long ", 100)),
			TensorAttr("tensor", FloatTensor("", []int64{1}, []float32{1})),
			{Name: "tensors", Type: AttrTensors, Tensors: []*Tensor{Int64Tensor("t", nil, []int64{1})}},
			{Name: "sparse", Type: AttrSparseTensor, Sparse: sparse},
			{Name: "sparses", Type: AttrSparseTensors, SparseTensors: []*SparseTensor{sparse, {}}},
			{Name: "type", Type: AttrTypeProto, TypeProto: unranked},
			{Name: "types", Type: AttrTypeProtos, TypeProtos: []*Type{unranked, nil}},
			{Name: "graphs", Type: AttrGraphs, Graphs: []*Graph{{Name: "first"}, {Name: "second"}}},
			{Name: "nothing"},
			{Name: "future", Type: 99},
		},
	})
	m.Functions[0].AttributeDefaults = []*Attr{FloatAttr("beta", 1)}
	m.Functions[0].Overload = "v1"
	return m
}

func TestFormatGolden(t *testing.T) {
	for name, m := range map[string]*Model{"sound": soundModel(), "every_form": everyForm(), "big": bigModel()} {
		path := filepath.Join("testdata", name+".txt")
		got := formatted(t, m)
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		// What was written and read again is the same text.
		if name != "every_form" { // it has payloads that cannot be written
			if again := formatted(t, mustDecode(t, encoded(t, m))); again != got {
				t.Errorf("%s: read again it is another text: %s", name, cmp.Diff(got, again))
			}
		}
	}
}

func TestFormatSharedCases(t *testing.T) {
	for _, path := range sharedModels(t) {
		m := openModel(t, path)
		text := formatted(t, m)
		if strings.Contains(text, "wrong:") || strings.Contains(text, "nothing") || text != formatted(t, deepClone(m)) {
			t.Errorf("%s: %.2000s", path, text)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestFormatReportsErrors(t *testing.T) {
	if err := Format(failing{}, soundModel()); err == nil {
		t.Error("no error")
	}
	g := &Graph{}
	g.Nodes = []*Node{node("If", "y", nil, GraphAttr("then_branch", g), GraphAttr("else_branch", g))}
	if err := Format(discard{}, graphModel(13, g)); err == nil {
		t.Error("a graph inside itself is text")
	}
}
