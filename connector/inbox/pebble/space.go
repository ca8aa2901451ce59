package pebble

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// space decides when the inbox is full: at its bound, or when the disk has no more than the reserve left. Pebble must
// never meet the end of the disk: a log rotation would panic, and flushes, compactions and deletions need room.
type space struct {
	db   *pebble.DB
	fs   vfs.FS
	path string
	log  logr.Logger

	limit      atomic.Int64
	used       atomic.Int64
	room       atomic.Pointer[room]
	unmeasured atomic.Int64 // the bytes written since the last measurement
}

// room says whether new events find room.
type room struct {
	err  error
	said string // the log line when the room becomes this one
}

var (
	enough  = room{nil, "the inbox takes calls again"}
	atBound = room{
		inbox.ErrFull,
		"the inbox is full: calls are answered 503 until deliveries free space; connector status tells which sink does not keep up; " +
			"if little is pending or dead, the ids of the de-duplication window fill it, and it needs a larger size, which it takes " +
			"without a restart: inbox.embedded.size of the ChannelConnector, or maxSize of the file",
	}
	noBytes = room{
		inbox.ErrDiskFull,
		"the disk of the inbox is full: calls are answered 503 until the disk has more than the reserve free; " +
			"the inbox is within its own bound, so free space on the disk or enlarge the volume",
	}
	noInodes = room{
		fmt.Errorf("%w: it has no free inodes", inbox.ErrDiskFull),
		"the disk of the inbox has no free inodes: calls are answered 503 until it has some; " +
			"df -i tells; delete files on the disk, or make its file system with more inodes",
	}
)

// The reserve of free disk is an eighth of the bound within these limits, with room for flushes and compactions.
const (
	minReserve = 32 << 20
	maxReserve = 512 << 20
	minInodes  = 64 // enough for a flush and a compaction, each of which makes a few files before it deletes others
	// The usage is measured after each measureEvery written bytes, and at least once in each measureInterval.
	measureEvery    = 1 << 20
	measureInterval = 200 * time.Millisecond
)

func newSpace(db *pebble.DB, fs vfs.FS, path string, limit int64, log logr.Logger) *space {
	s := &space{db: db, fs: fs, path: path, log: log}
	s.limit.Store(limit)
	s.room.Store(&enough)
	s.measure()
	return s
}

// setLimit changes the bound. It touches no disk, which may hang: the next measurement, soon, decides about the room.
func (s *space) setLimit(bytes int64) {
	if before := s.limit.Swap(bytes); before != bytes {
		s.log.Info("the bound of the inbox has changed", "beforeBytes", before, "limitBytes", bytes)
	}
}

// reserve is the free disk below which new events are refused.
func (s *space) reserve() uint64 {
	return uint64(min(max(s.limit.Load()/8, minReserve), maxReserve))
}

func (s *space) wrote(bytes int) {
	if s.unmeasured.Add(int64(bytes)) >= measureEvery {
		s.measure()
	}
}

func (s *space) measure() {
	s.unmeasured.Store(0)
	used := int64(s.db.Metrics().DiskSpaceUsage())
	s.used.Store(used)
	now, free := s.diskRoom()
	limit := s.limit.Load()
	if used >= limit {
		now = &atBound
	}
	if s.room.Swap(now) != now {
		s.log.Info(now.said, "usedBytes", used, "limitBytes", limit, "reserveBytes", s.reserve(), "freeBytes", free)
	}
}

// diskRoom measures the disk. A file system without a known size, as some FUSE ones, reports 0 of 0 bytes or inodes.
func (s *space) diskRoom() (r *room, free uint64) {
	disk, err := s.fs.GetDiskUsage(s.path)
	if err != nil || disk.TotalBytes == 0 {
		return &enough, 0
	}
	if disk.AvailBytes < s.reserve() {
		return &noBytes, disk.AvailBytes
	}
	if s.fewInodes() {
		return &noInodes, disk.AvailBytes
	}
	return &enough, disk.AvailBytes
}

func (s *space) fewInodes() bool {
	if vfs.Root(s.fs) != vfs.Default {
		return false
	}
	var stat syscall.Statfs_t
	err := syscall.Statfs(s.path, &stat)
	return err == nil && stat.Files > 0 && stat.Ffree < minInodes
}

// full is nil while there is room; else it names the lack.
func (s *space) full() error {
	r := s.room.Load()
	if r == &noBytes {
		return fmt.Errorf("%w: less than the reserve of %d MiB is free", r.err, s.reserve()>>20)
	}
	return r.err
}
