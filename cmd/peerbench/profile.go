package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"
	"time"
)

// profiled is how long a contestant works under the profiler.
const profiled = 2 * time.Second

var notForFiles = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// profile has those of ours work alone after a contest, and writes where their
// time goes to a file for each. That it could not is said, and no more.
func (c *comparison) profile(ctx context.Context, w work, list []*contestant, threads int) {
	for _, one := range list {
		if !strings.HasPrefix(one.name, "ours") || one.failure != nil || ctx.Err() != nil {
			continue
		}
		name := notForFiles.ReplaceAllString(fmt.Sprintf("%s %s %d", w.name, one.name, threads), "_") + ".pprof"
		if err := one.profile(ctx, filepath.Join(c.profiles, name)); err != nil {
			fmt.Fprintf(c.log, "no profile of %s: %v\n", one.name, err)
		}
	}
}

func (c *contestant) profile(ctx context.Context, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	rest()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	for begin := time.Now(); time.Since(begin) < profiled; {
		if _, err := c.work(ctx); err != nil {
			return err
		}
	}
	return nil
}
