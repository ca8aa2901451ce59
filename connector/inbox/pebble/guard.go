package pebble

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// guard is Pebble's file system. It keeps the ledger. Once the store is open, it ends the process as soon as Pebble's
// log or folder cannot be created, written, synced or closed. Pebble notices that as well, but if it is beginning
// another log then, it dies of a mutex without a word of the cause.
type guard struct {
	vfs.FS
	store  *Inbox
	ledger *layout.Ledger         // there once the store is locked
	marked atomic.Pointer[string] // the manifest that the newest marker names, until its folder is synced
}

// Lock also opens the ledger, after the folder was made and before the store is read, and refuses a store that differs.
func (g *guard) Lock(name string) (io.Closer, error) {
	lock, err := g.FS.Lock(name)
	if err != nil {
		return nil, engine.LockError{Cause: err}
	}
	if g.ledger, err = layout.OpenIntact(g.FS, g.PathDir(name)); err == nil {
		// A new store's ledger is durable before its first manifest.
		err = g.ledger.Write()
	}
	if err == nil {
		err = g.syncFolder(name)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return ledgerLock{lock, g.ledger}, nil
}

// ledgerLock is the store's lock. Its end is the end of the ledger's use.
type ledgerLock struct {
	io.Closer
	ledger *layout.Ledger
}

func (l ledgerLock) Close() error { return errors.Join(l.ledger.Close(), l.Closer.Close()) }

// guarded reports whether the ledger holds a file, and under which name.
func (g *guard) guarded(path string) (name string, guarded bool) {
	name = g.PathBase(path)
	return name, layout.IsLog(name) || layout.IsManifest(name)
}

func (g *guard) Create(path string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := g.FS.Create(path, category)
	if marker, ok := strings.CutPrefix(g.PathBase(path), layout.MarkerPrefix); ok && err == nil {
		_, manifest, _ := strings.Cut(marker, ".") // behind the count of markers
		g.marked.Store(&manifest)
	}
	return g.guard(path, file, err)
}

func (g *guard) OpenDir(path string) (vfs.File, error) {
	folder, err := g.FS.OpenDir(path)
	if err != nil {
		return nil, err
	}
	return guardedFolder{folder, g}, nil
}

// guardedFolder is the store's folder, open to be synced.
type guardedFolder struct {
	vfs.File
	guard *guard
}

// Sync implements vfs.File. Once a new marker is durable, the manifests of older ones are history.
func (f guardedFolder) Sync() error {
	marked := f.guard.marked.Load()
	err := f.File.Sync()
	if err == nil && marked != nil {
		f.guard.marked.CompareAndSwap(marked, nil)
		err = f.guard.ledger.ReplaceManifests(*marked)
	}
	if err != nil { // Pebble would panic, at the start too
		f.guard.store.fatal(fmt.Errorf("the inbox's folder cannot be synced: %w", err))
	}
	return err
}

func (g *guard) ReuseForWrite(oldpath, newpath string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := g.ledger.Forget(g.PathBase(oldpath)); err != nil {
		return g.guard(newpath, nil, err)
	}
	file, err := g.FS.ReuseForWrite(oldpath, newpath, category)
	return g.guard(newpath, file, err)
}

func (g *guard) Remove(path string) error {
	if name, guarded := g.guarded(path); guarded {
		if err := g.ledger.Forget(name); err != nil {
			return g.store.ledgerFailed(err) // Pebble would only leave the file
		}
	}
	return g.FS.Remove(path)
}

func (g *guard) guard(path string, file vfs.File, err error) (vfs.File, error) {
	name, guarded := g.guarded(path)
	if !guarded {
		return file, err
	}
	f := &guardedFile{File: file, guard: g, path: path, name: name, isLog: layout.IsLog(name)}
	if err != nil {
		return nil, f.check(err)
	}
	return f, nil
}

func (g *guard) syncFolder(of string) error {
	folder, err := g.OpenDir(g.PathDir(of))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// guardedFile is a manifest or a log. Pebble writes it from its beginning to its end, and never while it syncs it.
type guardedFile struct {
	vfs.File
	guard      *guard
	path, name string
	isLog      bool
	written    layout.FilePrefix
	attested   bool // the ledger on disk knows the file
}

// check does not return an error of the log of an open store.
func (f *guardedFile) check(err error) error {
	if err != nil && f.isLog && f.guard.store.opened.Load() {
		f.guard.store.fatal(fmt.Errorf("the inbox's log cannot be written: %w", err))
	}
	return err
}

func (f *guardedFile) Write(p []byte) (int, error) {
	written := f.written.Grown(p) // before, since a file may change p
	n, err := f.File.Write(p)
	if err == nil {
		f.written = written
	}
	return n, f.check(err)
}

func (f *guardedFile) Sync() error { return f.synced(f.File.Sync()) }

func (f *guardedFile) SyncData() error { return f.synced(f.File.SyncData()) }

// SyncTo implements vfs.File. It promises nothing that the ledger could hold.
func (f *guardedFile) SyncTo(length int64) (fullSync bool, err error) {
	fullSync, err = f.File.SyncTo(length)
	return fullSync, f.check(err)
}

// synced brings the end of a sync to the ledger.
func (f *guardedFile) synced(err error) error {
	if err == nil {
		err = f.attest()
	}
	return f.check(err)
}

func (f *guardedFile) attest() error {
	if !f.attested {
		// The ledger may not hold a file whose name a power loss can take away.
		if err := f.guard.syncFolder(f.path); err != nil {
			return err
		}
	}
	ledger := f.guard.ledger
	ledger.Attest(f.name, f.written)
	if f.isLog && f.attested {
		return nil // maintenance writes it
	}
	f.attested = true
	return ledger.Write()
}

// Close implements vfs.File. What a log has synced is final then.
func (f *guardedFile) Close() error {
	return f.check(errors.Join(f.guard.ledger.Write(), f.File.Close()))
}
