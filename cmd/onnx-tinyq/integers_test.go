package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/cmd/onnx-tinyq/internal/npy"
	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// integerCounts says how much was compared.
type integerCounts struct{ activations, products int }

// integerSite is a product of integers in a rewritten model, with the node that
// quantizes its activation.
type integerSite struct {
	scope             *onnx.Scope
	quantize, product *onnx.Node
}

// compareIntegers takes every product of integers out of a model, together with
// what quantizes its activation, and has our executor and ONNX Runtime compute
// both from the same activations: those of a run of the model. The bytes and the
// sums have to be equal.
func compareIntegers(t *testing.T, pool pythons, path string, feeds map[string]tensor.Value) integerCounts {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	sites := integerSites(t, m)
	if len(sites) == 0 {
		return integerCounts{}
	}
	activations := activationsOf(t, m, sites, feeds)
	alone := &onnx.Model{IRVersion: m.IRVersion, Opsets: m.Opsets, Graph: &onnx.Graph{Name: "products of integers"}}
	values := map[string]tensor.Value{}
	files := map[string]string{}
	folder := t.TempDir()
	g := alone.Graph
	for i, s := range sites {
		named := func(part string) string { return fmt.Sprintf("%s_%d", part, i) }
		x := activations[s.quantize.Inputs[0]]
		if x == nil {
			x = madeUpActivation(t, s)
		}
		values[named("x")] = x
		files[named("x")] = filepath.Join(folder, named("x")+".npy")
		if err := writeNumpy(files[named("x")], x); err != nil {
			t.Fatal(err)
		}
		g.Inputs = append(g.Inputs, tensorValue(named("x"), onnx.Float, len(x.Shape())))
		quantize := s.quantize.Clone()
		quantize.Name, quantize.Inputs = named("quantize"), []string{named("x")}
		quantize.Outputs = []string{named("quantized"), named("scale"), named("zero")}
		product := s.product.Clone()
		product.Name, product.Outputs = named("product"), []string{named("sum")}
		product.Inputs = []string{named("quantized"), named("weight"), named("zero"), named("weight_zero")}
		for j, part := range map[int]string{1: "weight", 3: "weight_zero"} {
			if s.product.Input(j) == "" {
				product.Inputs = product.Inputs[:j] // a model that was quantized before may leave its zero out
				continue
			}
			c := s.scope.Constant(s.product.Inputs[j])
			if c == nil {
				t.Fatalf("%s: its input %q is no constant", s.product.Name, s.product.Inputs[j])
			}
			g.Initializers = append(g.Initializers, c.Tensor(named(part)))
			if m.IRVersion < 4 {
				g.Inputs = append(g.Inputs, tensorValue(named(part), c.Type, len(c.Dims)))
			}
		}
		g.Nodes = append(g.Nodes, quantize, product)
		g.Outputs = append(g.Outputs,
			tensorValue(named("quantized"), onnx.Uint8, len(x.Shape())), tensorValue(named("scale"), onnx.Float, 0),
			tensorValue(named("zero"), onnx.Uint8, 0), &onnx.Value{Name: named("sum"), Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Int32}})
	}
	file := filepath.Join(folder, "products.onnx")
	if err := onnx.WriteFile(file, alone, onnx.WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	ours := runModel(t, file, values)
	var answer struct{ Outputs map[string]string }
	pool.ask(t, map[string]any{"do": "run", "model": file, "inputs": files, "into": folder}, &answer)
	if len(answer.Outputs) != 4*len(sites) || len(ours) != len(answer.Outputs) {
		t.Fatalf("%d products have %d outputs of ours and %d of ONNX Runtime's", len(sites), len(ours), len(answer.Outputs))
	}
	for name, file := range answer.Outputs {
		mine, theirs := ours[name].(*tensor.Tensor), readArray(t, file)
		if !slices.Equal(mine.Shape(), theirs.Shape()) || !slices.Equal(numbers(t, mine), numbers(t, theirs)) {
			t.Errorf("%s: ONNX Runtime has other numbers", name)
		}
	}
	return integerCounts{activations: len(sites), products: len(sites)}
}

// integerSites finds the products of integers of every scope.
func integerSites(t *testing.T, m *onnx.Model) []integerSite {
	t.Helper()
	index, err := onnx.NewIndex(m)
	if err != nil {
		t.Fatal(err)
	}
	var sites []integerSite
	for _, scope := range index.Scopes() {
		for _, node := range scope.Nodes() {
			if node.OpType != "MatMulInteger" && node.OpType != "ConvInteger" {
				continue
			}
			quantize := scope.Producer(node.Inputs[0])
			if quantize == nil || quantize.OpType != "DynamicQuantizeLinear" {
				t.Fatalf("%s: nothing quantizes its activation", node.Name)
			}
			sites = append(sites, integerSite{scope, quantize, node})
		}
	}
	return sites
}

// activationsOf are the values that the main graph's sites quantize in a run.
func activationsOf(t *testing.T, m *onnx.Model, sites []integerSite, feeds map[string]tensor.Value) map[string]*tensor.Tensor {
	t.Helper()
	tapped := m.Clone()
	tapped.Graph = m.Graph.Clone()
	found := map[string]*tensor.Tensor{}
	asked := map[string]bool{}
	for _, v := range m.Graph.Outputs {
		asked[v.Name] = true
	}
	for _, s := range sites {
		name := s.quantize.Inputs[0]
		if s.scope.Parent != nil || s.scope.Function != nil || asked[name] {
			continue
		}
		asked[name] = true
		if fed, ok := feeds[name]; ok {
			found[name] = fed.(*tensor.Tensor)
			continue
		}
		tapped.Graph.Outputs = append(tapped.Graph.Outputs, &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: onnx.Float}})
	}
	for name, value := range runOpen(t, tapped, feeds) {
		if v, ok := value.(*tensor.Tensor); ok && asked[name] {
			found[name] = v
		}
	}
	return found
}

// madeUpActivation is one for a site in a body, whose values no run gives.
func madeUpActivation(t *testing.T, s integerSite) *tensor.Tensor {
	t.Helper()
	dims := s.scope.Constant(s.product.Inputs[1]).Dims
	if s.product.OpType != "MatMulInteger" || len(dims) != 2 {
		t.Fatalf("%s: nothing here makes up an activation for a weight %v", s.product.Name, dims)
	}
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, 5*dims[0])
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	return tensor.New([]int{5, int(dims[0])}, values)
}

// tensorValue declares a value of a rank, with sizes that are free.
func tensorValue(name string, dtype onnx.DType, rank int) *onnx.Value {
	shape := make([]onnx.Dim, rank)
	for i := range shape {
		shape[i].Param = fmt.Sprintf("%s_%d", name, i)
	}
	return &onnx.Value{Name: name, Type: &onnx.Type{Kind: onnx.TensorKind, DType: dtype, HasShape: true, Shape: shape}}
}

func writeNumpy(path string, value *tensor.Tensor) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := npy.Write(file, value); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
