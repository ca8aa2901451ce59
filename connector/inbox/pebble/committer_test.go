package pebble

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// recorder is a store without a database: it writes down the committer's steps.
type recorder struct {
	done []string
	// batches are the numbers of operations.
	batches []int
	// hold, when set, keeps each write until it can be received from.
	hold chan struct{}
	// writeErr fails every write.
	writeErr error
}

func (r *recorder) notef(format string, args ...any) {
	r.done = append(r.done, fmt.Sprintf(format, args...))
}

func (r *recorder) env() commitEnv {
	return commitEnv{
		begin: func(ops []operation) *transaction {
			r.batches = append(r.batches, len(ops))
			r.notef("begin")
			return &transaction{}
		},
		write: func(*transaction) error {
			if r.hold != nil {
				<-r.hold
			}
			r.notef("write")
			return r.writeErr
		},
		publish: func(*transaction) { r.notef("publish") },
		fatal:   func(cause error) { r.notef("fatal: %v", cause) },
	}
}

// step is an operation that is written down when it is applied.
type step struct {
	pending
	r    *recorder
	name int
	err  error
}

func (s *step) apply(*transaction) error {
	s.r.notef("apply %d", s.name)
	return s.err
}

func (r *recorder) step(name int) *step { return &step{pending: newPending(1), r: r, name: name} }

// inCommitter runs a committer in a bubble, with nothing queued, and ends it.
func inCommitter(t *testing.T, maxQueued int64, test func(t *testing.T, r *recorder, c *committer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		r := &recorder{}
		c := newCommitter(maxQueued, r.env())
		go c.run()
		test(t, r, c)
		c.close()
	})
}

func (r *recorder) submit(t *testing.T, c *committer, ops ...operation) {
	t.Helper()
	for _, op := range ops {
		if err := c.submit(op); err != nil {
			t.Fatal(err)
		}
	}
}

// answered reports whether an operation's caller was told, and what.
func answered(op operation) (told bool, with error) {
	select {
	case err := <-op.base().done:
		return true, err
	default:
		return false, nil
	}
}

// TestCommitterOrder: invariants 1 and 2.
func TestCommitterOrder(t *testing.T) {
	inCommitter(t, 1<<20, func(t *testing.T, r *recorder, c *committer) {
		r.hold = make(chan struct{})
		first, second, third := r.step(1), r.step(2), r.step(3)
		r.submit(t, c, first)
		synctest.Wait()
		r.submit(t, c, second, third)
		synctest.Wait()
		for _, op := range []operation{first, second, third} {
			if told, _ := answered(op); told {
				t.Error("a caller was answered before its batch was written")
			}
		}
		close(r.hold)
		synctest.Wait()
		want := []string{"begin", "apply 1", "write", "publish", "begin", "apply 2", "apply 3", "write", "publish"}
		if diff := cmp.Diff(want, r.done); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, op := range []operation{first, second, third} {
			if told, err := answered(op); !told || err != nil {
				t.Errorf("answered %v, %v", told, err)
			}
		}
	})
}

// TestCommitterAnswersLast: invariant 2. A caller that is answered finds its event published.
func TestCommitterAnswersLast(t *testing.T) {
	inCommitter(t, 1<<20, func(t *testing.T, r *recorder, c *committer) {
		if err := c.submitAndWait(t.Context(), r.step(1)); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(r.done, "publish") {
			t.Errorf("answered after %v", r.done)
		}
	})
}

// TestCommitterFailsAlone: invariant 3.
func TestCommitterFailsAlone(t *testing.T) {
	inCommitter(t, 1<<20, func(t *testing.T, r *recorder, c *committer) {
		r.hold = make(chan struct{})
		r.submit(t, c, r.step(0))
		synctest.Wait()
		good, bad := r.step(1), r.step(2)
		bad.err = errors.New("this one alone")
		r.submit(t, c, bad, good)
		close(r.hold)
		synctest.Wait()
		if told, err := answered(bad); !told || !errors.Is(err, bad.err) {
			t.Errorf("the one that failed: %v, %v", told, err)
		}
		if told, err := answered(good); !told || err != nil {
			t.Errorf("the one beside it: %v, %v", told, err)
		}
	})
}

// TestCommitterAfterAFailedWrite: invariant 4.
func TestCommitterAfterAFailedWrite(t *testing.T) {
	inCommitter(t, 1<<20, func(t *testing.T, r *recorder, c *committer) {
		r.writeErr = errors.New("disk")
		op := r.step(1)
		r.submit(t, c, op)
		synctest.Wait()
		if told, err := answered(op); told {
			t.Errorf("the caller was told %v", err)
		}
		if diff := cmp.Diff([]string{"begin", "apply 1", "write", "fatal: disk"}, r.done); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestBatchBounds: invariant 5.
func TestBatchBounds(t *testing.T) {
	sized := func(sizes ...int) (ops []operation) {
		for _, size := range sizes {
			ops = append(ops, &step{pending: newPending(size)})
		}
		return ops
	}
	for name, tt := range map[string]struct {
		ops      []operation
		n, bytes int
	}{
		"one":              {sized(10), 1, 10},
		"all":              {sized(10, 20, 30), 3, 60},
		"up to the bound":  {sized(maxBatchBytes-1, 1, 1), 2, maxBatchBytes},
		"one that is more": {sized(maxBatchBytes+1, 1), 1, maxBatchBytes + 1},
		"it comes second":  {sized(1, maxBatchBytes), 1, 1},
		"many":             {sized(make([]int, maxBatchOperations+1)...), maxBatchOperations, 0},
	} {
		if n, bytes := nextBatch(tt.ops); n != tt.n || bytes != tt.bytes {
			t.Errorf("%s: %d operations of %d bytes, want %d of %d", name, n, bytes, tt.n, tt.bytes)
		}
	}
}

// TestCommitterCutsBatches: invariant 5, in use.
func TestCommitterCutsBatches(t *testing.T) {
	inCommitter(t, 1<<30, func(t *testing.T, r *recorder, c *committer) {
		r.hold = make(chan struct{})
		r.submit(t, c, r.step(0))
		synctest.Wait()
		for name := range maxBatchOperations + 2 {
			r.submit(t, c, r.step(name))
		}
		close(r.hold)
		synctest.Wait()
		if diff := cmp.Diff([]int{1, maxBatchOperations, 2}, r.batches); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestCommitterGoesOnWithoutItsCaller: invariant 6.
func TestCommitterGoesOnWithoutItsCaller(t *testing.T) {
	inCommitter(t, 1<<20, func(t *testing.T, r *recorder, c *committer) {
		r.hold = make(chan struct{})
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the caller has gone")
		cancel(gone)
		if err := c.submitAndWait(ctx, r.step(1)); !errors.Is(err, gone) {
			t.Errorf("%v, want the context's cause", err)
		}
		close(r.hold)
		synctest.Wait()
		if !slices.Contains(r.done, "apply 1") {
			t.Error("the operation was dropped")
		}
	})
}

// TestCommitterCloses: invariant 7.
func TestCommitterCloses(t *testing.T) {
	inCommitter(t, 1<<20, func(t *testing.T, r *recorder, c *committer) {
		r.hold = make(chan struct{})
		r.submit(t, c, r.step(1))
		synctest.Wait()
		r.submit(t, c, r.step(2))
		closed := make(chan struct{})
		go func() { c.close(); close(closed) }()
		synctest.Wait()
		if err := c.submit(r.step(3)); !errors.Is(err, inbox.ErrClosed) {
			t.Errorf("submit: %v, want ErrClosed", err)
		}
		select {
		case <-closed:
			t.Error("closed before the queue was written")
		default:
		}
		close(r.hold)
		<-closed
		if diff := cmp.Diff([]int{1, 1}, r.batches); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

// TestCommitterCountsWhatWaits: invariant 8.
func TestCommitterCountsWhatWaits(t *testing.T) {
	inCommitter(t, 2, func(t *testing.T, r *recorder, c *committer) {
		r.hold = make(chan struct{})
		r.submit(t, c, r.step(1), r.step(2))
		synctest.Wait()
		if c.overloaded() {
			t.Error("overloaded at the bound")
		}
		r.submit(t, c, r.step(3))
		synctest.Wait()
		if !c.overloaded() || c.queued.Load() != 3 {
			t.Errorf("%d bytes wait, overloaded %v", c.queued.Load(), c.overloaded())
		}
		close(r.hold)
		synctest.Wait()
		if c.overloaded() || c.queued.Load() != 0 {
			t.Errorf("%d bytes wait once everything is written", c.queued.Load())
		}
	})
}
