//go:build !linux

package local

import (
	"errors"
	"os/exec"
)

// startApart and startInside are never reached: the requirements name Linux.
func startApart(*exec.Cmd) error { return errors.ErrUnsupported }

func startInside(int, *exec.Cmd) error { return errors.ErrUnsupported }
