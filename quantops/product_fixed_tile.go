package quantops

import "unsafe"

// A panel of bytes has, for every four k, 32 columns of four bytes each. A step
// of its inner loop is so many k.
const dotStep = 4

// tileDot is the inner loop for bytes, unsigned ones on the left and signed ones
// on the right, summed in int32, which wraps around; k counts steps of four:
//
//	sums[i][j] = Σₖ Σᵢ₌₀…₃ a[i][4k+i]·b[k][j][i]
func tileDot(t *tile) {
	type row = [panelColumns]int32
	for i := range t.rows {
		sums := (*row)(unsafe.Add(t.sums, i*int(unsafe.Sizeof(row{}))))
		if t.resume == 0 {
			*sums = row{}
		}
		a := unsafe.Slice((*uint8)(unsafe.Add(t.a, i*t.aStride)), dotStep*t.k)
		for k := range t.k {
			b := (*[dotStep * panelColumns]int8)(unsafe.Add(t.b, k*t.bStride))
			a0, a1, a2, a3 := int32(a[dotStep*k]), int32(a[dotStep*k+1]), int32(a[dotStep*k+2]), int32(a[dotStep*k+3])
			for j := range sums {
				sums[j] += a0*int32(b[dotStep*j]) + a1*int32(b[dotStep*j+1]) + a2*int32(b[dotStep*j+2]) + a3*int32(b[dotStep*j+3])
			}
		}
	}
}

const (
	// fixedLength is how many neighbours of a row share a scale as fixed point:
	// sums of so many products of bytes are below 2²⁴.
	fixedLength = 256
	// fixedMost is what the largest of them becomes.
	fixedMost = 127 * 256
	// fixedLeast keeps the reciprocal of a scale finite; values far below it
	// become 0.
	fixedLeast = 0x1p-100
)

// fixedBlock is one call of what makes 256 values fixed point, in words or in bytes:
//
//	largest   = max(2⁻¹⁰⁰, |src|)
//	words     = roundHalfEven(src·(32512/largest))
//	high, low = the bytes of that + 32768
//
// largest is what is infinite or no number if there is such a value.
type fixedBlock struct {
	high, low *uint8
	src       *float32
	largest   float32
	words     *int16
}

// fixBlockGeneric is fixedBlock, for bytes, in Go.
func fixBlockGeneric(f *fixedBlock) {
	src := (*[fixedLength]float32)(unsafe.Pointer(f.src))
	high, low := (*[fixedLength]uint8)(unsafe.Pointer(f.high)), (*[fixedLength]uint8)(unsafe.Pointer(f.low))
	factor := f.scaleFactor()
	for i, v := range src {
		q := uint32(roundHalfEven(v*factor) + 32768)
		high[i], low[i] = uint8(q>>8), uint8(q)
	}
}

// tileFixed is the inner loop for lines of fixed point and weights in int8:
//
//	sums[i][j] = Σ over blocks of scales[i]·float32(256·(Σ high[i]·b[j] + correction[j]) + Σ low[i]·b[j])
//
// with correction −128·Σ of the block's weights, as high bytes are 128 too large.
// All but the product with the scale and the sum over blocks is exact.
func tileFixed(t *tile) {
	var sums [genericRows]panelRow
	block := *t
	block.sums, block.sumsPanel = unsafe.Pointer(&sums), 0
	for i, left := 0, t.k; left > 0; i++ {
		block.a, block.b = unsafe.Add(t.a, i*fixedLength), unsafe.Add(t.b, i*fixedLength*panelColumns)
		block.k = min(left, fixedLength/dotStep)
		left -= block.k
		tileDot(&block)
		correction := (*[panelColumns]int32)(unsafe.Add(unsafe.Pointer(t.correction), i*t.correctionStride))
		for row := range t.rows / 2 {
			scale := *(*float32)(unsafe.Add(unsafe.Pointer(t.scales), row*t.scaleStride+4*i))
			lines := (*[2 * panelColumns]int32)(unsafe.Pointer(&sums[2*row]))
			dst := t.sumsRow(row)
			for j := range dst {
				// The conversion keeps the product from being fused with the sum.
				v := float32(scale * float32((lines[j]+correction[j])<<8+lines[panelColumns+j]))
				if i > 0 {
					v += dst[j]
				}
				dst[j] = v
			}
		}
	}
}
