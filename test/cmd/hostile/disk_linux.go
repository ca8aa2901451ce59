package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// diskSize leaves the inbox room beyond its bound of 256 MiB.
const diskSize = 384 << 20

// mountDisk mounts a disk of its own. Only root may.
func mountDisk(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", diskSize))
}

func unmountDisk(path string) error { return syscall.Unmount(path, 0) }

// fillDisk writes a file until the disk is full; empty removes it.
func fillDisk(path string) (empty func()) {
	filler := filepath.Join(path, "filler")
	file := must.Get(os.Create(filler))
	var err error
	for err == nil {
		_, err = file.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		must.Do(fmt.Errorf("fill the disk: %w", err))
	}
	must.Do(file.Close())
	return func() { must.Do(os.Remove(filler)) }
}
