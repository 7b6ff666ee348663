package convolution

import "unsafe"

// Ramp is the family of functions of one number that most often follows a
// convolution:
//
//	y = min(max(Alpha·x + Beta, Low), High)
//	y = y·x, if it is a gate
//	y = Scale·y + Offset
//
// Relu, Clip, HardSigmoid and HardSwish are ramps. A NaN stays one.
type Ramp struct {
	Alpha, Beta, Low, High float32
	Scale, Offset          float32
}

// ApplyRamps replaces the n numbers of each of so many rows, which lie stride
// apart, by a ramp's of them: there is one ramp for all rows, or one for each.
func ApplyRamps(ramps []Ramp, gate bool, data []float32, stride, rows, n int) {
	best.apply(ramps, gate, data, stride, rows, n)
}

func (k *kernels) apply(ramps []Ramp, gate bool, data []float32, stride, rows, n int) {
	if rows <= 0 || n <= 0 {
		return
	}
	_ = data[(rows-1)*stride+n-1]
	step := 0
	if len(ramps) != 1 {
		_ = ramps[rows-1]
		step = rampNumbers
	}
	isGate := 0
	if gate {
		isGate = 1
	}
	k.ramp(&data[0], stride, rows, n, (*[rampNumbers]float32)(unsafe.Pointer(&ramps[0])), step, isGate)
}

// rampNumbers is how many numbers a Ramp is, in the order of its fields.
const rampNumbers = int(unsafe.Sizeof(Ramp{}) / 4)
