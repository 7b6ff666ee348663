package onnx

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// enclosed makes a length-delimited field.
func enclosed(number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), message)
}

func encodedTensor(t testing.TB, v ...int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := EncodeTensor(&b, Int64Tensor("e", []int64{int64(len(v))}, v)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func onlyNumber(t *testing.T, tensors ...*Tensor) []int64 {
	t.Helper()
	var list []int64
	for _, tensor := range tensors {
		v, err := tensor.Int64s()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v...)
	}
	return list
}

func TestDecodeSequence(t *testing.T) {
	one, two := encodedTensor(t, 1), encodedTensor(t, 2)
	inner := append(enclosed(3, one), enclosed(3, two)...)
	data := append(enclosed(1, []byte("name")), enclosed(5, inner)...)
	s, err := DecodeSequence(data)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "name" || len(s.Sequences) != 1 || len(s.Sequences[0].Tensors) != 2 {
		t.Fatalf("%+v", s)
	}
	if got := onlyNumber(t, s.Sequences[0].Tensors...); got[0] != 1 || got[1] != 2 {
		t.Errorf("the elements are %v", got)
	}
}

func TestDecodeOptional(t *testing.T) {
	o, err := DecodeOptional(enclosed(5, enclosed(3, encodedTensor(t, 7))))
	if err != nil {
		t.Fatal(err)
	}
	if o.Tensor != nil || o.Sequence == nil || onlyNumber(t, o.Sequence.Tensors...)[0] != 7 {
		t.Errorf("%+v", o)
	}
	if o, err = DecodeOptional(nil); err != nil || o.Tensor != nil || o.Sequence != nil {
		t.Errorf("nothing is %+v, %v", o, err)
	}
}

func TestDecodeMap(t *testing.T) {
	data := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), uint64(String))
	data = append(data, enclosed(4, []byte("key"))...)
	data = append(data, enclosed(5, enclosed(3, encodedTensor(t, 5)))...)
	m, err := DecodeMap(data)
	if err != nil {
		t.Fatal(err)
	}
	if m.KeyType != String || string(m.StringKeys[0]) != "key" || onlyNumber(t, m.Values.Tensors...)[0] != 5 {
		t.Errorf("%+v", m)
	}
}

func TestDecodeDatumRefuses(t *testing.T) {
	deep := encodedTensor(t, 1)
	for range 200 {
		deep = enclosed(5, deep)
	}
	for name, data := range map[string][]byte{"cut off": enclosed(3, encodedTensor(t, 1))[:5], "too deep": deep} {
		if _, err := DecodeSequence(data); err == nil || !strings.Contains(err.Error(), "sequence") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
