package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/poll"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// talkingSink answers 204 with a body, which no answer of that status may have: net/http finds it on a connection that
// nobody reads.
func talkingSink(t *testing.T) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = conn.Read(make([]byte, 64<<10))
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n{\"user\":\"hidden-user\"}")
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return "http://" + listener.Addr().String()
}

// TestNothingButTheLogReachesStderr: each line is JSON of ours, and none quotes a sink.
func TestNothingButTheLogReachesStderr(t *testing.T) {
	metrics, server := reserved.Address(t), reserved.Address(t)
	config := strings.NewReplacer("http://127.0.0.1:1", talkingSink(t), `server: {address: "127.0.0.1:0"}`, `server: {address: "`+server+`"}`).
		Replace(processConfig(metrics, "drainDelay: 1ms"))
	p, said := spawn(t, writeFile(t, config))
	if err := p.Wait(t.Context(), "readiness", process.Answers("http://"+metrics+"/readyz")); err != nil {
		t.Fatal(err)
	}
	body := `{"app_id":"1","event_name":"user_send_text","sender":{"id":"hidden-user"},"recipient":{"id":"2"},"message":{"text":"hidden",` +
		`"msg_id":"m"},"timestamp":"1"}`
	call := "http://" + server + "/webhook/xpbot/api/zalo/push?param.header.xp-api-key=" + servedKey
	resp, err := http.Post(call, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the call is answered %d", resp.StatusCode)
	}
	poll.Until(t, "the event is taken", func() bool { return hasSeries(t, metrics, `result="taken"} 1`) })
	if err := p.Stop(patience); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	named := false
	for line := range strings.Lines(said.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
		if strings.Contains(line, "hidden") {
			t.Errorf("a line quotes the sink: %s", line)
		}
		named = named || strings.Contains(line, "readLoopPeekFailLocked")
	}
	if !named {
		t.Errorf("net/http had nothing to say: this shows nothing\n%s", said)
	}
}

// hasSeries reports whether the metrics hold text.
func hasSeries(t *testing.T, address, text string) bool {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	metrics, err := io.ReadAll(resp.Body)
	return err == nil && strings.Contains(string(metrics), text)
}
