package webhook

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

const (
	otherSecret = "synthetic-oa-secret-key-0002"
	wrongMac    = "mac=0000000000000000000000000000000000000000000000000000000000000000"
)

// signedBy is a channel in a mode with signing keys.
func signedBy(mode channel.SignatureMode, keys ...string) Channel {
	return newChannel(func(c *Channel) {
		app := zaloOA()
		app.Signature = zalo.Signature{Mode: mode}
		for _, key := range keys {
			app.Signature.SecretKeys = append(app.Signature.SecretKeys, config.NewSecret(key))
		}
		c.Keys, c.SigningKeys, c.Enforces, c.Type = digests(key, otherKey),
			digests(keys...), mode == channel.SignatureEnforce, opened(c.Name, app)
	})
}

// ticking is a handler whose clock goes on by a second with each call.
type ticking struct {
	*fixture
	now time.Time
}

var begin = time.Unix(1_800_000_000, 0)

func newTicking(t *testing.T, c Channel) *ticking {
	clock := &ticking{now: begin}
	clock.fixture = newFixture(t, func(o *Options) { o.Now = func() time.Time { return clock.now } }, c)
	return clock
}

// post posts a message and returns the answer's status.
func (f *ticking) post(apiKey, id, signature string) int {
	f.now = f.now.Add(time.Second)
	body, right := message(id)
	switch signature {
	case "right":
		signature = right
	case "other":
		signature = zalo.Sign(app, body, "1782863507304", otherSecret)
	}
	call := request(path+"?"+keyParameter+"="+apiKey, body, signature)
	if signature == "" {
		call.Header.Del(zalo.SignatureHeader)
	}
	return f.do(call).Code
}

// seconds are the times of what was seen, in calls since the begin.
func seconds(n int) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return begin.Add(time.Duration(n) * time.Second)
}

// seen is Traffic with times by the number of the call.
type seen struct {
	authentic, event          int
	firstAPIKey, otherAPIKey  int
	firstSigning, otherSigner int
	failed                    int64
	since, last               int
}

func (s seen) traffic() Traffic {
	return Traffic{
		LastAuthentic: seconds(s.authentic), LastEvent: seconds(s.event),
		APIKeys: map[[32]byte]time.Time{
			sha256.Sum256([]byte(key)): seconds(s.firstAPIKey), sha256.Sum256([]byte(otherKey)): seconds(s.otherAPIKey),
		},
		SigningKeys: map[[32]byte]time.Time{
			sha256.Sum256([]byte(secret)): seconds(s.firstSigning), sha256.Sum256([]byte(otherSecret)): seconds(s.otherSigner),
		},
		Failed: s.failed, FailingSince: seconds(s.since), LastFailed: seconds(s.last),
	}
}

func TestTraffic(t *testing.T) {
	type call struct{ apiKey, signature string }
	for name, tt := range map[string]struct {
		mode  channel.SignatureMode
		calls []call
		want  seen
	}{
		"none":  {channel.SignatureEnforce, nil, seen{}},
		"right": {channel.SignatureEnforce, []call{{key, "right"}}, seen{authentic: 1, event: 1, firstAPIKey: 1, firstSigning: 1}},
		"by each key": {
			channel.SignatureEnforce, []call{{key, "right"}, {otherKey, "other"}},
			seen{authentic: 2, event: 2, firstAPIKey: 1, otherAPIKey: 2, firstSigning: 1, otherSigner: 2},
		},
		"wrong": {
			channel.SignatureEnforce, []call{{key, wrongMac}, {key, wrongMac}, {key, "mac=12"}}, seen{failed: 3, since: 1, last: 3},
		},
		"wrong and right": {
			channel.SignatureEnforce, []call{{key, wrongMac}, {key, "right"}}, seen{authentic: 2, event: 2, firstAPIKey: 2, firstSigning: 2},
		},
		"right, then wrong": {
			channel.SignatureEnforce, []call{{key, "right"}, {key, wrongMac}},
			seen{authentic: 1, event: 1, firstAPIKey: 1, firstSigning: 1, failed: 1, since: 2, last: 2},
		},
		"without a signature": {channel.SignatureEnforce, []call{{key, ""}, {key, ""}}, seen{}},
		"without an API key":  {channel.SignatureEnforce, []call{{"nobody's-0123456789", "right"}}, seen{}},
		"wrong under Audit": {
			channel.SignatureAudit, []call{{key, wrongMac}, {key, ""}, {otherKey, wrongMac}},
			seen{authentic: 3, event: 3, firstAPIKey: 2, otherAPIKey: 3, failed: 2, since: 1, last: 3},
		},
		"right under Audit": {
			channel.SignatureAudit, []call{{key, wrongMac}, {key, "right"}}, seen{authentic: 2, event: 2, firstAPIKey: 2, firstSigning: 2},
		},
		"Off looks at the key": {channel.SignatureOff, []call{{key, wrongMac}, {key, "right"}}, seen{authentic: 2, event: 2, firstAPIKey: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTicking(t, signedBy(tt.mode, secret, otherSecret))
			for i, call := range tt.calls {
				f.post(call.apiKey, strings.Repeat("m", i+1), call.signature)
			}
			if diff := cmp.Diff(tt.want.traffic(), f.Traffic("chat/shop")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnEventIsSeenWhenItIsDurable: not while the inbox is full, and again when it is sent again.
func TestAnEventIsSeenWhenItIsDurable(t *testing.T) {
	f := newTicking(t, signedBy(channel.SignatureEnforce, secret))
	f.inbox.err = inbox.ErrFull
	if code := f.post(key, "a", "right"); code != http.StatusServiceUnavailable {
		t.Fatal(code)
	}
	if got := f.Traffic("chat/shop"); !got.LastEvent.IsZero() || !got.LastAuthentic.Equal(seconds(1)) {
		t.Errorf("while full: %+v", got)
	}
	f.inbox.err, f.inbox.known = nil, true
	f.post(key, "a", "right")
	if got := f.Traffic("chat/shop").LastEvent; !got.Equal(seconds(2)) {
		t.Errorf("a duplicate: %v", got)
	}
}

// TestALargeCallWithAWrongSignature is refused before its body has come, and counts.
func TestALargeCallWithAWrongSignature(t *testing.T) {
	f := newFixture(t, nil, signedBy(channel.SignatureEnforce, secret))
	call := request(path+"?"+keyParameter+"="+key, make([]byte, 1000), "mac=malformed")
	if code := f.do(call).Code; code != http.StatusUnauthorized {
		t.Fatal(code)
	}
	if got := f.Traffic("chat/shop").Failed; got != 1 {
		t.Errorf("%d calls failed", got)
	}
}

// TestTrafficAndReloads: what is known of a channel and its keys stays as long as they do.
func TestTrafficAndReloads(t *testing.T) {
	enforced := signedBy(channel.SignatureEnforce, secret, otherSecret)
	f := newTicking(t, enforced)
	f.post(key, "a", "right")
	f.post(otherKey, "b", wrongMac)
	want := f.Traffic("chat/shop")

	f.Use(NewRoutes([]Channel{enforced, newChannel(func(c *Channel) { c.Name, c.Keys = "chat/new", nil })}))
	if diff := cmp.Diff(want, f.Traffic("chat/shop")); diff != "" {
		t.Errorf("after a reload of another channel (-want +got):\n%s", diff)
	}

	f.Use(NewRoutes([]Channel{signedBy(channel.SignatureEnforce, secret)}))
	want.SigningKeys = map[[32]byte]time.Time{sha256.Sum256([]byte(secret)): seconds(1)}
	want.Failed, want.FailingSince, want.LastFailed = 0, time.Time{}, time.Time{}
	if diff := cmp.Diff(want, f.Traffic("chat/shop")); diff != "" {
		t.Errorf("without a signing key (-want +got):\n%s", diff)
	}

	f.Use(NewRoutes([]Channel{enforced}))
	if used := f.Traffic("chat/shop").SigningKeys[sha256.Sum256([]byte(otherSecret))]; !used.IsZero() {
		t.Errorf("a key that came back was used at %v", used)
	}

	f.Use(NewRoutes(nil))
	f.Use(NewRoutes([]Channel{enforced}))
	if diff := cmp.Diff(seen{}.traffic(), f.Traffic("chat/shop"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("of a channel that came back (-want +got):\n%s", diff)
	}
}
