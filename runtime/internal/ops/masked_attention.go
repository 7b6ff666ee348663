package ops

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// MaskedAttention is softmax(a·b·factor + mask)·v. What a mask hides at the ends of
// rows is not computed: in a decoder, where a token sees no later one, that is half
// of it all.
type MaskedAttention struct {
	Scores, Values *LaidProduct
	Factor         float32
	// Axis is the one along which the softmax is taken: the last one, or the
	// operands are others than this is for.
	Axis int
}

// fewestHidden is of how many parts of all scores one has to be hidden.
const fewestHidden = 8

// Run computes it; nil if the operands are others than it is for.
func (p *MaskedAttention) Run(c *Call, a, b, mask, v *tensor.Tensor) (*tensor.Tensor, error) {
	rank, rows, columns, ok := p.scoresOf(a, b)
	if !ok || p.Axis != -1 && p.Axis != rank-1 || mask.Rank() > rank {
		return nil, nil
	}
	widths := p.visible(a, b, mask, rows, columns)
	scores, err := p.Scores.run(c, a, b, widths, nil)
	if err != nil {
		return nil, err
	}
	var weights *tensor.Tensor
	if widths == nil {
		weights, err = MaskedSoftmax(c, scores, mask, p.Factor)
	} else {
		terms, _ := tensor.Data[float32](mask)
		weights, err = mapFloatRows(c, scores, func(row int, y, x []float32) {
			row %= len(widths)
			width := widths[row]
			vector.MaskedSoftmax(y[:width], x[:width], terms[row*len(x):], p.Factor)
			clear(y[width:])
		})
	}
	if weights == nil || err != nil {
		return nil, err
	}
	return p.Values.run(c, weights, v, nil, widths)
}

// visible says of each row of scores from which column on all have a weight of 0,
// whatever they are; nil if that is not known, or not worth while: there is one
// mask for all matrices of scores then, and it hides enough.
//
// No score is larger than B = |factor|·√(Σa²·Σb²) (Cauchy and Schwarz), so the
// largest of a row with its mask's term is at least m − B, with m the mask's
// largest term, and one with the term t is at most t + B. Where t ≤ m − 2B − 110,
// the exponent is below −104, and its power is 0 in float32. What the sums are
// rounded by is far less than what is taken off besides.
func (p *MaskedAttention) visible(a, b, mask *tensor.Tensor, rows, columns int) []int {
	terms, _ := tensor.Data[float32](mask)
	if len(terms) != rows*columns || mask.Rank() < 2 || mask.Shape()[mask.Rank()-1] != columns || mask.Shape()[mask.Rank()-2] != rows {
		return nil
	}
	widths := make([]int, rows)
	hiding := math.Inf(-1) // the largest term that hides, less what it is compared with
	seen := 0
	for row := range widths {
		terms := terms[row*columns:][:columns]
		most := float64(vector.Largest(terms))
		if most-most != 0 { // nothing is visible, or nothing known
			return nil
		}
		width := columns
		for width > 0 && float64(terms[width-1]) < most-110 {
			width--
			hiding = max(hiding, float64(terms[width])*(1-1e-5)-most)
		}
		widths[row] = width
		seen += width
	}
	if (rows*columns-seen)*fewestHidden < rows*columns {
		return nil
	}
	x, _ := tensor.Data[float32](a)
	w, _ := tensor.Data[float32](b)
	bound := math.Abs(float64(p.Factor)) * math.Sqrt(vector.SquareSum(x, 0)) * math.Sqrt(vector.SquareSum(w, 0)) * 1.001
	if p.Scores.Factor != nil {
		factor, _ := tensor.Data[float32](p.Scores.Factor)
		bound *= math.Abs(float64(factor[0]))
	}
	if math.IsInf(bound, 1) || !(hiding <= -2*bound-110) {
		return nil
	}
	return widths
}

// scoresOf is the rank of the scores and the size of each of their matrices, if
// neither product lays them out otherwise.
func (p *MaskedAttention) scoresOf(a, b *tensor.Tensor) (rank, rows, columns int, ok bool) {
	left, leftErr := ordered(a, p.Scores.A, p.Scores.PartA)
	right, rightErr := ordered(b, p.Scores.B, p.Scores.PartB)
	l, r := len(left.shape), len(right.shape)
	if leftErr != nil || rightErr != nil || l < 2 || r < 2 || p.Scores.Y != nil || p.Values.A != nil || p.Values.PartA != nil {
		return 0, 0, 0, false
	}
	return max(l, r), left.shape[l-2], right.shape[r-1], true
}
