package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

const cgroupRoot = "/sys/fs/cgroup"

// hierarchies returns the folders that hold cgroups: one with cgroup v2, or one for each controller with v1. With v1
// there is often a v2 without controllers, too.
func hierarchies() ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range bytes.Lines(mounts) {
		fields := strings.Fields(string(line))
		if target, kind := fields[1], fields[2]; kind == "cgroup" || kind == "cgroup2" {
			dirs = append(dirs, target)
		}
	}
	if len(dirs) == 0 {
		return nil, errors.New("no cgroups are mounted below " + cgroupRoot)
	}
	return dirs, nil
}

// makeCgroups makes the parent cgroup of a node's pods, which the kubelet expects. Each node has its own, or a kubelet
// would end the pods of the others.
func makeCgroups(n node) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		for _, name := range []string{cgroupName, n.String()} {
			child := filepath.Join(dir, name)
			if err := os.Mkdir(child, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make a cgroup for the pods: %w", err)
			}
			if err := passOn(dir, child); err != nil {
				return fmt.Errorf("set up the cgroup %s: %w", child, err)
			}
			dir = child
		}
	}
	return nil
}

// passOn gives a cgroup the resources of its parent. In v1 a new cpuset is empty, and nothing can run in it; in v2 the
// parent switches controllers on.
func passOn(parent, child string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, fs.ErrNotExist) || isV2(parent) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(child, file), text, 0o600); err != nil {
			return err
		}
	}
	if !isV2(parent) {
		return nil
	}
	controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var on strings.Builder
	for controller := range strings.FieldsSeq(string(controllers)) {
		on.WriteString(" +" + controller)
	}
	return os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte(on.String()), 0o600)
}

func isV2(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.controllers"))
	return err == nil
}

// removeCgroups removes a cgroup with all below it, in each hierarchy. It tries again while processes are still ending.
func removeCgroups(ctx context.Context, name string) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	return command.Await(ctx, "the cgroups to become empty", func() (bool, error) {
		empty := true
		for _, dir := range dirs {
			err := removeTree(filepath.Join(dir, name))
			if err != nil && !errors.Is(err, syscall.EBUSY) {
				return false, err
			}
			empty = empty && err == nil
		}
		return empty, nil
	})
}

// removeTree removes a cgroup from its leaves up: its files cannot be removed.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}
