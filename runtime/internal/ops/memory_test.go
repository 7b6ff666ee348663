package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// inMemory is a call with memory that shows when it is read after its use.
func inMemory(t *testing.T) *Call {
	return &Call{Context: t.Context(), Workers: workers(t, 2), Memory: &Memory{Overwrite: true}}
}

func addressOf[T tensor.Element](data []T) uintptr {
	start, _ := tensor.New([]int{len(data)}, data).Span()
	return start
}

func TestSizeClasses(t *testing.T) {
	last, size := -1, 0
	for n := range 1 << 16 {
		class, rounded := sizeClass(n)
		if rounded < n || n > smallestBlock && rounded > n+n/8 || rounded%64 != 0 {
			t.Fatalf("%d bytes get a block of %d", n, rounded)
		}
		if (class == last) != (rounded == size) || class < last {
			t.Fatalf("%d bytes are of class %d and get %d; before it were %d and %d", n, class, rounded, last, size)
		}
		last, size = class, rounded
	}
	if class, rounded := sizeClass(tensor.MaxElements * 16); rounded < tensor.MaxElements*16 || class+sizeClasses > len((&Memory{}).free) {
		t.Errorf("the largest tensor gets %d bytes of class %d", rounded, class)
	}
}

func TestBuffersAreAligned(t *testing.T) {
	c := inMemory(t)
	for n := range 3000 {
		if a := addressOf(buffer[float32](c, n+smallestBlock/4)); a%64 != 0 {
			t.Fatalf("a buffer of %d elements is at %#x", n, a)
		}
		buffer[int8](c, n)
	}
	if b := buffer[string](c, 1000); b[999] != "" {
		t.Error("strings are not the garbage collector's")
	}
	if len(buffer[float64](nil, 1000)) != 1000 || len(buffer[float64](&Call{}, 1000)) != 1000 {
		t.Error("without memory there is no buffer")
	}
}

// TestMemoryIsUsedAgain follows one block from step to step.
func TestMemoryIsUsedAgain(t *testing.T) {
	c := inMemory(t)
	m := c.Memory
	take := func() ([]float32, uintptr) {
		b := buffer[float32](c, 1000)
		return b, addressOf(b)
	}

	mark := m.Begin()
	_, scratch := take()
	data, result := take()
	if scratch == result {
		t.Fatal("two buffers are one")
	}
	v := tensor.New([]int{1000}, data)
	held := m.Hold(v)
	view := m.Hold(tensor.New([]int{10}, data[500:510])) // a kernel tells nobody that a result is a part of another
	m.End(mark)
	if held == nil || held != view {
		t.Fatal("a part of a block is not known to be one")
	}

	mark = m.Begin()
	if _, again := take(); again != scratch {
		t.Error("what a kernel had for itself is not used again")
	}
	if _, other := take(); other == result {
		t.Fatal("a block that holds a value is handed out")
	}
	m.End(mark)
	m.Release(held)
	mark = m.Begin()
	for range 4 {
		if _, other := take(); other == result {
			t.Fatal("a block that one of two slots holds is handed out")
		}
	}
	m.End(mark)
	m.Release(view)
	if _, again := take(); again != result {
		t.Error("a block that nothing holds is not used again")
	}
	m.Release(nil)
}

func TestMemoryForgets(t *testing.T) {
	fresh := func() (*Call, *tensor.Tensor) {
		c := inMemory(t)
		return c, tensor.New([]int{400}, buffer[float32](c, 400))
	}
	text := tensor.New([]int{1}, []string{"k"})
	for name, keep := range map[string]func(*tensor.Tensor) tensor.Value{
		"a tensor":   func(v *tensor.Tensor) tensor.Value { return v },
		"a sequence": func(v *tensor.Tensor) tensor.Value { return &tensor.Sequence{Values: []tensor.Value{v}} },
		"an optional sequence": func(v *tensor.Tensor) tensor.Value {
			return &tensor.Optional{Value: &tensor.Sequence{Values: []tensor.Value{v}}}
		},
		"a map": func(v *tensor.Tensor) tensor.Value { return &tensor.Map{Keys: text, Values: v} },
	} {
		c, v := fresh()
		held := c.Memory.Hold(v)
		c.Memory.Forget(keep(v))
		c.Memory.Release(held)
		c.Memory.End(0)
		data, _ := tensor.Data[float32](v)
		for range 3 {
			if again := buffer[float32](c, 400); addressOf(again) == addressOf(data) {
				t.Errorf("%s is forgotten, and its block handed out again", name)
			}
		}
	}
	c, _ := fresh()
	c.Memory.Forget(nil)
	c.Memory.Forget(&tensor.Sequence{Elem: onnx.Float})
	c.Memory.Forget(&tensor.Optional{})
}

// TestMemoryOfBodies: what a kernel gives its body is the kernel's until it is done.
func TestMemoryOfBodies(t *testing.T) {
	c := inMemory(t)
	m := c.Memory
	outer := m.Begin()
	given := buffer[float32](c, 1000)
	m.Enter()
	inner := m.Begin()
	held := m.Hold(tensor.New([]int{1000}, given)) // as Identity gives it
	m.End(inner)
	m.Release(held)
	if again := buffer[float32](c, 1000); addressOf(again) == addressOf(given) {
		t.Error("a body frees what the kernel around it still uses")
	}
	m.Leave()
	m.End(outer)
	if again := buffer[float32](c, 1000); addressOf(again) != addressOf(given) && addressOf(buffer[float32](c, 1000)) != addressOf(given) {
		t.Error("when the kernel is done it is not free")
	}
}

func TestMemoryRests(t *testing.T) {
	c := inMemory(t)
	m := c.Memory
	for range 3 {
		mark := m.Begin()
		buffer[float32](c, 1<<16)
		buffer[float32](c, 1<<10)
		m.End(mark)
		m.Rest()
		if len(m.blocks) != 2 {
			t.Fatalf("%d blocks are kept, 2 were in use", len(m.blocks))
		}
	}
	mark := m.Begin()
	buffer[float32](c, 1<<10)
	m.End(mark)
	m.Rest()
	if len(m.blocks) != 1 || m.blocks[0].end-m.blocks[0].start > 1<<13 {
		t.Errorf("%d blocks are kept: a run that is smaller does not let go of what it does not need", len(m.blocks))
	}
	var none *Memory
	none.Forget(tensor.Scalar(int64(1)))
	none.End(none.Begin())
	none.Release(none.Hold(tensor.Scalar(int64(1))))
	none.Enter()
	none.Leave()
	none.Rest()
}

// TestBuffersOfPieces has pieces of one kernel take buffers at once.
func TestBuffersOfPieces(t *testing.T) {
	c := inMemory(t)
	if err := c.parallel(1000, 1, func(lo, hi int) {
		mine := buffer[int32](c, 500)
		for i := range mine {
			mine[i] = int32(lo)
		}
		for _, v := range mine {
			if v != int32(lo) {
				t.Errorf("piece %d finds %d in its buffer", lo, v)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}
