package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// cgroup bounds the connector's memory. It is empty where none can be made: then
// the peak alone tells.
type cgroup string

// newCgroup makes a group below the root of either version of cgroups.
func newCgroup(name string) (cgroup, error) {
	for parent, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		if _, err := os.Stat(filepath.Join(parent, "cgroup.procs")); err != nil {
			continue
		}
		folder := filepath.Join(parent, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
				return "", nil
			}
			return "", err
		}
		return cgroup(folder), os.WriteFile(filepath.Join(folder, file), []byte(strconv.Itoa(memoryBound)), 0o600)
	}
	return "", nil
}

func (g cgroup) exists() bool { return g != "" }

func (g cgroup) processes() string { return filepath.Join(string(g), "cgroup.procs") }

func (g cgroup) remove() error {
	if !g.exists() {
		return nil
	}
	return os.Remove(string(g))
}
