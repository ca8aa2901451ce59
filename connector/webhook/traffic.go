package webhook

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// Traffic is the part of a channel's report.Channel that calls show. Times are of the handler's clock, and zero for
// never.
type Traffic struct {
	LastAuthentic, LastEvent time.Time
	// APIKeys and SigningKeys are the times of the last use of the keys, by the SHA-256 of the key.
	APIKeys, SigningKeys     map[[sha256.Size]byte]time.Time
	Failed                   int64
	FailingSince, LastFailed time.Time
	// Awaiting: see channel.Awaiter.
	Awaiting bool
}

// Traffic describes a channel; it is zero for one that is not in use.
func (h *Handler) Traffic(channelName string) (seen Traffic) {
	if r := h.routes.Load().names[channelName]; r != nil {
		r.traffic.note(func(now *Traffic) {
			seen = *now
			seen.APIKeys, seen.SigningKeys = maps.Clone(now.APIKeys), maps.Clone(now.SigningKeys)
		})
		if a, may := r.Type.(channel.Awaiter); may {
			seen.Awaiting = a.Awaiting()
		}
	}
	return seen
}

// traffic is the Traffic of a channel that stays. It is as large as the channel has keys.
type traffic struct {
	mu  sync.Mutex
	now Traffic
}

// note changes the traffic.
func (t *traffic) note(change func(now *Traffic)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.now)
}

// use takes in a new version's keys, and forgets the others. Failed signatures say nothing of a key that was not there.
func (t *Traffic) use(apiKeys, signingKeys [][sha256.Size]byte) {
	before := t.SigningKeys
	t.APIKeys, t.SigningKeys = stillUsed(t.APIKeys, apiKeys), stillUsed(before, signingKeys)
	sameKey := func(time.Time, time.Time) bool { return true }
	if !maps.EqualFunc(before, t.SigningKeys, sameKey) {
		t.Failed, t.FailingSince, t.LastFailed = 0, time.Time{}, time.Time{}
	}
}

// stillUsed returns the times of the keys that a new version has.
func stillUsed(before map[[sha256.Size]byte]time.Time, keys [][sha256.Size]byte) map[[sha256.Size]byte]time.Time {
	after := make(map[[sha256.Size]byte]time.Time, len(keys))
	for _, key := range keys {
		after[key] = before[key]
	}
	return after
}

// letIn notes a call that its channel type let in.
func (t *Traffic) letIn(apiKey [sha256.Size]byte, reading *channel.Reading, enforces bool, at time.Time) {
	touch(t.APIKeys, apiKey, at)
	if reading.Verified || !enforces {
		t.LastAuthentic = at
	}
	switch {
	case reading.Verified:
		touch(t.SigningKeys, reading.SignedBy, at)
		t.Failed, t.FailingSince, t.LastFailed = 0, time.Time{}, time.Time{}
	case reading.AuditFailure == channel.ReasonSignatureWrong:
		t.fail(at)
	}
}

// touch notes the use of a key. A call under way may have one that is gone.
func touch(keys map[[sha256.Size]byte]time.Time, key [sha256.Size]byte, at time.Time) {
	if _, used := keys[key]; used {
		keys[key] = at
	}
}

// fail notes a call whose signature matches no key.
func (t *Traffic) fail(at time.Time) {
	if t.Failed == 0 {
		t.FailingSince = at
	}
	t.Failed++
	t.LastFailed = at
}
