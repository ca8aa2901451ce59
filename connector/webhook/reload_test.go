package webhook

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// TestCallsThatOutliveTheirChannel end after a reload that removed the channel:
// they are answered, and bring none of its series back.
func TestCallsThatOutliveTheirChannel(t *testing.T) {
	outcomes := map[string]struct {
		prepare func(*fakeInbox)
		status  int
		counter func(*telemetry.Metrics) *prometheus.CounterVec
	}{
		"stored":    {func(*fakeInbox) {}, 200, func(m *telemetry.Metrics) *prometheus.CounterVec { return m.Accepted }},
		"duplicate": {func(f *fakeInbox) { f.known = true }, 200, func(m *telemetry.Metrics) *prometheus.CounterVec { return m.Duplicates }},
		"refused":   {func(f *fakeInbox) { f.err = inbox.ErrFull }, 503, func(m *telemetry.Metrics) *prometheus.CounterVec { return m.Refused }},
	}
	for name, tt := range outcomes {
		for removed, want := range map[bool]int{true: 0, false: 1} {
			t.Run(fmt.Sprintf("%s, removed %v", name, removed), func(t *testing.T) {
				f := newFixture(t, nil, newChannel())
				tt.prepare(f.inbox)
				f.inbox.block = make(chan struct{})
				answered := make(chan int)
				go func() {
					body, signature := message("m")
					answered <- f.do(request(path+"?"+keyParameter+"="+key, body, signature)).Code
				}()
				<-f.inbox.entered
				if removed {
					f.Use(NewRoutes(nil))
					f.metrics.ForgetChannel("chat/shop")
				}
				close(f.inbox.block)
				if got := <-answered; got != tt.status {
					t.Errorf("answered %d, want %d", got, tt.status)
				}
				if n := tt.counter(f.metrics).DeletePartialMatch(prometheus.Labels{"channel": "chat/shop"}); n != want {
					t.Errorf("%d series of the channel, want %d", n, want)
				}
			})
		}
	}
}
