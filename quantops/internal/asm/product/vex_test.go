package main

import (
	"encoding/hex"
	"testing"

	"github.com/mmcloughlin/avo/reg"
)

// TestEncodings holds instructions to the bytes that another assembler gives
// (GNU as 2.40).
func TestEncodings(t *testing.T) {
	for _, c := range []struct {
		instruction string
		code        []byte
		want        string
	}{
		{"ldtilecfg (%rax)", configuration(reg.RAX), "c4e2784900"},
		{"ldtilecfg (%r9)", configuration(reg.R9), "c4c2784901"},
		{"tilerelease", registers(implies00, opcodeConfigure, 0, 0, 0), "c4e27849c0"},
		{"tilezero %tmm5", registers(impliesF2, opcodeConfigure, 5, 0, 0), "c4e27b49e8"},
		{"tileloadd 0x12345(%rsi,%rbx,1), %tmm3", memory(impliesF2, opcodeMove, 3, reg.RSI, reg.RBX, 0x12345), "c4e27b4b9c1e45230100"},
		{"tileloadd 0x1040(%r13,%r12,1), %tmm7", memory(impliesF2, opcodeMove, 7, reg.R13, reg.R12, 0x1040), "c4827b4bbc2540100000"},
		{"tilestored %tmm2, 0x1080(%rdi,%r11,1)", memory(impliesF3, opcodeMove, 2, reg.RDI, reg.R11, 0x1080), "c4a27a4b941f80100000"},
		{"tdpbusd %tmm6, %tmm4, %tmm1", registers(implies66, opcodeDotInt8, 1, 4, 6), "c4e2495ecc"},
		{"tdpbf16ps %tmm7, %tmm5, %tmm3", registers(impliesF3, opcodeDotBF16, 3, 5, 7), "c4e2425cdd"},
		{"{vex} vpdpbusd %ymm13, %ymm14, %ymm3", vexVectors(implies66, opcodeAddFours, reg.Y3, reg.Y14, reg.Y13), "c4c20d50dd"},
		{"{vex} vpdpwssd %ymm13, %ymm14, %ymm3", vexVectors(implies66, opcodeAddPairs, reg.Y3, reg.Y14, reg.Y13), "c4c20d52dd"},
		{"{vex} vpdpwssd %ymm2, %ymm5, %ymm11", vexVectors(implies66, opcodeAddPairs, reg.Y11, reg.Y5, reg.Y2), "c4625552da"},
		{"{vex} vpdpwssd %ymm12, %ymm15, %ymm0", vexVectors(implies66, opcodeAddPairs, reg.Y0, reg.Y15, reg.Y12), "c4c20552c4"},
	} {
		if got := hex.EncodeToString(c.code); got != c.want {
			t.Errorf("%s: %s, want %s", c.instruction, got, c.want)
		}
	}
}
