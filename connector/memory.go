package connector

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

// memoryPoll is how often the limit is read: not every cgroup announces a change.
const memoryPoll = time.Second

// softLimit is the part of a memory limit, in bytes, that Go's runtime may take before its collector works harder: 80
// %. The kernel counts more, such as the pages of the inbox's files that it has not written yet.
func softLimit(limit int64) int64 { return limit / 5 * 4 }

// limitOf is the memory limit whose soft limit is heap, in bytes.
func limitOf(heap int64) int64 { return heap / 4 * 5 }

// memory is the memory limit of the process's cgroup, which a resize, an autoscaler or a policy changes while the
// process runs.
type memory struct {
	log   logr.Logger
	gauge prometheus.Gauge
	// read reads the cgroup's limit, in bytes.
	read func() (uint64, error)
	// setSoft sets the limit of Go's runtime, in bytes.
	setSoft func(bytes int64)
	// chosen: GOMEMLIMIT is set, to environment bytes, and stays what it is.
	chosen      bool
	environment int64

	// limit is the cgroup's in bytes, as it was read last; 0 for none.
	limit atomic.Int64
	// failure is why it could not be read the last time.
	failure string
}

func newMemory(gauge prometheus.Gauge, log logr.Logger) *memory {
	return &memory{
		log: log, gauge: gauge, read: memlimit.FromCgroup,
		setSoft: func(bytes int64) { debug.SetMemoryLimit(bytes) },
		chosen:  os.Getenv("GOMEMLIMIT") != "", environment: debug.SetMemoryLimit(-1),
	}
}

// look reads the limit, and sets that of Go's runtime. It returns the limit before and now, in bytes, 0 for none.
func (m *memory) look() (before, now int64) {
	before = m.limit.Load()
	if now = m.current(before); now == before {
		return before, now
	}
	m.limit.Store(now)
	m.gauge.Set(float64(now))
	switch {
	case m.chosen:
	case now == 0:
		m.setSoft(math.MaxInt64)
	default:
		m.setSoft(softLimit(now))
	}
	return before, now
}

// current reads the cgroup's limit in bytes, 0 for none. A failure is logged once, and leaves the limit at known.
func (m *memory) current(known int64) int64 {
	bytes, err := m.read()
	switch {
	case err == nil:
		m.failure = ""
		return int64(min(bytes, math.MaxInt64))
	case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
		m.failure = ""
		return 0
	case err.Error() != m.failure:
		m.failure = err.Error()
		m.log.Error(err, "the memory limit cannot be read: buffers stay what they are; set GOMEMLIMIT to 80 % of the limit", "limit", known)
	}
	return known
}

// divisible is the memory that the parts of the process divide, in bytes, 0 for no bound.
func (m *memory) divisible() int64 {
	limit := m.limit.Load()
	if !m.chosen || m.environment == math.MaxInt64 {
		return limit
	}
	if chosen := limitOf(m.environment); limit == 0 || chosen < limit {
		return chosen
	}
	return limit
}

// followMemory divides the memory again whenever its limit changes, until ctx ends.
func (p *process) followMemory(ctx context.Context) error {
	poll := time.NewTicker(memoryPoll)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil
		}
		before, now := p.memory.look()
		if before == now {
			continue
		}
		b := p.resize()
		p.memory.log.Info("the memory limit has changed", "before", before, "now", now, "connections", b.webhook, "bufferedBytes", b.bodies)
		if now > 0 && (before == 0 || now < before) {
			debug.FreeOSMemory() // the kernel counts what the heap no longer needs
		}
	}
}

// resize divides the memory between the parts, and returns what it has given them.
func (p *process) resize() budget {
	p.resizing.Lock()
	defer p.resizing.Unlock()
	b := p.budget.within(p.memory.divisible(), p.current.Load())
	p.webhook.Resize(b.webhook)
	p.handler.Resize(b.bodies)
	p.dispatcher.Resize(int(b.bodies))
	if store, ok := p.inbox.(interface {
		Resize(cacheSize, queueSize int64)
	}); ok {
		store.Resize(b.storeCache, b.storeQueue)
	}
	return b
}
