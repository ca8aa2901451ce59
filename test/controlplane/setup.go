package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// What stands beside a control plane in the cache: its lock, and folders in which
// one is made.
const (
	lockSuffix  = ".lock"
	partialMark = ".partial-"
)

// setup makes a control plane where there is none.
type setup struct {
	// cache has a folder for each set of versions.
	cache string
	// lookup bounds how long the index of downloads may take to answer; a network
	// that swallows packets must not stop the build.
	lookup   time.Duration
	progress progress
}

// assets returns the folder with the control plane of the pinned versions, and
// makes it when it is not whole.
func (s setup) assets(ctx context.Context) (string, error) {
	pinned, err := readVersions(ctx)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.cache, pinned.folder())
	if len(missing(dir, controlPlane(pinned))) == 0 {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("no folder to keep the control plane in: %w", err)
	}
	lock, err := s.lock(ctx, dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // the process ends soon, and its locks with it
	if err := s.fill(ctx, dir, pinned); err != nil {
		return "", err
	}
	return dir, nil
}

// lock keeps two runs from making the same folder: the second waits, and then
// finds it made.
func (s setup) lock(ctx context.Context, dir string) (*flock.Flock, error) {
	lock := flock.New(dir + lockSuffix)
	locked, err := lock.TryLock()
	if err == nil && !locked {
		err = s.progress.during("waiting for another run that makes the same", func() error {
			_, err := lock.TryLockContext(ctx, 100*time.Millisecond)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	return lock, nil
}

// fill puts into dir what is missing. Whatever is made begins in a folder beside it
// and is renamed into dir when whole, so that what is in dir can be trusted.
func (s setup) fill(ctx context.Context, dir string, pinned versions) error {
	wanted := controlPlane(pinned)
	if len(missing(dir, wanted)) == 0 {
		return nil // another run was faster
	}
	work, err := workFolder(dir)
	if err != nil {
		return err
	}
	defer func() { _ = remove(work) }() // the next run removes what is left
	s.progress.sayf("Kubernetes %s and etcd %s are not in %s yet", pinned.kubernetes, pinned.etcd, dir)
	err = s.download(ctx, work, dir, pinned)
	if err == nil || ctx.Err() != nil {
		return err
	}
	s.progress.sayf("no download: %v", err)
	s.progress.sayf("building from Go modules instead, which takes about 7 minutes, once")
	for _, b := range missing(dir, wanted) {
		if err := s.build(ctx, b, work); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(work, b.name), filepath.Join(dir, b.name)); err != nil {
			return fmt.Errorf("keep %s: %w", b.name, err)
		}
	}
	return nil
}

// workFolder makes a folder beside dir, and removes those of runs that were killed:
// whoever calls it holds the lock.
func workFolder(dir string) (string, error) {
	left, err := filepath.Glob(dir + partialMark + "*")
	if err != nil {
		return "", fmt.Errorf("look for what earlier runs left: %w", err)
	}
	for _, old := range left {
		if err := remove(old); err != nil {
			return "", fmt.Errorf("remove what an earlier run left: %w", err)
		}
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+partialMark)
	if err != nil {
		return "", fmt.Errorf("make a folder to work in: %w", err)
	}
	return work, nil
}

// remove is os.RemoveAll that also gets rid of the read-only folders of
// setup-envtest.
func remove(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755)
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// missing returns those of wanted that dir does not have.
func missing(dir string, wanted []binary) []binary {
	var absent []binary
	for _, b := range wanted {
		info, err := os.Stat(filepath.Join(dir, b.name))
		if err != nil || !info.Mode().IsRegular() {
			absent = append(absent, b)
		}
	}
	return absent
}
