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
	if len(dst) != len(x) {
		panic("quantops: the destination is not as long as the values")
	}
	var low, high float32
	for _, v := range x {
		if v < low {
			low = v
		} else if v > high {
			high = v
		}
	}
	scale, zero = DynamicScale(low, high)
	shift := int32(zero)
	for i, v := range x {
		dst[i] = uint8(max(0, min(255, roundHalfEven(v/scale)+shift)))
	}
	return scale, zero
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
