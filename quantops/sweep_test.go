package quantops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// sweepLevels are those that this processor has.
func sweepLevels() []sweepLevel {
	return []sweepLevel{sweepGeneric, sweepWithAVX2, sweepWithAVX512}[:fastestSweep+1]
}

// storeFloats writes floats in a type.
func storeFloats(values []float64, t FloatType) []byte {
	var data []byte
	for _, v := range values {
		switch t {
		case Float32Type:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
		case Float64Type:
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		case Float16Type:
			data = binary.LittleEndian.AppendUint16(data, uint16(Float16FromFloat32(float32(v))))
		case BFloat16Type:
			data = binary.LittleEndian.AppendUint16(data, uint16(BFloat16FromFloat32(float32(v))))
		}
	}
	return data
}

// awkward are floats among which every case of rounding, clamping and ordering is.
func awkward(r *rand.Rand, n int, finite bool) []float64 {
	special := []float64{0, math.Copysign(0, -1), 0.5, 1.5, -2.5, 126.5, 127.5, -127.5, 3e38, -3e38, 1e-40, 6e-8, 65504, 1 << 22, -1 << 23, 1e300}
	if !finite {
		special = append(special, math.NaN(), -math.NaN(), math.Inf(1), math.Inf(-1))
	}
	values := make([]float64, n)
	for i := range values {
		switch values[i] = r.NormFloat64() * 40; r.IntN(4) {
		case 0:
			values[i] = special[r.IntN(len(special))]
		case 1:
			values[i] = math.Round(values[i]) + 0.5
		}
	}
	return values
}

// aroundReciprocals are the numbers over and under the reciprocals of scales.
func aroundReciprocals(scales []float32) (over, under []float32) {
	over, under = overReciprocals(scales, make([]float32, len(scales))), make([]float32, len(scales))
	underReciprocals(over, under)
	return over, under
}

// TestSweepKernels holds every level's kernels to the ones in Go, at odd lengths
// and offsets, and looks at the bytes around what they write.
func TestSweepKernels(t *testing.T) {
	const guard = 0x5a
	r := rand.New(rand.NewPCG(1, 2))
	for _, level := range sweepLevels() {
		for _, float := range []FloatType{Float32Type, Float64Type, Float16Type, BFloat16Type} {
			for short := 1; short <= 100; short += 1 + r.IntN(3) {
				count := short
				if r.IntN(20) == 0 {
					count += sideBySide
				}
				offset, rows, gap := r.IntN(4)*float.Size(), 1+r.IntN(9), r.IntN(5)
				columns := count + gap
				data := append(make([]byte, offset), storeFloats(awkward(r, rows*columns, false), float)...)[offset:]
				data = data[: len(data)-gap*float.Size() : len(data)-gap*float.Size()]
				scales, zeros := make([]float32, count), make([]int8, count)
				for i := range scales {
					scales[i], zeros[i] = float32(math.Exp(r.NormFloat64()*3)), int8(r.IntN(256)-128)
				}
				if r.IntN(2) == 0 {
					zeros = nil
				}
				least, most := int32(-127), int32(127)
				if r.IntN(3) == 0 {
					least, most = -8, 7
				}
				run := func(level sweepLevel) (results [][]byte) {
					low, high := slices.Repeat([]extremeLow{guard}, count+2), slices.Repeat([]extremeHigh{guard}, count+2)
					low1, high1 := slices.Clone(low), slices.Clone(high)
					clear(low[1 : 1+count])
					clear(high[1 : 1+count])
					level.extremesEach(&sweep{data: data, low: low[1 : 1+count], high: high[1 : 1+count], stride: columns * float.Size(), rows: rows, count: count}, float)
					low1[1], high1[1] = 0, 0
					level.extremesShared(&sweep{data: data, low: low1[1:2], high: high1[1:2], count: count}, float)
					for _, end := range []int{0, 2, count + 1} {
						if end != 2 && (low[end] != guard || high[end] != guard) || end != count+1 && (low1[end] != guard || high1[end] != guard) {
							t.Fatalf("%v %v: extremes of %d floats wrote beside them", level, float, count)
						}
					}
					results = append(results, fmt.Append(nil, low), fmt.Append(nil, high), fmt.Append(nil, low1[:2]), fmt.Append(nil, high1[:2]))
					over, under := aroundReciprocals(scales)
					for _, f := range []func(*sweep, FloatType){level.quantizeEach, level.quantizeShared} {
						dst := bytes.Repeat([]byte{guard}, count+2)
						f(&sweep{data: data, dst: dst[1 : 1+count], scales: scales, over: over, under: under, zeros: zeros, count: count, least: least, most: most}, float)
						if dst[0] != guard || dst[count+1] != guard {
							t.Fatalf("%v %v: quantizing %d floats wrote beside them", level, float, count)
						}
						results = append(results, dst)
					}
					return results
				}
				want, got := run(sweepGeneric), run(level)
				for i := range want {
					if !bytes.Equal(want[i], got[i]) {
						t.Fatalf("%v %v, %d floats, result %d:\n got %v\nwant %v", level, float, count, i, got[i], want[i])
					}
				}
			}
		}
	}
}

// TestMeasureAndQuantizeLevels holds whole weights to a direct reading of the
// formulas, in all layouts, at every level, by several goroutines, in pieces and
// past the caches.
func TestMeasureAndQuantizeLevels(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 300 {
		w := &Weights{Type: FloatType(r.IntN(4)), Batch: 1 + r.IntN(2), Rows: 1 + r.IntN(90), Columns: 1 + r.IntN(300), Axis: Axis(r.IntN(3)), Flip: r.IntN(2) == 0}
		if r.IntN(3) == 0 && w.Axis != Whole {
			w.Batch, w.Block = 1, []int{2, 16, 32}[r.IntN(3)]
		}
		values := awkward(r, w.len(), true)
		for i := range values { // within all types
			values[i] = max(-6e4, min(6e4, values[i]))
		}
		w.Data = storeFloats(values, w.Type)
		scheme := Scheme{Asymmetric: r.IntN(2) == 0, Bits: []int{0, 8, 4}[r.IntN(3)]}
		values32 := make([]float32, w.len())
		decodeFloats(values32, w.Data, w.Type)

		// The formulas, one weight at a time.
		channels, blocks := w.shape()
		low, high := make([]float32, channels*blocks), make([]float32, channels*blocks)
		scaleOf := func(i int) int { s, _ := w.scaleAt(i/w.Columns, i%w.Columns); return s }
		for i, v := range values32 {
			low[scaleOf(i)], high[scaleOf(i)] = min(low[scaleOf(i)], v), max(high[scaleOf(i)], v)
		}
		want := &Scales{Scheme: scheme, Channels: channels, Blocks: blocks, Values: make([]float32, len(low))}
		if scheme.Asymmetric {
			want.Zeros = make([]int8, len(low))
		}
		for i := range low {
			want.set(i, low[i], high[i])
		}
		least, most := scheme.Range()
		quantized := make([]byte, w.len())
		for i, v := range values32 {
			q := math.RoundToEven(float64(v / want.Values[scaleOf(i)]))
			if want.Zeros != nil {
				q += float64(want.Zeros[scaleOf(i)])
			}
			at := i
			if w.Flip {
				row, column := i/w.Columns, i%w.Columns
				at = row/w.Rows*w.Rows*w.Columns + column*w.Rows + row%w.Rows
			}
			quantized[at] = byte(int8(max(float64(least), min(float64(most), q))))
		}

		for _, level := range sweepLevels() {
			m := NewMeasurement(w, scheme)
			m.level = level
			m.units.perBand = 1 + r.IntN(40)
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					if _, err := m.Join(); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			got, err := m.Join()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Values, want.Values) || !slices.Equal(got.Zeros, want.Zeros) || got.Substituted != want.Substituted {
				t.Fatalf("%d %v %+v: scales\n got %v %v\nwant %v %v", n, level, scheme, got.Values, got.Zeros, want.Values, want.Zeros)
			}
			pieces := make([]byte, w.len())
			for from := 0; from < len(pieces); {
				to := min(len(pieces), from+1+r.IntN(len(pieces)))
				q := newQuantizer(w, got)
				q.level = level
				q.from(pieces[from:to], from)
				from = to
			}
			shared := make([]byte, w.len())
			quantization := NewQuantization(shared, w, got)
			quantization.level, quantization.band, quantization.past = level, 1+r.IntN(len(shared)), r.IntN(2) == 0
			for range 3 {
				group.Go(quantization.Help)
			}
			group.Wait()
			if !bytes.Equal(pieces, quantized) || !bytes.Equal(shared, quantized) {
				t.Fatalf("%d %v %+v of %v, axis %v, block %d, flip %v: quantized otherwise than by the formula", n, level, scheme, w.Type, w.Axis, w.Block, w.Flip)
			}
		}
	}
}

// TestMeasureNonfinite wants the first weight that is not finite to be named,
// wherever it stands.
func TestMeasureNonfinite(t *testing.T) {
	for _, level := range sweepLevels() {
		for _, axis := range []Axis{Whole, AlongColumns, AlongRows} {
			for _, bad := range []float64{math.NaN(), math.Copysign(math.NaN(), -1), math.Inf(1), math.Inf(-1)} {
				for _, at := range []int{0, 15, 16, 37*41 - 1} {
					values := make([]float64, 37*41)
					values[at], values[len(values)-1] = bad, bad
					w := &Weights{Data: storeFloats(values, Float32Type), Batch: 1, Rows: 37, Columns: 41, Axis: axis}
					m := NewMeasurement(w, Scheme{})
					m.level = level
					_, err := m.Join()
					var nonfinite *NonfiniteError
					if !errors.As(err, &nonfinite) || nonfinite.Index != at || nonfinite.Channel != [...]int{0, at % 41, at / 41}[axis] {
						t.Errorf("%v, axis %v: %v at %d: %v", level, axis, bad, at, err)
					}
				}
			}
		}
	}
}

// TestMeasurementAbandoned wants those who wait to learn that a goroutine which
// takes part has panicked.
func TestMeasurementAbandoned(t *testing.T) {
	m := NewMeasurement(&Weights{Data: make([]byte, 4*6), Batch: 1, Rows: 2, Columns: 3}, Scheme{})
	m.Swept = func(int) { panic("the page is gone") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic does not reach its own goroutine")
			}
		}()
		m.Join()
	}()
	if _, err := m.Join(); !errors.Is(err, errAbandoned) {
		t.Errorf("error %v", err)
	}
}

// TestQuotients holds the quotients of the assembly to division where they are
// hardest to get right: around the middle between two integers, with scales of
// any bits. In some rounds one of a group is hard, so that nothing else has the
// group divided.
func TestQuotients(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const n = 1 << 10
	for round := range 800 {
		values, scales, zeros := make([]byte, 0, 4*n), make([]float32, n), make([]int8, n)
		alone := round%4 > 1
		for i := range scales {
			exponent := uint32(127 + r.IntN(128) - 64)
			if round%2 == 0 {
				exponent = 127 - 8
			}
			bits := exponent<<23 | r.Uint32N(1<<23)
			if r.IntN(8) == 0 {
				bits |= 1<<23 - 1
			}
			scales[i] = max(leastFastScale, min(mostFastScale, math.Float32frombits(bits)))
			zeros[i] = int8(r.IntN(256) - 128)
			q := float64(r.IntN(256) - 128 - int(zeros[i]))
			if alone && i%32 != r.IntN(32) {
				values = binary.LittleEndian.AppendUint32(values, math.Float32bits(float32(float64(scales[i])*q)))
				continue
			}
			v := float32(float64(scales[i]) * (q + 0.5))
			values = binary.LittleEndian.AppendUint32(values, math.Float32bits(v)+r.Uint32N(7)-3)
		}
		over, under := aroundReciprocals(scales)
		if over == nil {
			t.Fatal("a scale is outside the assembly's range: these are not what it is tested with")
		}
		want := make([]byte, n)
		for _, level := range sweepLevels() {
			got := make([]byte, n)
			level.quantizeEach(&sweep{data: values, dst: got, scales: scales, over: over, under: under, zeros: zeros, count: n, least: -127, most: 127}, Float32Type)
			if level == sweepGeneric {
				want = got
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%v: round %d differs from division", level, round)
			}
		}
	}
}
