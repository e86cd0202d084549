package probe

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

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

// reap reaps the dead children of this process that are none of the nursery's
// own: orphans that fell to PID 1.
func (n *nursery) reap() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.childMu.Lock()
	defer n.childMu.Unlock()
	self := os.Getpid()
	for _, pid := range processes() {
		if _, own := n.children[pid]; own {
			continue
		}
		if parent, dead := parentOf(pid); dead && parent == self {
			var status syscall.WaitStatus
			syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		}
	}
}

// killMarked kills the living processes that have the mark in their
// environment, and returns how many there were.
func killMarked(mark string) int {
	found := 0
	needle := []byte("\x00" + mark + "\x00")
	for _, pid := range processes() {
		if !carries(pid, needle) {
			continue
		}
		p, err := os.FindProcess(pid) // holds on to this very process
		if err != nil {
			continue
		}
		if carries(pid, needle) && p.Kill() == nil {
			found++
		}
		p.Release()
	}
	return found
}

func carries(pid int, needle []byte) bool {
	// That of a zombie is empty.
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(append([]byte{0}, environ...), needle)
}

func processes() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf reads the parent of a process and whether it is a zombie.
func parentOf(pid int) (parent int, dead bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the name may hold anything
	if len(fields) < 2 {
		return 0, false
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	return parent, string(fields[0]) == "Z"
}
