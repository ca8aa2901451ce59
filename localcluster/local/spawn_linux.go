package local

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// startApart starts cmd as the first process of new namespaces.
func startApart(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Setsid:     true,
	}
	return cmd.Start()
}

// startInside starts cmd in the namespaces of a process.
func startInside(pid int, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread never ends, and /proc/self shows its namespaces. While this goroutine holds it, another
			// thread takes its turn.
			defer runtime.UnlockOSThread()
			started <- startInside(pid, cmd)
			return
		}
		// It is never unlocked: the thread cannot leave the namespaces, and ends with this goroutine.
		started <- startFrom(pid, cmd)
	}()
	return <-started
}

// startFrom moves this thread into the namespaces, from where cmd inherits them.
func startFrom(pid int, cmd *exec.Cmd) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(process) }() // it was only read
	// Threads that share their working folder cannot enter a namespace of mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("take the thread apart: %w", err)
	}
	if err := unix.Setns(process, unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("enter the namespaces of process %d: %w", pid, err)
	}
	return cmd.Start()
}
