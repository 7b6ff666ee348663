package ops

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// complexes are complex numbers, in two slices of one length.
type complexes struct{ re, im []float64 }

func makeComplexes(n int) complexes { return complexes{make([]float64, n), make([]float64, n)} }

func (z complexes) len() int { return len(z.re) }

// fourier transforms z in place: y[k] = Σ z[n]·exp(∓2πi·kn/N), with a plus sign
// and divided by N for the inverse.
func fourier(z complexes, inverse bool) {
	if inverse {
		// Swapping the parts conjugates both sides, up to the factor i.
		fourier(complexes{z.im, z.re}, false)
		for i := range z.re {
			z.re[i] /= float64(z.len())
			z.im[i] /= float64(z.len())
		}
		return
	}
	if n := z.len(); n&(n-1) == 0 {
		fourierOfPower(z)
	} else {
		fourierByChirp(z)
	}
}

// fourierOfPower is the transform of a power of two elements. (Cooley and Tukey,
// "An algorithm for the machine calculation of complex Fourier series".)
func fourierOfPower(z complexes) {
	n := z.len()
	if n < 2 {
		return
	}
	shift := bits.LeadingZeros64(uint64(n)) + 1
	for i := range n {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			z.re[i], z.re[j] = z.re[j], z.re[i]
			z.im[i], z.im[j] = z.im[j], z.im[i]
		}
	}
	turns := makeComplexes(n / 2)
	for i := range turns.re {
		turns.im[i], turns.re[i] = math.Sincos(-2 * math.Pi * float64(i) / float64(n))
	}
	for half := 1; half < n; half *= 2 {
		for first := 0; first < n; first += 2 * half {
			for i := range half {
				a, b, turn := first+i, first+i+half, i*(n/2/half)
				re := z.re[b]*turns.re[turn] - z.im[b]*turns.im[turn]
				im := z.re[b]*turns.im[turn] + z.im[b]*turns.re[turn]
				z.re[a], z.re[b] = z.re[a]+re, z.re[a]-re
				z.im[a], z.im[b] = z.im[a]+im, z.im[a]-im
			}
		}
	}
}

// fourierByChirp makes a transform of any length a convolution, which powers of
// two can do: 2kn = k² + n² - (k-n)². (Bluestein, "A linear filtering approach to
// the computation of discrete Fourier transform".)
func fourierByChirp(z complexes) {
	n := z.len()
	size := 1 << bits.Len(uint(2*n-2))
	chirp := makeComplexes(n)
	for i := range n {
		// The angle of i² is taken modulo 2n first, so that it keeps its digits.
		square := float64(i * i % (2 * n))
		chirp.im[i], chirp.re[i] = math.Sincos(-math.Pi * square / float64(n))
	}
	signal, filter := makeComplexes(size), makeComplexes(size)
	for i := range n {
		signal.re[i] = z.re[i]*chirp.re[i] - z.im[i]*chirp.im[i]
		signal.im[i] = z.re[i]*chirp.im[i] + z.im[i]*chirp.re[i]
		for _, at := range []int{i, (size - i) % size} {
			filter.re[at], filter.im[at] = chirp.re[i], -chirp.im[i]
		}
	}
	fourierOfPower(signal)
	fourierOfPower(filter)
	for i := range size {
		re := signal.re[i]*filter.re[i] - signal.im[i]*filter.im[i]
		signal.im[i] = signal.re[i]*filter.im[i] + signal.im[i]*filter.re[i]
		signal.re[i] = re
	}
	fourier(signal, true)
	for i := range n {
		z.re[i] = signal.re[i]*chirp.re[i] - signal.im[i]*chirp.im[i]
		z.im[i] = signal.re[i]*chirp.im[i] + signal.im[i]*chirp.re[i]
	}
}

// transform is a discrete Fourier transform of rows as the operators have them.
type transform struct {
	length            int // of the signal
	inverse, onesided bool
}

// outputs is the number of elements of a transformed row, and of numbers of each.
func (t transform) outputs() (elements, parts int) {
	switch {
	case t.onesided && t.inverse:
		return t.length, 1
	case t.onesided:
		return t.length/2 + 1, 2
	}
	return t.length, 2
}

// row transforms x, elements of one (real) or two numbers each, into y, which is
// as long as outputs says. What x lacks of the length is zero. One-sided, the
// spectrum of real elements has only its first half, the other being its mirror
// image.
func (t transform) row(y, x []float64, parts int) {
	z := makeComplexes(t.length)
	given := t.length
	if t.inverse && t.onesided {
		given = t.length/2 + 1
	}
	for i := range min(given, len(x)/parts) {
		z.re[i] = x[i*parts]
		if parts == 2 {
			z.im[i] = x[i*parts+1]
		}
	}
	if t.inverse && t.onesided {
		z.im[0] = 0
		for i := 1; i <= t.length/2; i++ {
			if mirror := t.length - i; mirror == i {
				z.im[i] = 0
			} else {
				z.re[mirror], z.im[mirror] = z.re[i], -z.im[i]
			}
		}
	}
	fourier(z, t.inverse)
	elements, outputParts := t.outputs()
	for i := range elements {
		y[i*outputParts] = z.re[i]
		if outputParts == 2 {
			y[i*2+1] = z.im[i]
		}
	}
}

// fourierFamily holds the transforms between time and frequency, computed in
// float64. Complex numbers are a last axis of size 2.
var fourierFamily = []Kernel{
	{Op: "DFT", Since: 17, Build: needs(1, Single(buildDFT))},
	{Op: "STFT", Since: 17, Build: needs(2, Single(buildSTFT))},
}

// buildDFT builds DFT; its axis was an attribute before version 20.
func buildDFT(n *Node) (single, error) {
	t := transform{inverse: n.Int("inverse", 0) != 0, onesided: n.Int("onesided", 0) != 0}
	first := -2
	if n.Opset < 20 {
		first = n.Int("axis", 1)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		t, x, axis := t, in[0], first
		var err error
		if stated := operand(in, 2); stated != nil {
			if axis, err = wholeNumber(stated); err != nil {
				return nil, fmt.Errorf("axis: %w", err)
			}
		}
		if axis, err = resolveAxis(axis, x.Rank()); err != nil {
			return nil, err
		}
		if axis == x.Rank()-1 || x.Shape()[x.Rank()-1] < 1 || x.Shape()[x.Rank()-1] > 2 {
			return nil, fmt.Errorf("input of shape %v: want a last axis, not the one to transform, of size 1 or 2", x.Shape())
		}
		t.length = x.Shape()[axis]
		if t.inverse && t.onesided {
			t.length = 2 * (t.length - 1)
		}
		if stated := operand(in, 1); stated != nil {
			if t.length, err = wholeNumber(stated); err != nil {
				return nil, fmt.Errorf("dft_length: %w", err)
			}
		}
		return t.run(c, x, axis)
	}, nil
}

// run transforms x along an axis.
func (t transform) run(c *Call, x *tensor.Tensor, axis int) (*tensor.Tensor, error) {
	if t.length < 1 {
		return nil, fmt.Errorf("a transform of length %d: want at least 1", t.length)
	}
	last := x.Rank() - 1
	parts := x.Shape()[last]
	marked, err := markAxes([]int{axis, last}, x.Rank())
	if err != nil {
		return nil, err
	}
	r, err := layRows(c, x, marked)
	if err != nil {
		return nil, err
	}
	values, err := numbersAs[float64](r.table)
	if err != nil {
		return nil, err
	}
	elements, outputParts := t.outputs()
	shape := append([]int{}, r.table.Shape()...)
	shape[last-1], shape[last] = elements, outputParts
	if _, err := checkedCount([]int{r.count, t.length, 2}); err != nil {
		return nil, err
	}
	width := elements * outputParts
	y := make([]float64, r.count*width)
	err = parallel(c, r.count, t.length*bits.Len(uint(t.length)), func(from, to int) {
		for i := from; i < to; i++ {
			t.row(y[i*width:(i+1)*width], values[i*r.width:(i+1)*r.width], parts)
		}
	})
	if err != nil {
		return nil, err
	}
	result, err := ofReals(x.DType(), shape, y)
	if err != nil {
		return nil, err
	}
	return r.unlay(result)
}

// buildSTFT builds STFT: the signal (batch, length, 1 or 2) gives the spectra
// (batch, frames, bins, 2) of its frames, each weighted by the window.
func buildSTFT(n *Node) (single, error) {
	onesided := n.Int("onesided", 1) != 0
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		x := in[0]
		if x.Rank() != 3 || x.Shape()[2] < 1 || x.Shape()[2] > 2 {
			return nil, fmt.Errorf("signal of shape %v: want a batch, a length, and 1 or 2", x.Shape())
		}
		step, err := wholeNumber(in[1])
		if err != nil {
			return nil, fmt.Errorf("frame_step: %w", err)
		}
		size := x.Shape()[1]
		window := operand(in, 2)
		if window != nil {
			size = window.Len()
		}
		if stated := operand(in, 3); stated != nil {
			if size, err = wholeNumber(stated); err != nil {
				return nil, fmt.Errorf("frame_length: %w", err)
			}
		}
		if step < 1 || size < 1 || size > x.Shape()[1] || window != nil && window.Len() != size {
			return nil, fmt.Errorf("frames of length %d, %d apart, do not fit a signal of length %d or their window", size, step, x.Shape()[1])
		}
		frames, err := cutFrames(x, step, size, window)
		if err != nil {
			return nil, err
		}
		y, err := transform{length: size, onesided: onesided}.run(c, frames, 2)
		if err != nil {
			return nil, err
		}
		return cast(c, y, x.DType(), rounding{})
	}, nil
}

// cutFrames makes frames (batch, frames, size, parts) of double of a signal
// (batch, length, parts), weighted by a window that may be nil.
func cutFrames(x *tensor.Tensor, step, size int, window *tensor.Tensor) (*tensor.Tensor, error) {
	values, err := numbersAs[float64](x)
	if err != nil {
		return nil, err
	}
	var weights []float64
	if window != nil {
		if weights, err = numbersAs[float64](window); err != nil {
			return nil, fmt.Errorf("window: %w", err)
		}
	}
	batch, length, parts := x.Shape()[0], x.Shape()[1], x.Shape()[2]
	count := (length-size)/step + 1
	shape := []int{batch, count, size, parts}
	total, err := checkedCount(shape)
	if err != nil {
		return nil, err
	}
	frames := make([]float64, 0, total)
	for sample := range batch {
		for frame := range count {
			first := (sample*length + frame*step) * parts
			for i, v := range values[first : first+size*parts] {
				if weights != nil {
					v *= weights[i/parts]
				}
				frames = append(frames, v)
			}
		}
	}
	return tensor.New(shape, frames), nil
}
