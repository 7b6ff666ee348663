package ops

import (
	"math"
	"slices"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestVisible is about what a mask hides for certain.
func TestVisible(t *testing.T) {
	const rows, columns = 4, 6
	infinite := float32(math.Inf(-1))
	hidden := func(term float32) []float32 {
		mask := make([]float32, rows*columns)
		for row := range rows {
			for column := row + 2; column < columns; column++ {
				mask[row*columns+column] = term
			}
		}
		return mask
	}
	set := func(list []float32, at int, v float32) []float32 {
		list[at] = v
		return list
	}
	want := []int{2, 3, 4, 5}
	for name, test := range map[string]struct {
		mask    []float32
		shape   []int
		largest float32 // of a
		want    []int
	}{
		"by infinity":                       {hidden(infinite), []int{rows, columns}, 1, want},
		"by a number":                       {hidden(-1e4), []int{1, rows, columns}, 1, want},
		"by a number, of large scores":      {hidden(-1e4), []int{rows, columns}, 1e4, nil},
		"by infinity, of large scores":      {hidden(infinite), []int{rows, columns}, 1e10, want},
		"by infinity, of infinite ones":     {hidden(infinite), []int{rows, columns}, float32(math.Inf(1)), nil},
		"by infinity, of no numbers":        {hidden(infinite), []int{rows, columns}, float32(math.NaN()), nil},
		"by too little":                     {hidden(-100), []int{rows, columns}, 0, nil},
		"a column between is not an end":    {set(hidden(infinite), 5, 0), []int{rows, columns}, 1, []int{6, 3, 4, 5}},
		"a row of which nothing is visible": {set(set(hidden(infinite), 0, infinite), 1, infinite), []int{rows, columns}, 1, nil},
		"no number":                         {set(hidden(infinite), 0, float32(math.NaN())), []int{rows, columns}, 1, nil},
		"a mask of other rows":              {hidden(infinite), []int{columns, rows}, 1, nil},
		"a mask for each matrix":            {slices.Repeat(hidden(infinite), 2), []int{2, rows, columns}, 1, nil},
		"nothing":                           {make([]float32, rows*columns), []int{rows, columns}, 1, nil},
	} {
		a := make([]float32, 2*rows*3)
		a[7] = test.largest
		b := slices.Repeat([]float32{0.5}, 2*3*columns)
		p := &MaskedAttention{Scores: &LaidProduct{}, Values: &LaidProduct{}, Factor: -2}
		got := p.visible(tensor.New([]int{2, rows, 3}, a), tensor.New([]int{2, 3, columns}, b), tensor.New(test.shape, test.mask), rows, columns)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
