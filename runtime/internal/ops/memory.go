package ops

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
	"unsafe"
	"weak"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// Memory is what one run at a time keeps its values in, and the next run after
// it again. A kernel takes blocks of it by buffer. When the kernel is done, the
// executor finds out by their addresses which blocks the results lie in, so it
// does not matter whether a result is in a block of its own, shares an operand's
// or has other memory. Blocks that hold no value any more are free:
//
//   - a block that was taken in a step and is in none of its results, when the
//     step ends: it was the kernel's own;
//   - a block that slots hold, when the last of them is cleared.
//
// A value that others than slots may keep is forgotten: its block is left to the
// garbage collector. That is what leaves a body or the run, what is in a
// sequence, optional or map, and what an observer has seen.
//
// A nil *Memory is the garbage collector's alone.
type Memory struct {
	// Overwrite has free blocks overwritten, so that a test sees if anybody still
	// reads them, or counts on new ones to be zero.
	Overwrite bool

	taking sync.Mutex                 // a kernel's pieces may take blocks at once
	blocks []*Block                   // in order of their addresses, without the forgotten ones
	free   [sizeClasses * 64][]*Block // by class
	loose  []*Block                   // taken in the steps under way and not looked at yet
	depth  int                        // how many bodies, one in another, are running
}

// Block is a piece of Memory.
type Block struct {
	bytes      []byte // begins at a multiple of lineSize
	start, end uintptr
	class      int
	holders    int  // how many slots hold a value in it
	depth      int  // of the body whose step took it
	taken      bool // by a kernel or slots, that is, not free
	used       bool // in this run
	forgotten  bool
}

// lineSize is that of a cache line, which is also the widest vector: blocks begin at
// multiples of it.
const lineSize = 64

// smallestBlock is from how many bytes on a buffer is a block: less is made anew,
// which is cheaper than to keep count of it.
const smallestBlock = 512

// buffer is room for n elements of a result, or for a kernel's own use while it
// runs. What it holds is undefined: the kernel writes every element. It must not
// be kept beyond the run of the kernel, except in its results.
func buffer[T tensor.Element](c *Call, n int) []T {
	var element T
	c.mustFit(n, int(unsafe.Sizeof(element)))
	size := uintptr(n) * unsafe.Sizeof(element)
	if c == nil || c.Memory == nil || size < smallestBlock || hasPointers(element) {
		return make([]T, n)
	}
	b := c.Memory.take(int(size))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b.bytes))), n)
}

func hasPointers(element any) bool {
	_, ok := element.(string)
	return ok
}

// sizeClasses is how many sizes of blocks there are from one power of two to the
// next.
const sizeClasses = 8

// sizeClass rounds a size up to that of a block: at most an eighth is wasted.
func sizeClass(size int) (class, rounded int) {
	size = max(size, smallestBlock)
	step := bits.Len(uint(size-1)) - 4    // sizes are multiples of 1<<step
	count := (size + 1<<step - 1) >> step // from 8 to 16
	return step*sizeClasses + count - sizeClasses, count << step
}

// take gives a free block that has the size or up to twice of it, else a new one.
func (m *Memory) take(size int) *Block {
	m.taking.Lock()
	defer m.taking.Unlock()
	class, rounded := sizeClass(size)
	var b *Block
	for near := range m.free[class : class+sizeClasses] {
		if list := m.free[class+near]; len(list) > 0 {
			b = list[len(list)-1]
			m.free[class+near] = list[:len(list)-1]
			break
		}
	}
	if b == nil {
		b = newBlock(class, rounded)
		m.overwrite(b)
		m.add(b)
	}
	b.taken, b.used, b.depth = true, true, m.depth
	m.loose = append(m.loose, b)
	return b
}

func newBlock(class, size int) *Block {
	bytes := make([]byte, size+lineSize-1)
	start := uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))
	bytes = bytes[-start%lineSize:][:size:size]
	start += -start % lineSize
	return &Block{bytes: bytes, start: start, end: start + uintptr(size), class: class}
}

// find is the block that an address lies in, or nil.
func (m *Memory) find(address uintptr) *Block {
	at, ok := slices.BinarySearchFunc(m.blocks, address, func(b *Block, address uintptr) int { return cmp.Compare(b.start, address) })
	if !ok {
		at--
	}
	if at < 0 || address >= m.blocks[at].end {
		return nil
	}
	return m.blocks[at]
}

// Begin is called before a step, and its result given to End after it.
func (m *Memory) Begin() (loose int) {
	if m == nil {
		return 0
	}
	return len(m.loose)
}

// End frees what the step took and no slot holds.
func (m *Memory) End(loose int) {
	if m == nil {
		return
	}
	for _, b := range m.loose[loose:] {
		if b.holders == 0 {
			m.put(b)
		}
	}
	m.loose = m.loose[:loose]
}

// Hold notes that a slot holds a value, and gives the block to be released when
// the slot is cleared; nil if there is none.
func (m *Memory) Hold(v tensor.Value) *Block {
	if m == nil {
		return nil
	}
	t, ok := v.(*tensor.Tensor)
	if !ok {
		m.Forget(v)
		return nil
	}
	start, _ := t.Span()
	b := m.find(start)
	if b != nil {
		b.holders++
	}
	return b
}

// Release notes that a slot is cleared whose value lies in b, which may be nil.
// A block of a step around the body that is running is freed when that step ends:
// its kernel may still use it.
func (m *Memory) Release(b *Block) {
	if b == nil { // as it always is without Memory
		return
	}
	if b.holders--; b.holders == 0 && b.depth == m.depth {
		m.put(b)
	}
}

// put makes a block free.
func (m *Memory) put(b *Block) {
	if b.forgotten || !b.taken {
		return
	}
	b.taken = false
	m.overwrite(b)
	m.free[b.class] = append(m.free[b.class], b)
}

func (m *Memory) overwrite(b *Block) {
	if !m.Overwrite {
		return
	}
	for i := range b.bytes {
		b.bytes[i] = 0xff // a NaN, −1 or 255
	}
}

// Forget leaves a value's memory to the garbage collector, as somebody keeps it.
func (m *Memory) Forget(v tensor.Value) {
	if m == nil {
		return
	}
	switch v := v.(type) {
	case *tensor.Tensor:
		if v == nil {
			return
		}
		start, _ := v.Span()
		if b := m.find(start); b != nil {
			b.forgotten = true
			m.drop(func(other *Block) bool { return other == b })
		}
	case *tensor.Sequence:
		for _, item := range v.Values {
			m.Forget(item)
		}
	case *tensor.Optional:
		m.Forget(v.Value)
	case *tensor.Map:
		m.Forget(v.Keys)
		m.Forget(v.Values)
	}
}

// Loan is a block that a run's result lies in. It does not keep the block from the
// garbage collector: that is for whoever has the result.
type Loan struct {
	first      weak.Pointer[byte]
	start, end uintptr
	class      int
}

// Lend forgets what a run gives, and says where it lies if that is a block.
func (m *Memory) Lend(v tensor.Value) (Loan, bool) {
	defer m.Forget(v)
	t, ok := v.(*tensor.Tensor)
	if m == nil || !ok || t == nil {
		return Loan{}, false
	}
	start, _ := t.Span()
	b := m.find(start)
	if b == nil {
		return Loan{}, false
	}
	return Loan{weak.Make(unsafe.SliceData(b.bytes)), b.start, b.end, b.class}, true
}

// Recover gives the block back if it is the one that a tensor lies in; else nil.
func (l Loan) Recover(t *tensor.Tensor) *Block {
	start, _ := t.Span()
	first := l.first.Value()
	if first == nil || start < l.start || start >= l.end {
		return nil
	}
	return &Block{bytes: unsafe.Slice(first, l.end-l.start), start: l.start, end: l.end, class: l.class, taken: true}
}

// Adopt makes a block that was recovered free to be taken. Nobody may read it any
// more.
func (m *Memory) Adopt(b *Block) {
	if m != nil {
		m.add(b)
		m.put(b)
	}
}

// add lists a block.
func (m *Memory) add(b *Block) {
	at, _ := slices.BinarySearchFunc(m.blocks, b.start, func(b *Block, start uintptr) int { return cmp.Compare(b.start, start) })
	m.blocks = slices.Insert(m.blocks, at, b)
}

func (m *Memory) drop(unwanted func(*Block) bool) { m.blocks = slices.DeleteFunc(m.blocks, unwanted) }

// Enter and Leave enclose the run of a body.
func (m *Memory) Enter() {
	if m != nil {
		m.depth++
	}
}

// Leave is Enter's end.
func (m *Memory) Leave() {
	if m != nil {
		m.depth--
	}
}

// Rest is called between two runs: what this one did not need is dropped.
func (m *Memory) Rest() {
	if m == nil {
		return
	}
	for class, list := range m.free {
		m.free[class] = slices.DeleteFunc(list, func(b *Block) bool { return !b.used })
	}
	m.drop(func(b *Block) bool { return !b.used || b.taken })
	for _, b := range m.blocks {
		b.used = false
	}
}
