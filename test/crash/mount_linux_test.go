package crash

import (
	"fmt"
	"syscall"
)

// mount needs the right to mount, which root has outside most containers.
func mount(path string, size int) error {
	return syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%d", size))
}

func unmount(path string) error { return syscall.Unmount(path, 0) }
