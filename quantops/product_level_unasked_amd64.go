//go:build !linux

package quantops

// tilesPermitted says whether AMX's tiles may be used: only of Linux is it known
// how to ask.
func tilesPermitted() bool { return false }
