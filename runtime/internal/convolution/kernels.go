package convolution

// kernels are the loops for one kind of processor. Counts are of elements, and
// pointers lead to at least as many as the exported functions ask for.
type kernels struct {
	name string
	tile func(dst *float32, stride int, a, b *float32, depth int, bias *float32, rows, columns int)
	// scattered is tile of rows that do not lie in a panel.
	scattered func(dst *float32, stride int, a, b *float32, taps *int, depth int, bias *float32, rows, columns int)
	taps      func(dst *float32, dstStride int, src *float32, srcStride, rows, n int, weights *float32, offsets *int, taps int, bias float32)
	gather    func(panel, src *float32, offsets *int, depth, n int)
	pattern   func(panel, src *float32, offsets *int, depth int, pattern *[16]int32, span, n int)
	ramp      func(dst *float32, stride, rows, n int, numbers *[6]float32, step, gate int)
	widen     func(dst *float32, q *int8, depth int, scales, zeros *float32)
	largest   func(dst *float32, dstStride int, src *float32, srcStride, rows, n int, offsets *int, taps, step int)
}

// best are the fastest kernels that this processor has.
var best = available()[0]
