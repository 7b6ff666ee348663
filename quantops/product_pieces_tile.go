package quantops

import (
	"math"
	"unsafe"
)

// genericPieces are the inner loops in Go. They are no faster than those for
// float32, but say which sums the others compute, and to the bit.
var genericPieces = &pieceKernels{
	split: splitRowGeneric,
	pairs: [2]func(*pieceTile){
		func(t *pieceTile) { t.sum(amxRows) },
		func(t *pieceTile) { t.sum(2 * amxRows) },
	},
	int8: [2]func(*pieceTile){
		func(t *pieceTile) { t.widenInt8(nil); t.sum(amxRows) },
		func(t *pieceTile) { t.widenInt8(nil); t.sum(2 * amxRows) },
	},
	shiftedInt8: [2]func(*pieceTile){
		func(t *pieceTile) { t.widenInt8((*[panelColumns]int32)(unsafe.Pointer(t.zeros))); t.sum(amxRows) },
		func(t *pieceTile) { t.widenInt8((*[panelColumns]int32)(unsafe.Pointer(t.zeros))); t.sum(2 * amxRows) },
	},
}

// pieceLine is a row of a register: pairs of bfloat16.
type pieceLine = [amxRows][2]BFloat16

// splitRowGeneric is pieceRow in Go.
func splitRowGeneric(p *pieceRow) {
	upper := func(v float32) (BFloat16, float32) {
		bits := math.Float32bits(v)
		return BFloat16(bits >> 16), math.Float32frombits(bits &^ 0xffff)
	}
	for step := range roundUp(p.k, pieceDepth) / pieceDepth {
		var pieces [leftPieces]*pieceLine
		for i := range pieces {
			pieces[i] = (*pieceLine)(unsafe.Add(p.dst, (step*leftPieces+i)*amxSize))
			*pieces[i] = pieceLine{}
		}
		for i, v := range unsafe.Slice((*float32)(p.src), p.k)[step*pieceDepth : min(p.k, (step+1)*pieceDepth)] {
			pair, half := i%amxRows, i/amxRows
			if v-v != 0 {
				p.odd = 1
				// Twice what is no number is quiet, and stays so in 16 bits.
				pieces[0][pair][half], _ = upper(v + v)
				continue
			}
			for _, piece := range pieces {
				var taken float32
				piece[pair][half], taken = upper(v)
				v -= taken
			}
		}
	}
}

// pair is a pair of the panel in bfloat16, whose first k is given.
func (t *pieceTile) pair(k, column int) *[2]BFloat16 {
	lines := (*[2][amxRows]pieceLine)(unsafe.Add(t.right, k/pieceDepth*2*amxSize))
	return &lines[column/amxRows][k%pieceDepth][column%amxRows]
}

// widenInt8 makes pairs of bfloat16 of the source.
func (t *pieceTile) widenInt8(zeros *[panelColumns]int32) {
	for step := range t.steps {
		for i := range pieceDepth {
			for j, q := range (*[panelColumns]int8)(unsafe.Add(t.source, (step*pieceDepth+i)*panelColumns)) {
				v := int32(q)
				if zeros != nil {
					v -= zeros[j]
				}
				t.pair(step*pieceDepth+i%amxRows, j)[i/amxRows] = BFloat16(math.Float32bits(float32(v)) >> 16)
			}
		}
	}
}

// sum is the inner loop:
//
//	sums[i][j] = Σ over steps, Σ over pieces from the last to the first, (Σ a[i][k]·b[k][j] + Σ a[i][k+16]·b[k+16][j])
//
// with k from the first of a step to the 16th; the inner sums are chains of fused
// multiplications from there to here, the outer ones go from left to right.
func (t *pieceTile) sum(rows int) {
	for i := range rows {
		sums := (*panelRow)(unsafe.Add(t.sums, i*int(unsafe.Sizeof(panelRow{}))))
		*sums = panelRow{}
		for step := range t.steps {
			for piece := leftPieces - 1; piece >= 0; piece-- {
				line := (*pieceLine)(unsafe.Add(t.left, i/amxRows*t.leftBlock+(step*leftPieces+piece)*amxSize+i%amxRows*amxRowBytes))
				for j := range sums {
					var chains [2]float32
					for k, a := range line {
						b := t.pair(step*pieceDepth+k, j)
						for half := range chains {
							chains[half] = fuse(a[half], b[half], chains[half])
						}
					}
					sums[j] = normal(sums[j] + normal(chains[0]+chains[1]))
				}
			}
		}
	}
}

// fuse is a·b + c, rounded once, with subnormal numbers taken for 0 and replaced by
// 0: as AMX has it, whatever the processor is told to do with them.
func fuse(a, b BFloat16, c float32) float32 {
	product := float64(normal(a.Float32())) * float64(normal(b.Float32())) // exact
	sum := product + float64(c)
	// What the sum lacks, which is exact too, makes its last bit odd if it was even,
	// so that rounding it once more goes the right way.
	back := sum - product
	lack := (product - (sum - back)) + (float64(c) - back)
	if bits := math.Float64bits(sum); lack != 0 && bits&1 == 0 && !math.IsInf(sum, 0) && !math.IsNaN(sum) {
		if (lack > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return normal(float32(sum))
}

// normal is v, or 0 with its sign if v is subnormal.
func normal(v float32) float32 {
	if bits := math.Float32bits(v); bits&0x7f800000 == 0 {
		return math.Float32frombits(bits & 0x80000000)
	}
	return v
}
