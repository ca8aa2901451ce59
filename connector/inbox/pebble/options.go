package pebble

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
)

// The defaults of Options: enough for the newest blocks and events, small enough for an idle connector.
const (
	cacheSize    = 8 << 20
	memTableSize = 8 << 20
	queueSize    = 64 << 20
	openFiles    = 512 // table readers; a store at its default bound has far fewer tables
	otherFiles   = 64  // logs, folders, and the tables that compactions write
)

// openWritable opens a store that is written to.
func openWritable(path string, o *pebble.Options) (*pebble.DB, error) {
	if err := replayLog(path, o); err != nil {
		return nil, err
	}
	compactions := newScheduler()
	o.Experimental.CompactionScheduler = compactions
	db, err := engine.Open(path, o)
	if err == nil {
		compactions.start()
	}
	return db, err
}

// replayLog brings the log's contents to tables. Pebble does that in the middle of Open, and the new tables start
// compactions and statistics in the background. If Open then fails, as for want of space, it frees its caches under
// both, and they panic. So this Open runs neither, and the next one has no new tables. It also raises the format of a
// new store, so that the next one's log holds its synced length.
func replayLog(path string, o *pebble.Options) error {
	quiet := o.Clone()
	quiet.DisableTableStats = true
	quiet.Experimental.CompactionScheduler = newScheduler() // which is never started
	db, err := engine.Open(path, quiet)
	if err != nil {
		return err
	}
	return db.Close()
}

// scheduler allows no compaction before it is started. Then it is Pebble's own, without the goroutine that asks for
// more.
type scheduler struct {
	*pebble.ConcurrencyLimitScheduler
	started atomic.Bool
}

func newScheduler() *scheduler {
	return &scheduler{ConcurrencyLimitScheduler: pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()}
}

func (s *scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if !s.started.Load() {
		return false, nil
	}
	return s.ConcurrencyLimitScheduler.TrySchedule()
}

// start allows compactions, and begins the one that was refused before.
func (s *scheduler) start() {
	s.started.Store(true)
	if allowed, grant := s.TrySchedule(); allowed {
		grant.Done() // the end of a compaction begins the one that waits
	}
}

func (s *Inbox) options(o Options) *pebble.Options {
	opts := &pebble.Options{
		FS:           s.files,
		Cache:        s.cache.blocks,
		MemTableSize: o.MemTableSize,
		MaxOpenFiles: o.MaxOpenFiles - otherFiles,
		// It tells a torn end of the log from damage in its middle. It is raised only a release after its readers are
		// out, so that a rollback can still open the store.
		FormatMajorVersion: pebble.FormatWALSyncChunks,
		// Range deletions free whole tables only once they are flushed.
		FlushDelayDeleteRange: time.Second,
		Logger:                engine.Log{Log: s.log, Fatal: s.fatal},
		EventListener:         s.events(),
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	opts.Experimental.SpanPolicyFunc = splitByPrefix
	return opts
}

// splitByPrefix ends a table where the kind of key changes. Events come in key order, so tables of events alone never
// overlap: compaction moves them without rewriting, and a range deletion drops them unread. In tables shared with ids,
// which come in random order, they would be merged again and again.
func splitByPrefix(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	return policy, []byte{start[0] + 1}, nil
}

// spacePause is how long the store waits for space before it tries to flush or compact again.
const spacePause = time.Second

// events reports what Pebble meets in the background.
func (s *Inbox) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: s.backgroundFailed,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.fatal(fmt.Errorf("the inbox is damaged: %s: %w", info.Path, info.Details))
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			s.log.Info("the disk is slow", "operation", info.OpType.String(), "duration", info.Duration.String())
		},
	}
}

// backgroundFailed handles a failed flush or compaction. Pebble would try again at once and for ever, so it waits for
// space. Any other failure ends the process, since a disk that does not write cannot keep promises.
func (s *Inbox) backgroundFailed(err error) {
	switch {
	case errors.Is(err, context.Canceled): // by Close
	case !engine.OutOfSpace(err), !s.opened.Load():
		s.fatal(fmt.Errorf("the store could not flush or compact: %w", err))
	default:
		s.log.Error(err, "the disk is full, beyond the reserve that the inbox keeps; it waits for space",
			"remedy", remedyFor(err, s.path))
		<-time.After(spacePause)
	}
}

// cache holds the newest blocks. Pebble's cache cannot be resized; only a part of it can be reserved.
type cache struct {
	blocks *pebble.Cache

	mu      sync.Mutex
	release func() // ends the reservation of the unused part
}

func newCache(size int64) *cache {
	c := &cache{blocks: pebble.NewCache(cacheSize)}
	c.resize(size)
	return c
}

// resize changes the size, at most to cacheSize; blocks beyond it are dropped at once.
func (c *cache) resize(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.release != nil {
		c.release()
	}
	c.release = c.blocks.Reserve(int(cacheSize - min(size, cacheSize)))
}

// Resize changes Options.CacheSize and QueueSize, at any time. It does nothing once the store is closed.
func (s *Inbox) Resize(cacheSize, queueSize int64) {
	if s.acquire() != nil {
		return
	}
	defer s.release()
	s.cache.resize(cacheSize)
	s.committer.maxQueued.Store(queueSize)
}
