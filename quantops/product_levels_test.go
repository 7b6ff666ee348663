package quantops

import "testing"

// eachLevel runs a test at every level that this processor has.
func eachLevel(t *testing.T, test func(t *testing.T, level productLevel)) {
	for _, level := range productLevels() {
		t.Run(level.String(), func(t *testing.T) { test(t, level) })
	}
}

// wordsInGo are kernels whose left operands of integers are 16 bits wide, in plain Go.
var wordsInGo = func() *productKernels {
	k := *genericProduct
	k.dotLayout, k.fixedLayout, k.dot, k.fixed, k.fixBlock = inWords, inWords, genericTiles(tileWords), genericTiles(tileFixedWords), fixWordsGeneric
	return &k
}()

// tallInGo are kernels that compute many rows of fixed point as AMX's do, in plain Go.
var tallInGo = func() *productKernels {
	k := *genericProduct
	k.dotLayout.depth, k.fixedLayout.depth, k.tallFixed = amxDepth, amxDepth, fixedTilesGeneric
	return &k
}()

// eachIntegers runs a test with the inner loops for integers of every level that
// this processor has, and with those in Go that are no level's.
func eachIntegers(t *testing.T, test func(t *testing.T, kernels *productKernels)) {
	eachLevel(t, func(t *testing.T, level productLevel) { test(t, level.kernels()) })
	t.Run("words in Go", func(t *testing.T) { test(t, wordsInGo) })
	t.Run("tall tiles in Go", func(t *testing.T) { test(t, tallInGo) })
}
