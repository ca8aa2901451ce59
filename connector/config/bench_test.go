package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// manyChannels writes a configuration as an operator would for n channels: API keys as digests, secrets inline,
// defaults left out.
func manyChannels(tb testing.TB, n int) string {
	tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\ninbox: {embedded: {path: inbox}}\nchannels:\n", config.APIVersion, config.Kind)
	for i := range n {
		fmt.Fprintf(&b, `- name: chat/shop-%d
  type: ZaloOA
  zaloOA:
    appID: "2553928453557884%03d"
    signature:
      mode: Enforce
      secretKeys:
      - value: secret-key-of-shop-%d
  webhook:
    apiKeys:
    - name: "2026-11"
      sha256: "%064x"
    events:
      include: ["*"]
      exclude: ["oa_send_*", user_seen_message, user_received_message]
  sink:
    type: HTTP
    http:
      url: http://bot-%d.chat.svc/events
      headers:
      - name: Authorization
        value: Bearer token-of-shop-%d
`, i, i, i, i, i, i)
	}
	path := filepath.Join(tb.TempDir(), "connector.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func BenchmarkLoad1000(b *testing.B) {
	path := manyChannels(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if c, err := config.Load(path, types.Config()); err != nil || len(c.Channels) != 1000 {
			b.Fatal(err)
		}
	}
}
