package pebble

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logGuard is a file system that ends the process as soon as Pebble's log, once the
// store is open, cannot be created, written or synced. Pebble notices that as well,
// but where it happens while it begins another log, it dies of a mutex without a word
// of the cause.
type logGuard struct {
	vfs.FS
	store *Inbox
}

func (g logGuard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := g.FS.Create(name, category)
	return g.guard(name, file, err)
}

func (g logGuard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := g.FS.ReuseForWrite(oldname, newname, category)
	return g.guard(newname, file, err)
}

func (g logGuard) guard(name string, file vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return file, err
	}
	if err != nil {
		return nil, g.check(err)
	}
	return guardedLog{file, g.check}, nil
}

// check does not return an error of an open store.
func (g logGuard) check(err error) error {
	if err != nil && g.store.opened.Load() {
		g.store.fatal(fmt.Errorf("the inbox's log cannot be written: %w", err))
	}
	return err
}

// guardedLog is a file of the log.
type guardedLog struct {
	vfs.File
	check func(error) error
}

func (l guardedLog) Write(p []byte) (int, error) {
	n, err := l.File.Write(p)
	return n, l.check(err)
}

func (l guardedLog) Sync() error { return l.check(l.File.Sync()) }

func (l guardedLog) SyncData() error { return l.check(l.File.SyncData()) }

func (l guardedLog) SyncTo(length int64) (fullSync bool, err error) {
	fullSync, err = l.File.SyncTo(length)
	return fullSync, l.check(err)
}
