package connector

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// TestDivide: whatever the limits are, the parts together take no more descriptors
// than there are, and each gets what it can live with.
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
			files: 1 << 20, memory: 200 << 20, dispatch: 1024,
			want: budget{files: 1 << 20, store: 576, sinkConnections: 2048, webhook: 3200, metrics: 1024, admin: 64},
		},
		"a pod with TLS": {
			files: 1 << 20, memory: 200 << 20, dispatch: 1024, tls: true,
			want: budget{files: 1 << 20, store: 576, sinkConnections: 2048, webhook: 1600, metrics: 1024, admin: 64},
		},
		"no limit on memory": {
			files: 1 << 20, memory: math.MaxInt64, dispatch: 1024,
			want: budget{files: 1 << 20, store: 576, sinkConnections: 2048, webhook: 4096, metrics: 1024, admin: 64},
		},
		"the usual limit of a shell": {
			files: 1024, memory: 200 << 20, dispatch: 1024,
			want: budget{files: 1024, store: 256, sinkConnections: 128, webhook: 352, metrics: 64, admin: 32},
		},
		"fewer connections, as configured": {
			files: 1024, memory: 200 << 20, dispatch: 8, connections: 100,
			want: budget{files: 1024, store: 256, sinkConnections: 16, webhook: 100, metrics: 64, admin: 32},
		},
		"more connections than there are files": {
			files: minFiles, memory: 200 << 20, dispatch: 1024, connections: 10_000,
			want: budget{files: minFiles, store: 128, sinkConnections: 64, webhook: 144, metrics: 32, admin: 16},
		},
	} {
		cfg := &config.Config{}
		cfg.Dispatch.MaxConcurrency, cfg.Server.MaxConnections = tc.dispatch, tc.connections
		if tc.tls {
			cfg.Server.TLS = &config.ServerTLS{}
		}
		got, err := divide(tc.files, tc.memory, cfg)
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(budget{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
		if left := got.left() - got.webhook; left < 0 {
			t.Errorf("%s: %d descriptors more than there are", name, -left)
		}
	}
	if _, err := divide(minFiles-1, 200<<20, &config.Config{}); err == nil {
		t.Error("a limit that no part can live with is taken")
	}
}
