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

// Memory that Pebble takes to read a stopped store.
const (
	readCache = 8 << 20
	readFiles = 512
)

// stopped is the store of a stopped connector. It is only read: through Pebble as long as Pebble can, then directly.
type stopped struct {
	ctx      context.Context //nolint:containedctx // the context of one call of Check or Export, which owns this value
	path     string
	observe  Observer
	lock     *pebble.Lock // keeps a connector from starting meanwhile
	db       *pebble.DB   // nil once Pebble met damage; salvaged then reads on
	salvaged *salvage
	records  int
	err      error // ends the reading: the context's, the caller's, or why the files cannot be listed
}

// openStopped opens the store at path without a change in its folder. Damage that Pebble cannot open is a finding.
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
		s.salvage("the store does not open: "+err.Error(),
			"the connector cannot start with it; below is what its files still hold, which may include events that were delivered")
	} else if damage := verifyLog(path); damage != nil {
		s.giveUp(damage)
	}
	if s.err != nil {
		return nil, errors.Join(s.err, s.close())
	}
	return s, nil
}

// holdsStore reports whether a folder contains any of a store's files.
func holdsStore(path string) bool {
	for _, pattern := range []string{"*MANIFEST*", "*.sst", "*.log"} {
		if names, err := filepath.Glob(filepath.Join(path, pattern)); err == nil && len(names) > 0 {
			return true
		}
	}
	return false
}

// verifyLog looks for records behind damage in the newest write-ahead log. Pebble takes such damage for the log's end.
func verifyLog(path string) (damage error) {
	logs, err := wal.Scan(wal.Dir{FS: vfs.Default, Dirname: path})
	if err != nil || len(logs) == 0 {
		return err
	}
	readLog(logs[len(logs)-1], true, func(where, what, _ string) { damage = fmt.Errorf("%s: %s", where, what) })
	return damage
}

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

// found reports a problem that leaves only one remedy: to replace the store.
func (s *stopped) found(where, what, meaning string) {
	s.observe.Finding(Finding{Where: where, What: what, Meaning: meaning, Remedy: remedyReplace})
}

// each visits every record whose key starts with prefix, in the order of keys.
func (s *stopped) each(prefix byte, visit func(key, value []byte)) {
	s.between([]byte{prefix}, []byte{prefix + 1}, visit)
}

// between visits every record in [from, to), in the order of keys, until s.err is set. It reports damage and reads on.
func (s *stopped) between(from, to []byte, visit func(key, value []byte)) {
	if s.err != nil {
		return
	}
	goOn := func(key, value []byte) bool {
		if s.records++; s.records%1024 == 0 {
			s.observe.Progress(s.records)
		}
		if s.err = s.ctx.Err(); s.err == nil {
			visit(key, value)
		}
		return s.err == nil
	}
	if s.db != nil {
		next, damage := s.eachStored(from, to, goOn)
		if damage == nil {
			return
		}
		s.giveUp(damage)
		from = next
	}
	if s.err == nil {
		s.salvaged.each(from, to, goOn)
	}
}

// eachStored visits [from, to) through Pebble while visit returns true. After damage, the reading continues from next.
func (s *stopped) eachStored(from, to []byte, visit func(key, value []byte) bool) (next []byte, damage error) {
	it, damage := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if damage != nil {
		return from, damage
	}
	defer func() { _ = it.Close() }() // its error is the iterator's, returned below
	next = from
	for valid := it.First(); valid; valid = it.Next() {
		value, damage := it.ValueAndErr()
		if damage != nil {
			return next, damage
		}
		if !visit(it.Key(), value) {
			return nil, nil
		}
		next = append(append(next[:0:0], it.Key()...), 0)
	}
	return next, it.Error()
}

// giveUp stops reading through Pebble.
func (s *stopped) giveUp(damage error) {
	_ = s.db.Close() // nothing was written that closing could fail to keep
	s.db = nil
	s.salvage("a file is damaged: "+damage.Error(), "the connector ends when it meets this; from here on the files are read directly, "+
		"which may find events again that were delivered")
}

// salvage reports why Pebble cannot read the store, and opens its files directly.
func (s *stopped) salvage(what, meaning string) {
	s.found(s.path, what, meaning)
	s.salvaged, s.err = openSalvage(s.ctx, s.path, s.found)
}

// readOnly is a file system whose Lock changes nothing.
type readOnly struct{ vfs.FS }

// Lock takes a shared lock that conflicts with a connector's, if any connector has ever opened the store.
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
