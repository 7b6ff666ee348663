package quantops

import "sync"

// DynamicQuantize quantizes x to uint8 by the range that it has, 0 included:
//
//	scale = (max − min) / 255
//	zero  = clamp(roundHalfEven(0 − min/scale))
//	q     = clamp(roundHalfEven(x/scale) + zero)
//
// in float32, clamped to 0…255. If x is all zeros (or empty) the scale is 1.
// dst is as long as x. Infinities and NaNs give no useful result. The workers,
// which may be nil, share the work.
// (ONNX DynamicQuantizeLinear.)
func DynamicQuantize(dst []uint8, x []float32, workers *Workers) (scale float32, zero uint8) {
	return dynamicQuantize(fastestProduct(), dst, x, workers)
}

func dynamicQuantize(level productLevel, dst []uint8, x []float32, workers *Workers) (scale float32, zero uint8) {
	if len(dst) != len(x) {
		panic("quantops: the destination is not as long as the values")
	}
	kernels := level.kernels()
	const cost = 4 // of a value, in multiplications
	var both sync.Mutex
	var low, high float32
	inRanges(workers, len(x), dynamicStep, cost, func(from, to int) {
		least, most := kernels.rangeOf(x[from:to])
		both.Lock()
		low, high = min(low, least), max(high, most)
		both.Unlock()
	})
	scale, zero = DynamicScale(low, high)
	inRanges(workers, len(x), dynamicStep, cost, func(from, to int) {
		kernels.quantizeTo(dst[from:to], x[from:to], scale, zero)
	})
	return scale, zero
}

// rangeOf is the range of values and 0.
func (k *productKernels) rangeOf(x []float32) (low, high float32) {
	if whole := len(x) / dynamicStep * dynamicStep; whole > 0 && k.dynamicRange != nil {
		row := dynamicRow{src: &x[0], count: whole}
		k.dynamicRange(&row)
		low, high, x = row.low, row.high, x[whole:]
	}
	for _, v := range x {
		if v < low {
			low = v
		} else if v > high {
			high = v
		}
	}
	return low, high
}

// quantizeTo writes clamp(roundHalfEven(x/scale) + zero) to dst.
func (k *productKernels) quantizeTo(dst []uint8, x []float32, scale float32, zero uint8) {
	if whole := len(x) / dynamicStep * dynamicStep; whole > 0 && k.dynamicBytes != nil {
		k.dynamicBytes(&dynamicRow{dst: &dst[0], src: &x[0], count: whole, scale: scale, zero: int32(zero)})
		dst, x = dst[whole:], x[whole:]
	}
	for i, v := range x {
		dst[i] = uint8(max(0, min(255, roundHalfEven(v/scale)+int32(zero))))
	}
}

// dynamicStep is of how many values assembly takes a multiple.
const dynamicStep = 16

// dynamicRow is one call of what finds the range of values, which low and high
// are widened to, and of what quantizes them.
type dynamicRow struct {
	dst       *uint8
	src       *float32
	count     int
	low, high float32
	scale     float32
	zero      int32
}

// DynamicScale is the scale and zero point of DynamicQuantize for values from
// low to high, a range that holds 0.
func DynamicScale(low, high float32) (scale float32, zero uint8) {
	scale = (high - low) / 255
	if scale == 0 {
		return 1, 0
	}
	return scale, uint8(max(0, min(255, roundHalfEven(-low/scale))))
}
