package connector

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// TestDivide: whatever the limits are, the parts together take no more descriptors than there are, and each gets what
// it can live with.
func TestDivide(t *testing.T) {
	for name, tc := range map[string]struct {
		files       int
		memory      int64
		dispatch    int
		connections int
		tls         bool
		want        budget
	}{
		"a pod": {
			files: 1 << 20, memory: 250 << 20, dispatch: 1024,
			want: budget{files: 1 << 20, store: 576, sinkConnections: 2048, webhook: 3200, metrics: 1024, admin: 64},
		},
		"a pod with TLS": {
			files: 1 << 20, memory: 250 << 20, dispatch: 1024, tls: true,
			want: budget{files: 1 << 20, store: 576, sinkConnections: 2048, webhook: 1600, metrics: 1024, admin: 64},
		},
		"no limit on memory": {
			files: 1 << 20, memory: 0, dispatch: 1024,
			want: budget{files: 1 << 20, store: 576, sinkConnections: 2048, webhook: 4096, metrics: 1024, admin: 64},
		},
		"the usual limit of a shell": {
			files: 1024, memory: 250 << 20, dispatch: 1024,
			want: budget{files: 1024, store: 256, sinkConnections: 128, webhook: 352, metrics: 64, admin: 32},
		},
		"fewer connections, as configured": {
			files: 1024, memory: 250 << 20, dispatch: 8, connections: 100,
			want: budget{files: 1024, store: 256, sinkConnections: 16, webhook: 100, metrics: 64, admin: 32},
		},
		"more connections than there are files": {
			files: minFiles, memory: 250 << 20, dispatch: 1024, connections: 10_000,
			want: budget{files: minFiles, store: 128, sinkConnections: 64, webhook: 144, metrics: 32, admin: 16},
		},
	} {
		cfg := &config.Config{}
		cfg.Dispatch.MaxConcurrency, cfg.Server.MaxConnections = tc.dispatch, tc.connections
		if tc.tls {
			cfg.Server.TLS = &config.ServerTLS{}
		}
		got, err := divide(tc.files, tc.memory, cfg)
		got.bodies, got.storeCache, got.storeQueue, got.memTable = 0, 0, 0, 0 // see TestWithin
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(budget{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
		if left := got.left() - got.webhook; left < 0 {
			t.Errorf("%s: %d descriptors more than there are", name, -left)
		}
	}
	if _, err := divide(minFiles-1, 250<<20, &config.Config{}); err == nil {
		t.Error("a limit that no part can live with is taken")
	}
}

// TestWithin: buffers are what is configured where there is no limit and at the operator's default, and shrink with a
// smaller one, but never below what one call needs.
func TestWithin(t *testing.T) {
	for name, tc := range map[string]struct {
		memory, configured, largest int64
		tls                         bool
		connections                 int
		want                        budget
	}{
		"no limit": {want: budget{webhook: 4096, bodies: 64 * mib, storeQueue: 64 * mib, storeCache: 8 * mib, memTable: 8 * mib}},
		"the operator's default": {
			memory: 256 * mib, want: budget{webhook: 3276, bodies: 64 * mib, storeQueue: 64 * mib, storeCache: 8 * mib, memTable: 8 * mib},
		},
		"twice as much": {
			memory: 512 * mib, want: budget{webhook: 6553, bodies: 64 * mib, storeQueue: 64 * mib, storeCache: 8 * mib, memTable: 8 * mib},
		},
		"half": {
			memory: 136 * mib,
			want:   budget{webhook: 1740, bodies: 16 * mib, storeQueue: 16 * mib, storeCache: 136 * mib / 32, memTable: 136 * mib / 32},
		},
		"half, with TLS": {
			memory: 136 * mib, tls: true,
			want: budget{webhook: 870, bodies: 16 * mib, storeQueue: 16 * mib, storeCache: 136 * mib / 32, memTable: 136 * mib / 32},
		},
		"hardly any": {memory: 8 * mib, want: budget{webhook: 102, bodies: mib, storeQueue: mib, storeCache: mib, memTable: mib}},
		"large bodies": {
			memory: 64 * mib, largest: 20 * mib,
			want: budget{webhook: 819, bodies: 20 * mib, storeQueue: 20 * mib, storeCache: 2 * mib, memTable: 2 * mib},
		},
		"small buffers, as wanted": {
			memory: 512 * mib, configured: 3 * mib,
			want: budget{webhook: 6553, bodies: 3 * mib, storeQueue: 64 * mib, storeCache: 8 * mib, memTable: 8 * mib},
		},
		"connections, as wanted": {
			memory: 64 * mib, connections: 5000, want: budget{webhook: 5000, bodies: mib, storeQueue: mib, storeCache: 2 * mib, memTable: 2 * mib},
		},
	} {
		cfg := &config.Config{Channels: []config.Channel{{}, {}}}
		cfg.Server.MaxConnections = tc.connections
		cfg.Server.MaxBufferedBytes = 64 * mib
		cfg.Channels[1].Webhook.MaxBodySize = config.Size(max(tc.largest, mib))
		if tc.configured > 0 {
			cfg.Server.MaxBufferedBytes = config.Size(tc.configured)
		}
		if tc.tls {
			cfg.Server.TLS = &config.ServerTLS{}
		}
		tc.want.files = maxFiles
		got := budget{files: maxFiles, webhook: 7, bodies: 7, storeQueue: 7, storeCache: 7, memTable: 7}.within(tc.memory, cfg)
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(budget{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
