package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Down removes the cluster and everything that it made, whatever state it is in.
func (c *Cluster) Down(ctx context.Context) error {
	if err := thisHost().checkUser(); err != nil {
		return err
	}
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := c.remove(ctx); err != nil {
		return err
	}
	c.progress.Sayf("down; nothing is left")
	return nil
}

func (c *Cluster) remove(ctx context.Context) error { return c.teardown(ctx, "") }

// teardown ends and removes everything but the folder to keep, and makes sure that
// nothing is left.
func (c *Cluster) teardown(ctx context.Context, keep string) error {
	// Every machine with a folder, because a start may have been cut short.
	machines, err := filepath.Glob(filepath.Join(c.Dir, "machines", "*"))
	if err != nil {
		return err
	}
	for _, dir := range machines {
		if err := c.machine(filepath.Base(dir)).halt(ctx); err != nil {
			return err
		}
	}
	if err := removeCgroups(ctx, cgroupName); err != nil {
		return err
	}
	// The kernel takes the network away some time after its last process.
	err = poll(ctx, "the network to be gone", func() (bool, error) { return !hasLink(), nil })
	if err != nil {
		return err
	}
	if err := c.removeFiles(keep); err != nil {
		return err
	}
	if left := c.leftovers(keep); len(left) > 0 {
		return fmt.Errorf("the cluster is down, but left behind:\n  %s", strings.Join(left, "\n  "))
	}
	return nil
}

// removeFiles removes all files but those below keep.
func (c *Cluster) removeFiles(keep string) error {
	entries, err := os.ReadDir(c.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if path := filepath.Join(c.Dir, entry.Name()); path != keep {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	if keep != "" {
		return nil
	}
	return os.Remove(c.Dir)
}

// leftovers returns what a cluster that is down still has on this computer:
// processes, mounts, cgroups, links and files.
func (c *Cluster) leftovers(keep string) []string {
	var left []string
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		left = append(left, err.Error())
	}
	for _, dir := range processes {
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // it may have ended
		if bytes.Contains(cmdline, []byte(c.Dir+"/")) {
			left = append(left, "process "+filepath.Base(dir))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		left = append(left, err.Error())
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[1], c.Dir+"/") {
			left = append(left, "mount "+fields[1])
		}
	}
	cgroups, err := filepath.Glob(filepath.Join(cgroupRoot, "*", cgroupName))
	if err != nil {
		left = append(left, err.Error())
	}
	for _, dir := range append(cgroups, filepath.Join(cgroupRoot, cgroupName)) {
		if _, err := os.Stat(dir); err == nil {
			left = append(left, "cgroup "+dir)
		}
	}
	if hasLink() {
		left = append(left, "network interface "+hostLink)
	}
	if _, err := os.Stat(c.Dir); err == nil && keep == "" {
		left = append(left, "folder "+c.Dir)
	}
	return left
}
