package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Events have the published example's size, and their numbers can be read back.
func TestRequests(t *testing.T) {
	r := newRequests(newRequest, 7, 3, 2, 1)
	for i := range r.count() {
		_, body, _ := bytes.Cut(r.at(i), []byte("\r\n\r\n"))
		if len(body) != 269 {
			t.Errorf("event %d has %d bytes, the example has 269", i, len(body))
		}
		if got, err := sequence(body); err != nil || got != 7+i {
			t.Errorf("sequence = %d, %v; want %d", got, err, 7+i)
		}
	}
}

func TestLoad(t *testing.T) {
	tests := map[string]job{
		"as fast as answered": {Connections: 4, Count: 100},
		"at a rate":           {Connections: 4, Count: 20, Rate: 1000},
	}
	for name, j := range tests {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t, http.StatusOK, &j)
			r, err := runJob(t, j)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sent != j.Count || len(s.arrivals) != j.Count {
				t.Errorf("sent %d, arrived %d, want %d", r.Sent, len(s.arrivals), j.Count)
			}
			for i, sent := range r.SentAt {
				if arrived := s.arrivals[j.First+i]; arrived < sent {
					t.Errorf("event %d arrived %s before it was sent", i, time.Duration(sent-arrived))
				}
			}
		})
	}
}

// A figure made of refusals would be worth nothing.
func TestLoadRefused(t *testing.T) {
	j := job{Connections: 1, Count: 1}
	newTestServer(t, http.StatusServiceUnavailable, &j)
	if _, err := runJob(t, j); err == nil || !strings.Contains(err.Error(), "answered 503") {
		t.Fatalf("err = %v, want one that names the 503", err)
	}
}

// newTestServer starts a bare server and aims j at it.
func newTestServer(t *testing.T, status int, j *job) *server {
	t.Helper()
	s := &server{settings: serverSettings{Status: status, Record: true}, arrivals: map[int]int64{}}
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	j.Address, j.First, j.Conversations, j.Channels = ts.Listener.Addr().String(), 1000, 10, 1
	return s
}

// runJob runs a job as the load process does, with JSON on both sides.
func runJob(t *testing.T, j job) (report, error) {
	t.Helper()
	input, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	if err := roles["load"](bytes.NewReader(input), &output); err != nil {
		return report{}, err
	}
	var r report
	return r, json.NewDecoder(io.Reader(&output)).Decode(&r)
}

// The connector takes the benchmark's configuration, also if a key is added for a reload.
func TestWriteConfig(t *testing.T) {
	c := newConnector(t.TempDir(), newBuild("this commit", "", configText), connectorSettings{Channels: 3, Paused: true, Sink: noSink})
	c.extraKey = digest("another")
	c.writeConfig()
	loaded, err := config.Load(c.ConfigPath(), types.Config())
	if err != nil {
		t.Fatal(err)
	}
	var keys []int
	for _, channel := range loaded.Channels {
		keys = append(keys, len(channel.Webhook.APIKeys))
	}
	if diff := cmp.Diff([]int{2, 1, 1}, keys); diff != "" {
		t.Errorf("keys of the channels (-want +got):\n%s", diff)
	}
}
