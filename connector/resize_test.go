package connector_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// TestMemoryLimitChanges: a running connector divides its memory again, and goes on taking calls.
func TestMemoryLimitChanges(t *testing.T) {
	t.Parallel()
	var limit, soft atomic.Int64 // no limit
	read := func() (uint64, error) {
		if n := limit.Load(); n > 0 {
			return uint64(n), nil
		}
		return 0, memlimit.ErrNoLimit
	}
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	path := s.write(t)
	r := startBy(t, func(ctx context.Context, log logr.Logger, level *slog.LevelVar) error {
		return connector.RunWithin(ctx, log, level, path, read, func(bytes int64) { soft.Store(bytes) })
	})
	const mib = 1 << 20
	bounds := func(memory, connections, bodies int) {
		t.Helper()
		r.awaits("webhook_buffered_bytes_limit", bodies)
		r.counts("memory_limit_bytes", memory)
		r.counts(`server_connections_limit{listener="webhook"}`, connections)
	}
	bounds(0, 4096, 64*mib)
	r.call(message{shopA, "1", "unlimited"})
	for i, change := range []struct{ memory, soft, connections, bodies int }{
		{160 * mib, 128 * mib, 2048, 64 * mib / 5 * 2},
		{40 * mib, 32 * mib, 512, mib},
		{320 * mib, 256 * mib, 4096, 64 * mib},
	} {
		limit.Store(int64(change.memory))
		bounds(change.memory, change.connections, change.bodies)
		if got := soft.Load(); got != int64(change.soft) {
			t.Errorf("a limit of %d: Go's is %d, want %d", change.memory, got, change.soft)
		}
		poll.Until(t, "the log of the change", func() bool {
			return strings.Count(r.logged(), "the memory limit has changed") == i+1
		})
		r.call(message{shopA, "1", string(rune('a' + i))})
	}
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
}

// TestALargerBodyFindsRoom: a reload that lets larger bodies in widens what a small limit has left for them.
func TestALargerBodyFindsRoom(t *testing.T) {
	t.Parallel()
	s := newSettings(t, channelSettings{name: shopA, sink: newReceiver(t).URL})
	path := s.write(t)
	read := func() (uint64, error) { return 8 << 20, nil }
	r := startBy(t, func(ctx context.Context, log logr.Logger, level *slog.LevelVar) error {
		return connector.RunWithin(ctx, log, level, path, read, func(int64) {})
	})
	r.counts("webhook_buffered_bytes_limit", 1<<20)
	r.awaitReload("applied", func() {
		put(t, path, strings.Replace(readText(t, path), "webhook: {", "webhook: {maxBodySize: 5Mi, ", 1))
	})
	r.counts("webhook_buffered_bytes_limit", 5<<20)
}
