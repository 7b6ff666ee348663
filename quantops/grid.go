package quantops

// Grid says which scale each element of a tensor uses. The tensor is seen as
// [Outer][Length][Inner], where Length is the axis that scales lie along.
//
// Without blocks there are Length scales, one for each index of the axis; one
// scale for all is Length 1. With blocks of Block neighbours along the axis (the
// last may be shorter) there are [Outer][⌈Length/Block⌉][Inner]. These are the
// granularities of ONNX's DequantizeLinear.
type Grid struct {
	Outer, Length, Inner int
	Block                int // 0: not in blocks
}

// Len is the number of elements.
func (g Grid) Len() int { return g.Outer * g.Length * g.Inner }

// Scales is the number of scales.
func (g Grid) Scales() int {
	if g.Block <= 0 {
		return g.Length
	}
	return g.Outer * ((g.Length + g.Block - 1) / g.Block) * g.Inner
}

// Runs calls visit for stretches of elements, in their order, that have one
// scale (each is false), or whose scales follow each other as they do (each is
// true). start and length count elements, scale is the first one's.
func (g Grid) Runs(visit func(start, length, scale int, each bool)) {
	if g.Len() == 0 {
		return
	}
	for outer := range g.Outer {
		for i := 0; i < g.Length; {
			start := (outer*g.Length + i) * g.Inner
			switch {
			case g.Block <= 0 && g.Inner == 1:
				visit(start, g.Length, 0, true)
				i = g.Length
			case g.Block <= 0:
				visit(start, g.Inner, i, false)
				i++
			case g.Inner == 1:
				blocks := (g.Length + g.Block - 1) / g.Block
				visit(start, min(g.Block, g.Length-i), outer*blocks+i/g.Block, false)
				i += g.Block
			default:
				blocks := (g.Length + g.Block - 1) / g.Block
				visit(start, g.Inner, (outer*blocks+i/g.Block)*g.Inner, true)
				i++
			}
		}
	}
}

// Dequantize writes (q − zero)·scale, the product rounded to float32, in the
// order of q. There are g.Scales() scales, and as many zero points or none
// (nil: they are 0).
func Dequantize[Q int8 | uint8 | int16 | uint16](dst []float32, q []Q, g Grid, scales []float32, zeros []Q) {
	if len(q) != g.Len() || len(dst) < len(q) || len(scales) != g.Scales() || zeros != nil && len(zeros) != len(scales) {
		panic("quantops: elements, scales and zero points are not as many as the grid says")
	}
	g.Runs(func(start, length, scale int, each bool) {
		to, from := dst[start:start+length], q[start:start+length]
		if !each {
			zero := int32(0)
			if zeros != nil {
				zero = int32(zeros[scale])
			}
			s := scales[scale]
			for i, v := range from {
				to[i] = float32(int32(v)-zero) * s
			}
			return
		}
		s := scales[scale : scale+length]
		if zeros == nil {
			for i, v := range from {
				to[i] = float32(v) * s[i]
			}
			return
		}
		z := zeros[scale : scale+length]
		for i, v := range from {
			to[i] = float32(int32(v)-int32(z[i])) * s[i]
		}
	})
}
