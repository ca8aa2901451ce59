package pebble

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// Options say where and how to open an Inbox. Path, MaxSize, DeduplicationWindow and Metrics are required.
type Options struct {
	// Path is the store's folder; it is created when absent.
	Path string
	// MaxSize bounds everything on disk, in bytes, until SetBound.
	MaxSize int64
	// DeduplicationWindow is how long an id is recognised.
	DeduplicationWindow time.Duration
	// MaxOpenFiles is about how many descriptors the store has open, at least 64 of them for tables. Default: 576.
	MaxOpenFiles int
	// CacheSize is how many bytes of blocks are kept in memory, until Resize. Default, and the most: 8 MiB.
	CacheSize int64
	// QueueSize is how many bytes may wait for the disk before ErrOverloaded, until Resize. Default: 64 MiB.
	QueueSize int64
	// MemTableSize is how many bytes of new events each of two tables in memory holds. Default: 8 MiB.
	MemTableSize uint64
	Metrics      *telemetry.Metrics
	Log          logr.Logger
	// FS is the file system. Default: the operating system's.
	FS vfs.FS
	// Clock is where the store reads the time. Default: the machine's.
	Clock Clock
	// Fatal ends the process: the store cannot keep its promises. Default: log the cause and exit with status 1.
	Fatal func(cause error)
}

// Inbox is an open store. It implements inbox.Inbox.
type Inbox struct {
	path       string
	db         *pebble.DB
	cache      *cache
	files      *guard
	committer  *committer
	duplicates *duplicates
	space      *space
	metrics    *telemetry.Metrics
	log        logr.Logger
	clock      clock
	reading    atomic.Pointer[layout.ClockRecord] // the last one of the clock that was stored
	fatal      func(cause error)

	opened atomic.Bool // Open has returned from Pebble

	mu       sync.RWMutex
	channels map[string]*channel

	cancel      context.CancelFunc
	maintenance sync.WaitGroup
	late        sync.WaitGroup // the results that no caller waits for any more
	close       func() error
	life        sync.RWMutex // held for reading while the store is read, and for writing while it closes
	closed      bool
}

var (
	_ inbox.Inbox   = (*Inbox)(nil)
	_ inbox.Sized   = (*Inbox)(nil)
	_ inbox.Bounded = (*Inbox)(nil)
)

// Open opens the store, creates it if there is none, and recovers from a crash. The error names the remedy.
func Open(o Options) (*Inbox, error) {
	o.setDefaults()
	s := &Inbox{
		path: o.Path, metrics: o.Metrics, log: o.Log, fatal: o.Fatal,
		channels: make(map[string]*channel), cache: newCache(o.CacheSize),
	}
	s.committer = newCommitter(o.QueueSize, commitEnv{begin: s.begin, write: s.write, publish: s.publish, fatal: o.Fatal})
	defer s.cache.blocks.Unref() // the open store has a reference of its own
	files := withRights(o.FS, o.Path)
	s.files = &guard{FS: files, store: s}
	db, err := openWritable(o.Path, s.options(o))
	if err != nil {
		return nil, openError(o.Path, err)
	}
	s.db = db
	s.opened.Store(true)
	if r, ok := files.(rightsFS); ok {
		r.tighten(o.Path, o.Log)
	}
	s.space = newSpace(db, o.FS, o.Path, o.MaxSize, o.Log)
	if err := s.recover(o); err != nil {
		return nil, openError(o.Path, errors.Join(err, db.Close()))
	}
	go s.committer.run()
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // it lives until Close, not as long as a caller
	s.cancel, s.close = cancel, sync.OnceValue(s.end)
	s.maintain(ctx)
	return s, nil
}

func (o *Options) setDefaults() {
	o.MaxOpenFiles = cmp.Or(o.MaxOpenFiles, openFiles+otherFiles)
	o.CacheSize = cmp.Or(o.CacheSize, cacheSize)
	o.QueueSize = cmp.Or(o.QueueSize, queueSize)
	o.MemTableSize = cmp.Or(o.MemTableSize, memTableSize)
	o.FS = cmp.Or(o.FS, vfs.Default)
	o.Clock = cmp.Or[Clock](o.Clock, systemClock{time.Now()})
	if o.Fatal == nil {
		o.Fatal = func(cause error) {
			o.Log.Error(cause, "the inbox can no longer keep its promises: the process ends so that a restart recovers it",
				"path", o.Path, "remedy", remedyFor(cause, o.Path))
			os.Exit(1)
		}
	}
}

func (s *Inbox) recover(o Options) error {
	if err := s.checkSchema(o.Clock); err != nil {
		return err
	}
	if err := s.setClock(o.Clock); err != nil {
		return err
	}
	if err := s.loadChannels(); err != nil {
		return err
	}
	s.duplicates = newDuplicates(o.DeduplicationWindow, s.clock.now())
	return s.duplicates.load(s.db)
}

// checkSchema refuses the store of a newer release, and makes a new one where there is none.
func (s *Inbox) checkSchema(source Clock) error {
	value, found, err := layout.Get(s.db, layout.SchemaKey())
	switch {
	case err != nil:
		return err
	case !found:
		return s.create(source)
	case len(value) != 1 || value[0] > layout.SchemaVersion:
		return fmt.Errorf("the store was written by a newer release (schema %v, this release knows %d): use that release",
			value, layout.SchemaVersion)
	}
	return nil
}

// create makes a new store, whose clock begins with it.
func (s *Inbox) create(source Clock) error {
	b := s.db.NewBatch()
	return errors.Join(
		b.Set(layout.SchemaKey(), []byte{layout.SchemaVersion}, nil),
		b.Set(layout.ClockKey(), layout.ClockRecord{At: 1, Time: source.Now()}.Encode(), nil),
		b.Commit(pebble.Sync))
}

func (s *Inbox) loadChannels() (err error) {
	for _, value := range layout.Range(s.db, []byte{layout.PrefixChannel}, []byte{layout.PrefixChannel + 1}, &err) {
		record, err := layout.DecodeChannel(value)
		if err != nil {
			return err
		}
		if record.Last, err = s.lastSequence(record); err != nil {
			return err
		}
		ch := newChannel(record)
		ch.recorded = true
		s.channels[record.Name] = ch
		for range layout.Range(s.db, layout.Prefixed(layout.PrefixLane, ch.key), layout.RangeEnd(layout.PrefixLane, ch.key), &err) {
			ch.tracked.Add(1)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// lastSequence is the newest sequence of a channel: its record's, or that of an event accepted since.
func (s *Inbox) lastSequence(r layout.ChannelRecord) (last uint64, err error) {
	key := layout.ChannelKeyOf(r.Name)
	for event := range layout.Backward(s.db, layout.EventKey(key, r.Last+1), layout.RangeEnd(layout.PrefixEvent, key), &err) {
		return layout.SequenceOf(event), nil
	}
	return r.Last, err
}

func (s *Inbox) known(name string) *channel {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.channels[name]
}

// channel returns the channel of that name, a new one if it is unknown.
func (s *Inbox) channel(name string) *channel {
	if ch := s.known(name); ch != nil {
		return ch
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels[name] == nil {
		s.channels[name] = newChannel(layout.ChannelRecord{Name: name})
	}
	return s.channels[name]
}

// Channels implements inbox.Inbox.
func (s *Inbox) Channels() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.channels))
}

// Stats implements inbox.Inbox.
func (s *Inbox) Stats(_ context.Context, name string) (inbox.Stats, error) {
	if err := s.acquire(); err != nil {
		return inbox.Stats{}, err
	}
	defer s.release()
	ch := s.known(name)
	if ch == nil {
		return inbox.Stats{}, nil
	}
	settled := ch.settled.Load() // read before last, so that the difference is never negative
	stats := inbox.Stats{Pending: int64(ch.last.Load() - settled), DeadLetters: ch.deadLetters.Load()}
	if stats.Pending == 0 {
		return stats, nil
	}
	_, oldest, err := s.oldest(ch)
	if oldest > 0 {
		stats.OldestPendingAge = s.clock.now().Since(oldest)
	}
	return stats, err
}

// Room implements inbox.Inbox.
func (s *Inbox) Room() error { return s.space.full() }

// Try implements inbox.Inbox.
func (s *Inbox) Try(ctx context.Context) error { return s.storeClock(ctx) }

// Usage implements inbox.Sized.
func (s *Inbox) Usage() (used, limit int64) {
	return s.space.used.Load() + s.space.unmeasured.Load(), s.space.limit.Load()
}

// SetBound implements inbox.Bounded.
func (s *Inbox) SetBound(bytes int64) { s.space.setLimit(bytes) }

// Close implements inbox.Inbox.
func (s *Inbox) Close() error { return s.close() }

func (s *Inbox) end() error {
	s.endMaintenance()
	s.committer.close()
	s.life.Lock()
	defer s.life.Unlock()
	s.closed = true
	s.late.Wait()
	return s.db.Close()
}

// acquire begins a use of the store that Close waits for; Pebble would panic if it were read after its end.
func (s *Inbox) acquire() error {
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return inbox.ErrClosed
	}
	return nil
}

func (s *Inbox) release() { s.life.RUnlock() }

// endIfDamaged ends the process if a record is damaged: going on could deliver out of order or not at all.
func (s *Inbox) endIfDamaged(err error) {
	if errors.Is(err, layout.ErrRecord) || pebble.IsCorruptionError(err) {
		s.fatal(fmt.Errorf("the inbox is damaged: %w", err))
	}
}

// openError adds the remedy to the error of a store that does not open.
func openError(path string, err error) error {
	if errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("open inbox %s: %w: %w", path, inbox.ErrInUse, err)
	}
	if _, found := engine.TroubleOf(err); !found {
		err = fmt.Errorf("%w; %s", err, inspect(path))
	}
	return fmt.Errorf("open inbox %s: %w", path, engine.Explained(err))
}

// inspect names the commands that look into a stopped store.
func inspect(path string) string {
	return fmt.Sprintf("see what is wrong with: connector inbox check --path %s; "+
		"save what can be read with: connector inbox export --path %s", path, path)
}

// remedyFor is a person's remedy for the error that ended the store at path.
func remedyFor(cause error, path string) string {
	if t, found := engine.TroubleOf(cause); found {
		return t.What + ": " + t.Remedy
	}
	if errors.Is(cause, fs.ErrNotExist) && isGone(path) {
		return "the folder of the inbox is gone: put it back or mount its volume again, and start the connector"
	}
	return "if it happens again, stop the connector and " + inspect(path)
}

// isGone reports whether the folder of an open store was removed, moved or unmounted: otherwise it holds the ledger.
func isGone(path string) bool {
	_, err := os.Stat(filepath.Join(path, layout.LedgerName))
	return errors.Is(err, fs.ErrNotExist)
}
