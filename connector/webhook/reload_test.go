package webhook

import (
	"fmt"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// TestCallsThatOutliveTheirChannel end after a reload that removed the channel: they are answered, and bring none of
// its series back.
func TestCallsThatOutliveTheirChannel(t *testing.T) {
	outcomes := map[string]struct {
		prepare func(*fakeInbox)
		status  int
		counter string
	}{
		"stored":    {func(*fakeInbox) {}, 200, "xbot_connector_webhook_accepted_total"},
		"duplicate": {func(f *fakeInbox) { f.known = true }, 200, "xbot_connector_webhook_duplicates_total"},
		"refused":   {func(f *fakeInbox) { f.err = inbox.ErrFull }, 503, "xbot_connector_webhook_refused_total"},
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
					f.metrics.Retain(nil)
				}
				close(f.inbox.block)
				if got := <-answered; got != tt.status {
					t.Errorf("answered %d, want %d", got, tt.status)
				}
				if n := f.series(tt.counter, "chat/shop"); n != want {
					t.Errorf("%d series of the channel, want %d", n, want)
				}
			})
		}
	}
}

// series counts those of a channel that a metric has.
func (f *fixture) series(metric, channel string) (n int) {
	families, _ := f.registry.Gather()
	for _, family := range families {
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				if family.GetName() == metric && label.GetName() == "channel" && label.GetValue() == channel {
					n++
				}
			}
		}
	}
	return n
}
