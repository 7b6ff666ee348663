package quantops

import "sync"

// productLevel is the instruction set that a product is computed with.
type productLevel uint8

// The levels, from the one that every processor has.
const (
	productGeneric productLevel = iota
	productAVX2                 // with FMA
	productAVXVNNI              // AVX2 with VNNI, in vectors as long
	productAVX512               // F, BW, DQ, VL
	productVNNI                 // AVX512 with VNNI
	productAMX                  // VNNI with AMX for int8 and bfloat16
)

func (l productLevel) String() string {
	return [...]string{"generic", "AVX2", "AVX-VNNI", "AVX-512", "AVX-512 with VNNI", "AMX"}[l]
}

// productKernels are the inner loops of a level.
type productKernels struct {
	float32, int8, shiftedInt8 *tileSet
	dot                        *tileSet // of integers
	fixed                      *tileSet // of lines of fixed point
	// dotLayout and fixedLayout say how the operands of dot and of fixed lie.
	dotLayout, fixedLayout integerLayout
	// widenUnsigned and widenSigned make words of bytes; nil: that is done in Go.
	widenUnsigned, widenSigned func(*wordRow)
	// tallDot, if not nil, is for so many rows of bytes or more.
	tallDot *tileSet
	// pieces, if not nil, are for so many rows of float32 or more: see pieceRows.
	pieces *pieceKernels
	// tallFixed, if not nil, is for so many rows of fixed point.
	tallFixed func(*fixedTiles)
	// blockBytes is how much of a left operand passes over a panel before the next
	// panel's turn: both are in the second-level cache then, which has 1 MiB and more
	// where there is AVX-512, else a half or a quarter of that.
	blockBytes int
	// fewestAhead is of how many tiles on a panel each brings a share of the next.
	fewestAhead int
	// widenPanel writes the k rows of a panel of int8 to sums, as float32; nil:
	// there is none.
	widenPanel        func(*tile)
	finish, addScaled func(*finish)
	// finishColumns is how many columns finish must be given; 1: any number.
	finishColumns int
	transpose     func(*transposition) // nil: there is none
	fixBlock      func(*fixedBlock)
	// dynamicRange and dynamicBytes are nil where there are none.
	dynamicRange, dynamicBytes func(*dynamicRow)
}

var genericProduct = &productKernels{
	float32: genericTiles(tileFloat32), int8: genericTiles(tileInt8), shiftedInt8: genericTiles(tileShiftedInt8),
	dot: genericTiles(tileDot), dotLayout: inBytes, fixed: genericTiles(tileFixed), fixedLayout: inBytes, fixBlock: fixBlockGeneric,
	finish: finishGeneric, addScaled: addScaledGeneric, finishColumns: 1, blockBytes: 256 << 10, fewestAhead: 1,
}

// productLevels are the levels that this processor has, the fastest last.
var productLevels = sync.OnceValue(func() []productLevel {
	var list []productLevel
	for level := productGeneric; level <= productAMX; level++ {
		if level.supported() {
			list = append(list, level)
		}
	}
	return list
})

func fastestProduct() productLevel {
	levels := productLevels()
	return levels[len(levels)-1]
}

// integerLayout is how the operands of products of integers lie: the left one in
// bytes, or in words of 16 bits, and the right one in panels of bytes.
type integerLayout struct {
	step  int // of a column of a panel, so many k lie together: dotStep for bytes, wordStep for words
	depth int // k is rounded up to a multiple of this
}

var (
	inBytes = integerLayout{dotStep, dotStep}
	inWords = integerLayout{wordStep, wordDepth}
)

func (l integerLayout) words() bool { return l.step == wordStep }

// size is how many bytes an integer of the left operand takes.
func (l integerLayout) size() int {
	if l.words() {
		return 2
	}
	return 1
}

// tallRows is from how many rows on tiles of AMX are faster than vectors.
const tallRows = 8

// dotTiles are the inner loops for a left operand of integers with so many rows.
func (k *productKernels) dotTiles(rows int) *tileSet {
	if k.tallDot != nil && rows >= tallRows {
		return k.tallDot
	}
	return k.dot
}
