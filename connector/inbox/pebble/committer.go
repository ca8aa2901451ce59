package pebble

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// operation is one request to change the store. An operation may be abandoned
// by its caller at any time, but once queued it is carried out.
type operation interface {
	// apply runs in the committer's goroutine. When it returns an error the
	// operation has added nothing to the batch and fails alone.
	apply(*transaction) error
	// reads says that apply must see what earlier operations of the same batch
	// wrote. It is asked before any of the batch is applied.
	reads() bool
	base() *pending
}

// pending is the part that every operation has: its place in the queue and the
// result that its caller waits for.
type pending struct {
	done chan error
	// size is about how many bytes the operation adds to a batch.
	size int
}

func newPending(size int) pending { return pending{done: make(chan error, 1), size: size} }

func (p *pending) base() *pending { return p }

// transaction is one batch in the making.
type transaction struct {
	*pebble.Batch
	// reader sees the store, and the batch too if an operation asked for it.
	reader pebble.Reader
	// now is the time by the store's own clock, and time what the machine's
	// shows, for people.
	now  layout.Instant
	time time.Time
	// keepTime: the clock is stored even if nothing else is.
	keepTime bool
	// full says why the inbox takes nothing new; nil while it does.
	full  error
	store *Inbox
	// accepted are the new events of this batch, so that a second call with
	// the same id waits for the same fsync.
	accepted map[duplicateID]struct{}
	// appended are the new events by channel, and changed the channels whose
	// record must be written.
	appended map[*channel][]encodedEvent
	changed  map[*channel]struct{}
}

// A batch is bounded so that one fsync never waits for unbounded memory: 4 MiB
// is far below what Pebble treats as a large batch.
const (
	maxBatchBytes      = 4 << 20
	maxBatchOperations = 4096
)

// committer is the one goroutine that writes.
type committer struct {
	// queued is the size of what is queued or being committed, in bytes.
	queued atomic.Int64
	// maxQueued bounds what waits for a disk that hangs: callers give up after
	// their time, but what they queued stays until it is committed.
	maxQueued atomic.Int64

	mu     sync.Mutex
	queue  []operation
	closed bool
	wake   chan struct{}
	done   chan struct{}
}

func newCommitter(maxQueued int64) *committer {
	c := &committer{wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.maxQueued.Store(maxQueued)
	return c
}

// submit queues an operation.
func (c *committer) submit(op operation) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return inbox.ErrClosed
	}
	c.queue = append(c.queue, op)
	c.queued.Add(int64(op.base().size))
	c.mu.Unlock()
	signal(c.wake)
	return nil
}

// signal wakes whoever waits on a channel of room one, now or next; one signal
// may stand for many.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// run commits what is queued until close was called and the queue is empty.
func (c *committer) run(commit func([]operation)) {
	defer close(c.done)
	for range c.wake {
		// Whoever is about to queue something gets to do so first. On an idle
		// machine this returns at once; on a busy one it makes batches larger
		// and fsyncs fewer, exactly when that is what limits.
		runtime.Gosched()
		ops, closed := c.take()
		for len(ops) > 0 {
			n, bytes := nextBatch(ops)
			commit(ops[:n])
			c.queued.Add(-int64(bytes))
			ops = ops[n:]
		}
		if closed {
			return
		}
	}
}

func (c *committer) take() (ops []operation, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ops, c.queue = c.queue, nil
	return ops, c.closed
}

// close lets what is queued be committed and ends the committer.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	signal(c.wake)
	<-c.done
}

// overloaded says that the disk does not keep up.
func (c *committer) overloaded() bool { return c.queued.Load() > c.maxQueued.Load() }

// nextBatch says how many operations, at least one, fit into one batch, and
// their size.
func nextBatch(ops []operation) (n, bytes int) {
	for ; n < len(ops) && n < maxBatchOperations; n++ {
		size := ops[n].base().size
		if n > 0 && bytes+size > maxBatchBytes {
			break
		}
		bytes += size
	}
	return n, bytes
}

// commit makes one batch of the operations durable and tells their callers.
func (s *Inbox) commit(ops []operation) {
	tx := s.begin(ops)
	failed := make(map[operation]error)
	for _, op := range ops {
		if err := op.apply(tx); err != nil {
			failed[op] = err
		}
	}
	start := s.clock.now()
	if err := errors.Join(tx.writeChannels(), tx.writeClock(), s.db.Apply(tx.Batch, pebble.Sync)); err != nil {
		// Sequences and filter have moved on: what is in memory is no longer
		// what is on disk, so nothing more may be promised.
		s.fatal(err)
		return
	}
	s.metrics.SyncDuration.Observe(s.clock.now().Since(start).Seconds())
	s.space.wrote(tx.Len())
	for ch, events := range tx.appended {
		ch.published(events)
	}
	for _, op := range ops {
		op.base().done <- failed[op]
	}
	_ = tx.Close() // a batch that was applied closes without error
}

func (s *Inbox) begin(ops []operation) *transaction {
	tx := &transaction{
		now: s.clock.now(), time: s.clock.source.Now(), full: s.space.full(), store: s,
		accepted: make(map[duplicateID]struct{}, len(ops)),
		appended: make(map[*channel][]encodedEvent, 1),
		changed:  make(map[*channel]struct{}, 1),
	}
	if slices.ContainsFunc(ops, operation.reads) {
		tx.Batch = s.db.NewIndexedBatch()
		tx.reader = tx.Batch
		return tx
	}
	tx.Batch, tx.reader = s.db.NewBatch(), s.db
	return tx
}

// append adds an encoded event to the end of a channel.
func (tx *transaction) append(ch *channel, record []byte) error {
	if !ch.recorded {
		tx.changed[ch] = struct{}{}
	}
	sequence := ch.last.Add(1)
	tx.appended[ch] = append(tx.appended[ch], encodedEvent{sequence, record})
	return tx.Set(layout.EventKey(ch.key, sequence), record, nil)
}

// writeChannels writes the records of the changed channels, once a batch.
func (tx *transaction) writeChannels() error {
	errs := make([]error, 0, len(tx.changed))
	for ch := range tx.changed {
		ch.recorded = true
		errs = append(errs, tx.Set(layout.ChannelRecordKey(ch.key), ch.record().Encode(), nil))
	}
	return errors.Join(errs...)
}
