package tensor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// NewMap makes a map of keys, each once and in any order, and their values:
// tensors of one element each, all of one type, which is int64, string, float or double.
func NewMap[K int64 | string](keys []K, values []*Tensor) (*Map, error) {
	if len(keys) != len(values) {
		return nil, fmt.Errorf("a map has %d keys and %d values", len(keys), len(values))
	}
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	sorted := make([]K, len(keys))
	for i, at := range order {
		if sorted[i] = keys[at]; i > 0 && sorted[i] == sorted[i-1] {
			return nil, fmt.Errorf("key %v is in a map twice", keys[at])
		}
	}
	var joined *Tensor
	var err error
	switch {
	case len(values) == 0:
		joined = New([]int{0}, []float32{})
	default:
		switch values[0].data.(type) {
		case []int64:
			joined, err = gather[int64](values, order)
		case []string:
			joined, err = gather[string](values, order)
		case []float32:
			joined, err = gather[float32](values, order)
		case []float64:
			joined, err = gather[float64](values, order)
		default:
			err = fmt.Errorf("a map's values cannot be of type %v", values[0].dtype)
		}
	}
	if err != nil {
		return nil, err
	}
	return &Map{Keys: New([]int{len(sorted)}, sorted), Values: joined}, nil
}

func gather[T Element](values []*Tensor, order []int) (*Tensor, error) {
	joined := make([]T, len(order))
	for i, at := range order {
		data, ok := Data[T](values[at])
		if !ok || len(data) != 1 {
			return nil, errors.New("a map's values are not single elements of one type")
		}
		joined[i] = data[0]
	}
	return New([]int{len(joined)}, joined), nil
}
