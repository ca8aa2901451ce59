package delivery

import (
	"cmp"
	"slices"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

const (
	// holdAfter different conversations must have met a Retry-After before the channel is held: one or two may be at
	// fault themselves.
	holdAfter = 3
	// longestProbeWait bounds the time between two probes: a sink may recover early, or ask for too much.
	longestProbeWait = 30 * time.Second
	// mostRecent conversations are remembered as attempted during the hold. If more than these are at fault, each still
	// goes to the end of the inbox's schedule by its attempt.
	mostRecent = 64
	// mostPassed claims at least are passed over in search of a conversation without a recent attempt. On an ordered
	// channel mostRecent would do; on an unordered one a conversation has a claim for each of its events.
	mostPassed = 1024
)

// hold is how a channel spares a sink that asks for it by Retry-After. Such an answer delays its own conversation only
// (see decide). If three different conversations in a row get one, with nothing taken between, the sink is busy and the
// channel is held. It then makes one attempt, a probe, each min(Retry-After, 30 s), each from another conversation. The
// first event taken ends the hold.
//
// The zero value holds nothing. The pump's mu guards it; a copy stays what it is.
type hold struct {
	// asked are the conversations, each once, with a Retry-After since an event was last taken; none once the channel
	// is held.
	asked []string
	// every is the time between probes; zero while the channel is not held.
	every time.Duration
	// next is the earliest begin of the next probe.
	next time.Time
	// recent are the conversations of the latest attempts of the hold, the latest one last, each once.
	recent []string
}

func (h *hold) held() bool { return h.every > 0 }

// observe takes in how an attempt ended. It reports whether the channel has become held, or is no longer.
func (h *hold) observe(a attempt) (changed bool) {
	if a.err == nil {
		changed = h.held()
		*h = hold{}
		return changed
	}
	asked := retryAfter(a.err)
	if asked == 0 {
		return false
	}
	conversation, every := conversationOf(a.claim), min(asked, longestProbeWait)
	if h.held() {
		h.prolong(conversation, every, a.ended)
		return false
	}
	if !slices.Contains(h.asked, conversation) {
		h.asked = append(h.asked, conversation)
	}
	if len(h.asked) < holdAfter {
		return false
	}
	*h = hold{every: every, next: a.ended.Add(every), recent: h.asked}
	return true
}

// prolong takes in a further Retry-After of a channel that is held.
func (h *hold) prolong(conversation string, every time.Duration, ended time.Time) {
	h.every = every
	if next := ended.Add(every); h.next.Before(next) {
		h.next = next
	}
	h.remember(conversation)
}

// probe begins one at a time.
func (h *hold) probe(c inbox.Claim, now time.Time) {
	h.next = now.Add(h.every)
	h.remember(conversationOf(c))
}

func (h *hold) remember(conversation string) {
	recent := slices.Clone(h.recent) // for the sake of copies
	recent = slices.DeleteFunc(recent, func(r string) bool { return r == conversation })
	recent = append(recent, conversation)
	h.recent = recent[max(len(recent)-mostRecent, 0):]
}

// rank orders claims for a probe, the lowest first: negative if the conversation is not among the recent ones, and
// higher the later it was attempted.
func (h *hold) rank(c inbox.Claim) int { return slices.Index(h.recent, conversationOf(c)) }

// conversationOf is the lane, except on an unordered channel, where each event has a lane of its own.
func conversationOf(c inbox.Claim) string { return cmp.Or(c.Event.Conversation, c.Lane) }
