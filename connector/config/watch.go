package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/go-logr/logr"
)

// settle is how long a change may go on before the files are read, so that the events of one change cost one reload. It
// delays the first call with a new key, so it is short. Reading too early does no harm: half a file is refused while
// the old version serves, and the rest of the writing is a further change.
const settle = 5 * time.Millisecond

// lookInterval is how often the files are read while their folders cannot be watched: soon enough for a changed key,
// rare enough to cost nothing.
const lookInterval = 2 * time.Second

// applyAgain is the wait before a version that could not be applied is tried again, for example while the inbox hangs.
const applyAgain = 10 * time.Second

// Watcher puts new versions of the configuration into use while the connector runs. Every exported field is set before
// Run, and Apply and Observe are called by Run's goroutine only.
type Watcher struct {
	// Path is the configuration file, as for Load.
	Path string
	// Log gets a line for every version, and for every problem of a refused one.
	Log logr.Logger
	// Apply puts a new version into use as a whole. If it fails, the old version must still be in use, and the new one
	// is tried again after applyAgain.
	Apply func(*Config) error
	// Observe is called at the end of every reload: with nil if the newest version of the files is in use, otherwise
	// with why it was refused.
	Observe func(error)

	// open makes a source of notifications. Default: the system's.
	open   func() (*fsnotify.Watcher, error)
	notify *fsnotify.Watcher // nil as long as none can be made
	blind  bool              // some folder is not watched
	// unapplied reports whether Apply has refused the newest version.
	unapplied bool
	current   *Config
	// digest and files are those of the version that was read last, refused or not.
	digest string
	files  []string
	// watched are the folders being watched, sorted.
	watched []string
	// absences outlive the versions. Default: with the documented grace.
	absences *absences
	// again is after how long Apply is tried again. Default: applyAgain.
	again time.Duration
}

// Run watches the folders of every file of current, the version in use, and reloads on changes. It returns nil when ctx
// ends. It first reads once more, so that it misses no change since current was loaded. Folders that cannot be watched
// are read every lookInterval instead: notifications are scarce on a node with many pods, and serving goes on without
// them.
//
// Only the content of the files counts as a change; the events of a folder, of whatever kind, only say when to look. So
// the symlink swap of kubelet, the rename of an editor, a file that vanishes and comes back, and an overflow of the
// event queue are one case.
func (w *Watcher) Run(ctx context.Context, current *Config) error {
	w.current, w.digest, w.files = current, current.digest, current.files
	if w.absences == nil {
		w.absences = newAbsences(absenceGrace)
	}
	if w.open == nil {
		w.open = fsnotify.NewWatcher
	}
	w.again = cmp.Or(w.again, applyAgain)
	defer func() {
		if w.notify != nil {
			_ = w.notify.Close()
		}
	}()
	due, unnotified := time.After(0), (<-chan time.Time)(nil)
	for {
		events, errs := w.notifications()
		select {
		case <-ctx.Done():
			return nil
		case <-events:
		case err := <-errs: // events may be lost, so this counts as one
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.Log.Error(err, "watching the configuration failed for a moment")
			}
		case <-unnotified:
		case <-due:
			due, unnotified = nil, nil
			if w.look() { // files may have changed before they were watched
				due = time.After(settle)
			}
			if wait := w.unnotifiedIn(w.absences.next()); wait >= 0 {
				unnotified = time.After(wait)
			}
			continue
		}
		if due == nil {
			due = time.After(settle)
		}
	}
}

// notifications are nil channels while there is no source of them.
func (w *Watcher) notifications() (<-chan fsnotify.Event, <-chan error) {
	if w.notify == nil {
		return nil, nil
	}
	return w.notify.Events, w.notify.Errors
}

// look reloads, and watches the folders of the files. It reports whether a folder is new.
func (w *Watcher) look() (further bool) {
	w.reload()
	further, err := w.follow()
	switch blind := err != nil; {
	case blind && !w.blind:
		w.Log.Error(err,
			"the configuration cannot be watched: until it can, its files are read at an interval, and changes take effect that much later; "+
				"raise fs.inotify.max_user_instances or fs.inotify.max_user_watches of the node", "interval", lookInterval.String())
	case !blind && w.blind:
		w.Log.Info("the configuration is watched again")
	}
	w.blind = err != nil
	return further
}

// unnotifiedIn returns the wait before a look without a notification: until the next key goes out of use, lookInterval
// if some folder is not watched, and w.again if a version was not applied. It returns the shortest of them; negative if
// there is none.
func (w *Watcher) unnotifiedIn(nextKey time.Duration) time.Duration {
	wait := nextKey
	for interval, wanted := range map[time.Duration]bool{lookInterval: w.blind, w.again: w.unapplied} {
		if wanted && (wait < 0 || interval < wait) {
			wait = interval
		}
	}
	return wait
}

// reload reads, and applies or refuses, the files if they have changed or a key goes out of use.
func (w *Watcher) reload() {
	w.absences.now = time.Now()
	if digestOf(w.files) == w.digest && !w.absences.due(w.current.materials) && !w.unapplied {
		return
	}
	w.unapplied = false
	f := newFiles(readFile)
	err := w.apply(f)
	for _, name := range w.current.files { // a refused version may name none of them
		_, _ = f.open(name)
	}
	w.digest, w.files = f.digest(), f.names
	if err != nil {
		w.refused(err)
		w.applyFilesAlone()
	} else {
		w.Log.Info("configuration applied", "digest", w.current.digest)
	}
	w.Observe(err)
}

// apply reads a version through f and puts it into use.
func (w *Watcher) apply(f *files) error {
	check := newChecker(w.Path, w.current.types, f)
	check.absences = w.absences
	next, err := load(check, w.current)
	if err != nil {
		return err
	}
	w.absences.forgetOthers(next.materials.absent)
	if !next.same(w.current) {
		if err := w.Apply(next); err != nil {
			w.unapplied = true
			return err
		}
	}
	w.current = next
	return nil
}

// applyFilesAlone applies the configuration file in use with the present contents of the files that it names. So a
// removed key goes out of use even while the configuration file is broken.
func (w *Watcher) applyFilesAlone() {
	f := newFiles(func(name string) ([]byte, error) {
		if name == w.current.files[0] {
			return w.current.document, nil
		}
		return readFile(name)
	})
	if err := w.apply(f); err != nil {
		w.Log.Error(err, "the files that the last good version names cannot be used")
	}
}

func (w *Watcher) refused(err error) {
	problems := []Problem{{File: w.Path, Message: err.Error()}}
	if invalid, ok := errors.AsType[*Error](err); ok {
		problems = invalid.Problems
	}
	for _, p := range problems {
		w.Log.Error(nil, "configuration problem", "file", p.File, "line", p.Line, "path", p.Path, "problem", p.Message)
	}
	w.Log.Error(nil, "configuration refused, the last good version stays in use",
		"problems", len(problems), "digest", w.digest, "inUse", w.current.digest)
}

// follow watches the folders of the files that were read last, and no others. It reports whether one is new. An error
// says which are not watched.
func (w *Watcher) follow() (further bool, err error) {
	if w.notify == nil {
		if w.notify, err = w.open(); err != nil {
			return false, err
		}
	}
	wanted := folders(w.files)
	for _, folder := range wanted {
		// Added again each time: a folder of the same name may be another one.
		addErr := w.notify.Add(folder)
		gone := errors.Is(addErr, fs.ErrNotExist)
		if addErr != nil && !gone {
			err = errors.Join(err, fmt.Errorf("folder %s: %w", folder, addErr))
			continue
		}
		_, known := slices.BinarySearch(w.watched, folder)
		further = further || gone || !known
	}
	for _, folder := range w.watched {
		if _, still := slices.BinarySearch(wanted, folder); !still {
			_ = w.notify.Remove(folder) // it may be gone already
		}
	}
	w.watched = wanted
	return further, err
}

// folders returns the folders whose entries decide the contents of files: their own, those of the links on their paths,
// and those of the links' targets. They are sorted and have their real names. The nearest existing folder above stands
// in for a missing one.
func folders(files []string) []string {
	var names []string
	for _, f := range files {
		names = append(names, realFolder(filepath.Dir(f)))
		for path := f; path != filepath.Dir(path); path = filepath.Dir(path) {
			if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
				names = append(names, realFolder(filepath.Dir(path)))
			}
		}
		if target, err := filepath.EvalSymlinks(f); err == nil {
			names = append(names, filepath.Dir(target))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func realFolder(folder string) string {
	for {
		name, err := filepath.EvalSymlinks(folder)
		if err == nil || folder == filepath.Dir(folder) {
			return name
		}
		folder = filepath.Dir(folder)
	}
}
