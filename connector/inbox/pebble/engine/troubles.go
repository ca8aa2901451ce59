package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
)

// Trouble is a failure of the system below the store, whose own commands are no remedy for it.
type Trouble struct {
	errors       []error
	What, Remedy string
}

// LockError is the error of a lock.
type LockError struct{ Cause error }

func (e LockError) Error() string { return e.Cause.Error() }

func (e LockError) Unwrap() error { return e.Cause }

var troubles = []Trouble{
	{[]error{syscall.ENOSPC}, "the disk is full",
		"free space or inodes on it (df -h and df -i tell which), or enlarge the volume"},
	{[]error{syscall.EDQUOT}, "the disk quota is used up",
		"raise the quota, or lower inbox.embedded.maxSize well below it"},
	{[]error{syscall.EROFS}, "the file system is read-only",
		"mount it writable; if the kernel made it read-only after an error, which its log (dmesg) tells, check and repair the disk first"},
	{[]error{syscall.EIO, syscall.ENXIO, syscall.ENODEV, syscall.EUCLEAN}, "the disk fails",
		"look at the kernel's log (dmesg) and the health of the disk; stop the connector and copy the folder to a healthy disk"},
	{[]error{syscall.ESTALE, syscall.ENOTCONN, syscall.ETIMEDOUT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH},
		"the network file system does not answer",
		"mount it again and start the connector; better, use a disk of the machine or a block volume"},
	{[]error{syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EINVAL, syscall.EBUSY, syscall.ENOLCK},
		"the file system lacks what the store needs, such as syncs of files and folders",
		"use a disk of the machine or a block volume with a file system of Linux"},
	{[]error{syscall.EFBIG}, "a file may not become as large as the store needs",
		"raise the process's limit of the size of files (ulimit -f), or use a file system without so low a one"},
	{[]error{fs.ErrPermission}, "this user may not read or write there",
		"make the folder and everything in it readable and writable for the user that the connector runs as"},
	{[]error{syscall.EMFILE}, "this process has too many files open",
		"raise its limit of open files (ulimit -n)"},
	{[]error{syscall.ENFILE}, "the machine has too many files open",
		"raise its limit (sysctl fs.file-max), or end what holds so many"},
	{[]error{syscall.ENAMETOOLONG}, "the path is too long",
		"choose a shorter inbox.embedded.path"},
	{[]error{syscall.ENOTDIR, syscall.EEXIST, syscall.ELOOP, syscall.EISDIR},
		"a part of the path is a file, or a symbolic link that leads nowhere",
		"give inbox.embedded.path a folder, or a path where one can be made"},
	{[]error{syscall.ENOMEM}, "the machine has no memory left",
		"give the connector more memory"},
}

// noLocks is what errors that can mean anything mean of a lock.
var noLocks = Trouble{
	[]error{syscall.ENOLCK, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EINVAL}, "the file system cannot lock files",
	"use a disk of the machine or a block volume, or mount the network file system with its lock service",
}

func (t Trouble) is(err error) bool {
	return slices.ContainsFunc(t.errors, func(known error) bool { return errors.Is(err, known) })
}

// TroubleOf finds the trouble of an error.
func TroubleOf(err error) (t Trouble, found bool) {
	if _, locking := errors.AsType[LockError](err); locking && noLocks.is(err) {
		return noLocks, true
	}
	for _, t := range troubles {
		if t.is(err) {
			return t, true
		}
	}
	return Trouble{}, false
}

// Explained adds the remedy to an error, if one is known.
func Explained(err error) error {
	if t, found := TroubleOf(err); found {
		return fmt.Errorf("%s: %w; %s", t.What, err, t.Remedy)
	}
	return err
}

// OutOfSpace reports whether an error passes as soon as the disk has room.
func OutOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
