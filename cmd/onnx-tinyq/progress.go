package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar that shows how far some work is. It is drawn only on a
// terminal, and only if the work takes a while.
type progress struct{ bar *progressbar.ProgressBar }

// progress starts a bar; without a terminal it is one that draws nothing.
func (a *app) progress(what string, bytes bool) *progress {
	file, ok := a.err.(*os.File)
	if !ok || a.quiet || !term.IsTerminal(int(file.Fd())) {
		return &progress{}
	}
	return &progress{progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(file),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetRenderBlankState(false),
	)}
}

// at moves the bar. A bar's own failure to draw is no failure of the work.
func (p *progress) at(done, total int64) {
	if p.bar == nil || total <= 0 {
		return
	}
	if p.bar.GetMax64() != total {
		p.bar.ChangeMax64(total)
	}
	_ = p.bar.Set64(done)
}

// end clears the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	}
}
