package quantops

import (
	"sync"
	"unsafe"
)

const (
	// aliasBytes is how far apart rows lie of which a first-level cache of 64 sets
	// of lines has room for a few at once only, of 8 in most: their elements of one
	// column fall into one set. With tiles of more rows, each row would push out
	// the line of another.
	aliasBytes = 4096
	aliasRows  = 8
	// spacing is what else lies between rows then.
	spacing = 64
	// worthSpacing is for how many panels it pays to copy the rows.
	worthSpacing = 8
)

// spacedStride is a stride in bytes, or a larger one with which a tile's rows fall
// into different sets.
func spacedStride(stride int) int {
	if stride%aliasBytes == 0 && stride > 0 {
		return stride + spacing
	}
	return stride
}

var spacedRows = sync.Pool{New: func() any { return new([]float32) }}

// space copies the left operand, if its rows fall into one set, to memory where
// they do not: it gives that, for the pool, or nil.
func (p *floatProduct) space(workers *Workers) *[]float32 {
	size := int(unsafe.Sizeof(float32(0)))
	stride := spacedStride(p.a.Stride*size) / size
	if stride == p.a.Stride || p.m <= aliasRows || p.n <= worthSpacing*panelColumns || p.at != nil || p.fixed != nil || p.integers != nil || p.pieces != nil {
		return nil
	}
	stride = spacedStride(roundUp(p.k*size, spacing)) / size
	room := spacedRows.Get().(*[]float32)
	*room = atLeast(*room, p.m*stride)
	inRanges(workers, p.m, 1, p.k, func(from, to int) {
		for row := from; row < to; row++ {
			copy((*room)[row*stride:][:p.k], p.a.Data[row*p.a.Stride:])
		}
	})
	p.a = Rows{*room, stride}
	return room
}
