package quantops

import (
	"math"
	"unsafe"
)

const (
	// wordStep is how many k of a column lie together in panels for left operands
	// of 16 bits, and wordDepth of how many k the loops take a multiple.
	wordStep  = 2
	wordDepth = 8
)

// tileWords is the inner loop for integers of 16 bits on the left and signed bytes
// on the right, summed in int32, which wraps around; k counts steps of two:
//
//	sums[i][j] = start[i][j] + Σₖ Σᵢ₌₀…₁ a[i][2k+i]·b[k][j][i]
func tileWords(t *tile) {
	type row = [panelColumns]int32
	for i := range t.rows {
		sums := (*row)(unsafe.Add(t.sums, i*int(unsafe.Sizeof(row{}))))
		*sums = *(*row)(unsafe.Add(t.start, i*t.startStride))
		a := unsafe.Slice((*int16)(unsafe.Add(t.a, i*t.aStride)), wordStep*t.k)
		for k := range t.k {
			b := (*[wordStep * panelColumns]int8)(unsafe.Add(t.b, k*wordStep*panelColumns))
			a0, a1 := int32(a[wordStep*k]), int32(a[wordStep*k+1])
			for j := range sums {
				sums[j] += a0*int32(b[wordStep*j]) + a1*int32(b[wordStep*j+1])
			}
		}
	}
}

// tileFixedWords is the inner loop for fixed point in 16 bits and weights in int8:
//
//	sums[i][j] = Σ over blocks of scales[i]·float32(Σ a[i]·b[j])
//
// All but the conversion, the product with the scale and the sum over blocks is
// exact: a block's sums are below 2¹⁵·2⁷·2⁸.
func tileFixedWords(t *tile) {
	var sums [genericRows]panelRow
	block := *t
	block.sums, block.start, block.startStride = unsafe.Pointer(&sums), unsafe.Pointer(&zerosRow), 0
	for i, left := 0, t.k; left > 0; i++ {
		block.a, block.b = unsafe.Add(t.a, i*fixedLength*2), unsafe.Add(t.b, i*fixedLength*panelColumns)
		block.k = min(left, fixedLength/wordStep)
		left -= block.k
		tileWords(&block)
		for row := range t.rows {
			scale := *(*float32)(unsafe.Add(unsafe.Pointer(t.scales), row*t.scaleStride+4*i))
			integers := (*[panelColumns]int32)(unsafe.Pointer(&sums[row]))
			dst := t.sumsRow(row)
			for j := range dst {
				// The conversion keeps the product from being fused with the sum.
				v := float32(scale * float32(integers[j]))
				if i > 0 {
					v += dst[j]
				}
				dst[j] = v
			}
		}
	}
}

// fixWordsGeneric is fixedBlock, for words, in Go.
func fixWordsGeneric(f *fixedBlock) {
	factor := f.scaleFactor()
	words := (*[fixedLength]int16)(unsafe.Pointer(f.words))
	for i, v := range (*[fixedLength]float32)(unsafe.Pointer(f.src)) {
		words[i] = int16(roundHalfEven(v * factor))
	}
}

// scaleFactor finds the largest magnitude, and what it is multiplied by to become
// the largest integer.
func (f *fixedBlock) scaleFactor() float32 {
	const least = float32(fixedLeast)
	largest := math.Float32bits(least)
	for _, v := range (*[fixedLength]float32)(unsafe.Pointer(f.src)) {
		largest = max(largest, math.Float32bits(v)&0x7fffffff)
	}
	f.largest = math.Float32frombits(largest)
	return fixedMost / f.largest
}

// wordRow is one call of what makes bytes integers of 16 bits: count is a multiple
// of wordRowStep, and not 0.
type wordRow struct {
	dst   *int16
	src   *uint8
	count int
}

const wordRowStep = 16

// widenWords makes bytes, signed or not, integers of 16 bits.
func (k *productKernels) widenWords(dst []int16, src []uint8, signed bool) {
	widen := k.widenUnsigned
	if signed {
		widen = k.widenSigned
	}
	whole := len(src) / wordRowStep * wordRowStep
	if widen == nil {
		whole = 0
	}
	if whole > 0 {
		widen(&wordRow{&dst[0], &src[0], whole})
	}
	dst, src = dst[whole:], src[whole:]
	if signed {
		for i, v := range src {
			dst[i] = int16(int8(v))
		}
		return
	}
	for i, v := range src {
		dst[i] = int16(v)
	}
}
