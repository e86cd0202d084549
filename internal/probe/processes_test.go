package probe

import (
	"bytes"
	"os"
	"strconv"
)

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
