package quantops

// A tile register of AMX holds 16 rows of 64 bytes: 64 k of 16 rows of a left
// operand in bytes, as many of 16 columns of a right one, or 16 rows of 16 sums.
const (
	amxRows     = 16
	amxRowBytes = 64
	amxDepth    = 64
)

// amxConfiguration is what says to AMX which shapes its eight registers have
// (palette 1; Intel 64 and IA-32 Architectures Software Developer's Manual, volume
// 1, section 18.2).
type amxConfiguration struct {
	palette, startRow uint8
	_                 [14]uint8
	bytes             [16]uint16 // of a row of each register
	rows              [16]uint8  // of each register
}

// amxConfigurations are, by how many rows of the left operand there are, the
// shapes for the products: registers 0 to 3 hold sums, 4 and 5 rows of the left
// operand, 6 and 7 a panel of the right one. Up to 16 rows, all sums are of those;
// of more, registers 0, 1 and 4 are for the first 16, and 2, 3 and 5 for the rest.
var amxConfigurations = func() (list [2*amxRows + 1]amxConfiguration) {
	for rows := range list {
		c := &list[rows]
		c.palette = 1
		first, second := min(rows, amxRows), rows
		if rows > amxRows {
			second = rows - amxRows
		}
		for i, n := range []int{first, first, second, second, first, second, amxRows, amxRows} {
			if n > 0 {
				c.bytes[i], c.rows[i] = amxRowBytes, uint8(n)
			}
		}
	}
	return list
}()

// dotTilesAMX are the inner loops for bytes, whose k is a multiple of amxDepth.
func dotTilesAMX(narrow, wide, tall func(*tile)) *tileSet {
	configured := func(run func(*tile)) func(*tile) {
		return func(t *tile) {
			t.configuration = &amxConfigurations[t.rows]
			run(t)
		}
	}
	var list []tileKernel
	for rows := 1; rows <= amxRows; rows++ {
		list = append(list, tileKernel{rows, 1, configured(narrow)}, tileKernel{rows, 2, configured(wide)}, tileKernel{amxRows + rows, 1, configured(tall)})
	}
	return newTileSet(list)
}
