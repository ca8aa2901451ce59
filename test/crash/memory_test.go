package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/cgroup"
)

const mib = 1 << 20

// newGroup makes a memory cgroup and removes it after the test.
func newGroup(t *testing.T, bytes int64) *cgroup.Group {
	t.Helper()
	g, err := cgroup.New(fmt.Sprintf("%s-%d", strings.ToLower(t.Name()), os.Getpid()), bytes)
	if errors.Is(err, cgroup.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// gauge is one metric without labels.
func (c *connector) gauge(name string) float64 {
	c.t.Helper()
	value, err := c.Value(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return value
}

// awaitMemory waits until the connector has seen its limit, and checks that of Go's runtime, both in bytes.
func (c *connector) awaitMemory(limit, soft float64) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("a memory limit of %.0f", limit), func() bool {
		return c.gauge("xbot_connector_memory_limit_bytes") == limit
	})
	if got := c.gauge("go_gc_gomemlimit_bytes"); got != soft {
		c.t.Errorf("the limit of Go's runtime is %.0f, want %.0f", got, soft)
	}
}

// lower lowers the limit of the group. The kernel refuses that while it cannot take back enough memory.
func (c *connector) lower(limit int64) {
	c.t.Helper()
	c.eventually("a lower limit", func() bool { return c.group.Limit(limit) == nil })
}

// TestMemoryLimitLowered lowers the memory limit of a connector at work to a quarter, and then sends more bodies than
// fit into it. The connector must follow the limit, go on taking events, and not be killed.
func TestMemoryLimitLowered(t *testing.T) {
	group := newGroup(t, 512*mib)
	sink := newSink(t, rand.Uint64())
	c := newConnector(t, sink.url, filepath.Join(t.TempDir(), "inbox"), "4Gi")
	c.group = group
	c.start()
	c.ready()
	c.awaitMemory(512*mib, softLimit(512*mib))
	small, large := newLoad(t, c.pushURL(), 0, ""), newLoad(t, c.pushURL(), conversations, strings.Repeat("a", 256<<10))
	small.start(rand.Uint64())
	c.awaitCalls(small, conversations)

	c.lower(128 * mib)
	c.awaitMemory(128*mib, softLimit(128*mib))
	c.eventually("less for bodies", func() bool {
		return c.gauge("xbot_connector_webhook_buffered_bytes_limit") < 32*mib
	})
	large.start(rand.Uint64())
	c.awaitCalls(large, 3*conversations)
	c.awaitCalls(small, conversations)
	c.awaitEnd(large)
	c.awaitEnd(small)
	sink.kind.Store(true)
	c.drained()
	checkOutcome(t, c, small, sink)
	checkOutcome(t, c, large, sink)
	c.stop()
}

// softLimit is the limit of Go's runtime that the connector derives from the cgroup's, in bytes.
func softLimit(limit int64) float64 { return float64(limit / 5 * 4) }

// awaitCalls waits until n further messages are acknowledged.
func (c *connector) awaitCalls(l *load, n int) {
	c.t.Helper()
	count := func() (sum int) {
		for _, n := range l.Acknowledged() {
			sum += n
		}
		return sum
	}
	before := count()
	c.eventually("calls that are answered", func() bool { return count() >= before+n })
}

// awaitEnd ends a load, and waits until every message that it began is acknowledged.
func (c *connector) awaitEnd(l *load) {
	c.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Finish()
	}()
	c.eventually("the end of the load", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

// TestGOMEMLIMITStays: the connector keeps a GOMEMLIMIT that was set, whatever the cgroup's limit.
func TestGOMEMLIMITStays(t *testing.T) {
	group := newGroup(t, 512*mib)
	c := newConnector(t, newSink(t, 1).url, filepath.Join(t.TempDir(), "inbox"), "1Gi")
	c.group, c.environment = group, []string{"GOMEMLIMIT=100MiB"}
	c.start()
	c.ready()
	c.awaitMemory(512*mib, 100*mib)
	c.lower(256 * mib)
	c.awaitMemory(256*mib, 100*mib)
	c.stop()
}
