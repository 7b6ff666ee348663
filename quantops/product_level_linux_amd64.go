package quantops

import "golang.org/x/sys/unix"

// tilesPermitted asks Linux to let this process use AMX's tiles: a thread that
// uses them without is killed. The permission is for all threads, those that are
// still to come too (Documentation/arch/x86/xstate.rst, since Linux 5.16).
func tilesPermitted() bool {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	_, _, failure := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return failure == 0
}
