package quantops

import "sync/atomic"

// Quantization is Quantize for several goroutines, which share the work.
type Quantization struct {
	dst   []byte
	w     *Weights
	s     *Scales
	level sweepLevel
	band  int  // quantized weights that a goroutine claims at a time
	past  bool // the caches: the result is written without reading what it replaces

	claimed atomic.Int64 // bands
}

// NewQuantization begins quantizing weights with the scales that were measured on
// them. It reads and writes nothing yet. dst is as long as there are weights.
func NewQuantization(dst []byte, w *Weights, s *Scales) *Quantization {
	w.check()
	s.checkFor(w)
	if len(dst) != w.len() {
		panic("quantops: the destination is not as long as there are weights")
	}
	q := &Quantization{dst: dst, w: w, s: s, level: fastestSweep, band: bandBytes / w.Type.Size()}
	if w.Flip {
		// Some columns of floats, which become rows: as many as a tile is wide.
		q.band = max(1, w.Rows) * tileColumns
	} else {
		q.past = len(dst) >= beyondCaches
	}
	return q
}

// beyondCaches is from how many bytes on nobody finds much of a result in the
// caches after it was written.
const beyondCaches = 8 << 20

// Help takes part until there is nothing left that nobody has begun. Any number of
// goroutines may call it. Once all of them have returned, all is written.
//
// The last weights come first: of what was measured just before, they are what
// caches still hold.
func (q *Quantization) Help() {
	by := newQuantizer(q.w, q.s)
	by.level, by.past = q.level, q.past
	bands := (len(q.dst) + q.band - 1) / q.band
	for {
		band := bands - int(q.claimed.Add(1))
		if band < 0 {
			break
		}
		from := band * q.band
		by.from(q.dst[from:min(len(q.dst), from+q.band)], from)
	}
	if q.past {
		q.level.kernels().fence()
	}
}
