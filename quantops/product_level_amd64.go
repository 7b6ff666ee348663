package quantops

import "golang.org/x/sys/cpu"

//go:generate go run -C internal/asm ./product ../..

// supported says whether this processor has a level. A later one may lack an
// earlier one that it does not build on.
func (l productLevel) supported() bool {
	x := &cpu.X86
	switch l {
	case productAMX:
		return productVNNI.supported() && x.HasAMXTile && x.HasAMXInt8 && x.HasAMXBF16 && tilesPermitted()
	case productVNNI:
		return productAVX512.supported() && x.HasAVX512VNNI
	case productAVX512:
		return productAVX2.supported() && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	case productAVXVNNI:
		return productAVX2.supported() && x.HasAVXVNNI
	case productAVX2:
		return x.HasAVX2 && x.HasFMA
	}
	return true
}

// but is a level that differs from k.
func (k productKernels) but(change func(*productKernels)) *productKernels {
	change(&k)
	return &k
}

// Each level has what the one has that it builds on, but for what it does better.
var (
	avx2Product = genericProduct.but(func(k *productKernels) {
		k.float32, k.int8, k.shiftedInt8 = newTileSet(tilesFloat32AVX2), newTileSet(tilesInt8AVX2), newTileSet(tilesShiftedInt8AVX2)
		k.finish, k.addScaled, k.finishColumns = finishAVX2, addScaledAVX2, panelColumns
		k.transpose = transpose8AVX2
		k.dotLayout, k.fixedLayout, k.widenUnsigned, k.widenSigned = inWords, inWords, widenUnsignedAVX2, widenSignedAVX2
		k.dot, k.fixed, k.fixBlock = newTileSet(tilesWordsAVX2), newTileSet(tilesFixedWordsAVX2), fixWordsAVX2
		k.dynamicRange, k.dynamicBytes = dynamicRangeAVX2, dynamicBytesAVX2
	})
	avxVNNIProduct = avx2Product.but(func(k *productKernels) {
		k.dot, k.dotLayout = newTileSet(tilesDotAVXVNNI), inBytes
		k.fixed = newTileSet(tilesFixedWordsAVXVNNI)
	})
	avx512Product = avx2Product.but(func(k *productKernels) {
		k.float32, k.int8, k.shiftedInt8 = newTileSet(tilesFloat32AVX512), newTileSet(tilesInt8AVX512), newTileSet(tilesShiftedInt8AVX512)
		k.widenPanel, k.blockBytes, k.fewestAhead = widenPanelAVX512, 800<<10, 3
		k.finish, k.addScaled, k.finishColumns = finishAVX512, addScaledAVX512, 1
		k.dot, k.fixed = newTileSet(tilesWordsAVX512), newTileSet(tilesFixedWordsAVX512)
		k.dynamicRange, k.dynamicBytes = dynamicRangeAVX512, dynamicBytesAVX512
	})
	vnniProduct = avx512Product.but(func(k *productKernels) {
		k.dotLayout, k.fixedLayout = inBytes, inBytes
		k.dot, k.fixed, k.fixBlock = newTileSet(tilesDotVNNI), newTileSet(tilesFixedVNNI), fixBlockAVX512
	})
	amxProduct = vnniProduct.but(func(k *productKernels) {
		k.dotLayout.depth, k.fixedLayout.depth = amxDepth, amxDepth
		k.tallDot = dotTilesAMX(tile16x32DotAMX, tile16x64DotAMX, tile32x32DotAMX)
		k.tallFixed, k.pieces = fixedTilesAMX, amxPieces
	})
)

var amxPieces = &pieceKernels{
	split:       splitRowAVX512,
	pairs:       [2]func(*pieceTile){pieceTile16x32AMX, pieceTile32x32AMX},
	int8:        [2]func(*pieceTile){pieceTile16x32Int8AMX, pieceTile32x32Int8AMX},
	shiftedInt8: [2]func(*pieceTile){pieceTile16x32ShiftedInt8AMX, pieceTile32x32ShiftedInt8AMX},
}

func (l productLevel) kernels() *productKernels {
	return [...]*productKernels{genericProduct, avx2Product, avxVNNIProduct, avx512Product, vnniProduct, amxProduct}[l]
}
