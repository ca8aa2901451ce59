package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// Down removes the cluster and everything that it made, whatever state it is in.
func (c *Cluster) Down(ctx context.Context) error {
	if err := checkUser(runtime.GOOS, os.Geteuid()); err != nil {
		return err
	}
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := c.teardown(ctx, ""); err != nil {
		return err
	}
	c.progress.Sayf("down; nothing is left")
	return nil
}

// teardown ends and removes everything but the folder to keep, and checks that nothing is left.
func (c *Cluster) teardown(ctx context.Context, keep string) error {
	// The processes tell, not the folders: a user may have deleted those.
	running, err := firstProcesses(filepath.Dir(c.machine("any").dir))
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Dir); errors.Is(err, os.ErrNotExist) && len(running) == 0 {
		return nil
	}
	if len(running) == 0 && hasLink() {
		return errOther
	}
	for name := range running {
		if err := c.machine(name).halt(ctx); err != nil {
			return err
		}
	}
	if err := removeCgroups(ctx, cgroupName); err != nil {
		return err
	}
	// The kernel removes a network some time after its last process.
	err = command.Await(ctx, "the network to be gone", func() (bool, error) { return !hasLink(), nil })
	if err != nil {
		return err
	}
	if err := c.removeFiles(keep); err != nil {
		return err
	}
	left := append(c.ownLeftovers(), sharedLeftovers()...)
	if _, err := os.Stat(c.Dir); err == nil && keep == "" {
		left = append(left, "folder "+c.Dir)
	}
	if len(left) > 0 {
		return fmt.Errorf("the cluster is down, but left behind:\n  %s", strings.Join(left, "\n  "))
	}
	return nil
}

// errOther protects the cluster of another user.
var errOther = errors.New("another cluster is up on this computer, which has room for one: the network interface " +
	hostLink + " belongs to it. Its user ends it with \"make cluster-down\"")

// removeFiles removes all files but those below keep.
func (c *Cluster) removeFiles(keep string) error {
	if keep == "" {
		return os.RemoveAll(c.Dir)
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if path := filepath.Join(c.Dir, entry.Name()); path != keep {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownLeftovers returns the processes and mounts that belong to this cluster's folder.
func (c *Cluster) ownLeftovers() []string {
	var left []string
	processes, err := procfs.AllProcs()
	if err != nil {
		left = append(left, err.Error())
	}
	for _, process := range processes {
		args, _ := process.CmdLine() // none if it has ended
		if strings.Contains(strings.Join(args, " "), c.Dir+"/") {
			left = append(left, fmt.Sprint("process ", process.PID))
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
	return left
}

// sharedLeftovers returns the cgroups and links, whose names are the same on every computer.
func sharedLeftovers() []string {
	var left []string
	dirs, err := hierarchies()
	if err != nil {
		left = append(left, err.Error())
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, cgroupName)); err == nil {
			left = append(left, "cgroup "+filepath.Join(dir, cgroupName))
		}
	}
	if hasLink() {
		left = append(left, "network interface "+hostLink)
	}
	return left
}
