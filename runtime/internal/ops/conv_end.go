package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"

// ConvEnd is what becomes of a convolution's result before it is stored.
type ConvEnd struct {
	// Ramps, if there are any, is one function for all maps or one for each map.
	Ramps []convolution.Ramp
	// Gate says that the ramps are multiplied by what they are given.
	Gate bool
}

// finish applies the end to rows of n numbers, stride apart, which are
// consecutive maps from the given one on. A nil end changes nothing.
func (e *ConvEnd) finish(data []float32, stride, first, rows, n int) {
	if e == nil {
		return
	}
	ramps := e.Ramps
	if len(ramps) > 1 {
		ramps = ramps[first : first+rows]
		if rows == 1 {
			// A single one would be taken for that of all rows: here it is both.
			ramps = ramps[:1]
		}
	}
	convolution.ApplyRamps(ramps, e.Gate, data, stride, rows, n)
}
