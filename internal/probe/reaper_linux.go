package probe

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes every orphan of this process's descendants its child.
func becomeSubreaper() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// groupOfItsOwn starts a process as the leader of a group, which dies with this
// process.
func groupOfItsOwn() *syscall.SysProcAttr {
	a := newGroup()
	a.Pdeathsig = syscall.SIGKILL
	return a
}

// awaitExit waits until a child has ended, and leaves it to be reaped. It
// reports whether it could.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// orphans returns the children of this process's first thread. What falls to a
// process becomes its first thread's, so all orphans are among them, and of its
// own children few: to ask each of its hundreds of threads takes long.
func orphans() (pids []int) {
	// With no child there is nothing to read.
	if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err == unix.ECHILD {
		return nil
	}
	text, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/children")
	if err != nil {
		return nil
	}
	for _, field := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// markOf returns the mark of a process that begins with a prefix, and whether the
// process has one of any reaper.
func markOf(pid int, prefix string) (mark string, known bool) {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return "", false
	}
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.HasPrefix(v, []byte(prefix)) {
			return string(v), true
		}
	}
	return "", false
}

// groupOf returns the process group of a process, or 0.
func groupOf(pid int) int {
	group, err := syscall.Getpgid(pid)
	if err != nil {
		return 0
	}
	return group
}

// asleepForGood reports whether a process waits for a disk, or the like, which no
// signal ends.
func asleepForGood(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return strings.HasPrefix(state, "D")
}

// nameOf returns the name of a process, for people.
func nameOf(pid int) string {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(name))
}
