package onnx

import "fmt"

// properties of the element types, by number; names are those of ONNX's text syntax.
var dtypeProperties = [...]struct {
	name string
	bits int
}{
	Undefined:      {"undefined", 0},
	Float:          {"float", 32},
	Uint8:          {"uint8", 8},
	Int8:           {"int8", 8},
	Uint16:         {"uint16", 16},
	Int16:          {"int16", 16},
	Int32:          {"int32", 32},
	Int64:          {"int64", 64},
	String:         {"string", 0},
	Bool:           {"bool", 8},
	Float16:        {"float16", 16},
	Double:         {"double", 64},
	Uint32:         {"uint32", 32},
	Uint64:         {"uint64", 64},
	Complex64:      {"complex64", 64},
	Complex128:     {"complex128", 128},
	BFloat16:       {"bfloat16", 16},
	Float8E4M3FN:   {"float8e4m3fn", 8},
	Float8E4M3FNUZ: {"float8e4m3fnuz", 8},
	Float8E5M2:     {"float8e5m2", 8},
	Float8E5M2FNUZ: {"float8e5m2fnuz", 8},
	Uint4:          {"uint4", 4},
	Int4:           {"int4", 4},
	Float4E2M1:     {"float4e2m1", 4},
	Float8E8M0:     {"float8e8m0", 8},
	Uint2:          {"uint2", 2},
	Int2:           {"int2", 2},
	Float6E2M3:     {"float6e2m3", 6},
	Float6E3M2:     {"float6e3m2", 6},
}

// Known reports whether d is an element type of ONNX 1.23; Undefined is not.
func (d DType) Known() bool { return d > Undefined && int(d) < len(dtypeProperties) }

// String gives the name the type has in ONNX's text syntax, such as float,
// int8 or bfloat16.
func (d DType) String() string {
	if d != Undefined && !d.Known() {
		return fmt.Sprintf("dtype(%d)", int32(d))
	}
	return dtypeProperties[d].name
}

// Bits is the size of one element in a payload, 0 for String, Undefined and
// types of the future.
func (d DType) Bits() int {
	if !d.Known() {
		return 0
	}
	return dtypeProperties[d].bits
}

// IsFloat reports whether the type is one of float, double, float16 and
// bfloat16: those that layers compute in.
func (d DType) IsFloat() bool {
	return d == Float || d == Double || d == Float16 || d == BFloat16
}

// ParseDType is the inverse of String.
func ParseDType(name string) (DType, error) {
	for d := range dtypeProperties {
		if dtypeProperties[d].name == name && DType(d) != Undefined {
			return DType(d), nil
		}
	}
	return Undefined, fmt.Errorf("onnx: there is no element type %q", name)
}
