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
}

// Traffic describes a channel; it is zero for one that is not in use.
func (h *Handler) Traffic(channelName string) Traffic {
	r := h.routes.Load().names[channelName]
	if r == nil {
		return Traffic{}
	}
	return r.traffic.read()
}

// traffic is the Traffic of a channel that stays. It is as large as the channel has keys.
type traffic struct {
	mu  sync.Mutex
	now Traffic
}

// use takes in a new version's keys, and forgets the others. Failed signatures say nothing of a key that was not
// there.
func (t *traffic) use(apiKeys, signingKeys [][sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.APIKeys = stillUsed(t.now.APIKeys, apiKeys)
	before := t.now.SigningKeys
	t.now.SigningKeys = stillUsed(before, signingKeys)
	sameKey := func(time.Time, time.Time) bool { return true }
	if !maps.EqualFunc(before, t.now.SigningKeys, sameKey) {
		t.now.Failed, t.now.FailingSince, t.now.LastFailed = 0, time.Time{}, time.Time{}
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
func (t *traffic) letIn(apiKey [sha256.Size]byte, reading channel.Reading, enforces bool, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	touch(t.now.APIKeys, apiKey, at)
	if reading.Verified || !enforces {
		t.now.LastAuthentic = at
	}
	switch {
	case reading.Verified:
		touch(t.now.SigningKeys, reading.SignedBy, at)
		t.now.Failed, t.now.FailingSince, t.now.LastFailed = 0, time.Time{}, time.Time{}
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

// unverified notes a call whose signature matches no key.
func (t *traffic) unverified(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail(at)
}

// fail is unverified for a caller that holds mu.
func (t *traffic) fail(at time.Time) {
	if t.now.Failed == 0 {
		t.now.FailingSince = at
	}
	t.now.Failed++
	t.now.LastFailed = at
}

// stored notes an event that is durable.
func (t *traffic) stored(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.LastEvent = at
}

func (t *traffic) read() Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now
	now.APIKeys, now.SigningKeys = maps.Clone(now.APIKeys), maps.Clone(now.SigningKeys)
	return now
}
