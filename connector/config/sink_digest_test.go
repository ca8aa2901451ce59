package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

func TestSinkDigestCoversWhatTheSinkIsMadeOf(t *testing.T) {
	cert, key := certificate.New(t, 1)
	other, otherKey := certificate.New(t, 1)
	full := edit(t, minimal, "      url: http://bot.chat.svc/events\n", `      url: https://bot.chat.svc/events
      timeout: 10s
      headers: [{name: Authorization, file: authorization}]
      tls: {caFile: ca, certFile: cert, keyFile: key}
      signingSecret: {file: signing}
`)
	named := map[string]string{
		"connector.yaml": full, "authorization": "Bearer HiddenValue", "ca": cert, "cert": cert, "key": key,
		"signing": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
	}
	path := write(t, named)
	digest := func(changed map[string]string) string {
		for _, version := range []map[string]string{named, changed} {
			for name, content := range version {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		c, err := config.Load(path, types.Config())
		if err != nil {
			t.Fatal(err)
		}
		return c.Channels[0].Sink.Settings.(*httpsink.Settings).Digest()
	}
	same := digest(nil)
	if again := digest(map[string]string{"connector.yaml": edit(t, full, "chat/shop", "chat/renamed")}); again != same {
		t.Error("another channel's name changed the digest of the sink")
	}
	for what, changed := range map[string]map[string]string{
		"url":   {"connector.yaml": edit(t, full, "svc/events", "svc/other")},
		"proxy": {"connector.yaml": edit(t, full, "timeout: 10s", "proxy: none")},
		"local": {"connector.yaml": edit(t, full, "timeout: 10s", "localAddresses: Refuse")},
		"url file": {
			"connector.yaml": edit(t, full, "url: https://bot.chat.svc/events", "urlFile: url"), "url": "https://bot.chat.svc/other",
		},
		"timeout":        {"connector.yaml": edit(t, full, "timeout: 10s", "timeout: 11s")},
		"header name":    {"connector.yaml": edit(t, full, "Authorization", "X-Token")},
		"header value":   {"authorization": "Bearer HiddenValue-2"},
		"no header":      {"connector.yaml": edit(t, full, "[{name: Authorization, file: authorization}]", "[]")},
		"signing secret": {"signing": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI0"},
		"authorities":    {"ca": other},
		"client pair":    {"cert": other, "key": otherKey},
		"no pair":        {"connector.yaml": edit(t, full, ", certFile: cert, keyFile: key", "")},
		"no tls":         {"connector.yaml": edit(t, full, "      tls: {caFile: ca, certFile: cert, keyFile: key}\n", "")},
	} {
		if digest(changed) == same {
			t.Errorf("%s: the digest is the same", what)
		}
	}
}
