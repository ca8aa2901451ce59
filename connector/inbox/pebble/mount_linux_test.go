package pebble_test

import "syscall"

// mount makes a file system in memory with options of tmpfs. That needs the right to mount, which root has outside most
// containers.
func mount(path, options string) error { return syscall.Mount("tmpfs", path, "tmpfs", 0, options) }

// remountReadOnly does to a file system what the kernel does after errors.
func remountReadOnly(path string) error {
	return syscall.Mount("tmpfs", path, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

func unmount(path string) error { return syscall.Unmount(path, 0) }

// detach unmounts also what a store that ended in the middle of its work holds.
func detach(path string) error { return syscall.Unmount(path, syscall.MNT_DETACH) }
