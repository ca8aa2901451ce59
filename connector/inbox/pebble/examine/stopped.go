package examine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// ErrInUse means that a running connector has the store open.
var ErrInUse = errors.New("a connector uses this inbox; stop the connector first")

// Observer is told what reading a stopped store meets. Both functions are
// required and called from one goroutine.
type Observer struct {
	// Finding is called for everything that is wrong.
	Finding func(Finding)
	// Progress is called now and then with the number of records read so far.
	Progress func(records int)
}

// Finding is one thing that is wrong with a store.
type Finding struct {
	Where   string `json:"where"`
	What    string `json:"what"`
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
}

// The remedies of findings.
const (
	remedyReplace = "save the events with \"connector inbox export\", move the folder away, and start the connector with an empty one"
	remedyReport  = "if it comes back after a start of the connector, " + remedyReplace
)

// Memory that Pebble takes to read a stopped store.
const (
	readCache = 8 << 20
	readFiles = 512
)

// stopped is the store of a connector that does not run. It is only ever read:
// through Pebble as long as Pebble can, and then directly from its files.
type stopped struct {
	ctx     context.Context //nolint:containedctx // the context of one call of Check or Export, which owns this value
	path    string
	observe Observer
	// lock keeps a connector from starting meanwhile.
	lock *pebble.Lock
	// db is nil once Pebble met damage; salvaged then reads on.
	db       *pebble.DB
	salvaged *salvage
	records  int
}

// openStopped opens the store at path without changing anything in its folder.
// A store that Pebble cannot open is a finding, not an error.
func openStopped(ctx context.Context, path string, observe Observer) (*stopped, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.ReadDir(path); errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("inbox %s belongs to another user: run the command as the connector's", path)
	}
	if !holdsStore(path) {
		return nil, fmt.Errorf("%s holds no inbox: give the folder that inbox.embedded.path of the configuration names", path)
	}
	files := readOnly{vfs.Default}
	lock, err := pebble.LockDirectory(path, files)
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("inbox %s: %w", path, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("inbox %s cannot be locked: %w", path, engine.Explained(err))
	}
	s := &stopped{ctx: ctx, path: path, observe: observe, lock: lock}
	if s.db, err = openReading(path, files, lock); err != nil {
		observe.Finding(Finding{
			Where:   path,
			What:    "the store does not open: " + err.Error(),
			Meaning: "the connector cannot start with it; below is what its files still hold, which may include events that were delivered",
			Remedy:  remedyReplace,
		})
		s.salvaged, err = openSalvage(ctx, path, observe.Finding)
	} else if damage := verifyLog(path); damage != nil {
		err = s.giveUp(damage)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// holdsStore reports whether any of a store's files is in a folder.
func holdsStore(path string) bool {
	for _, pattern := range []string{"*MANIFEST*", "*.sst", "*.log"} {
		if names, err := filepath.Glob(filepath.Join(path, pattern)); err == nil && len(names) > 0 {
			return true
		}
	}
	return false
}

// verifyLog looks for records behind damage in the newest write-ahead log, which
// Pebble takes for the end of what was written.
func verifyLog(path string) (damage error) {
	logs, err := wal.Scan(wal.Dir{FS: vfs.Default, Dirname: path})
	if err != nil || len(logs) == 0 {
		return err
	}
	readLog(logs[len(logs)-1], true, func(f Finding) { damage = fmt.Errorf("%s: %s", f.Where, f.What) })
	return damage
}

// openReading opens the store in Pebble.
func openReading(path string, files vfs.FS, lock *pebble.Lock) (db *pebble.DB, err error) {
	if _, err := layout.OpenIntact(files, path); err != nil {
		return nil, err
	}
	return engine.Open(path, &pebble.Options{
		FS: files, Lock: lock, ReadOnly: true, CacheSize: readCache, MaxOpenFiles: readFiles,
		FormatMajorVersion: pebble.FormatWALSyncChunks,
		Logger:             engine.Log{Log: logr.Discard(), Fatal: func(cause error) { panic(cause) }},
		// Damage is reported where it is met; by default it would be fatal.
		EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}},
	})
}

func (s *stopped) close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	if s.salvaged != nil {
		s.salvaged.close()
	}
	return errors.Join(err, s.lock.Close())
}

// each visits every record whose key starts with prefix, in the order of keys.
func (s *stopped) each(prefix byte, visit func(key, value []byte) error) error {
	return s.between([]byte{prefix}, []byte{prefix + 1}, visit)
}

// between visits every record in [from, to), in the order of keys. Damage is
// reported and read around.
func (s *stopped) between(from, to []byte, visit func(key, value []byte) error) error {
	counted := func(key, value []byte) error {
		if s.records++; s.records%1024 == 0 {
			s.observe.Progress(s.records)
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		return visit(key, value)
	}
	if s.db != nil {
		next, damage, err := s.eachStored(from, to, counted)
		if err != nil || damage == nil {
			return err
		}
		if err := s.giveUp(damage); err != nil {
			return err
		}
		from = next
	}
	return s.salvaged.each(from, to, counted)
}

// eachStored visits [from, to) through Pebble. When that meets damage, next is
// where to read on.
func (s *stopped) eachStored(from, to []byte, visit func(key, value []byte) error) (next []byte, damage, err error) {
	it, damage := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if damage != nil {
		return from, damage, nil
	}
	defer func() { _ = it.Close() }() // its error is the iterator's, returned below
	next = from
	for valid := it.First(); valid; valid = it.Next() {
		value, damage := it.ValueAndErr()
		if damage != nil {
			return next, damage, nil
		}
		if err := visit(it.Key(), value); err != nil {
			return nil, nil, err
		}
		next = append(append(next[:0:0], it.Key()...), 0)
	}
	return next, it.Error(), nil
}

// giveUp goes over from Pebble to reading the files directly.
func (s *stopped) giveUp(damage error) (err error) {
	s.observe.Finding(Finding{
		Where: s.path,
		What:  "a file is damaged: " + damage.Error(),
		Meaning: "the connector ends when it meets this; from here on the files are read directly, " +
			"which may find events again that were delivered",
		Remedy: remedyReplace,
	})
	_ = s.db.Close() // nothing was written that closing could fail to keep
	s.db = nil
	s.salvaged, err = openSalvage(s.ctx, s.path, s.observe.Finding)
	return err
}

// readOnly is a file system on which taking the store's lock changes nothing.
type readOnly struct{ vfs.FS }

// Lock takes a shared lock that conflicts with a connector's. Without a lock
// file no connector has ever opened the store, and there is nothing to lock.
func (r readOnly) Lock(name string) (io.Closer, error) {
	file, err := r.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, err
	}
	shared := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &shared); err != nil {
		return nil, errors.Join(engine.LockError{Cause: err}, file.Close())
	}
	return file, nil
}
