package build

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// A folder of binaries in the cache has these beside it: its lock, and folders to work in.
const (
	lockSuffix  = ".lock"
	partialMark = ".partial-"
)

// Cache keeps binaries, and makes those that are missing.
type Cache struct {
	// Dir has a folder for each set of versions.
	Dir      string
	Progress Progress
	// lookup bounds a question to the index of downloads: a network that swallows packets must not stop the build.
	lookup time.Duration
}

// NewCache returns the user's cache.
func NewCache(userCache func() (string, error), progress Progress) (Cache, error) {
	dir, err := userCache()
	if err != nil {
		return Cache{}, fmt.Errorf("no folder to keep binaries in: %w; set HOME or XDG_CACHE_HOME", err)
	}
	return Cache{
		Dir:      filepath.Join(dir, "xbot-channel-connector", "kube"),
		Progress: progress,
		lookup:   20 * time.Second,
	}, nil
}

// set is the content of one folder.
type set struct {
	folder   string
	title    string
	binaries []Binary
	// download, if there is one, is tried before building.
	download func(ctx context.Context, work, dir string) error
}

// Binaries returns the folder of that name, and builds the wanted binaries that it lacks.
func (c Cache) Binaries(ctx context.Context, folder, title string, wanted []Binary) (string, error) {
	return c.get(ctx, set{folder: folder, title: title, binaries: wanted})
}

// get returns the folder of the set, and makes it if it is not whole.
func (c Cache) get(ctx context.Context, s set) (string, error) {
	dir := filepath.Join(c.Dir, s.folder)
	if len(missing(dir, s.binaries)) == 0 {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("no folder to keep binaries in: %w", err)
	}
	lock, err := c.Progress.Lock(ctx, dir+lockSuffix, "makes the same")
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // nothing was written to it
	if err := c.fill(ctx, dir, s); err != nil {
		return "", err
	}
	return dir, nil
}

// Lock keeps two runs from doing the same at once: the second one waits, and says so. Close releases it.
func (p Progress) Lock(ctx context.Context, path, other string) (*flock.Flock, error) {
	lock := flock.New(path)
	locked, err := lock.TryLock()
	if err == nil && !locked {
		err = p.during("waiting for another run that "+other, func() error {
			_, err := lock.TryLockContext(ctx, 100*time.Millisecond)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	return lock, nil
}

// fill makes the binaries that dir lacks. It makes each in a folder beside dir and renames it once it is whole, so that
// every file in dir is whole.
func (c Cache) fill(ctx context.Context, dir string, s set) error {
	if len(missing(dir, s.binaries)) == 0 {
		return nil // another run was faster
	}
	work, err := workFolder(dir)
	if err != nil {
		return err
	}
	defer func() { _ = remove(work) }() // the next run removes what is left
	c.Progress.Sayf("%s are not in %s yet", s.title, dir)
	if s.download != nil {
		err := s.download(ctx, work, dir)
		if err == nil || ctx.Err() != nil {
			return err
		}
		c.Progress.Sayf("no download: %v", err)
	}
	c.Progress.Sayf("building from Go modules, which takes about %s, once", c.Progress.Total)
	for _, b := range missing(dir, s.binaries) {
		if err := c.build(ctx, b, work); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(work, b.Name), filepath.Join(dir, b.Name)); err != nil {
			return fmt.Errorf("keep %s: %w", b.Name, err)
		}
	}
	return nil
}

// workFolder makes a folder beside dir, and removes those of runs that were killed. The caller holds the lock.
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

// remove is os.RemoveAll for folders that are read-only, as setup-envtest makes them.
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

// missing returns the wanted binaries that dir does not have.
func missing(dir string, wanted []Binary) []Binary {
	var absent []Binary
	for _, b := range wanted {
		info, err := os.Stat(filepath.Join(dir, b.Name))
		if err != nil || !info.Mode().IsRegular() {
			absent = append(absent, b)
		}
	}
	return absent
}
