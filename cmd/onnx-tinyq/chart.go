package main

import (
	"fmt"
	"math"
	"strings"
)

// chart is the curve of size against error as a drawing: what tuning tried, in
// the units of the drawing.
type chart struct {
	Width, Height            int
	Left, Right, Top, Bottom float64 // of the plot
	Below, Beside            float64 // where the ticks' texts stand
	XTicks, YTicks           []chartTick
	Dots                     []chartDot
	Line                     string
	HasMark                  bool
	Mark                     float64
}

type chartTick struct {
	At   float64
	Text string
}

type chartDot struct {
	X, Y   float64
	Chosen bool
	Title  string
}

// Chart draws the curve; nil if there is none with at least two points. What
// has no noise at all has no place on it.
func (r *rewriteReport) Chart() *chart {
	var points []tunePoint
	for _, p := range r.Curve {
		if !math.IsInf(float64(p.SQNR), 0) && !math.IsNaN(float64(p.SQNR)) {
			points = append(points, p)
		}
	}
	if len(points) < 2 {
		return nil
	}
	c := &chart{Width: 720, Height: 320, Left: 60, Right: 700, Top: 15, Bottom: 280, Below: 300, Beside: 52}
	x, y := axis{math.Inf(1), math.Inf(-1)}, axis{math.Inf(1), math.Inf(-1)}
	for _, p := range points {
		x.include(float64(p.Bytes))
		y.include(float64(p.SQNR))
	}
	if r.MinSQNR != 0 {
		y.include(float64(r.MinSQNR))
	}
	x.widen()
	y.widen()
	atX := func(v float64) float64 { return c.Left + (c.Right-c.Left)*x.part(v) }
	atY := func(v float64) float64 { return c.Bottom - (c.Bottom-c.Top)*y.part(v) }
	for i := range 5 {
		v := x.low + (x.high-x.low)*float64(i)/4
		c.XTicks = append(c.XTicks, chartTick{atX(v), grouped(int64(v))})
		v = y.low + (y.high-y.low)*float64(i)/4
		c.YTicks = append(c.YTicks, chartTick{atY(v), fmt.Sprintf("%.1f dB", v)})
	}
	var line []string
	for _, p := range points {
		dot := chartDot{atX(float64(p.Bytes)), atY(float64(p.SQNR)), p.Chosen,
			fmt.Sprintf("%s bytes, %.1f dB: %d left in float, %d in a finer form", grouped(p.Bytes), float64(p.SQNR), p.LeftInFloat, p.InOtherForm)}
		c.Dots = append(c.Dots, dot)
		line = append(line, fmt.Sprintf("%.1f,%.1f", dot.X, dot.Y))
	}
	c.Line = strings.Join(line, " ")
	c.HasMark, c.Mark = r.MinSQNR != 0, atY(float64(r.MinSQNR))
	return c
}

// axis is the range of a chart's numbers.
type axis struct{ low, high float64 }

func (a *axis) include(v float64) { a.low, a.high = min(a.low, v), max(a.high, v) }

// widen leaves some room, and gives equal numbers any.
func (a *axis) widen() {
	room := 0.05 * (a.high - a.low)
	if room == 0 {
		room = max(1, 0.05*math.Abs(a.high))
	}
	a.low, a.high = a.low-room, a.high+room
}

func (a *axis) part(v float64) float64 { return (v - a.low) / (a.high - a.low) }
