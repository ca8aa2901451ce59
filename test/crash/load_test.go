package crash

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

const conversations = 200

var keys = traffic.Keys{APIKey: apiKey, Secret: secret}

// load is a platform that sends one message in eight, and sometimes an earlier one, again.
type load struct {
	*traffic.Platform
	t *testing.T
	// again counts the repetitions of acknowledged messages that were answered 200.
	again atomic.Int64
}

// newLoad begins at the conversation first.
func newLoad(t *testing.T, url string, first int, text string) *load {
	return &load{t: t, Platform: &traffic.Platform{
		URL: url, Conversations: conversations, First: first, Text: "Chào A4B" + text,
		Pause: 20 * time.Millisecond, Patience: 5 * time.Second,
	}}
}

// start lets all conversations talk until they are to finish.
func (l *load) start(seed uint64) {
	l.Again = func(m traffic.Message) (n int, again bool) {
		random := rand.New(rand.NewPCG(seed, uint64(m.Conversation)<<32+uint64(m.N)))
		return random.IntN(m.N + 1), random.IntN(8) == 0
	}
	l.Start(l.t.Context(), keys)
	l.t.Cleanup(l.Stop)
}

// checkCalls checks that every call was answered 200 or 503, or not at all while the connector was down.
func (l *load) checkCalls() {
	l.t.Helper()
	for _, call := range l.Calls() {
		switch call.Status {
		case http.StatusOK:
			if call.Again {
				l.again.Add(1)
			}
		case 0, http.StatusServiceUnavailable:
		default:
			l.t.Errorf("%v", call)
		}
	}
}
