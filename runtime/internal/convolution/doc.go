// Package convolution holds the loops of convolutions over float32.
//
// Tensors stay as ONNX has them, row-major (N, C, spatial axes), and weights are
// the left operand of a product whose right operand are input elements:
//
//	y[map][output] = Σ weights[map][channel, tap] · x[channel, output·stride + tap]
//
// A product is computed in tiles of [Rows] maps by [Columns] outputs. [Gather]
// lays the input elements of so many outputs out as a panel, one line for each
// channel and tap; the panel is made once and used by all maps. A convolution
// with one channel has no sum over channels to speak of: [Taps] slides over its
// rows as they lie.
//
// Layouts in blocks of 16 channels, which other runtimes use, save the panels,
// which cost one pass in Rows·maps/8 multiplications, but have to be made and
// undone around every operator that does not know them; so tensors keep the
// layout that all other operators read.
//
// [MultiplyTaps] reads both operands where they lie: it is for images that lie side
// by side, whose neighbours are the same element of the next image.
//
// Each function has a loop in Go that says what it computes, and twins of it in
// AVX-512 and AVX2, which multiply and add in one rounding. A result depends on
// its own operands alone, not on where it lies in a tile or a row.
package convolution

//go:generate sh -c "cd ../asm && go run ./convolution -out ../convolution/kernels_amd64.s -stubs ../convolution/kernels_amd64.go -pkg convolution"
