// Command convolution writes the assembly of package runtime/internal/convolution.
// Every kernel has a twin in generic Go there, which says what it computes.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64")
	panelTile.avx512()
	panelTile.avx2()
	scatteredTile.avx512()
	scatteredTile.avx2()
	tapsAVX512()
	tapsAVX2()
	gatherAVX512()
	gatherAVX2()
	gatherPatternAVX512()
	rampAVX512()
	rampAVX2()
	widenAVX2()
	largestAVX512()
	largestAVX2()
	Generate()
}
