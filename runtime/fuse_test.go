package runtime

import (
	"fmt"
	goruntime "runtime"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// quantized is int8 data that uses the whole range.
func quantized(shape ...int) *tensor.Tensor {
	data := make([]int8, tensor.Count(shape))
	for i := range data {
		data[i] = int8((i*73+11)%255 - 127)
	}
	return tensor.New(shape, data)
}

func unsignedOf(q *tensor.Tensor) *tensor.Tensor {
	list, _ := tensor.Data[int8](q)
	data := make([]uint8, len(list))
	for i, v := range list {
		data[i] = uint8(int(v) + 128)
	}
	return tensor.New(q.Shape(), data)
}

// scalesOf are n scales that differ by channel.
func scalesOf(shape ...int) *tensor.Tensor {
	data := make([]float32, tensor.Count(shape))
	for i := range data {
		data[i] = float32(i%7+1) / 256
	}
	return tensor.New(shape, data)
}

func narrow(t testing.TB, to onnx.DType, v *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	wide, err := v.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	n, err := tensor.FromFloat64s(to, v.Shape(), wide)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFusedProducts compares each form of a product with a quantized weight with
// the same nodes run one by one.
func TestFusedProducts(t *testing.T) {
	axis := func(a int64) *onnx.Attr { return onnx.IntAttr("axis", a) }
	dequantize := func(attrs ...*onnx.Attr) []*onnx.Node {
		return []*onnx.Node{node("DequantizeLinear", "q,s,z", "w", attrs...)}
	}
	withoutZero := []*onnx.Node{node("DequantizeLinear", "q,s", "w", axis(1))}
	to := func(t onnx.DType) *onnx.Attr { return onnx.IntAttr("to", int64(t)) }
	matmul := node("MatMul", "x,w", "y")
	gemm := func(inputs string, attrs ...*onnx.Attr) *onnx.Node { return node("Gemm", inputs, "y", attrs...) }
	zeros := func(n int) *tensor.Tensor { return tensor.Make[int8]([]int{n}) }
	signs := func(shape ...int) *tensor.Tensor {
		data := make([]int8, tensor.Count(shape))
		for i := range data {
			data[i] = int8(i%17 - 8)
		}
		return tensor.New(shape, data)
	}
	const k, n = 33, 20
	tests := map[string]struct {
		nodes   []*onnx.Node
		product *onnx.Node
		q, s, z *tensor.Tensor
		x, c    *tensor.Tensor
		steps   string
		within  float64 // relative; 0: rounding of sums
	}{
		"by channel":                 {dequantize(axis(1)), matmul, quantized(k, n), scalesOf(n), zeros(n), ramp(5, k), nil, "[MatMul]", 0},
		"one row":                    {dequantize(axis(1)), matmul, quantized(k, n), scalesOf(n), zeros(n), ramp(1, k), nil, "[MatMul]", 0},
		"by channel from the end":    {dequantize(axis(-1)), matmul, quantized(k, n), scalesOf(n), zeros(n), ramp(5, k), nil, "[MatMul]", 0},
		"without zero points":        {withoutZero, matmul, quantized(k, n), scalesOf(n), nil, ramp(5, k), nil, "[MatMul]", 0},
		"one scale":                  {dequantize(), matmul, quantized(k, n), scalesOf(), tensor.Scalar(int8(0)), ramp(5, k), nil, "[MatMul]", 0},
		"zero points":                {dequantize(axis(1)), matmul, quantized(k, n), scalesOf(n), signs(n), ramp(5, k), nil, "[MatMul]", 0},
		"unsigned":                   {dequantize(axis(1)), matmul, unsignedOf(quantized(k, n)), scalesOf(n), unsignedOf(signs(n)), ramp(5, k), nil, "[MatMul]", 0},
		"a batch of activations":     {dequantize(axis(1)), matmul, quantized(k, n), scalesOf(n), zeros(n), ramp(2, 3, 4, k), nil, "[MatMul]", 0},
		"a vector":                   {dequantize(axis(1)), matmul, quantized(k, n), scalesOf(n), zeros(n), ramp(k), nil, "[MatMul]", 0},
		"a weight that is a vector":  {dequantize(), matmul, quantized(99), scalesOf(), tensor.Scalar(int8(0)), ramp(4, 99), nil, "[MatMul]", 0},
		"a batch of weights":         {dequantize(axis(2)), matmul, quantized(3, k, n), scalesOf(n), zeros(n), ramp(3, 4, k), nil, "[MatMul]", 0},
		"weights for one activation": {dequantize(axis(2)), matmul, quantized(3, k, n), scalesOf(n), zeros(n), ramp(4, k), nil, "[MatMul]", 0},
		"on the left":                {dequantize(axis(0)), node("MatMul", "w,x", "y"), quantized(n, k), scalesOf(n), zeros(n), ramp(k, 6), nil, "[MatMul]", 0},
		"on the left of a batch":     {dequantize(axis(0)), node("MatMul", "w,x", "y"), quantized(n, k), scalesOf(n), zeros(n), ramp(2, k, 6), nil, "[MatMul]", 0},
		"on the left of a vector":    {dequantize(axis(0)), node("MatMul", "w,x", "y"), quantized(n, k), scalesOf(n), zeros(n), ramp(k), nil, "[MatMul]", 0},
		"blocks":                     {dequantize(axis(0), onnx.IntAttr("block_size", 16)), matmul, quantized(32, n), scalesOf(2, n), signs(2, n), ramp(5, 32), nil, "[MatMul]", 0},
		"blocks, transposed": {append(dequantize(axis(1), onnx.IntAttr("block_size", 16)), node("Transpose", "w", "wt", onnx.IntsAttr("perm", []int64{1, 0}))),
			node("MatMul", "x,wt", "y"), quantized(n, 32), scalesOf(n, 2), signs(n, 2), ramp(5, 32), nil, "[MatMul]", 0},
		"transposed": {append(dequantize(axis(0)), node("Transpose", "w", "wt", onnx.IntsAttr("perm", []int64{1, 0}))),
			node("MatMul", "x,wt", "y"), quantized(n, k), scalesOf(n), zeros(n), ramp(5, k), nil, "[MatMul]", 0},
		"Gemm":                 {dequantize(axis(1)), gemm("x,w"), quantized(k, n), scalesOf(n), zeros(n), ramp(5, k), nil, "[Gemm]", 0},
		"Gemm, transB":         {dequantize(axis(0)), gemm("x,w,c", onnx.IntAttr("transB", 1)), quantized(n, k), scalesOf(n), zeros(n), ramp(5, k), ramp(n), "[Gemm]", 0},
		"Gemm, transA":         {dequantize(axis(1)), gemm("x,w,c", onnx.IntAttr("transA", 1)), quantized(k, n), scalesOf(n), zeros(n), ramp(k, 5), ramp(5, 1), "[Gemm]", 0},
		"Gemm, alpha and beta": {dequantize(axis(1)), gemm("x,w,c", onnx.FloatAttr("alpha", -0.5), onnx.FloatAttr("beta", 3)), quantized(k, n), scalesOf(n), zeros(n), ramp(5, k), ramp(5, n), "[Gemm]", 0},
		"Gemm on the left":     {dequantize(axis(0)), gemm("w,x,c"), quantized(n, k), scalesOf(n), zeros(n), ramp(k, 5), ramp(n, 1), "[Gemm]", 0},
		"Gemm on the left, both transposed": {dequantize(axis(1)), gemm("w,x,c", onnx.IntAttr("transA", 1), onnx.IntAttr("transB", 1)),
			quantized(k, n), scalesOf(n), zeros(n), ramp(5, k), ramp(5), "[Gemm]", 0},
		"cast and multiplied":           {[]*onnx.Node{node("Cast", "q", "f", to(onnx.Float)), node("Mul", "f,s", "w")}, matmul, quantized(k, n), scalesOf(n), nil, ramp(5, k), nil, "[MatMul]", 0},
		"multiplied the other way":      {[]*onnx.Node{node("Cast", "q", "f", to(onnx.Float)), node("Mul", "s,f", "w")}, matmul, quantized(k, n), scalesOf(1, n), nil, ramp(5, k), nil, "[MatMul]", 0},
		"cast, multiplied, on the left": {[]*onnx.Node{node("Cast", "q", "f", to(onnx.Float)), node("Mul", "f,s", "w")}, node("MatMul", "w,x", "y"), quantized(n, k), scalesOf(n, 1), nil, ramp(k, 5), nil, "[MatMul]", 0},
		"less zero points": {[]*onnx.Node{node("Cast", "q", "f", to(onnx.Float)), node("Cast", "z", "g", to(onnx.Float)), node("Sub", "f,g", "d"), node("Mul", "d,s", "w")},
			matmul, quantized(k, n), scalesOf(n), signs(n), ramp(5, k), nil, "[MatMul]", 0},
		"float16":                           {dequantize(axis(1)), matmul, quantized(k, n), narrow(t, onnx.Float16, scalesOf(n)), zeros(n), narrow(t, onnx.Float16, ramp(5, k)), nil, "[MatMul]", 2e-3},
		"bfloat16":                          {dequantize(axis(1)), matmul, quantized(k, n), narrow(t, onnx.BFloat16, scalesOf(n)), zeros(n), narrow(t, onnx.BFloat16, ramp(5, k)), nil, "[MatMul]", 2e-2},
		"float16, cast":                     {append(dequantize(axis(1)), node("Cast", "w", "v", to(onnx.Float16))), node("MatMul", "x,v", "y"), quantized(k, n), scalesOf(n), zeros(n), narrow(t, onnx.Float16, ramp(5, k)), nil, "[MatMul]", 2e-3},
		"float16, Gemm":                     {dequantize(axis(1)), gemm("x,w,c"), quantized(k, n), narrow(t, onnx.Float16, scalesOf(n)), zeros(n), narrow(t, onnx.Float16, ramp(5, k)), narrow(t, onnx.Float16, ramp(n)), "[Gemm]", 2e-3},
		"not: scales along the summed axis": {dequantize(axis(0)), matmul, quantized(k, n), scalesOf(k), zeros(k), ramp(5, k), nil, "DequantizeLinear MatMul", 0},
		"not: scales by element":            {[]*onnx.Node{node("Cast", "q", "f", to(onnx.Float)), node("Mul", "f,s", "w")}, matmul, quantized(k, n), scalesOf(k, n), nil, ramp(5, k), nil, "Cast Mul MatMul", 0},
		"not: scales that make a batch":     {[]*onnx.Node{node("Cast", "q", "f", to(onnx.Float)), node("Mul", "f,s", "w")}, matmul, quantized(k, n), scalesOf(2, 1, 1), nil, ramp(2, 5, k), nil, "Cast Mul MatMul", 0},
		"not: double": {append(dequantize(axis(1)), node("Cast", "w", "v", to(onnx.Double))), node("MatMul", "x,v", "y"), quantized(k, n), scalesOf(n), zeros(n), narrow(t, onnx.Double, ramp(5, k)), nil,
			"DequantizeLinear Cast MatMul", 0},
		"not: 16-bit integers": {dequantize(axis(1)), matmul, narrow(t, onnx.Int16, quantized(k, n)), scalesOf(n), narrow(t, onnx.Int16, zeros(n)), ramp(5, k), nil, "MatMul", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := graphOf([]*onnx.Value{value("x", nil)}, "y", append(test.nodes, test.product), stored(t, "q", test.q), stored(t, "s", test.s))
			if test.z != nil {
				g.Initializers = append(g.Initializers, stored(t, "z", test.z))
			}
			if test.c != nil {
				g.Initializers = append(g.Initializers, stored(t, "c", test.c))
			}
			compareFused(t, modelOf(21, g), feeds{"x": test.x}, test.steps, test.within)
		})
	}
}

// compareFused runs a model as it is compiled, whose steps have to be the given
// ones, and node by node.
func compareFused(t *testing.T, m *onnx.Model, in feeds, steps string, within float64) {
	t.Helper()
	s, err := Compile(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := operators(s); got != steps {
		t.Errorf("the steps are %q, want %q", got, steps)
	}
	flat, err := inline(m)
	if err != nil {
		t.Fatal(err)
	}
	literal, err := compile(flat, Options{}, judged{literal: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := literal.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if within == 0 {
		within = 1e-5
	}
	for name := range want {
		largest := 0.0
		wide, err := want[name].(*tensor.Tensor).Float64s()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range wide {
			if v == v {
				largest = max(largest, v, -v)
			}
		}
		if err := (Tolerance{Relative: within, Absolute: within * largest}).Equal(got[name], want[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFusedNeighbours is about what stands around a fused product.
func TestFusedNeighbours(t *testing.T) {
	const k, n = 33, 20
	q, s, z := stored(t, "q", quantized(k, n)), stored(t, "s", scalesOf(n)), onnx.Int8Tensor("z", []int64{n}, make([]int8, n))
	c := stored(t, "c", ramp(n))
	x := []*onnx.Value{value("x", nil)}
	dequantize := node("DequantizeLinear", "q,s,z", "w", onnx.IntAttr("axis", 1))
	product := node("MatMul", "x,w", "p")
	tests := map[string]struct {
		graph *onnx.Graph
		steps string
	}{
		"a bias is taken in":                  {graphOf(x, "y", []*onnx.Node{dequantize, product, node("Add", "p,c", "y")}, q, s, z, c), "[Add]"},
		"a bias that is not on the right":     {graphOf(x, "y", []*onnx.Node{dequantize, product, node("Add", "c,p", "y")}, q, s, z, c), "[Add]"},
		"the product is put out too":          {graphOf(x, "y,p", []*onnx.Node{dequantize, product, node("Add", "p,c", "y")}, q, s, z, c), "[MatMul] Add"},
		"the product is read twice":           {graphOf(x, "y", []*onnx.Node{dequantize, product, node("Add", "p,c", "a"), node("Mul", "p,a", "y")}, q, s, z, c), "[MatMul] Add Mul"},
		"what is added is no bias":            {graphOf(x, "y", []*onnx.Node{dequantize, product, node("Add", "p,c5", "y")}, q, s, z, stored(t, "c5", ramp(5, 1))), "[MatMul] Add"},
		"the floats are put out too":          {graphOf(x, "p,w", []*onnx.Node{dequantize, product}, q, s, z), "DequantizeLinear [MatMul]"},
		"the floats are read by another node": {graphOf(x, "p,a", []*onnx.Node{dequantize, product, node("Neg", "w", "a")}, q, s, z), "DequantizeLinear [MatMul] Neg"},
		"two layers share a weight": {graphOf(x, "p,r", []*onnx.Node{dequantize, product, node("Neg", "x", "m"), node("MatMul", "m,w", "r")}, q, s, z),
			"[MatMul] Neg [MatMul]"},
		"a bias of the left operand's rows": {graphOf(x, "y", []*onnx.Node{
			node("DequantizeLinear", "q,s0", "w", onnx.IntAttr("axis", 0)), node("Transpose", "x", "t"), node("MatMul", "w,t", "p"), node("Add", "p,c33", "y")},
			stored(t, "q", quantized(k, k)), stored(t, "s0", scalesOf(k)), stored(t, "c33", ramp(k, 1))), "Transpose [MatMul] Add"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			compareFused(t, modelOf(17, test.graph), feeds{"x": ramp(5, k)}, test.steps, 0)
		})
	}
}

// TestFusedInBodies has the product in a branch and its weight outside.
func TestFusedInBodies(t *testing.T) {
	branch := func(in string) *onnx.Graph {
		return graphOf(nil, in+"y", []*onnx.Node{
			node("DequantizeLinear", "q,s", in+"w", onnx.IntAttr("axis", 1)), node("MatMul", "x,"+in+"w", in+"p"), node("Add", in+"p,"+in, in+"y")})
	}
	m := modelOf(17, graphOf([]*onnx.Value{value("x", nil), value("if", nil)}, "y", []*onnx.Node{
		node("If", "if", "y", onnx.GraphAttr("then_branch", branch("c")), onnx.GraphAttr("else_branch", branch("d"))),
	}, stored(t, "q", quantized(33, 20)), stored(t, "s", scalesOf(20)), stored(t, "c", ramp(20)), stored(t, "d", ramp(20))))
	compareFused(t, m, feeds{"x": ramp(2, 33), "if": scalar(true)}, "If", 0)
	compareFused(t, m, feeds{"x": ramp(2, 33), "if": scalar(false)}, "If", 0)
}

// TestFusedWeightIsNeverWhole counts the bytes that a run allocates: far fewer
// than the floats of the weight would take.
func TestFusedWeightIsNeverWhole(t *testing.T) {
	const k, n = 1024, 512
	m := modelOf(21, graphOf([]*onnx.Value{value("x", nil)}, "y", []*onnx.Node{
		node("DequantizeLinear", "q,s", "w", onnx.IntAttr("axis", 1)), node("MatMul", "x,w", "y"),
	}, stored(t, "q", quantized(k, n)), stored(t, "s", scalesOf(n))))
	for _, rows := range []int{1, 16} {
		t.Run(fmt.Sprint(rows, " rows"), func(t *testing.T) {
			x := ramp(rows, k)
			s, err := Compile(m, Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			allocated := func() uint64 {
				var stats goruntime.MemStats
				goruntime.ReadMemStats(&stats)
				return stats.TotalAlloc
			}
			before := allocated()
			if _, err := s.Run(t.Context(), feeds{"x": x}); err != nil {
				t.Fatal(err)
			}
			if bytes := allocated() - before; bytes > 4*k*n/4 {
				t.Errorf("a run allocates %d bytes; the weight as floats takes %d", bytes, 4*k*n)
			}
		})
	}
}

// TestFusedWeightOfEveryWidth multiplies weights of 4 and 2 bits.
func TestFusedWeightOfEveryWidth(t *testing.T) {
	four := make([]quantops.Int4, 33*20)
	two := make([]quantops.Uint2, 33*20)
	for i := range four {
		four[i], two[i] = quantops.Int4(i%15-7), quantops.Uint2(i%4)
	}
	for _, q := range []*tensor.Tensor{tensor.New([]int{33, 20}, four), tensor.New([]int{33, 20}, two)} {
		m := modelOf(25, graphOf([]*onnx.Value{value("x", nil)}, "y", []*onnx.Node{
			node("DequantizeLinear", "q,s", "w", onnx.IntAttr("axis", 1)), node("MatMul", "x,w", "y"),
		}, stored(t, "q", q), stored(t, "s", scalesOf(20))))
		compareFused(t, m, feeds{"x": ramp(3, 33)}, "[MatMul]", 0)
	}
}
