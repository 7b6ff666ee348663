package quantops

// DynamicQuantize quantizes x to uint8 by the range that it has, 0 included:
//
//	scale = (max − min) / 255
//	zero  = clamp(roundHalfEven(0 − min/scale))
//	q     = clamp(roundHalfEven(x/scale) + zero)
//
// in float32, clamped to 0…255. If x is all zeros (or empty) the scale is 1.
// dst is as long as x. Infinities and NaNs give no useful result.
// (ONNX DynamicQuantizeLinear.)
func DynamicQuantize(dst []uint8, x []float32) (scale float32, zero uint8) {
	return dynamicQuantize(fastestProduct(), dst, x)
}

func dynamicQuantize(level productLevel, dst []uint8, x []float32) (scale float32, zero uint8) {
	if len(dst) != len(x) {
		panic("quantops: the destination is not as long as the values")
	}
	kernels := level.kernels()
	row := dynamicRow{}
	whole := 0
	if len(x) >= dynamicStep && kernels.dynamicRange != nil {
		whole = len(x) / dynamicStep * dynamicStep
		row.dst, row.src, row.count = &dst[0], &x[0], whole
		kernels.dynamicRange(&row)
	}
	for _, v := range x[whole:] {
		if v < row.low {
			row.low = v
		} else if v > row.high {
			row.high = v
		}
	}
	scale, zero = DynamicScale(row.low, row.high)
	if whole > 0 {
		row.scale, row.zero = scale, int32(zero)
		kernels.dynamicBytes(&row)
	}
	shift := int32(zero)
	rest := dst[whole:]
	for i, v := range x[whole:] {
		rest[i] = uint8(max(0, min(255, roundHalfEven(v/scale)+shift)))
	}
	return scale, zero
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
