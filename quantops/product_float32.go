package quantops

import "unsafe"

// PackedFloat32 is a right operand of products, k×n in float32, laid out as the
// inner loops read it. It is only read once made, so it may be used by several
// goroutines at once.
type PackedFloat32 struct {
	k, n   int
	level  productLevel
	panels []float32 // (n+31)/32 panels of k rows of 32
}

// PackFloat32 packs a row-major k×n matrix. It keeps nothing of b.
func PackFloat32(b []float32, k, n int) *PackedFloat32 {
	return packFloat32(fastestProduct(), b, k, n, packing{b: Rows{b, n}})
}

// PackFloat32Transposed packs the transposed of a row-major n×k matrix.
func PackFloat32Transposed(b []float32, k, n int) *PackedFloat32 {
	return packFloat32(fastestProduct(), b, k, n, packing{b: Rows{b, k}, transposed: true})
}

func packFloat32(level productLevel, b []float32, k, n int, from packing) *PackedFloat32 {
	if k < 0 || n < 0 || len(b) != k*n {
		panic("quantops: the matrix is not as large as k and n say")
	}
	across := (n + panelColumns - 1) / panelColumns
	p := &PackedFloat32{k: k, n: n, level: level, panels: make([]float32, across*k*panelColumns)}
	source := &floatProduct{kernels: level.kernels(), k: k, n: n}
	for panel := range across {
		column := panel * panelColumns
		from.panel(source, 0, 0, column, min(panelColumns, n-column), p.panels[column*k:][:k*panelColumns])
	}
	return p
}

// K is the number of rows.
func (b *PackedFloat32) K() int { return b.k }

// N is the number of columns.
func (b *PackedFloat32) N() int { return b.n }

// MatMul writes dst = a·b, as end says, for m rows: a is m×K, dst m×N. dst
// overlaps neither operand.
//
// Every element is summed over k from the first to the last, with a fused
// multiply-add for each where the processor has it: it depends neither on the
// other rows and columns nor on the number of workers. It differs from the exact
// one by at most γ_k·Σ|a||b|, with γ_k = k·u/(1−k·u) and u = 2⁻²⁴ (Higham,
// Accuracy and Stability of Numerical Algorithms, section 3.1), and by one more
// rounding for each step of the epilogue, as long as nothing overflows or becomes
// subnormal. Scale and bias may be applied with one rounding.
func (b *PackedFloat32) MatMul(dst, a Rows, m int, end Epilogue, workers *Workers) {
	kernels := b.level.kernels()
	p := &floatProduct{
		kernels: kernels, tiles: kernels.float32, m: m, k: b.k, n: b.n, dst: dst, a: a, end: end, count: 1,
		right: panels{data: unsafe.Pointer(unsafe.SliceData(b.panels)), panelStride: 4 * b.k * panelColumns, rowStride: 4 * panelColumns},
	}
	p.check()
	p.run(workers)
}

// check panics if the matrices are not as large as the product asks for.
func (p *floatProduct) check() {
	end := &p.end
	if p.m < 0 || p.k < 0 || p.n < 0 || !p.dst.covers(p.m, p.n) || !p.a.covers(p.m, p.k) ||
		end.Bias != nil && len(end.Bias) != p.n || end.RowBias != nil && len(end.RowBias) != p.m ||
		p.widths != nil && len(p.widths) != p.m || p.depths != nil && len(p.depths) != p.m ||
		end.Add != nil && !(Rows{end.Add, p.dst.Stride}).covers(p.m, p.n) {
		panic("quantops: the matrices are not as large as m, k and n say")
	}
}

// Float32Products is a batch of products of matrices in float32 of one size,
// dst = a·b, whose right operands are not packed ahead: the queries, keys and
// values of attention, for one. They are summed as [PackedFloat32.MatMul] does.
type Float32Products struct {
	M, K, N   int
	Dst, A, B Rows
	// Transposed says that B is stored as N rows of K: dst = a·bᵀ.
	Transposed bool
	// Count is how many products there are, and At says where each begins in the
	// data of Dst, A and B. Results must not overlap. A nil At stands for 0, 0, 0.
	Count int
	At    func(product int) (dst, a, b int)
	// Fill, if not nil, takes the place of B: it writes columns column to
	// column+columns−1 of the right operand of a product to panel, in K rows of 32
	// of which the first columns are read. It is called from several goroutines,
	// and more than once for the same columns if there are many rows.
	Fill func(product, column, columns int, panel []float32)
	// Widths, if not nil, says of each of the M rows from which column on its
	// results are not wanted: they may be written or not. Depths says from which
	// element on a row of A holds zeros, which need not be multiplied. So half of
	// what attention to earlier tokens alone computes is left out.
	Widths, Depths []int
	// Epilogue ends every product; its Add is laid out as Dst.
	Epilogue Epilogue
}

// Run computes the products.
func (f *Float32Products) Run(workers *Workers) { f.run(fastestProduct(), workers) }

func (f *Float32Products) run(level productLevel, workers *Workers) {
	kernels := level.kernels()
	p := &floatProduct{
		kernels: kernels, tiles: kernels.float32, m: f.M, k: f.K, n: f.N, dst: f.Dst, a: f.A, end: f.Epilogue,
		count: f.Count, at: f.At, pack: &packing{b: f.B, transposed: f.Transposed, fill: f.Fill},
		widths: f.Widths, depths: f.Depths,
	}
	for product := range f.Count {
		one := *p
		right := f.B
		if f.At != nil {
			dst, a, b := f.At(product)
			one.dst.Data, one.a.Data, right.Data = f.Dst.Data[dst:], f.A.Data[a:], f.B.Data[b:]
			if one.end.Add != nil {
				one.end.Add = one.end.Add[dst:]
			}
		}
		one.check()
		rows, columns := f.K, f.N
		if f.Transposed {
			rows, columns = f.N, f.K
		}
		if f.Fill == nil && !right.covers(rows, columns) {
			panic("quantops: the right operand is not as large as K and N say")
		}
	}
	p.run(workers)
}

// packing makes panels of a matrix.
type packing struct {
	b          Rows
	transposed bool
	fill       func(product, column, columns int, panel []float32)
}

// directRows is up to how many rows of the left operand it does not pay to copy
// a right operand that lies in rows.
const directRows = 48

// direct says whether the tiles read the panels before last where they lie.
func (s *packing) direct(p *floatProduct, last int) bool {
	return s.fill == nil && !s.transposed && p.m <= directRows && p.k > 0 && last*panelColumns <= p.n
}

// panel writes columns of the matrix that begins at b to a panel, and zeros to
// the panel's other columns.
func (s *packing) panel(p *floatProduct, product, b, column, columns int, panel []float32) {
	if p.k == 0 {
		return
	}
	if columns < panelColumns {
		clear(panel)
	}
	switch {
	case s.fill != nil:
		s.fill(product, column, columns, panel)
	case s.transposed:
		s.transpose(p, b+column*s.b.Stride, columns, panel)
	case columns == panelColumns:
		for k := range p.k {
			*(*panelRow)(panel[k*panelColumns:]) = panelRow(s.b.Data[b+k*s.b.Stride+column:])
		}
	default:
		for k := range p.k {
			copy(panel[k*panelColumns:], s.b.Data[b+k*s.b.Stride+column:][:columns])
		}
	}
}

// transpose writes so many rows of k elements, the first of which begins at b,
// as columns of a panel.
func (s *packing) transpose(p *floatProduct, b, columns int, panel []float32) {
	whole := p.k / 8
	if p.kernels.transpose == nil {
		whole = 0
	}
	eights := 0
	if whole > 0 {
		eights = columns / 8 * 8
		for j := 0; j < eights; j += 8 {
			p.kernels.transpose(&transposition{dst: &panel[j], src: &s.b.Data[b+j*s.b.Stride], srcStride: 4 * s.b.Stride, blocks: whole})
		}
	}
	for j := range columns {
		from := 0
		if j < eights {
			from = whole * 8
		}
		for k, v := range s.b.Data[b+j*s.b.Stride:][:p.k][from:] {
			panel[(from+k)*panelColumns+j] = v
		}
	}
}
