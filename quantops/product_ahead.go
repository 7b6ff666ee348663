package quantops

import "unsafe"

// nextPanels are what the tiles on some panels bring nearer, each its share: the
// processor itself does not look so far ahead, and would wait for every panel.
type nextPanels struct {
	data  unsafe.Pointer
	bytes int
	// A tile asks for something each stride bytes, and goes so far.
	stride, each int
}

// nextPanels are those from panel on, if that is before last, for so many tiles.
func (p *floatProduct) nextPanels(kernel *tileKernel, panel, last, count int) nextPanels {
	asked := (p.k + 7) / 8 * kernel.fetches // how often a tile asks for memory
	if panel >= last || p.pack != nil || p.right.block != 0 || count < p.kernels.fewestAhead || asked == 0 {
		return nextPanels{}
	}
	bytes := kernel.panels * p.right.panelStride
	stride := (bytes + count*asked - 1) / (count * asked)
	return nextPanels{unsafe.Add(p.right.data, panel*p.right.panelStride), bytes, stride, asked * stride}
}

// share is where the index-th tile begins to ask, and how far it goes each time;
// if there is nothing left for it, it asks again and again for what it has.
func (n *nextPanels) share(index int, own unsafe.Pointer) (from unsafe.Pointer, stride int) {
	if at := index * n.each; at < n.bytes {
		return unsafe.Add(n.data, at), n.stride
	}
	return own, 0
}
