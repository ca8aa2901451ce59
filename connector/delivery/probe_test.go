package delivery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// TestProbesAreOfDifferentConversations: of what may be claimed for a probe, the conversation comes first whose attempt
// is longest ago.
func TestProbesAreOfDifferentConversations(t *testing.T) {
	tests := map[string]struct {
		pending string // conversations, one for each event
		recent  string
		want    string
	}{
		"nothing":             {"", "a b", ""},
		"one":                 {"b", "a b", "b"},
		"not the last one":    {"b a", "a b", "a"},
		"another one":         {"a b c d", "a b", "c"},
		"behind many":         {strings.Repeat("a b ", 200) + "c", "a b", "c"},
		"behind far too many": {strings.Repeat("b a ", mostPassed) + "c", "a b", "a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64, func(r *rig) {
				s := &fakeSink{}
				r.use(channel("chat", s, paused))
				p := (*r.d.pumps.Load())["chat"]
				r.acceptUnordered("chat", strings.Fields(tt.pending)...)
				probe, others, _, err := p.findProbe(r.t.Context(), hold{every: time.Second, recent: strings.Fields(tt.recent)})
				p.release(others)
				got := ""
				for _, c := range probe {
					got += c.Event.Conversation
				}
				r.check("probe", tt.want, got)
				r.check("error", nil, err)
				synctest.Wait()
				r.check("still claimed", len(probe), r.held("chat"))
			})
		})
	}
}

// TestAHoldRemembersABoundedNumber of conversations, the latest ones.
func TestAHoldRemembersABoundedNumber(t *testing.T) {
	h := hold{every: time.Second}
	for n := range 3 * mostRecent {
		h.remember(fmt.Sprint(n))
		h.remember("often")
	}
	if len(h.recent) != mostRecent || h.recent[mostRecent-1] != "often" || slices.Index(h.recent, "often") != mostRecent-1 {
		t.Errorf("%d remembered: %v", len(h.recent), h.recent)
	}
}

// TestThreePoisonedConversationsCannotHoldForGood: a probe of a healthy one comes in its turn and ends the hold.
func TestThreePoisonedConversationsCannotHoldForGood(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		s := poisonedSink(30 * time.Second)
		r.use(channel("shop", s))
		for n := range 3 {
			r.accept("shop", fmt.Sprint("poisoned-", n))
		}
		pass(time.Second)
		r.check("metric", 1.0, r.heldMetric())
		for n := range 20 {
			r.accept("shop", fmt.Sprint(n))
		}
		pass(2 * time.Minute)
		r.check("pending", 3, r.pending("shop"))
	})
}

// poisonedHold is a rig whose channel is held by conversations that the sink never takes, and which are due at every
// probe. The fake store claims them first.
func poisonedHold(t *testing.T, poisoned int, test func(r *rig, s *fakeSink)) {
	t.Helper()
	inBubble(t, 64, func(r *rig) {
		s := poisonedSink(time.Second)
		for n := range poisoned {
			r.accept("shop", fmt.Sprint("poisoned-", n))
		}
		r.use(channel("shop", s, func(d *config.Delivery) { d.Retry = schedule(time.Millisecond, time.Millisecond, 24*time.Hour) }))
		pass(time.Second / 2)
		r.check("metric", 1.0, r.heldMetric())
		test(r, s)
	})
}

// TestPoisonedConversationsDoNotTakeEveryProbe: one that the sink takes comes to its turn, however many stand before it
// and are due again each time.
func TestPoisonedConversationsDoNotTakeEveryProbe(t *testing.T) {
	for _, poisoned := range []int{holdAfter, 7, mostRecent - 1} {
		t.Run(fmt.Sprint(poisoned), func(t *testing.T) {
			poisonedHold(t, poisoned, func(r *rig, _ *fakeSink) {
				r.accept("shop", "healthy")
				pass(time.Duration(poisoned) * time.Second)
				r.check("pending", poisoned, r.pending("shop"))
			})
		})
	}
}

// TestAPoisonedConversationOfAnUnorderedChannel has many events there that may be attempted at once, and is still one
// conversation.
func TestAPoisonedConversationOfAnUnorderedChannel(t *testing.T) {
	inBubble(t, 64, func(r *rig) {
		s := poisonedSink(10 * time.Second)
		r.use(channel("shop", s))
		r.acceptUnordered("shop", slices.Repeat([]string{"poisoned-1", "poisoned-2"}, 50)...)
		synctest.Wait()
		r.check("metric", 0.0, r.heldMetric())
		r.acceptUnordered("shop", "poisoned-3")
		synctest.Wait()
		r.check("metric", 1.0, r.heldMetric())
		r.acceptUnordered("shop", "healthy")
		pass(10 * time.Second)
		r.check("pending", 101, r.pending("shop"))
	})
}
