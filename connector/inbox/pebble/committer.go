package pebble

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// operation is one request to change the store. Its caller may stop waiting at any time; once queued it is carried out.
type operation interface {
	// apply runs in the committer's goroutine. After an error the operation has added nothing to the batch.
	apply(*transaction) error
	// reads reports whether apply must see earlier writes of its batch. It is asked before the batch is applied.
	reads() bool
	base() *pending
}

// pending is the part that every operation has: its place in the queue and the result that its caller waits for.
type pending struct {
	done chan error
	size int // about how many bytes the operation adds to a batch
}

func newPending(size int) pending { return pending{done: make(chan error, 1), size: size} }

func (p *pending) base() *pending { return p }

func (*pending) reads() bool { return false }

// change is an operation that needs no type of its own.
type change struct {
	pending
	make func(*transaction)
}

func (c *change) apply(tx *transaction) error {
	c.make(tx)
	return nil
}

// A batch is bounded so that one fsync never waits for unbounded memory. Pebble calls batches large far above 4 MiB.
const (
	maxBatchBytes      = 4 << 20
	maxBatchOperations = 4096
)

// committer is the one goroutine that writes. Its invariants, by which its tests go:
//
//  1. Operations are applied in the order of their submission, each in one batch.
//  2. An operation's caller is answered after its batch was written and published, in this order, and not before.
//  3. An operation that fails fails alone: the rest of its batch is written.
//  4. After a failed write no caller is answered and nothing is published: the process ends.
//  5. A batch has no more than maxBatchOperations and maxBatchBytes, unless it is one operation.
//  6. If a caller gives up, its operation is carried out all the same.
//  7. After close no operation is accepted, and the accepted ones are written.
//  8. queued is the size of the operations that are not written yet.
type committer struct {
	env    commitEnv
	queued atomic.Int64 // in bytes
	// maxQueued bounds the memory for a disk that hangs: callers give up, but their operations stay queued.
	maxQueued atomic.Int64
	wake      chan struct{}
	done      chan struct{}

	// mu guards what follows.
	mu     sync.Mutex
	queue  []operation
	closed bool
}

// commitEnv is the store as the committer sees it.
type commitEnv struct {
	begin   func(ops []operation) *transaction
	write   func(*transaction) error
	publish func(*transaction) // tells of a durable batch
	fatal   func(cause error)  // ends the process: after a failed write memory is ahead of the disk
}

func newCommitter(maxQueued int64, env commitEnv) *committer {
	c := &committer{env: env, wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.maxQueued.Store(maxQueued)
	return c
}

// change makes a change of about size bytes, and waits as submitAndWait does.
func (c *committer) change(ctx context.Context, size int, do func(*transaction)) error {
	return c.submitAndWait(ctx, &change{newPending(size), do})
}

// submitAndWait queues an operation and waits until it is durable or ctx ends.
func (c *committer) submitAndWait(ctx context.Context, op operation) error {
	if err := c.submit(op); err != nil {
		return err
	}
	select {
	case err := <-op.base().done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

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

// signal wakes the reader of a channel of room one, now or when it next waits; one signal may stand for many.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// run commits the queued operations until close was called and the queue is empty.
func (c *committer) run() {
	defer close(c.done)
	for range c.wake {
		// Callers that are about to queue an operation do so first. On an idle machine this returns at once. On a busy
		// one it makes batches larger and fsyncs fewer, exactly when fsyncs are the limit.
		runtime.Gosched()
		ops, closed := c.take()
		for len(ops) > 0 {
			n, bytes := nextBatch(ops)
			c.commit(ops[:n])
			c.queued.Add(-int64(bytes))
			ops = ops[n:]
		}
		if closed {
			return
		}
	}
}

// commit makes one batch of the operations durable and tells their callers.
func (c *committer) commit(ops []operation) {
	tx := c.env.begin(ops)
	failed := make(map[operation]error)
	for _, op := range ops {
		if err := op.apply(tx); err != nil {
			failed[op] = err
		}
	}
	if err := c.env.write(tx); err != nil {
		c.env.fatal(err)
		return
	}
	c.env.publish(tx)
	for _, op := range ops {
		op.base().done <- failed[op]
	}
}

func (c *committer) take() (ops []operation, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ops, c.queue = c.queue, nil
	return ops, c.closed
}

// close ends the committer once the queued operations are committed.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	signal(c.wake)
	<-c.done
}

// overloaded reports whether the disk does not keep up.
func (c *committer) overloaded() bool { return c.queued.Load() > c.maxQueued.Load() }

// nextBatch says how many operations, at least one, fit into one batch, and their size.
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
