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

// Runs calls visit for stretches of the elements from…to−1, in their order, that
// have one scale (each is false), or whose scales follow each other as they do
// (each is true). start and length count elements, scale is the first one's.
func (g Grid) Runs(from, to int, visit func(start, length, scale int, each bool)) {
	blocks := 0
	if g.Block > 0 {
		blocks = (g.Length + g.Block - 1) / g.Block
	}
	for start := from; start < to; {
		inner, along, outer := start%g.Inner, start/g.Inner%g.Length, start/g.Inner/g.Length
		var length, scale int
		// Neighbours have scales of their own where scales lie along the last axis.
		each := g.Inner == 1
		if blocks > 0 {
			each = !each
		}
		switch {
		case blocks == 0 && each:
			length, scale = g.Length-along, along
		case blocks == 0:
			length, scale = g.Inner-inner, along
		case each:
			length, scale = g.Inner-inner, (outer*blocks+along/g.Block)*g.Inner+inner
		default:
			length, scale = min(g.Block-along%g.Block, g.Length-along), outer*blocks+along/g.Block
		}
		length = min(length, to-start)
		visit(start, length, scale, each)
		start += length
	}
}

// Dequantize writes (q − zero)·scale, the product rounded to float32, in the
// order of q. There are g.Scales() scales, and as many zero points or none
// (nil: they are 0).
func Dequantize[Q int8 | uint8 | int16 | uint16](dst []float32, q []Q, g Grid, scales []float32, zeros []Q) {
	if len(q) != g.Len() || len(dst) < len(q) || len(scales) != g.Scales() || zeros != nil && len(zeros) != len(scales) {
		panic("quantops: elements, scales and zero points are not as many as the grid says")
	}
	g.Runs(0, len(q), func(start, length, scale int, each bool) {
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
