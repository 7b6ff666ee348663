package quantops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// stored encodes floats as a model's payload holds them.
func stored(t FloatType, values []float64) []byte {
	var data []byte
	for _, v := range values {
		switch t {
		case Float32Type:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
		case Float64Type:
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		case Float16Type:
			data = binary.LittleEndian.AppendUint16(data, uint16(Float16FromFloat64(v)))
		case BFloat16Type:
			data = binary.LittleEndian.AppendUint16(data, uint16(BFloat16FromFloat64(v)))
		}
	}
	return data
}

// quantizeColumn quantizes one channel and reads the integers.
func quantizeColumn(t *testing.T, scheme Scheme, values ...float64) ([]int8, *Scales) {
	t.Helper()
	w := &Weights{Data: stored(Float32Type, values), Batch: 1, Rows: len(values), Columns: 1, Axis: AlongColumns}
	s, err := Measure(w, scheme)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, len(values))
	Quantize(dst, w, s)
	return signedBytes(dst), s
}

func signedBytes(b []byte) []int8 {
	q := make([]int8, len(b))
	for i, v := range b {
		q[i] = int8(v)
	}
	return q
}

func TestQuantizeGolden(t *testing.T) {
	tests := []struct {
		name    string
		scheme  Scheme
		weights []float64
		q       []int8
		scale   float32
		zero    int8
	}{
		{"the largest becomes 127", Scheme{}, []float64{127, -127, 1, 0}, []int8{127, -127, 1, 0}, 1, 0},
		{"negative extremes count", Scheme{}, []float64{1, -254}, []int8{0, -127}, 2, 0}, // 0.5 rounds to even
		{"ties go to even", Scheme{}, []float64{127, 0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5, 126.5}, []int8{127, 0, 2, 2, 4, 0, -2, -2, 126}, 1, 0},
		{"beside ties", Scheme{}, []float64{127, 0.50000006, 1.4999999, 2.5000002}, []int8{127, 1, 1, 3}, 1, 0},
		{"zeros", Scheme{}, []float64{0, math.Copysign(0, -1), 0}, []int8{0, 0, 0}, 1, 0},
		{"all subnormal", Scheme{}, []float64{0x1p-149, -0x1p-130}, []int8{0, 0}, 1, 0},
		{"a scale that would just be subnormal", Scheme{}, []float64{126 * 0x1p-126}, []int8{0}, 1, 0},
		{"the smallest scale", Scheme{}, []float64{127 * 0x1p-126, 0x1p-126}, []int8{127, 1}, 0x1p-126, 0},
		{"the largest weight: 127·scale stays finite", Scheme{}, []float64{math.MaxFloat32, -math.MaxFloat32}, []int8{127, -127}, math.Nextafter32(math.MaxFloat32/127, 0), 0},
		{"q from the scale as stored in bfloat16", Scheme{Scale: BFloat16Type}, []float64{1, 0.5}, []int8{127, 64}, 0.00787353515625, 0},
		{"q from the scale as stored in float16", Scheme{Scale: Float16Type}, []float64{100, 33.5}, []int8{127, 43}, 0.78759765625, 0},
		{"division, not multiplication by the reciprocal", Scheme{}, []float64{127 * 49, 49 * 24.5, 49 * 25.5}, []int8{127, 24, 26}, 49, 0},
		{"4 bits", Scheme{Bits: 4}, []float64{7, -7, 3.5, -8 + 1}, []int8{7, -7, 4, -7}, 1, 0},
		{"asymmetric", Scheme{Asymmetric: true}, []float64{0, 255}, []int8{-128, 127}, 1, -128},
		{"asymmetric around zero", Scheme{Asymmetric: true}, []float64{-100, 155, 0}, []int8{-128, 127, -28}, 1, -28},
		{"asymmetric, all negative: the range holds 0", Scheme{Asymmetric: true}, []float64{-255, -1}, []int8{-128, 126}, 1, 127},
		{"asymmetric, all positive: the range holds 0", Scheme{Asymmetric: true}, []float64{5, 510}, []int8{-126, 127}, 2, -128},
		{"asymmetric zeros", Scheme{Asymmetric: true}, []float64{0, 0}, []int8{0, 0}, 1, 0},
		{"asymmetric over all of float32", Scheme{Asymmetric: true}, []float64{-math.MaxFloat32, math.MaxFloat32, 0}, []int8{-128, 127, 0}, math.MaxFloat32 / 128, 0},
		{"asymmetric, 4 bits", Scheme{Bits: 4, Asymmetric: true}, []float64{0, 15, 7}, []int8{-8, 7, -1}, 1, -8},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q, s := quantizeColumn(t, test.scheme, test.weights...)
			if !slices.Equal(q, test.q) || s.Values[0] != test.scale {
				t.Errorf("%v become %v with scale %v, want %v with %v", test.weights, q, s.Values[0], test.q, test.scale)
			}
			if test.scheme.Asymmetric && s.Zeros[0] != test.zero || !test.scheme.Asymmetric && s.Zeros != nil {
				t.Errorf("zero points are %v, want %d", s.Zeros, test.zero)
			}
			if wanted := test.scale == 1 && allTiny(test.weights); (s.Substituted == 1) != wanted {
				t.Errorf("%d scales are substituted", s.Substituted)
			}
		})
	}
}

func allTiny(weights []float64) bool {
	for _, v := range weights {
		if math.Abs(v) >= 127*0x1p-126 {
			return false
		}
	}
	return true
}

func TestScalesThat16BitsCannotHold(t *testing.T) {
	tests := []struct {
		name                             string
		scale                            FloatType
		absmax                           float64
		underflow, overflow, substituted int
	}{
		{"float16, smallest normal scale", Float16Type, 127 * 0x1p-14, 0, 0, 0},
		{"float16, subnormal scale", Float16Type, 127 * 0x1p-15, 1, 0, 0},
		{"float16, a scale that rounds to zero", Float16Type, 127 * 0x1p-26, 1, 0, 0},
		{"float16, zeros", Float16Type, 0, 0, 0, 1},
		{"float16, subnormal in float32 too", Float16Type, 0x1p-140, 0, 0, 1},
		{"float16, the largest weight", Float16Type, 65504, 0, 0, 0},
		{"float16, beyond the largest weight", Float16Type, 65536, 0, 1, 0},
		{"bfloat16, small", BFloat16Type, 127 * 0x1p-126, 0, 0, 0},
		{"bfloat16, beyond its largest weight", BFloat16Type, math.MaxFloat32, 0, 1, 0},
		{"float32, the largest weight", Float32Type, math.MaxFloat32, 0, 0, 0},
	}
	for _, test := range tests {
		w := &Weights{Data: stored(Float32Type, []float64{test.absmax, 0}), Batch: 1, Rows: 2, Columns: 1, Axis: AlongColumns}
		s, err := Measure(w, Scheme{Scale: test.scale})
		if err != nil {
			t.Fatal(err)
		}
		if s.Underflow != test.underflow || s.Overflow != test.overflow || s.Substituted != test.substituted {
			t.Errorf("%s: %+v", test.name, s)
		}
		if s.Overflow+s.Underflow == 0 {
			if largest := test.scale.Round(127 * s.Values[0]); largest > math.MaxFloat32 {
				t.Errorf("%s: 127·scale is infinite", test.name)
			}
			if s.Values[0] != test.scale.Round(s.Values[0]) {
				t.Errorf("%s: %v is no value of the stored type", test.name, s.Values[0])
			}
		}
	}
}

func TestNonfiniteWeightsAreNamed(t *testing.T) {
	values := make([]float64, 2*3*5)
	tests := []struct {
		kind    FloatType
		value   float64
		axis    Axis
		channel int
	}{
		{Float32Type, math.NaN(), AlongColumns, 3},
		{Float16Type, math.Inf(1), AlongRows, 1},
		{BFloat16Type, math.Inf(-1), Whole, 0},
		{Float64Type, 1e39, AlongColumns, 3},
	}
	for _, test := range tests {
		bad := slices.Clone(values)
		bad[23] = test.value // batch 1, row 1, column 3
		bad[29] = math.NaN()
		w := &Weights{Type: test.kind, Data: stored(test.kind, bad), Batch: 2, Rows: 3, Columns: 5, Axis: test.axis}
		for _, scheme := range []Scheme{{}, {Asymmetric: true}} {
			_, err := Measure(w, scheme)
			var nonfinite *NonfiniteError
			if !errors.As(err, &nonfinite) {
				t.Fatalf("%v: error is %v", test.value, err)
			}
			if nonfinite.Index != 23 || nonfinite.Channel != test.channel || !(nonfinite.Value == test.value || math.IsNaN(test.value)) {
				t.Errorf("%v in %v: %+v", test.value, test.kind, nonfinite)
			}
			if want := fmt.Sprintf("element 23 (channel %d) is %v", test.channel, test.value); err.Error() != want {
				t.Errorf("the error says %q, want %q", err, want)
			}
		}
	}
}

// plainScales finds the extremes by the definition of the view, element by element.
func plainScales(w *Weights, scheme Scheme, values []float64) *Scales {
	grid := w.Grid()
	s := &Scales{Scheme: scheme, Values: make([]float32, grid.Scales()), Zeros: make([]int8, grid.Scales())}
	if !scheme.Asymmetric {
		s.Zeros = nil
	}
	low, high := make([]float32, len(s.Values)), make([]float32, len(s.Values))
	for i, v := range values {
		k := plainScaleOf(w, i)
		low[k], high[k] = min(low[k], float32(v)), max(high[k], float32(v))
	}
	for k := range low {
		s.set(k, low[k], high[k])
	}
	return s
}

// plainScaleOf is the scale of stored element i, by the words of Weights and Scales.
func plainScaleOf(w *Weights, i int) int {
	row, column := i/w.Columns%w.Rows, i%w.Columns
	channel, other, channels, others := column, row, w.Columns, w.Rows
	switch w.Axis {
	case Whole:
		return 0
	case AlongRows:
		channel, other, channels, others = row, column, w.Rows, w.Columns
	}
	if w.Block == 0 {
		return channel
	}
	channelsAreColumns := (w.Axis == AlongColumns) != w.Flip
	if channelsAreColumns {
		return other/w.Block*channels + channel
	}
	return channel*((others+w.Block-1)/w.Block) + other/w.Block
}

// TestEveryViewQuantizesAsDefined goes through types, axes, blocks, transposition
// and sizes that do not divide, and compares with one formula per element.
func TestEveryViewQuantizesAsDefined(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	shapes := [][3]int{{1, 1, 1}, {1, 7, 5}, {3, 4, 6}, {1, 130, 65}, {1, 3, 2500}, {2, 70, 3}, {1, 0, 4}, {1, 4, 0}, {0, 2, 2}}
	for _, shape := range shapes {
		for _, kind := range []FloatType{Float32Type, Float64Type, Float16Type, BFloat16Type} {
			values := make([]float64, shape[0]*shape[1]*shape[2])
			for i := range values {
				values[i] = random.NormFloat64() * math.Exp(random.NormFloat64())
			}
			data := stored(kind, values)
			back := &Weights{Type: kind, Data: data, Batch: 1, Rows: 1, Columns: len(values)}
			for i := range values {
				values[i] = float64(float32(back.at(i)))
			}
			for _, axis := range []Axis{Whole, AlongColumns, AlongRows} {
				for _, block := range []int{0, 1, 4, 32} {
					if block > 0 && (shape[0] != 1 || axis == Whole) {
						continue
					}
					for _, flip := range []bool{false, true} {
						for _, scheme := range []Scheme{{}, {Asymmetric: true}, {Scale: BFloat16Type}, {Scale: Float16Type, Asymmetric: true}, {Bits: 4}} {
							w := &Weights{Type: kind, Data: data, Batch: shape[0], Rows: shape[1], Columns: shape[2], Axis: axis, Block: block, Flip: flip}
							checkView(t, w, scheme, values)
						}
					}
				}
			}
		}
	}
}

func checkView(t *testing.T, w *Weights, scheme Scheme, values []float64) {
	t.Helper()
	name := fmt.Sprintf("%v %d×%d×%d axis %d block %d flip %v %+v", w.Type, w.Batch, w.Rows, w.Columns, w.Axis, w.Block, w.Flip, scheme)
	s, err := Measure(w, scheme)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	want := plainScales(w, scheme, values)
	if !slices.Equal(s.Values, want.Values) || !slices.Equal(s.Zeros, want.Zeros) {
		t.Fatalf("%s: scales %v %v, want %v %v", name, s.Values, s.Zeros, want.Values, want.Zeros)
	}
	if s.Channels*s.Blocks != len(s.Values) {
		t.Fatalf("%s: %d channels and %d blocks, %d scales", name, s.Channels, s.Blocks, len(s.Values))
	}
	if s.Underflow+s.Overflow > 0 {
		return // these scales are not for use
	}
	dst := make([]byte, len(values))
	Quantize(dst, w, s)
	least, most := scheme.Range()
	scaleOf, zeroOf := make([]float32, len(values)), make([]int8, len(values))
	for i, v := range values {
		k, at := plainScaleOf(w, i), i
		if w.Flip {
			batch, row, column := i/(w.Rows*w.Columns), i/w.Columns%w.Rows, i%w.Columns
			at = (batch*w.Columns+column)*w.Rows + row
		}
		if s.Zeros != nil {
			zeroOf[at] = s.Zeros[k]
		}
		scaleOf[at] = s.Values[k]
		q := math.RoundToEven(float64(float32(v)/s.Values[k])) + float64(zeroOf[at])
		q = max(float64(least), min(float64(most), q))
		if int8(dst[at]) != int8(q) {
			t.Fatalf("%s: weight %v with scale %v and zero %d becomes %d, want %v", name, v, s.Values[k], zeroOf[at], int8(dst[at]), q)
		}
		// The property that every bound rests on: what the integer stands for is
		// no farther than half a scale, and what float32 division may add; see
		// Scales.Overflow for the exception.
		steps := 0.5 + 1e-5
		zero := float64(zeroOf[at])
		if widest := max(float64(most)-zero, zero-float64(least)) * float64(s.Values[k]); scheme.Scale == Float32Type && widest > 0.99*math.MaxFloat32 {
			steps = 1 + 1e-5
		}
		if far := math.Abs(v - (q-float64(zeroOf[at]))*float64(s.Values[k])); far > float64(s.Values[k])*steps && math.Abs(v) >= 0x1p-126 {
			t.Fatalf("%s: weight %v is %v away, scale %v", name, v, far, s.Values[k])
		}
	}
	dequantized := make([]float32, len(values))
	Dequantize(dequantized, signedBytes(dst), w.Grid(), s.Values, s.Zeros)
	for i, v := range dequantized {
		if v != float32(int32(int8(dst[i]))-int32(zeroOf[i]))*scaleOf[i] {
			t.Fatalf("%s: element %d dequantizes to %v", name, i, v)
		}
	}
	rows, length := w.Stored()
	if rows*length != len(dst) {
		t.Fatalf("%s: stored as %d×%d", name, rows, length)
	}
	piecewise := make([]byte, 0, len(dst))
	for from := 0; from < rows; {
		to := min(rows, from+1+len(piecewise)%3)
		piece := make([]byte, (to-from)*length)
		QuantizeFrom(piece, w, s, from*length)
		piecewise = append(piecewise, piece...)
		from = to
	}
	if !slices.Equal(piecewise, dst) {
		t.Fatalf("%s: in pieces it is not the same", name)
	}
}

func TestBrokenContractsPanic(t *testing.T) {
	good := func() *Weights { return &Weights{Data: make([]byte, 24), Batch: 1, Rows: 2, Columns: 3} }
	scales := func(w *Weights) *Scales {
		s, err := Measure(w, Scheme{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := map[string]func(){
		"too few bytes":       func() { w := good(); w.Data = w.Data[1:]; Measure(w, Scheme{}) },
		"blocks without axis": func() { w := good(); w.Block = 2; Measure(w, Scheme{}) },
		"nine bits":           func() { Measure(good(), Scheme{Bits: 9}) },
		"float64 scales":      func() { Measure(good(), Scheme{Scale: Float64Type}) },
		"short destination":   func() { w := good(); Quantize(make([]byte, 5), w, scales(w)) },
		"a piece beyond":      func() { w := good(); QuantizeFrom(make([]byte, 3), w, scales(w), 4) },
		"scales of another":   func() { w := good(); s := scales(w); w.Axis = AlongColumns; Quantize(make([]byte, 6), w, s) },
		"dequantize, too few": func() { Dequantize(make([]float32, 4), make([]int8, 4), Grid{1, 4, 1, 0}, make([]float32, 3), nil) },
		"scales of no use":    func() { w := good(); s := scales(w); s.Underflow = 1; Quantize(make([]byte, 6), w, s) },
		"zeros not as many": func() {
			Dequantize(make([]float32, 2), make([]int8, 2), Grid{1, 2, 1, 0}, make([]float32, 2), make([]int8, 1))
		},
		"negative dimension":   func() { w := good(); w.Rows, w.Columns = -2, -3; Measure(w, Scheme{}) },
		"short float32 output": func() { Dequantize(make([]float32, 1), make([]int8, 2), Grid{1, 2, 1, 0}, make([]float32, 2), nil) },
	}
	for name, broken := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it does not panic")
				}
			}()
			broken()
		})
	}
}
