package traffic

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/connector/report"
)

// asking is a poller whose pods are all one server.
func asking(t *testing.T, serve http.HandlerFunc) *Poller {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	p := New(Options{})
	p.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	t.Cleanup(p.queue.ShutDown)
	return p
}

// pods are running pods with addresses.
func pods(n int) []corev1.Pod {
	list := make([]corev1.Pod, n)
	for i := range list {
		list[i].Name, list[i].Status.Phase, list[i].Status.PodIP = "shop-connector-0", corev1.PodRunning, "192.0.2.1"
	}
	return list
}

// TestAskAll reads the reports of running pods, and shows them the token.
func TestAskAll(t *testing.T) {
	p := asking(t, func(w http.ResponseWriter, call *http.Request) {
		if call.Header.Get("Authorization") != "Bearer token" || call.URL.Path != report.Path {
			t.Errorf("asked for %s with %q", call.URL, call.Header.Get("Authorization"))
		}
		_ = json.NewEncoder(w).Encode(report.Report{Channels: []report.Channel{{Name: "chat/shop"}}})
	})
	list := pods(maxPods + 5)
	list[0].DeletionTimestamp = &metav1.Time{Time: time.Now()}
	list[1].Status.Phase = corev1.PodPending
	list[2].Status.PodIP = ""
	reports, err := p.askAll(t.Context(), list, "token")
	if err != nil || len(reports) != maxPods {
		t.Errorf("%d reports, %v; want %d", len(reports), err, maxPods)
	}
	if _, err := p.askAll(t.Context(), list[:3], "token"); err == nil || !strings.Contains(err.Error(), "no pod of the connector runs") {
		t.Errorf("nobody runs: %v", err)
	}
}

// TestUnreadable: an error says what to look at, without anything of the answer.
func TestUnreadable(t *testing.T) {
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"another token": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
			"answers 401: it has not taken the newest configuration",
		},
		"no report": {http.NotFound, "answers 404: its image is not the operator's version"},
		"broken":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "answers 500"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) }, "answers 302"},
		"no JSON":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hidden") }, "its report cannot be read"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				_, _ = io.WriteString(w, strings.Repeat("hidden", 1000))
			}
		}, "more than 16384 bytes"},
		"a long header": {
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", maxResponse)) },
			"the connection failed: the operator must reach port 9090",
		},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection failed"},
	} {
		t.Run(name, func(t *testing.T) {
			reports, err := asking(t, c.serve).askAll(t.Context(), pods(1), "token")
			if err == nil || !strings.Contains(err.Error(), c.want) || len(reports) > 0 {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "token")) {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
}

// TestNoWay: the words of a failure name no port that changes.
func TestNoWay(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	p := asking(t, http.NotFound)
	p.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", free.Addr().String())
	}
	_, err = p.askAll(t.Context(), pods(1), "token")
	want := `pod "shop-connector-0" does not tell of its traffic: the connection was refused: ` +
		`the operator must reach port 9090 of the pods, which a NetworkPolicy may forbid`
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := p.askAll(ended, pods(1), "token"); err == nil || !strings.Contains(err.Error(), "no answer within 3s") {
		t.Errorf("%v", err)
	}
}

// FuzzMerge: whatever a pod answers, it is judged or refused.
func FuzzMerge(f *testing.F) {
	whole, _ := json.Marshal(report.Report{Channels: []report.Channel{healthy().Channel}}) //nolint:errchkjson // it is a seed
	f.Add(whole)
	f.Add([]byte(`{"channels":[{"name":"chat/shop","signature":{"failed":-1}},{"name":"chat/shop"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r report.Report
		if json.Unmarshal(body, &r) != nil {
			return
		}
		p, ok := merge([]report.Report{r, r}, "chat/shop")
		if !ok {
			return
		}
		c := resource()
		for range 2 {
			standing(c, judge(c, p, now))
		}
		if v := judge(c, p, now); !v.equal(Standing(c.Status)) {
			t.Errorf("the same picture is not settled: %+v", v)
		}
	})
}
