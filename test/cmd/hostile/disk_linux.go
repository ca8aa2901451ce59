package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// diskSize leaves the inbox room beyond its bound of 256 MiB.
const diskSize = 384 << 20

// mountDisk mounts a disk of its own, which needs the rights of root.
func mountDisk(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", diskSize))
}

func unmountDisk(path string) error { return syscall.Unmount(path, 0) }

// fillDisk writes a file until the disk is full; empty removes it.
func fillDisk(path string) (empty func() error, err error) {
	filler := filepath.Join(path, "filler")
	file, err := os.Create(filler)
	if err != nil {
		return nil, err
	}
	for err == nil {
		_, err = file.Write(make([]byte, 64<<10))
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return func() error { return os.Remove(filler) }, errors.Join(err, file.Close())
}
