package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
)

// servedKey is the API key of servedConfig.
const servedKey = "0123456789abcdef0123456789abcdef"

const servedConfig = `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
server: {address: "127.0.0.1:0"}
metrics: {address: "127.0.0.1:0"}
admin: {socket: admin.sock}
stop: {drainDelay: 1ms}
inbox: {embedded: {path: inbox}}
channels:
- name: chat/shop
  type: ZaloOA
  zaloOA: {appID: "1", signature: {mode: "Off"}}
  webhook: {apiKeys: [{name: a, value: ` + servedKey + `}]}
  sink: {http: {url: "http://127.0.0.1:1"}}
`

func TestServeRunsUntilItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, stderr := io.Pipe()
	root := newTestRoot(io.Discard, stderr, "serve", "--config", writeFile(t, servedConfig), "--log-format=text")
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, root)
		_ = stderr.Close()
	}()
	ready := false
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), "msg=ready") {
			ready = true
			cancel()
		}
	}
	if code := <-ended; code != exitOK || !ready {
		t.Errorf("exit %d, ready %v", code, ready)
	}
}

func TestServeRefusesBrokenConfiguration(t *testing.T) {
	path := writeFile(t, strings.Replace(servedConfig, "appID", "appId", 1))
	code, _, stderr := run(t, "serve", "--config", path)
	if code != exitFailure || !strings.Contains(stderr, path+":11") || !strings.Contains(stderr, "appId") {
		t.Errorf("exit %d, want 1 with file, line and field; stderr:\n%s", code, stderr)
	}
}
