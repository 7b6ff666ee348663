package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"

// blockElements is how many elements an elementwise loop computes at a time:
// few enough for all operands' blocks to stay in the first-level cache, many
// enough for what is done once in a block not to count.
const blockElements = 1024

// blockGrain is the least number of elements that is worth another goroutine.
const blockGrain = 32 * blockElements

// reader gives a block of an operand's elements, lo to hi, in the type that is
// computed in. It uses buffer, which has room for the block, where the elements
// do not lie ready; the caller only reads what it gets.
type reader[C any] interface {
	block(lo, hi int, buffer []C) []C
}

// widened reads elements that are stored in a narrower type.
type widened[S, C any] struct {
	data  []S
	widen func(to []C, from []S)
}

func (w *widened[S, C]) block(lo, hi int, buffer []C) []C {
	buffer = buffer[:hi-lo]
	w.widen(buffer, w.data[lo:hi])
	return buffer
}

// scratch stands where an operand would and gives a block to write to.
type scratch[C any] struct{}

func (scratch[C]) block(lo, hi int, buffer []C) []C { return buffer[:hi-lo] }

// eachBlock calls f for blocks that together make up n elements, in parallel: x
// has the elements from lo on of every reader.
func eachBlock[C tensor.Element](c *Call, n int, readers []reader[C], f func(lo int, x [][]C)) error {
	return c.parallel(n, blockGrain, func(from, to int) {
		size := min(blockElements, to-from)
		buffers := buffer[C](c, size*len(readers))
		x := make([][]C, len(readers))
		for lo := from; lo < to; lo += size {
			hi := min(to, lo+size)
			for i, r := range readers {
				x[i] = r.block(lo, hi, buffers[i*size:(i+1)*size])
			}
			f(lo, x)
		}
	})
}
