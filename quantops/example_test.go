package quantops_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// A 3×2 weight, one scale for each column, becomes int8 and is multiplied with.
func Example() {
	var data []byte
	for _, w := range []float32{1.27, 0, -0.635, 25.4, 0.31, -10} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(w))
	}
	weights := &quantops.Weights{Data: data, Batch: 1, Rows: 3, Columns: 2, Axis: quantops.AlongColumns}
	scales, err := quantops.Measure(weights, quantops.Scheme{})
	if err != nil {
		fmt.Println(err)
		return
	}
	bytes := make([]byte, 6)
	quantops.Quantize(bytes, weights, scales)
	q := make([]int8, len(bytes))
	for i, b := range bytes {
		q[i] = int8(b)
	}
	fmt.Println(q)

	x, y := []float32{1, 1, 1}, make([]float32, 2)
	packed := quantops.PackInt8(&quantops.Int8Weights{K: 3, N: 2, Q: q, Scales: scales.Values})
	packed.MatMul(quantops.Rows{Data: y, Stride: 2}, quantops.Rows{Data: x, Stride: 3}, 1, quantops.Epilogue{}, nil)
	fmt.Printf("%.2f\n", y)
	// Output:
	// [127 0 -64 127 31 -50]
	// [0.94 15.40]
}

// Two goroutines share the sweep for scales, and then the quantizing.
func ExampleQuantization() {
	data := make([]byte, 4*64*48)
	for i := 0; i < len(data); i += 4 {
		binary.LittleEndian.PutUint32(data[i:], math.Float32bits(float32(i%97-48)/48))
	}
	weights := &quantops.Weights{Data: data, Batch: 1, Rows: 64, Columns: 48, Axis: quantops.AlongColumns}
	both := func(work func()) {
		var group sync.WaitGroup
		group.Go(work)
		group.Go(work)
		group.Wait()
	}

	measurement := quantops.NewMeasurement(weights, quantops.Scheme{})
	both(measurement.Help)
	scales, err := measurement.Join()
	if err != nil {
		fmt.Println(err)
		return
	}
	quantized := make([]byte, 64*48)
	both(quantops.NewQuantization(quantized, weights, scales).Help)
	fmt.Println(int8(quantized[0]), int8(quantized[1]), int8(quantized[len(quantized)-1]))
	// Output: -127 -116 37
}
