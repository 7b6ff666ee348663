package vector

import (
	"encoding/binary"
	"math"
	"testing"
)

// FuzzTwins gives every loop the numbers that the input's bytes are, of whatever
// bits: all twins have to give the same results, but for the last places, which
// a step of a generic twin rounds otherwise once in a very long while.
func FuzzTwins(f *testing.F) {
	f.Add(uint8(0), []byte("\x00\x00\x80\x7f\x00\x00\x80\xff\x00\x00\xc0\x7f\x01\x00\x00\x00"))
	f.Add(uint8(17), []byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
	f.Fuzz(func(t *testing.T, which uint8, bytes []byte) {
		next := 0
		value := func() float32 {
			if len(bytes) < 4 {
				return 1
			}
			next = (next + 4) % (len(bytes) - 3)
			return math.Float32frombits(binary.LittleEndian.Uint32(bytes[next:]))
		}
		l := loops[int(which)%len(loops)]
		for _, twin := range twins()[1:] {
			compareTwin(t, twin.kernels, l, len(bytes)/4, len(bytes)%4, value, nearlySame)
		}
	})
}

func nearlySame(a, b float32) bool {
	return same(a, b) || math.Abs(float64(a)-float64(b)) <= 1e-6*math.Max(math.Abs(float64(a)), 1)
}
