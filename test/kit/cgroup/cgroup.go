// Package cgroup bounds the memory of a test's child process by a group of its own, below the root of either version of
// Linux's cgroups.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// ErrUnavailable is the error if no group can be made, for lack of rights or of a memory controller.
var ErrUnavailable = errors.New("no memory cgroup can be made here: it takes root, and a memory controller that is mounted writable")

// Group is one of the kernel's groups.
type Group struct {
	folder, limit string
}

// New makes a group with a memory limit in bytes. The error is ErrUnavailable if none can be made. The caller calls
// Remove.
func New(name string, bytes int64) (*Group, error) {
	for parent, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		if _, err := os.Stat(filepath.Join(parent, "cgroup.procs")); err != nil {
			continue
		}
		g := &Group{folder: filepath.Join(parent, name)}
		g.limit = filepath.Join(g.folder, file)
		if err := os.Mkdir(g.folder, 0o755); err != nil {
			return nil, unavailable(err)
		}
		if err := g.Limit(bytes); err != nil {
			return nil, errors.Join(unavailable(err), g.Remove())
		}
		return g, nil
	}
	return nil, ErrUnavailable
}

func unavailable(err error) error {
	for _, cause := range []error{fs.ErrPermission, fs.ErrNotExist, syscall.EROFS} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return err
}

// Limit changes the memory limit, in bytes. The kernel may refuse a limit below the group's present use.
func (g *Group) Limit(bytes int64) error {
	file, err := os.OpenFile(g.limit, os.O_WRONLY, 0) // never made: without a controller there is none
	if err != nil {
		return err
	}
	_, err = file.WriteString(strconv.FormatInt(bytes, 10))
	return errors.Join(err, file.Close())
}

// Enter makes cmd run in the group: a shell enters it, and becomes the program.
func (g *Group) Enter(cmd *exec.Cmd) {
	processes := filepath.Join(g.folder, "cgroup.procs")
	cmd.Args = slices.Concat([]string{"/bin/sh", "-c", `echo $$ >"$0" && exec "$@"`, processes, cmd.Path}, cmd.Args[1:])
	cmd.Path = "/bin/sh"
}

// Remove removes the group, whose processes have ended.
func (g *Group) Remove() error { return os.Remove(g.folder) }
