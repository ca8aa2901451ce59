package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/poll"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// TestIdleConnectionsLeaveFilesToTheInbox: with a hard limit of 1,024 open files, strangers hold 1,500 idle
// connections. The inbox still makes its tables, the configuration is still reloaded, and calls, probes and commands
// are answered.
func TestIdleConnectionsLeaveFilesToTheInbox(t *testing.T) {
	const idle, limit, nextKey = 1500, "1024", "fedcba9876543210fedcba9876543210"
	metrics, server := reserved.Address(t), reserved.Address(t)
	text := strings.NewReplacer(`server: {address: "127.0.0.1:0"}`, fmt.Sprintf("server: {address: %q}", server),
		"sink: {", "delivery: {paused: true}\n  sink: {").Replace(processConfig(metrics, "drainDelay: 1ms"))
	config := writeFile(t, text)
	p, said := launch(t, exec.Command("/bin/sh", "-c", `ulimit -n "$0" && exec "$@"`, limit, os.Args[0], "serve", "--config", config))
	readyz := process.Answers("http://" + metrics + "/readyz")
	if err := p.Wait(t.Context(), "readiness", readyz); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for range idle {
		stranger, err := net.Dial("tcp", server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stranger.Close() })
	}

	post := func(n int, key string) int {
		// 20 MB in all, so that the inbox fills its memory and makes tables.
		body := fmt.Sprintf(`{"app_id":"1","event_name":"user_send_text","message":{"msg_id":"%d","text":%q}}`, n, strings.Repeat("a", 500_000))
		url := "http://" + server + "/webhook/xpbot/api/zalo/push?param.header.xp-api-key=" + key
		response, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.StatusCode
	}
	for n := range 40 {
		if status := post(n, servedKey); status != http.StatusOK {
			t.Fatalf("call %d: %d", n, status)
		}
	}
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(text, servedKey, nextKey)), 0o600); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the next key is served", func() bool { return post(40, nextKey) == http.StatusOK })
	if !readyz(t.Context()) {
		t.Error("a probe is not answered")
	}
	if code, stdout, stderr := run(t, "status", "--config", config); code != exitOK || !strings.Contains(stdout, "paused  41 ") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	if err := p.Stop(patience); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}
