package ops

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// parseNumbers reads strings as numbers of the type that suits a cast to target:
// integers where all bits of one may matter, else floats.
func parseNumbers(shape []int, list []string, target onnx.DType) (*tensor.Tensor, error) {
	switch target {
	case onnx.Uint64:
		return parseEach(shape, list, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	case onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32,
		onnx.Int4, onnx.Int2, onnx.Uint4, onnx.Uint2:
		return parseEach(shape, list, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case onnx.Bool:
		return parseEach(shape, list, func(s string) (float64, error) {
			v, err := strconv.ParseBool(s)
			if v {
				return 1, err
			}
			return 0, err
		})
	case onnx.Float:
		return parseEach(shape, list, func(s string) (float32, error) {
			v, err := strconv.ParseFloat(s, 32)
			return float32(v), err
		})
	}
	return parseEach(shape, list, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
}

// parseEach reads whole strings; one that only a float can hold, like "2.718"
// for an integer, is read as that and cut off.
func parseEach[T interface {
	int64 | uint64 | real
	tensor.Element
}](shape []int, list []string, parse func(string) (T, error)) (*tensor.Tensor, error) {
	data := make([]T, len(list))
	for i, s := range list {
		s = strings.TrimSpace(s)
		v, err := parse(s)
		if err != nil {
			f, floatErr := strconv.ParseFloat(s, 64)
			if floatErr != nil && !math.IsInf(f, 0) {
				return nil, fmt.Errorf("element %d, %q, is not a number", i, s)
			}
			v = T(f)
		}
		data[i] = v
	}
	return tensor.New(shape, data), nil
}

// formatNumbers writes numbers as NumPy does: floats with the fewest digits that
// tell them from their neighbours.
func formatNumbers(t *tensor.Tensor) (*tensor.Tensor, error) {
	switch data := t.Any().(type) {
	case []bool:
		return formatEach(t.Shape(), data, func(v bool) string {
			if v {
				return "True"
			}
			return "False"
		}), nil
	case []float64:
		return formatEach(t.Shape(), data, func(v float64) string { return formatFloat(v, 64) }), nil
	case []uint64:
		return formatEach(t.Shape(), data, func(v uint64) string { return strconv.FormatUint(v, 10) }), nil
	}
	switch t.DType() {
	case onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32,
		onnx.Int4, onnx.Int2, onnx.Uint4, onnx.Uint2:
		whole, err := numbersAs[int64](t)
		return formatEach(t.Shape(), whole, func(v int64) string { return strconv.FormatInt(v, 10) }), err
	}
	floats, err := numbersAs[float32](t)
	return formatEach(t.Shape(), floats, func(v float32) string { return formatFloat(float64(v), 32) }), err
}

func formatEach[T any](shape []int, data []T, format func(T) string) *tensor.Tensor {
	list := make([]string, len(data))
	for i, v := range data {
		list[i] = format(v)
	}
	return tensor.New(shape, list)
}

// formatFloat has an exponent below 1e-4 and from 1e16 on, else at least one
// digit after the point.
func formatFloat(v float64, bits int) string {
	switch magnitude := math.Abs(v); {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, bits), "+"))
	case magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16):
		return strconv.FormatFloat(v, 'e', -1, bits)
	}
	s := strconv.FormatFloat(v, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
