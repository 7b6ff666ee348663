package runtime

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// difference adds up how far values are from the expected ones. Sums are in
// float64.
type difference struct {
	largest              float64
	signal, noise        float64 // squares of what is wanted, and of the error
	product, size        float64 // for the cosine: got·want, and got's square
	rows, sameLargest    int64
	broken               int64 // not finite where the wanted element is
	unequal, comparisons int64 // of strings
}

// addValue adds a value of any kind.
func (d *difference) addValue(got, want tensor.Value) error {
	switch want := want.(type) {
	case *tensor.Tensor:
		if got, ok := got.(*tensor.Tensor); ok {
			return d.addTensor(got, want)
		}
	case *tensor.Sequence:
		if got, ok := got.(*tensor.Sequence); ok && len(got.Values) == len(want.Values) {
			for i := range want.Values {
				if err := d.addValue(got.Values[i], want.Values[i]); err != nil {
					return err
				}
			}
			return nil
		}
	case *tensor.Optional:
		if got, ok := got.(*tensor.Optional); ok && (got.Value == nil) == (want.Value == nil) {
			if want.Value == nil {
				return nil
			}
			return d.addValue(got.Value, want.Value)
		}
	case *tensor.Map:
		if got, ok := got.(*tensor.Map); ok {
			return errors.Join(d.addTensor(got.Keys, want.Keys), d.addTensor(got.Values, want.Values))
		}
	}
	return fmt.Errorf("the rewritten model gives %s, the original %s", describe(got), describe(want))
}

func (d *difference) addTensor(got, want *tensor.Tensor) error {
	if !slices.Equal(got.Shape(), want.Shape()) {
		return fmt.Errorf("the rewritten model gives %s, the original %s", describe(got), describe(want))
	}
	a, isText := tensor.Data[string](got)
	b, wantsText := tensor.Data[string](want)
	if isText && wantsText {
		for i := range b {
			d.comparisons++
			if a[i] != b[i] {
				d.unequal++
			}
		}
		return nil
	}
	wide, err := got.Float64s()
	if err != nil {
		return err
	}
	wanted, err := want.Float64s()
	if err != nil {
		return err
	}
	row := 0
	if rank := want.Rank(); rank > 0 {
		row = want.Shape()[rank-1]
	}
	d.add(wide, wanted, row)
	return nil
}

// add adds elements; row is how many of them make a row, 0: there are none.
func (d *difference) add(got, want []float64, row int) {
	for i, w := range want {
		g := got[i]
		switch {
		case g == w && math.IsInf(w, 0) || math.IsNaN(g) && math.IsNaN(w):
			continue
		case math.IsNaN(w) || math.IsInf(w, 0):
			d.largest = math.Inf(1)
			continue
		case math.IsNaN(g) || math.IsInf(g, 0):
			d.broken++
			d.largest = math.Inf(1)
			continue
		}
		d.largest = max(d.largest, math.Abs(g-w))
		d.signal += w * w
		d.noise += (g - w) * (g - w)
		d.product += g * w
		d.size += g * g
	}
	if row < 2 {
		return
	}
	for at := 0; at+row <= len(want); at += row {
		d.rows++
		if largestOf(got[at:at+row]) == largestOf(want[at:at+row]) {
			d.sameLargest++
		}
	}
}

// largestOf is where the first largest element is.
func largestOf(row []float64) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

func (d *difference) relL2() float64 {
	if d.noise == 0 {
		return 0
	}
	return math.Sqrt(d.noise / d.signal)
}

// sqnr is the signal-to-noise ratio in dB: infinite where there is no noise.
func (d *difference) sqnr() float64 {
	switch {
	case d.broken > 0 || math.IsInf(d.largest, 0):
		return math.Inf(-1)
	case d.noise == 0:
		return math.Inf(1)
	}
	return 10 * math.Log10(d.signal/d.noise)
}

func (d *difference) output(name string) OutputReport {
	r := OutputReport{
		Name: name, MaxAbs: d.largest, RelL2: d.relL2(), SQNR: d.sqnr(), Cosine: 1, ArgmaxAgreement: 1, Broken: d.broken,
	}
	if d.noise != 0 {
		r.Cosine = d.product / math.Sqrt(d.signal*d.size)
	}
	if d.rows > 0 {
		r.ArgmaxAgreement = float64(d.sameLargest) / float64(d.rows)
	}
	if d.unequal > 0 {
		r.MaxAbs, r.RelL2, r.SQNR = math.Inf(1), math.Inf(1), math.Inf(-1)
		r.ArgmaxAgreement = 1 - float64(d.unequal)/float64(d.comparisons)
	}
	return r
}
