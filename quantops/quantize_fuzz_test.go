package quantops

import (
	"math"
	"testing"
)

func FuzzQuantize(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xbf}, uint8(1), uint8(0), uint8(0))
	f.Add(stored(Float32Type, []float64{1, -2, 3, -4, 1e-40, 1e38}), uint8(2), uint8(5), uint8(3))
	f.Add(stored(Float16Type, []float64{1, 65504, math.NaN(), -4}), uint8(2), uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, columns, view, scheme uint8) {
		w := &Weights{Type: FloatType(view % 4), Columns: int(columns%32) + 1, Batch: 1, Axis: Axis(view / 4 % 3), Flip: view&64 != 0}
		w.Rows = len(data) / w.Type.Size() / w.Columns
		w.Data = data[:w.Rows*w.Columns*w.Type.Size()]
		if w.Axis != Whole {
			w.Block = int(view>>7) * 3
		}
		values := make([]float64, w.len())
		finite := true
		for i := range values {
			values[i] = float64(float32(w.at(i)))
			finite = finite && values[i]-values[i] == 0
		}
		how := Scheme{Asymmetric: scheme&1 != 0, Scale: [...]FloatType{Float32Type, Float16Type, BFloat16Type}[scheme/2%3]}
		s, err := Measure(w, how)
		if (err == nil) != finite {
			t.Fatalf("error %v, weights %v", err, values)
		}
		if err != nil || s.Underflow+s.Overflow > 0 {
			return
		}
		checkView(t, w, how, values)
	})
}

// TestScalesOfTheLargest is about ranges whose ends, once quantized, may stand
// for more than their type holds: fuzzing found one that lost more than its half.
func TestScalesOfTheLargest(t *testing.T) {
	const largest = math.MaxFloat32
	for _, ends := range [][2]float64{{0, largest}, {-largest, 0}, {-largest, largest}, {-1e36, largest}, {-5e35, 3.38e38}, {-3.38e38, 7.9e37},
		{-largest, 7.908906574920249e37}, {-3.402802e38, 1.7147039e38}, {-3.3e38, 3.1e38}, {0, 65504}, {-65504, 65504}, {-65504, 100}, {-90, 65504}} {
		for _, kind := range []FloatType{Float32Type, BFloat16Type, Float16Type} {
			for _, asymmetric := range []bool{false, true} {
				values := []float64{float64(float32(ends[0])), ends[0] / 2, 0, ends[1] / 3, float64(float32(ends[1]))}
				w := &Weights{Data: stored(Float32Type, values), Batch: 1, Rows: 1, Columns: len(values)}
				for i := range values {
					values[i] = float64(float32(values[i]))
				}
				how := Scheme{Asymmetric: asymmetric, Scale: kind}
				checkView(t, w, how, values)
				s, err := Measure(w, how)
				if err != nil || kind == Float32Type && s.Underflow+s.Overflow > 0 {
					t.Fatalf("%v %+v: no scale: %v", ends, how, err)
				}
				if s.Overflow > 0 {
					continue
				}
				for _, v := range values {
					zero := 0.0
					if asymmetric {
						zero = float64(s.Zeros[0])
					}
					q := max(-128, min(127, math.RoundToEven(v/float64(s.Values[0]))+zero))
					if back := kind.Round(float32(q-zero) * s.Values[0]); back-back != 0 {
						t.Errorf("%v %+v: %v becomes %v", ends, how, v, back)
					}
				}
			}
		}
	}
}
