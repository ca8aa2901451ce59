package pebble

import (
	"runtime"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// operation is one request to change the store. apply runs in the committer's
// goroutine; when it returns an error the operation has added nothing to the
// batch and fails alone. An operation may be abandoned by its caller at any
// time, but once queued it is carried out.
type operation interface {
	apply(*transaction) error
	base() *pending
}

// pending is the part that every operation has: its place in the queue and the
// result that its caller waits for.
type pending struct {
	done chan error
	// size is about how many bytes the operation adds to a batch.
	size int
	// reads says that apply must see what earlier operations of the same batch
	// wrote.
	reads bool
}

func newPending(size int, reads bool) pending {
	return pending{done: make(chan error, 1), size: size, reads: reads}
}

func (p *pending) base() *pending { return p }

// transaction is one batch in the making.
type transaction struct {
	*pebble.Batch
	// reader sees the store, and the batch too if an operation asked for it.
	reader pebble.Reader
	now    time.Time
	full   bool
	store  *Inbox
	// accepted are the new events of this batch, so that a second call with
	// the same id waits for the same fsync.
	accepted map[duplicateID]struct{}
	// touched are the channels with something new to claim.
	touched map[*channel]uint64
}

// A batch is bounded so that one fsync never waits for unbounded memory: 4 MiB
// is far below what Pebble treats as a large batch.
const (
	maxBatchBytes      = 4 << 20
	maxBatchOperations = 4096
)

// committer is the one goroutine that writes.
type committer struct {
	mu     sync.Mutex
	queue  []operation
	closed bool
	wake   chan struct{}
	done   chan struct{}
}

func newCommitter() *committer {
	return &committer{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// submit queues an operation.
func (c *committer) submit(op operation) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return inbox.ErrClosed
	}
	c.queue = append(c.queue, op)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
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
			n := batchLength(ops)
			commit(ops[:n])
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
	select {
	case c.wake <- struct{}{}:
	default:
	}
	<-c.done
}

// batchLength says how many operations fit into one batch: at least one.
func batchLength(ops []operation) int {
	bytes := 0
	for i, op := range ops {
		bytes += op.base().size
		if i > 0 && (bytes > maxBatchBytes || i == maxBatchOperations) {
			return i
		}
	}
	return len(ops)
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
	start := s.now()
	if err := s.db.Apply(tx.Batch, pebble.Sync); err != nil {
		// Sequences and filter have moved on: what is in memory is no longer
		// what is on disk, so nothing more may be promised.
		s.fatal(err)
		return
	}
	s.metrics.SyncDuration.Observe(s.now().Sub(start).Seconds())
	s.space.wrote(tx.Batch.Len())
	for ch, sequence := range tx.touched {
		ch.published(sequence)
	}
	for _, op := range ops {
		op.base().done <- failed[op]
	}
	_ = tx.Close() // a batch that was applied closes without error
}

func (s *Inbox) begin(ops []operation) *transaction {
	tx := &transaction{
		now: s.now(), full: s.space.full(), store: s,
		accepted: make(map[duplicateID]struct{}, len(ops)),
		touched:  make(map[*channel]uint64, 1),
	}
	for _, op := range ops {
		if op.base().reads {
			tx.Batch = s.db.NewIndexedBatch()
			tx.reader = tx.Batch
			return tx
		}
	}
	tx.Batch, tx.reader = s.db.NewBatch(), s.db
	return tx
}
