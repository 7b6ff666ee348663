package quantops

// Float32 is the exact value.
func (v Int4) Float32() float32 { return float32(v) }

// Float32 is the exact value.
func (v Uint4) Float32() float32 { return float32(v) }

// Float32 is the exact value.
func (v Int2) Float32() float32 { return float32(v) }

// Float32 is the exact value.
func (v Uint2) Float32() float32 { return float32(v) }

// PackedLen is the number of bytes that count elements of so many bits (1 to 8)
// take, packed as ONNX packs them.
func PackedLen(count, bits int) int {
	whole := count / 8 * bits // eight elements take a whole number of bytes
	return whole + (count%8*bits+7)/8
}

// Unpack spreads packed elements of bits (1 to 8) over one byte each. ONNX packs
// them in a stream of bits that fills each byte from its low end. A signed T
// extends the sign. src holds at least PackedLen(len(dst), bits) bytes.
func Unpack[T ~int8 | ~uint8](dst []T, src []byte, bits int) {
	up := 8 - bits
	if bits == 4 {
		for i := range len(dst) / 2 {
			pair := src[i]
			dst[2*i] = T(pair<<4) >> 4
			dst[2*i+1] = T(pair) >> 4
		}
		if odd := len(dst); odd%2 == 1 {
			dst[odd-1] = T(src[odd/2]<<4) >> 4
		}
		return
	}
	held, have := uint(0), 0
	for i := range dst {
		if have < bits {
			held |= uint(src[0]) << have
			src = src[1:]
			have += 8
		}
		// Shifting right as T brings the sign down, if T has one.
		dst[i] = T(byte(held)<<up) >> up
		held >>= bits
		have -= bits
	}
}

// Pack is the inverse of Unpack: of each element the low bits are kept, and the
// last byte is filled up with zeros. dst holds PackedLen(len(src), bits) bytes.
func Pack[T ~int8 | ~uint8](dst []byte, src []T, bits int) {
	mask := uint(1)<<bits - 1
	held, have := uint(0), 0
	for _, v := range src {
		held |= uint(v) & mask << have
		have += bits
		if have >= 8 {
			dst[0] = byte(held)
			dst = dst[1:]
			held >>= 8
			have -= 8
		}
	}
	if have > 0 {
		dst[0] = byte(held)
	}
}
