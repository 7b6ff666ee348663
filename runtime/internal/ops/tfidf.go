package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// tfIdfFamily holds TfIdfVectorizer.
var tfIdfFamily = []Kernel{
	{Op: "TfIdfVectorizer", Since: 9, Build: needs(1, Single(buildTfIdf))},
}

// gram is a node of the tree of known n-grams; the way to it spells one.
type gram[T comparable] struct {
	number int // in the pool, -1 for what is only the beginning of others
	next   map[T]*gram[T]
}

// tfIdf is what a TfIdfVectorizer node states.
type tfIdf struct {
	mode              string
	shortest, longest int // n-grams that count
	skips             int
	counts, indexes   []int // where the pool's n-grams of each length begin; their columns
	weights           []float32
	columns           int
}

func buildTfIdf(n *Node) (single, error) {
	v := tfIdf{
		mode:     n.Text("mode", ""),
		shortest: n.Int("min_gram_length", 1),
		longest:  n.Int("max_gram_length", 1),
		skips:    n.Int("max_skip_count", 0),
		counts:   n.Ints("ngram_counts"),
		indexes:  n.Ints("ngram_indexes"),
		weights:  n.Floats("weights"),
	}
	if v.mode != "TF" && v.mode != "IDF" && v.mode != "TFIDF" {
		return nil, fmt.Errorf("mode is %q: want TF, IDF or TFIDF", v.mode)
	}
	if v.shortest < 1 || v.longest < v.shortest || v.skips < 0 {
		return nil, fmt.Errorf("n-grams of length %d to %d with up to %d skips cannot be", v.shortest, v.longest, v.skips)
	}
	if len(v.indexes) == 0 || slices.Min(v.indexes) < 0 || slices.Max(v.indexes) >= tensor.MaxElements {
		return nil, fmt.Errorf("ngram_indexes %v must list a column for each n-gram", v.indexes)
	}
	if v.weights != nil && len(v.weights) != len(v.indexes) {
		return nil, fmt.Errorf("there are %d weights for %d ngram_indexes", len(v.weights), len(v.indexes))
	}
	v.columns = slices.Max(v.indexes) + 1
	if pool := n.Texts("pool_strings"); pool != nil {
		tree, err := growGrams(v, pool)
		return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			tokens, err := texts(in[0])
			if err != nil {
				return nil, err
			}
			return countGrams(v, tree, tokens, in[0].Shape())
		}, err
	}
	tree, err := growGrams(v, n.Ints("pool_int64s"))
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		tokens, err := integers(in[0])
		if err != nil {
			return nil, err
		}
		return countGrams(v, tree, tokens, in[0].Shape())
	}, err
}

// growGrams makes the tree of the pool's n-grams whose lengths count.
func growGrams[T comparable](v tfIdf, pool []T) (*gram[T], error) {
	root := &gram[T]{number: -1, next: map[T]*gram[T]{}}
	number := 0
	for i, begin := range v.counts {
		length, end := i+1, len(pool)
		if i+1 < len(v.counts) {
			end = v.counts[i+1]
		}
		if begin < 0 || end < begin || end > len(pool) || (end-begin)%length != 0 {
			return nil, fmt.Errorf("ngram_counts %v do not divide a pool of %d into n-grams", v.counts, len(pool))
		}
		for ; begin < end; begin += length {
			if number >= len(v.indexes) {
				return nil, fmt.Errorf("the pool has more n-grams than the %d of ngram_indexes", len(v.indexes))
			}
			if length >= v.shortest && length <= v.longest {
				at := root
				for _, token := range pool[begin : begin+length] {
					if at.next[token] == nil {
						at.next[token] = &gram[T]{number: -1, next: map[T]*gram[T]{}}
					}
					at = at.next[token]
				}
				at.number = number
			}
			number++
		}
	}
	return root, nil
}

// countGrams makes, of tokens (C) or (N, C), the weighted counts of the n-grams
// in each row: (columns) or (N, columns). The tokens of an n-gram may lie up to
// skips + 1 apart, all equally far.
func countGrams[T comparable](v tfIdf, tree *gram[T], tokens []T, shape []int) (*tensor.Tensor, error) {
	rows, result := 1, []int{v.columns}
	switch len(shape) {
	case 0, 1:
	case 2:
		rows, result = shape[0], []int{shape[0], v.columns}
	default:
		return nil, fmt.Errorf("operand of shape %v: want (C) or (N, C)", shape)
	}
	total, err := checkedCount(result)
	if err != nil {
		return nil, err
	}
	y := make([]float32, total)
	width := len(tokens) / max(rows, 1)
	for row := range rows {
		counts := make([]int, len(v.indexes))
		// Farther apart than the row is long there is only the first token.
		for distance := 1; distance <= min(v.skips, width)+1; distance++ {
			for first := range width {
				at := tree
				for i, length := first, 1; i < width; i, length = i+distance, length+1 {
					if at = at.next[tokens[row*width+i]]; at == nil {
						break
					}
					// A single token is the same at any distance.
					if at.number >= 0 && (length > 1 || distance == 1) {
						counts[at.number]++
					}
				}
			}
		}
		for number, count := range counts {
			y[row*v.columns+v.indexes[number]] += v.weigh(number, count)
		}
	}
	return tensor.New(result, y), nil
}

func (v tfIdf) weigh(number, count int) float32 {
	weight := float32(1)
	if v.weights != nil && v.mode != "TF" {
		weight = v.weights[number]
	}
	if v.mode == "IDF" {
		count = min(count, 1)
	}
	return weight * float32(count)
}
