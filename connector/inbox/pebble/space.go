package pebble

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"
)

// space decides when the inbox is full: at its bound, or when the disk has no
// more than the reserve left. Pebble must never meet the end of the disk
// itself: at a log rotation that is a panic, and flushes, compactions and the
// deletes that would free space need room to work.
type space struct {
	db      *pebble.DB
	fs      vfs.FS
	path    string
	limit   int64
	reserve uint64
	log     logr.Logger

	used   atomic.Int64
	isFull atomic.Bool
	// unmeasured counts the bytes written since the last measurement.
	unmeasured atomic.Int64
}

// The reserve of free disk is an eighth of the bound within these limits: the
// lower is two memtables and what a small compaction writes.
const (
	minReserve = 32 << 20
	maxReserve = 512 << 20
	// measureEvery bytes written the usage is measured anew, and at least once
	// in each measureInterval; both are far below the reserve.
	measureEvery    = 1 << 20
	measureInterval = 200 * time.Millisecond
)

func newSpace(db *pebble.DB, fs vfs.FS, path string, limit int64, log logr.Logger) *space {
	s := &space{
		db: db, fs: fs, path: path, limit: limit, log: log,
		reserve: uint64(min(max(limit/8, minReserve), maxReserve)),
	}
	s.measure()
	return s
}

// wrote notes a commit's size.
func (s *space) wrote(bytes int) {
	if s.unmeasured.Add(int64(bytes)) >= measureEvery {
		s.measure()
	}
}

// measure asks Pebble and the file system.
func (s *space) measure() {
	s.unmeasured.Store(0)
	used := int64(s.db.Metrics().DiskSpaceUsage())
	s.used.Store(used)
	full := used >= s.limit || s.diskNearlyFull()
	if s.isFull.Swap(full) == full {
		return
	}
	if full {
		s.log.Info("the inbox is full: calls are answered 503 until deliveries free space; connector status tells which sink does not keep up; "+
			"if little is pending or dead, the ids of the de-duplication window fill it, and it needs a larger size",
			"usedBytes", used, "limitBytes", s.limit, "reserveBytes", s.reserve)
		return
	}
	s.log.Info("the inbox takes calls again", "usedBytes", used, "limitBytes", s.limit)
}

// diskNearlyFull is false where the file system cannot say.
func (s *space) diskNearlyFull() bool {
	disk, err := s.fs.GetDiskUsage(s.path)
	return err == nil && disk.AvailBytes < s.reserve
}

func (s *space) full() bool { return s.isFull.Load() }

func (s *space) usage() (used, limit int64) {
	return s.used.Load() + s.unmeasured.Load(), s.limit
}
