package quantops

// The element types that Go has no type for. The 16-bit and 8-bit ones hold the
// bits of the format; 4-bit and 2-bit ones hold one element in a byte, unpacked
// and sign-extended; Float4E2M1 and the 6-bit floats hold their bits in the low
// end of a byte.
type (
	Float16        uint16
	BFloat16       uint16
	Float8E4M3FN   uint8
	Float8E4M3FNUZ uint8
	Float8E5M2     uint8
	Float8E5M2FNUZ uint8
	Float8E8M0     uint8
	Float4E2M1     uint8
	Float6E2M3     uint8
	Float6E3M2     uint8
	Int4           int8
	Uint4          uint8
	Int2           int8
	Uint2          uint8
)
