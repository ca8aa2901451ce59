package traffic

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel/echo"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/connector/types"
)

var now = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// healthy is a channel whose calls verify and whose events are taken.
func healthy() Picture {
	return Picture{
		Began: ago(24 * time.Hour),
		Inbox: report.Inbox{State: report.InboxOK, LimitBytes: 1 << 30},
		Channel: report.Channel{
			Name:          "chat/shop",
			LastAuthentic: ago(time.Minute), LastEvent: ago(2 * time.Minute),
			APIKeys: []report.Key{{Name: "first", LastUsed: ago(time.Minute)}},
			Signature: report.Signature{
				Mode: "Enforce", Keys: []report.Key{{Name: "shop-zalo/oa-secret-key", ID: "k1", LastUsed: ago(time.Minute)}},
			},
			Delivery: report.Delivery{LastTaken: ago(time.Minute)},
		},
	}
}

// with is a healthy channel after changes.
func with(changes ...func(*Picture)) Picture {
	p := healthy()
	for _, change := range changes {
		change(&p)
	}
	return p
}

func resource() *v1alpha1.ChannelConnector {
	c := &v1alpha1.ChannelConnector{}
	c.Spec.Type, c.Spec.Inbox.Type = v1alpha1.ChannelZaloOA, v1alpha1.InboxEmbedded
	c.Spec.Delivery.Retry.MaxAge.Duration = 24 * time.Hour
	c.Spec.Delivery.DeadLetterRetention.Duration = 168 * time.Hour
	return c
}

// standing gives a resource the status that an assessment asks for.
func standing(c *v1alpha1.ChannelConnector, v Assessment) *v1alpha1.ChannelConnector {
	c.Status.Conditions, c.Status.Traffic = v.Conditions, v.Traffic
	return c
}

// unverified is a channel with one key that verified nothing since the start.
func unverified(p *Picture) { p.Channel.Signature.Keys[0].LastUsed = time.Time{} }

// failed lets so many calls fail over a time, the last a second ago.
func failed(n int64, over time.Duration) func(*Picture) {
	return func(p *Picture) {
		s := &p.Channel.Signature
		s.Failed, s.FailingSince, s.LastFailed = n, ago(over+time.Second), ago(time.Second)
	}
}

// look is what one picture means for a resource that had none.
type look struct {
	picture Picture
	change  func(*v1alpha1.ChannelConnector)
	kind    string
	want    string
	says    []string
	not     string
}

func (c look) judge(t *testing.T) {
	t.Helper()
	r := resource()
	if c.change != nil {
		c.change(r)
	}
	got := judge(r, c.picture, now).Find(c.kind)
	if is := string(got.Status) + " " + got.Reason; is != c.want {
		t.Errorf("%s is %s: %s\nwant %s", c.kind, is, got.Message, c.want)
	}
	if c.not != "" && strings.Contains(got.Message, c.not) {
		t.Errorf("the message has %q: %s", c.not, got.Message)
	}
	for _, words := range c.says {
		if !strings.Contains(got.Message, words) {
			t.Errorf("the message lacks %q: %s", words, got.Message)
		}
	}
}

func TestJudgeSignatures(t *testing.T) {
	for name, c := range map[string]look{
		"verified": {picture: healthy(), kind: "SignatureVerified", want: "True Verified"},
		"none yet": {picture: with(unverified), kind: "SignatureVerified", want: "Unknown NothingVerifiedYet"},
		"no key":   {picture: with(func(p *Picture) { p.Channel.Signature.Keys = nil }), kind: "SignatureVerified", want: "Unknown NoSecretKey"},
		"keys awaited": {
			picture: with(failed(5, time.Second), func(p *Picture) { p.Channel.Signature.Awaiting = true }), kind: "SignatureVerified",
			want: "False AwaitingKeys", says: []string{"No OA secret key", "shop-zalo/oa-secret-key", "503", "log"},
		},
		"keys awaited under Audit": {
			picture: with(func(p *Picture) { p.Channel.Signature.Mode, p.Channel.Signature.Awaiting = "Audit", true }),
			kind:    "SignatureVerified", want: "False NotEnforced",
		},
		"two failed, too few": {
			picture: with(unverified, failed(2, time.Second)), kind: "SignatureVerified", want: "Unknown NothingVerifiedYet",
		},
		"30 of 30 failed": {
			picture: with(unverified, failed(30, time.Minute)), kind: "SignatureVerified", want: "False WrongSecretSuspected",
			says: []string{"at least 20 calls", "no call ever verified", "OA secret key", "not the app's secret key of OAuth, nor an access token"},
		},
		"fail after some verified": {
			picture: with(failed(5, time.Second)), kind: "SignatureVerified", want: "False WrongSecretSuspected",
			says: []string{"at least 3 calls", "although earlier ones did", "rotate"},
		},
		"one verified after they failed": {
			picture: with(failed(30, time.Hour), func(p *Picture) { p.Channel.Signature.Keys[0].LastUsed = now }),
			kind:    "SignatureVerified", want: "True Verified",
		},
		"Audit": {
			picture: with(func(p *Picture) { p.Channel.Signature.Mode = "Audit" }, failed(100, time.Hour)),
			kind:    "SignatureVerified", want: "False NotEnforced", says: []string{"Audit", "at least 100 calls"},
		},
		"Off": {
			picture: with(func(p *Picture) { p.Channel.Signature.Mode = "Off" }),
			kind:    "SignatureVerified", want: "False NotEnforced", says: []string{"Off"},
		},
	} {
		t.Run(name, c.judge)
	}
}

// TestWrongSecret: the words of the channel's type say which secret is wanted.
func TestWrongSecret(t *testing.T) {
	before := types.Channels
	types.Channels = append(slices.Clone(before), echo.Type)
	t.Cleanup(func() { types.Channels = before })
	const failed20, failed3 = "The signatures of at least 20 calls match no ", "The signatures of the latest at least 3 calls match no "
	for name, tt := range map[v1alpha1.ChannelType]struct{ never, again string }{
		"ZaloOA": {
			never: failed20 + "OA secret key in use, and no call ever verified. Zalo has three secrets: put the OA secret key that the console " +
				"shows with the webhook, not the app's secret key of OAuth, nor an access token, into the Secret that signature.secretKeyRefs names",
			again: failed3 + "OA secret key in use, although earlier ones did. Either the key was reset in Zalo's console: put the new one, " +
				"the OA secret key that the console shows with the webhook, not the app's secret key of OAuth, nor an access token, into the " +
				"Secret. Or a stranger has the API key and makes these calls: rotate it",
		},
		"Echo": {
			never: failed20 + "echo key in use, and no call ever verified. Echo has one secret: copy the echo key of the echo's console",
			again: failed3 + "echo key in use, although earlier ones did. Either the key was changed: copy the new one from the echo's " +
				"console. Or a stranger has the API key and makes these calls: rotate it",
		},
	} {
		r := resource()
		r.Spec.Type = name
		for picture, want := range map[*Picture]string{
			new(with(unverified, failed(30, time.Minute))): tt.never, new(with(failed(5, time.Second))): tt.again,
		} {
			if got := judge(r, *picture, now).Find("SignatureVerified").Message; got != want {
				t.Errorf("%s says\n%s\nwant\n%s", name, got, want)
			}
		}
	}
}

func TestJudgeTheRest(t *testing.T) {
	for name, c := range map[string]look{
		"taken": {picture: healthy(), kind: "Delivering", want: "True EventsTaken"},
		"paused": {
			picture: healthy(), change: func(c *v1alpha1.ChannelConnector) { c.Spec.Delivery.Paused = true },
			kind: "Delivering", want: "False Paused",
		},
		"failing": {
			picture: with(func(p *Picture) {
				p.Channel.Delivery = report.Delivery{Pending: 7, FailingSince: ago(6 * time.Minute), LastError: "connection refused"}
			}),
			kind: "Delivering", want: "False SinkFailing",
			says: []string{"2026-11-29 07:54 UTC", "connection refused", "About 7 events wait", "24h0m0s"},
		},
		"held by the connector": {
			picture: with(func(p *Picture) { p.Channel.Delivery = report.Delivery{Paused: true, Pending: 4} }),
			kind:    "Delivering", want: "False Paused", says: []string{"about 4 events", "lacks a credential"},
		},
		"failed, and nothing waits": {
			picture: with(func(p *Picture) {
				p.Channel.Delivery = report.Delivery{FailingSince: ago(time.Hour), LastError: "refused"}
			}),
			kind: "Delivering", want: "True EventsTaken", says: []string{"No event waits"},
		},
		"stored": {picture: healthy(), kind: "InboxHealthy", want: "True EventsStored"},
		"lasts": {
			picture: with(func(p *Picture) { p.Inbox.FullInSeconds = 4000 }), kind: "InboxHealthy", want: "True EventsStored",
			says: []string{"full in less than 6 hours"},
		},
		"full": {
			picture: with(func(p *Picture) {
				p.Inbox = report.Inbox{State: report.InboxFull, Since: ago(time.Hour), Error: "the inbox is full"}
			}),
			kind: "InboxHealthy", want: "False Full", says: []string{"2026-11-29 07:00 UTC", "the inbox is full", "503", "inbox.embedded.size"},
		},
		"full, of another type": {
			picture: with(func(p *Picture) { p.Inbox = report.Inbox{State: report.InboxFull} }),
			change:  func(c *v1alpha1.ChannelConnector) { c.Spec.Inbox.Type = "JetStream" },
			kind:    "InboxHealthy", want: "False Full", not: "embedded",
		},
		"disk": {
			picture: with(func(p *Picture) {
				p.Inbox = report.Inbox{State: report.InboxFailing, Since: ago(time.Hour), Error: "input/output error"}
			}),
			kind: "InboxHealthy", want: "False Failing", says: []string{"input/output error"},
		},
		"no dead letters": {picture: healthy(), kind: "DeadLetters", want: "False NoDeadLetters"},
		"dead letters": {
			picture: with(func(p *Picture) {
				p.Channel.DeadLetters = report.DeadLetters{Count: 3, LatestReason: "refused", LatestError: "the sink answered 422"}
			}),
			kind: "DeadLetters", want: "True EventsGivenUp", says: []string{"About 3 events", "168h0m0s", "refused: the sink answered 422"},
		},
		"received": {picture: healthy(), kind: "Receiving", want: "True CallsReceived", says: []string{"2026-11-29 07:59 UTC"}},
		"no call":  {picture: with(func(p *Picture) { p.Channel.LastAuthentic = time.Time{} }), kind: "Receiving", want: "False NoCallYet"},
		"a key that is not used": {
			picture: with(func(p *Picture) { p.Channel.APIKeys = append(p.Channel.APIKeys, report.Key{Name: "next"}) }),
			kind:    "Receiving", want: "True CallsReceived", says: []string{`API key "next"`},
		},
		"a quiet account's only key": {
			picture: with(func(p *Picture) {
				p.Channel.Signature.Keys = append(p.Channel.Signature.Keys, report.Key{Name: "shop-zalo/quiet", ID: "k3", Account: "7"})
			}),
			kind: "Receiving", want: "True CallsReceived", says: []string{"2026-11-29 07:59 UTC"}, not: "shop-zalo/quiet",
		},
		"a key that is no longer used": {
			picture: with(func(p *Picture) {
				p.Channel.Signature.Keys = append(p.Channel.Signature.Keys, report.Key{Name: "shop-zalo/old", ID: "k0", LastUsed: ago(48 * time.Hour)})
			}),
			kind: "Receiving", want: "True CallsReceived", says: []string{`OA secret key "shop-zalo/old"`},
		},
	} {
		t.Run(name, c.judge)
	}
}

// TestSuspicion: only keys that never verified a call make a resource fail, and what was found out outlives the
// connector's process.
func TestSuspicion(t *testing.T) {
	suspect := with(unverified, failed(20, 10*time.Minute))
	restarted := with(unverified, func(p *Picture) { p.Began = now })
	rotated := func(p *Picture) { p.Channel.Signature.Keys[0].ID = "k2" }
	for name, c := range map[string]struct {
		pictures []Picture
		want     []string
	}{
		"20 calls over 10 minutes":        {[]Picture{suspect}, []string{"k1"}},
		"19 calls":                        {[]Picture{with(unverified, failed(19, time.Hour))}, nil},
		"in 9 minutes":                    {[]Picture{with(unverified, failed(1000, 9*time.Minute))}, nil},
		"verified before, by the process": {[]Picture{with(failed(1000, time.Hour))}, nil},
		"verified before, by an earlier":  {[]Picture{healthy(), suspect}, nil},
		"one of two verified before": {[]Picture{healthy(), with(unverified, failed(1000, time.Hour), func(p *Picture) {
			p.Channel.Signature.Keys = append(p.Channel.Signature.Keys, report.Key{Name: "next", ID: "k0"})
		})}, nil},
		"the process restarts":  {[]Picture{suspect, restarted}, []string{"k1"}},
		"the keys are replaced": {[]Picture{suspect, with(unverified, rotated)}, nil},
		"more keys than told": {[]Picture{with(unverified, failed(1000, time.Hour), func(p *Picture) {
			for i := range report.MaxKeys {
				p.Channel.Signature.Keys = append(p.Channel.Signature.Keys, report.Key{ID: string(rune('A' + i))})
			}
		})}, nil},
		"a call verifies":        {[]Picture{suspect, healthy()}, nil},
		"the signature is Audit": {[]Picture{suspect, with(unverified, func(p *Picture) { p.Channel.Signature.Mode = "Audit" })}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := resource()
			for _, p := range c.pictures {
				standing(r, judge(r, p, now))
			}
			if diff := cmp.Diff(c.want, r.Status.Traffic.SuspectedKeys); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			is := Standing(r.Status).Find(v1alpha1.ConditionSignatureVerified)
			if len(c.want) > 0 && is.Reason != ReasonWrongSecretSuspected {
				t.Errorf("suspected, and the condition says %s", is.Reason)
			}
		})
	}
}

// TestRestartedConnector: a process that has not tried the sink yet knows less than the status.
func TestRestartedConnector(t *testing.T) {
	down := with(func(p *Picture) {
		p.Channel.Delivery = report.Delivery{Pending: 7, FailingSince: ago(time.Hour), LastError: "connection refused"}
		p.Channel.DeadLetters = report.DeadLetters{Count: 3, LatestReason: "expired", LatestError: "too old"}
	})
	restarted := func(d report.Delivery) Picture {
		return with(func(p *Picture) {
			p.Began, p.Channel.Delivery, p.Channel.DeadLetters = now, d, report.DeadLetters{Count: 3}
		})
	}
	r := resource()
	first := judge(r, down, now)
	standing(r, first)
	if second := judge(r, restarted(report.Delivery{Pending: 7}), now); !second.equal(first) {
		t.Errorf("(-before +after a restart):\n%s", cmp.Diff(first, second))
	}
	tried := judge(r, restarted(report.Delivery{Pending: 7, FailingSince: now, LastError: "connection refused"}), now)
	if got := tried.Traffic.FailingSince; got == nil || !got.Time.Equal(ago(time.Hour)) {
		t.Errorf("failing since %v, want since the first failure", got)
	}
	since := now.Add(-time.Minute)
	again := judge(r,
		restarted(report.Delivery{Pending: 7, FailingSince: since, LastTaken: since.Add(-time.Minute), LastError: "connection refused"}), now)
	if got := again.Traffic.FailingSince; got == nil || !got.Time.Equal(since) {
		t.Errorf("failing since %v, and the sink took an event after that", got)
	}
	taken := judge(r, restarted(report.Delivery{Pending: 3, LastTaken: now}), now)
	if got := taken.Find(v1alpha1.ConditionDelivering); got.Reason != ReasonEventsTaken || taken.Traffic.FailingSince != nil {
		t.Errorf("the sink took an event, and Delivering says %s", got.Reason)
	}
}

// TestSteadyTraffic: what goes on as before is the same assessment, although events come and numbers vary.
func TestSteadyTraffic(t *testing.T) {
	r, at := resource(), now
	busy := func(pending int64) Picture {
		return with(func(p *Picture) {
			p.Channel.LastAuthentic, p.Channel.LastEvent, p.Channel.Delivery.Pending = at, at, pending
			p.Channel.Signature.Keys[0].LastUsed, p.Channel.APIKeys[0].LastUsed = at, at
		})
	}
	first := judge(r, busy(100), at)
	standing(r, first)
	for minute, pending := range []int64{70, 190, 51, 200, 100, 99, 101, 120, 80} {
		at = now.Add(time.Duration(minute+1) * time.Minute)
		if v := judge(r, busy(pending), at); !v.equal(first) {
			t.Fatalf("after %d minutes (-first +now):\n%s", minute+1, cmp.Diff(first, v))
		}
	}
	at = now.Add(10 * time.Minute)
	v := judge(r, busy(201), at)
	if v.Traffic.Pending != 201 || !v.Traffic.LastEventTime.Time.Equal(at) {
		t.Errorf("twice as many, 10 minutes later: %+v", v.Traffic)
	}
	if none := judge(r, busy(0), at); none.Traffic.Pending != 0 {
		t.Errorf("none waits, and the status says %d", none.Traffic.Pending)
	}
}

// TestUnread keeps what is remembered.
func TestUnread(t *testing.T) {
	r := resource()
	standing(r, judge(r, healthy(), now))
	v := unread(r, "why")
	for _, c := range v.Conditions {
		if c.Status != metav1.ConditionUnknown || c.Reason != ReasonNotRead || c.Message != "why" {
			t.Errorf("%+v", c)
		}
	}
	if diff := cmp.Diff(r.Status.Traffic, v.Traffic); diff != "" {
		t.Errorf("what is remembered (-want +got):\n%s", diff)
	}
}

// TestLongErrors: a status has a bound, and what the API server cuts would never be as the assessment says.
func TestLongErrors(t *testing.T) {
	long := strings.Repeat("ư", 5000)
	v := judge(resource(), with(func(p *Picture) {
		p.Channel.Delivery = report.Delivery{Pending: 1, FailingSince: ago(time.Hour), LastError: long}
		p.Channel.DeadLetters = report.DeadLetters{Count: 1, LatestReason: "refused", LatestError: long}
		p.Inbox = report.Inbox{State: report.InboxFailing, Since: now, Error: long}
	}), now)
	for _, c := range v.Conditions {
		if len(c.Message) > maxMessage {
			t.Errorf("%s has a message of %d bytes", c.Type, len(c.Message))
		}
	}
}

// TestClockAhead: a node's clock that was a day ahead is not remembered.
func TestClockAhead(t *testing.T) {
	r := resource()
	at := func(called time.Time) Picture {
		return with(func(p *Picture) { p.Channel.LastAuthentic, p.Channel.LastEvent = called, called })
	}
	standing(r, judge(r, at(now.Add(24*time.Hour)), now))
	if got := r.Status.Traffic.LastEventTime; !got.Time.Equal(now) {
		t.Errorf("an event of tomorrow came at %v", got)
	}
	later := now.Add(-time.Hour) // the clock of this machine was ahead as well
	if got := judge(r, at(later), later).Traffic.LastEventTime; !got.Time.Equal(later) {
		t.Errorf("the clocks are right again, and the last event came at %v", got)
	}
}
