package quantops

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// inPieces lets goroutines claim pieces of 0…n−1.
func inPieces(threads, n, length int, f func(from, to int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range threads {
		group.Go(func() {
			for {
				from := int(next.Add(int64(length))) - length
				if from >= n {
					return
				}
				f(from, min(n, from+length))
			}
		})
	}
	group.Wait()
}

// BenchmarkQuantize measures and quantizes matrices that no cache holds, beside
// copying the same floats. MB/s are of the floats.
func BenchmarkQuantize(b *testing.B) {
	const edge, count = 4096, 4
	for _, t := range []FloatType{Float32Type, Float16Type, BFloat16Type, Float64Type} {
		floats := make([]byte, count*edge*edge*t.Size())
		r := rand.New(rand.NewPCG(5, 6))
		for at := 0; at < len(floats); at += t.Size() {
			v := float32(r.NormFloat64())
			switch t {
			case Float32Type:
				binary.LittleEndian.PutUint32(floats[at:], math.Float32bits(v))
			case Float64Type:
				binary.LittleEndian.PutUint64(floats[at:], math.Float64bits(float64(v)))
			case Float16Type:
				binary.LittleEndian.PutUint16(floats[at:], uint16(Float16FromFloat32(v)))
			case BFloat16Type:
				binary.LittleEndian.PutUint16(floats[at:], uint16(BFloat16FromFloat32(v)))
			}
		}
		to := make([]byte, len(floats))
		for i := range to {
			to[i] = 1 // so that the pages are there
		}
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("copy/%v/threads=%d", t, threads), func(b *testing.B) {
				b.SetBytes(int64(len(floats)))
				for b.Loop() {
					inPieces(threads, len(floats), 1<<20, func(from, until int) { copy(to[from:until], floats[from:until]) })
				}
			})
			for _, layout := range []Weights{{Axis: AlongColumns}, {Axis: AlongRows}, {Axis: AlongColumns, Flip: true}, {Axis: AlongRows, Flip: true}, {Axis: AlongColumns, Block: 32}, {Axis: AlongRows, Block: 32}, {Axis: AlongColumns, Block: 32, Flip: true}} {
				b.Run(fmt.Sprintf("%v/%s/threads=%d", t, layout.title(), threads), func(b *testing.B) {
					b.SetBytes(int64(len(floats)))
					for b.Loop() {
						for i := range count {
							w := layout
							w.Type, w.Batch, w.Rows, w.Columns = t, 1, edge, edge
							w.Data = floats[i*len(floats)/count:][:len(floats)/count]
							m := NewMeasurement(&w, Scheme{})
							var group sync.WaitGroup
							for range threads {
								group.Go(func() {
									if _, err := m.Join(); err != nil {
										b.Error(err)
									}
								})
							}
							group.Wait()
							scales, _ := m.Join()
							inPieces(threads, edge*edge, 1<<20, func(from, until int) {
								QuantizeFrom(to[i*edge*edge+from:i*edge*edge+until], &w, scales, from)
							})
						}
					}
				})
			}
		}
	}
}

// title names a layout.
func (w *Weights) title() string {
	name := [...]string{"whole", "columns", "rows"}[w.Axis]
	if w.Block > 0 {
		name += fmt.Sprintf(",blocks=%d", w.Block)
	}
	if w.Flip {
		name += ",flipped"
	}
	return name
}
