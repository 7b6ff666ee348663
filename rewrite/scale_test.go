package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// chain is an encoded model of so many nodes: layers of MatMul, Add and Relu,
// each with a weight of its own among so many.
func chain(t testing.TB, nodes, weights int) []byte {
	t.Helper()
	s := sketch{}
	for i := range weights {
		values := make([]float32, 16*16)
		for j := range values {
			values[j] = float32(i*7+j*j%13) + 1
		}
		s.weights = append(s.weights, onnx.FloatTensor(fmt.Sprintf("w%d", i), []int64{16, 16}, values))
	}
	x := "x"
	for i := range nodes / 3 {
		product, sum, y := fmt.Sprintf("p%d", i), fmt.Sprintf("s%d", i), fmt.Sprintf("y%d", i)
		s.nodes = append(s.nodes, op("MatMul", product, x, fmt.Sprintf("w%d", i%weights)), op("Add", sum, product, x), op("Relu", y, sum))
		x = y
	}
	s.outputs = []string{x}
	var encoded bytes.Buffer
	if err := onnx.Encode(&encoded, s.model(t)); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// rewriteChain goes the whole way from bytes to bytes, and says how many nodes
// were planned.
func rewriteChain(t testing.TB, encoded []byte) int {
	t.Helper()
	m, err := onnx.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Check(m); err != nil {
		t.Fatal(err)
	}
	plan, err := New(m, Recipe{MinBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	plan.Late = true
	result, err := plan.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Encode(io.Discard, result.Model); err != nil {
		t.Fatal(err)
	}
	return len(result.Sites)
}

// TestWorkGrowsWithTheModel wants four times the nodes and weights to take about
// four times the memory, all told, and not sixteen times.
func TestWorkGrowsWithTheModel(t *testing.T) {
	allocated := func(nodes int) float64 {
		encoded := chain(t, nodes, nodes/6)
		return float64(testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if sites := rewriteChain(b, encoded); sites != nodes/3 {
					b.Fatalf("%d sites of %d", sites, nodes/3)
				}
			}
		}).AllocedBytesPerOp())
	}
	small, large := allocated(600), allocated(2400)
	if large > 5.5*small {
		t.Errorf("four times the model took %.1f times the memory", large/small)
	}
}

// BenchmarkPlan plans, and rewrites, models of many nodes and of many initializers.
func BenchmarkPlan(b *testing.B) {
	for _, size := range []struct{ nodes, weights int }{{100_000, 1_000}, {1_000_000, 1_000}, {300_000, 100_000}} {
		b.Run(fmt.Sprintf("nodes=%d/initializers=%d", size.nodes, size.weights), func(b *testing.B) {
			encoded := chain(b, size.nodes, size.weights)
			b.Run("plan", func(b *testing.B) {
				for b.Loop() {
					m, err := onnx.Decode(encoded)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := New(m, Recipe{MinBytes: 1}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("rewrite", func(b *testing.B) {
				for b.Loop() {
					rewriteChain(b, encoded)
				}
			})
		})
	}
}
