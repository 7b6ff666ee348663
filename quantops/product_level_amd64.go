package quantops

import "golang.org/x/sys/cpu"

//go:generate go run -C internal/asm ./product ../..

func detectProduct() productLevel {
	x := &cpu.X86
	switch {
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI &&
		x.HasAMXTile && x.HasAMXInt8 && x.HasAMXBF16 && tilesPermitted():
		return productAMX
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI:
		return productVNNI
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL:
		return productAVX512
	case x.HasAVX2 && x.HasFMA:
		return productAVX2
	}
	return productGeneric
}

var (
	avx2Product = &productKernels{
		float32: newTileSet(tilesFloat32AVX2), int8: newTileSet(tilesInt8AVX2), shiftedInt8: newTileSet(tilesShiftedInt8AVX2),
		dot: genericProduct.dot, fixed: genericProduct.fixed, dotDepth: dotStep, fixBlock: fixBlockGeneric,
		finish: finishAVX2, addScaled: addScaledAVX2, finishColumns: panelColumns, transpose: transpose8AVX2,
	}
	avx512Product = &productKernels{
		float32: newTileSet(tilesFloat32AVX512), int8: newTileSet(tilesInt8AVX512), widenPanel: widenPanelAVX512, shiftedInt8: newTileSet(tilesShiftedInt8AVX512),
		dot: genericProduct.dot, fixed: genericProduct.fixed, dotDepth: dotStep, fixBlock: fixBlockAVX512, dynamicRange: dynamicRangeAVX512, dynamicBytes: dynamicBytesAVX512,
		finish: finishAVX512, addScaled: addScaledAVX512, finishColumns: 1, transpose: transpose8AVX2,
	}
	vnniProduct = &productKernels{
		float32: avx512Product.float32, int8: avx512Product.int8, widenPanel: widenPanelAVX512, shiftedInt8: avx512Product.shiftedInt8,
		dot: newTileSet(tilesDotVNNI), fixed: newTileSet(tilesFixedVNNI), dotDepth: dotStep, fixBlock: fixBlockAVX512, dynamicRange: dynamicRangeAVX512, dynamicBytes: dynamicBytesAVX512,
		finish: finishAVX512, addScaled: addScaledAVX512, finishColumns: 1, transpose: transpose8AVX2,
	}
	amxProduct = &productKernels{
		float32: avx512Product.float32, int8: avx512Product.int8, widenPanel: widenPanelAVX512, shiftedInt8: avx512Product.shiftedInt8,
		dot: vnniProduct.dot, fixed: vnniProduct.fixed, tallDot: dotTilesAMX(tile16x32DotAMX, tile16x64DotAMX, tile32x32DotAMX), tallFixed: fixedTilesAMX, dotDepth: amxDepth, pieces: amxPieces, fixBlock: fixBlockAVX512, dynamicRange: dynamicRangeAVX512, dynamicBytes: dynamicBytesAVX512,
		finish: finishAVX512, addScaled: addScaledAVX512, finishColumns: 1, transpose: transpose8AVX2,
	}
)

var amxPieces = &pieceKernels{
	split:       splitRowAVX512,
	pairs:       [2]func(*pieceTile){pieceTile16x32AMX, pieceTile32x32AMX},
	int8:        [2]func(*pieceTile){pieceTile16x32Int8AMX, pieceTile32x32Int8AMX},
	shiftedInt8: [2]func(*pieceTile){pieceTile16x32ShiftedInt8AMX, pieceTile32x32ShiftedInt8AMX},
}

func (l productLevel) kernels() *productKernels {
	return [...]*productKernels{genericProduct, avx2Product, avx512Product, vnniProduct, amxProduct}[l]
}
