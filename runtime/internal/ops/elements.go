package ops

import (
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// elements is what a tensor holds, for operators that move elements and never
// look at them: they are written once, without a type parameter. What a method
// returns is new, but for part; its receiver is written only by fill, put and copyPlane.
type elements interface {
	// tensor wraps the elements, which it keeps; shape must have as many.
	tensor(shape []int) *tensor.Tensor
	// part is n elements from one on, which are shared.
	part(from, n int) elements
	// like makes n elements of the same type, each of them zero (false, empty).
	like(n int) elements
	// room makes n elements of the same type that have undefined values; see buffer.
	room(c *Call, n int) elements
	// fill sets every element to element 0 of value, which has the same type.
	fill(value elements)
	// take gathers blocks of the given size: the receiver is outer groups of
	// groupBlocks blocks, and the result has, of each group in turn, the blocks
	// that index lists.
	take(c *Call, outer, groupBlocks int, index []int, size int) elements
	// put writes block i of updates over block index[i] of the receiver, in
	// order, so that of two updates of one block the later one stays.
	put(index []int, size int, updates elements)
	// nonZero lists the positions of the elements that differ from zero.
	nonZero() []int
	// choose is where the condition holds a, which is the receiver's tensor, else
	// b, all expanded to shape.
	choose(c *Call, condition *expanded[bool], a, b *tensor.Tensor, shape []int) (*tensor.Tensor, error)
	// copyPlane is the inner two loops of move.
	copyPlane(p plane, from elements)
}

// plane is a box of two axes, in the destination and in the source: where it
// starts there, and how far apart neighbours along each axis lie.
type plane struct {
	rows, columns    int
	to, from         int
	toRow, fromRow   int
	toStep, fromStep int
}

// elementsOf implements elements for one Go type.
type elementsOf[T tensor.Element] []T

func (e elementsOf[T]) tensor(shape []int) *tensor.Tensor { return tensor.New(shape, []T(e)) }

func (e elementsOf[T]) part(from, n int) elements { return e[from : from+n : from+n] }

func (e elementsOf[T]) like(n int) elements { return make(elementsOf[T], n) }

func (e elementsOf[T]) room(c *Call, n int) elements { return elementsOf[T](buffer[T](c, n)) }

func (e elementsOf[T]) fill(value elements) {
	v := value.(elementsOf[T])[0]
	for i := range e {
		e[i] = v
	}
}

func (e elementsOf[T]) take(c *Call, outer, groupBlocks int, index []int, size int) elements {
	result := elementsOf[T](buffer[T](c, outer*len(index)*size))
	if len(result) == 0 {
		return result
	}
	at := 0
	for group := range outer {
		blocks := e[group*groupBlocks*size : (group+1)*groupBlocks*size]
		if size == 1 {
			for i, block := range index {
				result[at+i] = blocks[block]
			}
			at += len(index)
			continue
		}
		for _, block := range index {
			at += copy(result[at:at+size], blocks[block*size:])
		}
	}
	return result
}

func (e elementsOf[T]) put(index []int, size int, updates elements) {
	source := updates.(elementsOf[T])
	for i, block := range index {
		copy(e[block*size:(block+1)*size], source[i*size:])
	}
}

func (e elementsOf[T]) nonZero() []int {
	var zero T
	var positions []int
	for i, v := range e {
		if v != zero {
			positions = append(positions, i)
		}
	}
	return positions
}

// tile is the edge, in elements, of the squares that a plane is copied in where
// neither order of its axes is contiguous on both sides: a square's lines fit
// into the first-level cache whatever the element's width.
const tile = 32

func (e elementsOf[T]) copyPlane(p plane, from elements) {
	source := from.(elementsOf[T])
	if p.toStep == 1 && p.fromStep == 1 {
		for range p.rows {
			copy(e[p.to:p.to+p.columns], source[p.from:p.from+p.columns])
			p.to += p.toRow
			p.from += p.fromRow
		}
		return
	}
	for row := 0; row < p.rows; row += tile {
		for column := 0; column < p.columns; column += tile {
			rows, columns := min(tile, p.rows-row), min(tile, p.columns-column)
			to := p.to + row*p.toRow + column*p.toStep
			at := p.from + row*p.fromRow + column*p.fromStep
			for range rows {
				target, origin := to, at
				for range columns {
					e[target] = source[origin]
					target += p.toStep
					origin += p.fromStep
				}
				to += p.toRow
				at += p.fromRow
			}
		}
	}
}

// elementsIn gives access to a tensor's elements, of whatever type; nil for a
// zero Tensor, which no part of the executor makes.
func elementsIn(t *tensor.Tensor) elements {
	switch data := t.Any().(type) {
	case []float32:
		return elementsOf[float32](data)
	case []float64:
		return elementsOf[float64](data)
	case []int8:
		return elementsOf[int8](data)
	case []int16:
		return elementsOf[int16](data)
	case []int32:
		return elementsOf[int32](data)
	case []int64:
		return elementsOf[int64](data)
	case []uint8:
		return elementsOf[uint8](data)
	case []uint16:
		return elementsOf[uint16](data)
	case []uint32:
		return elementsOf[uint32](data)
	case []uint64:
		return elementsOf[uint64](data)
	case []bool:
		return elementsOf[bool](data)
	case []string:
		return elementsOf[string](data)
	case []complex64:
		return elementsOf[complex64](data)
	case []complex128:
		return elementsOf[complex128](data)
	case []quantops.Float16:
		return elementsOf[quantops.Float16](data)
	case []quantops.BFloat16:
		return elementsOf[quantops.BFloat16](data)
	case []quantops.Float8E4M3FN:
		return elementsOf[quantops.Float8E4M3FN](data)
	case []quantops.Float8E4M3FNUZ:
		return elementsOf[quantops.Float8E4M3FNUZ](data)
	case []quantops.Float8E5M2:
		return elementsOf[quantops.Float8E5M2](data)
	case []quantops.Float8E5M2FNUZ:
		return elementsOf[quantops.Float8E5M2FNUZ](data)
	case []quantops.Float8E8M0:
		return elementsOf[quantops.Float8E8M0](data)
	case []quantops.Float4E2M1:
		return elementsOf[quantops.Float4E2M1](data)
	case []quantops.Float6E2M3:
		return elementsOf[quantops.Float6E2M3](data)
	case []quantops.Float6E3M2:
		return elementsOf[quantops.Float6E3M2](data)
	case []quantops.Int4:
		return elementsOf[quantops.Int4](data)
	case []quantops.Uint4:
		return elementsOf[quantops.Uint4](data)
	case []quantops.Int2:
		return elementsOf[quantops.Int2](data)
	case []quantops.Uint2:
		return elementsOf[quantops.Uint2](data)
	}
	return nil
}
