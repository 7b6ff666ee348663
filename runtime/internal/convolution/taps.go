package convolution

// Taps slides taps over rows of one channel:
//
//	dst[i·dstStride + j] = bias + Σₜ weights[t]·src[i·srcStride + j + offsets[t]]
//
// for i < rows and j < n, summed in the order of the taps. It is for the caller
// to see to it that no offset leads out of src, and that there are taps.
func Taps(dst []float32, dstStride int, src []float32, srcStride, rows, n int, weights []float32, offsets []int, bias float32) {
	best.slide(dst, dstStride, src, srcStride, rows, n, weights, offsets, bias)
}

func (k *kernels) slide(dst []float32, dstStride int, src []float32, srcStride, rows, n int, weights []float32, offsets []int, bias float32) {
	if rows <= 0 || n <= 0 || len(offsets) == 0 {
		return
	}
	_ = weights[len(offsets)-1]
	_ = dst[(rows-1)*dstStride+n-1]
	_, _ = src[offsets[0]+n-1], src[(rows-1)*srcStride+n-1+offsets[len(offsets)-1]]
	k.taps(&dst[0], dstStride, &src[0], srcStride, rows, n, &weights[0], &offsets[0], len(offsets), bias)
}

// Largest is Taps with the greatest of what the taps read in the place of a sum:
//
//	dst[i·dstStride + j] = maxₜ src[i·srcStride + j·step + offsets[t]]
//
// step is 1 or 2. A NaN that the first tap reads is kept, others do not count.
func Largest(dst []float32, dstStride int, src []float32, srcStride, rows, n int, offsets []int, step int) {
	best.greatest(dst, dstStride, src, srcStride, rows, n, offsets, step)
}

func (k *kernels) greatest(dst []float32, dstStride int, src []float32, srcStride, rows, n int, offsets []int, step int) {
	if rows <= 0 || n <= 0 || len(offsets) == 0 {
		return
	}
	_ = [3]struct{}{}[step]
	_ = dst[(rows-1)*dstStride+n-1]
	_, _ = src[offsets[0]+(n-1)*step], src[(rows-1)*srcStride+(n-1)*step+offsets[len(offsets)-1]]
	k.largest(&dst[0], dstStride, &src[0], srcStride, rows, n, &offsets[0], len(offsets), step)
}
