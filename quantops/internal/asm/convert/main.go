// Command convert writes the assembly of quantops' conversions between float32
// and the 16-bit float types into the folder that it is given. All of them need
// AVX2 and F16C; wider registers would not make them faster, for they do little
// more than read and write.
package main

import (
	"log"
	"os"
	"path/filepath"
	"regexp"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is how many elements one round of each loop converts.
const lanes = 16

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: convert FOLDER")
	}
	c := &conversions{build.NewContext()}
	c.widenFloat16()
	c.narrowFloat16()
	c.widenBFloat16()
	c.narrowBFloat16()
	c.roundFloat16()
	c.roundFloat16AndAdd()
	if err := c.write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// conversions is the file that is being made.
type conversions struct{ *build.Context }

func (c *conversions) write(folder string) error {
	file, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	config := printer.Config{Argv: []string{"go", "generate", "./quantops"}, Pkg: "quantops"}
	for name, p := range map[string]printer.Printer{
		"widen_kernels_amd64.s":  printer.NewGoAsm(config),
		"widen_kernels_amd64.go": printer.NewStubs(config),
	} {
		text, err := p.Print(file)
		if err != nil {
			return err
		}
		// The types' own names, which avo does not know.
		for _, t := range []string{"Float16", "BFloat16"} {
			named := regexp.MustCompile(`(func (?:widen|narrow)` + t + `.*)\[\]uint16`)
			text = named.ReplaceAll(text, []byte("${1}[]"+t))
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// function defines a loop over whole rounds; round gets the addresses of its
// elements. prepare makes what stays the same.
func (c *conversions) function(name, signature string, toSize, fromSize int, prepare func(), round func(to, from operand.Mem)) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr(signature)
	c.Pragma("noescape")
	c.Doc(name+" converts the elements of src in whole sixteens", "and gives how many those are.")
	to, from := c.Load(c.Param("dst").Base(), c.GP64()), c.Load(c.Param("src").Base(), c.GP64())
	count, done := c.Load(c.Param("src").Len(), c.GP64()), c.GP64()
	c.XORQ(done, done)
	c.ANDQ(operand.I32(-lanes), count)
	prepare()
	c.Label("again")
	c.CMPQ(done, count)
	c.JE(operand.LabelRef("end"))
	round(operand.Mem{Base: to}, operand.Mem{Base: from})
	c.ADDQ(operand.U32(toSize*lanes), to)
	c.ADDQ(operand.U32(fromSize*lanes), from)
	c.ADDQ(operand.U32(lanes), done)
	c.JMP(operand.LabelRef("again"))
	c.Label("end")
	c.Store(done, c.ReturnIndex(0))
	c.VZEROUPPER()
	c.RET()
}

func (c *conversions) widenFloat16() {
	c.function("widenFloat16F16C", "func(dst []float32, src []uint16) int", 4, 2, func() {}, func(to, from operand.Mem) {
		for half := range 2 {
			v := c.YMM()
			c.VCVTPH2PS(from.Offset(16*half), v)
			c.VMOVUPS(v, to.Offset(32*half))
		}
	})
}

func (c *conversions) narrowFloat16() {
	c.function("narrowFloat16F16C", "func(dst []uint16, src []float32) int", 2, 4, func() {}, func(to, from operand.Mem) {
		for half := range 2 {
			v := c.YMM()
			c.VMOVUPS(from.Offset(32*half), v)
			c.VCVTPS2PH(operand.U8(0), v, to.Offset(16*half)) // to the nearest, half to even
		}
	})
}

func (c *conversions) roundFloat16() {
	c.function("roundFloat16F16C", "func(dst []float32, src []float32) int", 4, 4, func() {}, func(to, from operand.Mem) {
		for half := range 2 {
			c.VMOVUPS(c.rounded(from.Offset(32*half)), to.Offset(32*half))
		}
	})
}

func (c *conversions) roundFloat16AndAdd() {
	var addend reg.Register
	c.function("roundFloat16AndAddF16C", "func(dst []float32, src []float32, addend []float32) int", 4, 4, func() {
		addend = c.Load(c.Param("addend").Base(), c.GP64())
	}, func(to, from operand.Mem) {
		for half := range 2 {
			v := c.rounded(from.Offset(32 * half))
			c.VADDPS(operand.Mem{Base: addend, Disp: 32 * half}, v, v)
			c.VMOVUPS(v, to.Offset(32*half))
		}
		c.ADDQ(operand.U32(4*lanes), addend)
	})
}

// rounded are eight float32, rounded to float16.
func (c *conversions) rounded(from operand.Mem) reg.VecVirtual {
	v, half := c.YMM(), c.XMM()
	c.VMOVUPS(from, v)
	c.VCVTPS2PH(operand.U8(0), v, half) // to the nearest, half to even
	c.VCVTPH2PS(half, v)
	return v
}

func (c *conversions) widenBFloat16() {
	c.function("widenBFloat16AVX2", "func(dst []float32, src []uint16) int", 4, 2, func() {}, func(to, from operand.Mem) {
		for half := range 2 {
			v := c.YMM()
			c.VPMOVZXWD(from.Offset(16*half), v)
			c.VPSLLD(operand.U8(16), v, v)
			c.VMOVDQU(v, to.Offset(32*half))
		}
	})
}

func (c *conversions) narrowBFloat16() {
	var half, one, quiet reg.VecVirtual
	repeated := func(word uint32) reg.VecVirtual {
		number, single, v := c.GP32(), c.XMM(), c.YMM()
		c.MOVL(operand.U32(word), number)
		c.VMOVD(number, single)
		c.VPBROADCASTD(single, v)
		return v
	}
	c.function("narrowBFloat16AVX2", "func(dst []uint16, src []float32) int", 2, 4, func() {
		half, one, quiet = repeated(0x7fff), repeated(1), repeated(0x40)
	}, func(to, from operand.Mem) {
		var parts [2]reg.VecVirtual
		for i := range parts {
			v, upper, rounded, isNaN := c.YMM(), c.YMM(), c.YMM(), c.YMM()
			c.VMOVUPS(from.Offset(32*i), v)
			c.VPSRLD(operand.U8(16), v, upper)
			c.VPAND(one, upper, rounded)
			c.VPADDD(half, rounded, rounded)
			c.VPADDD(v, rounded, rounded)
			c.VPSRLD(operand.U8(16), rounded, rounded)
			c.VCMPPS(operand.U8(3), v, v, isNaN) // unordered
			c.VPOR(quiet, upper, upper)
			c.VPBLENDVB(isNaN, upper, rounded, rounded)
			parts[i] = rounded
		}
		packed := c.YMM()
		c.VPACKUSDW(parts[1], parts[0], packed)
		c.VPERMQ(operand.U8(0b11011000), packed, packed)
		c.VMOVDQU(packed, to)
	})
}
