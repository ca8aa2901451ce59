package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// scripted is a channel type that finds the same in every call, and refuses none by its header.
type scripted struct {
	reading channel.Reading
	refusal *channel.Refusal
	// status is that of every answer; 0: the one that is asked for.
	status func(asked int) int
}

func (scripted) Public() []channel.Page { return nil }

func (s scripted) Read(time.Time, http.Header, []byte) (channel.Reading, *channel.Refusal) {
	reading := s.reading
	reading.Calls = append([]channel.Call(nil), reading.Calls...)
	return reading, s.refusal
}

func (s scripted) Answer(status int, message string) channel.Answer {
	if s.status != nil {
		status = s.status(status)
	}
	return channel.Answer{Status: status, ContentType: "text/x-said", Body: []byte(message)}
}

// part is a part of a scripted call.
func part(kind channel.Kind, name string, id byte, sent time.Time) channel.Call {
	return channel.Call{Kind: kind, Name: name, KnownName: "other", SentAt: sent, Event: event.Event{ID: event.ID{id}, Channel: "chat/shop"}}
}

func (f *fixture) answerTo(s scripted) (status int, contentType, retry, answer string) {
	f.Use(NewRoutes([]Channel{newChannel(func(c *Channel) {
		c.Type, c.MaxEventAge, c.Events.Exclude = s, time.Hour, []string{"left_out"}
	})}))
	w := f.do(request(path+"?"+keyParameter+"="+key, []byte("x"), ""))
	return w.Code, w.Header().Get("Content-Type"), w.Header().Get("Retry-After"), w.Body.String()
}

// A type's refusals have its own status and shape. A defect of the type costs no panic: the platform is asked to send
// the call again.
func TestRefusalsOfAType(t *testing.T) {
	for _, tt := range []struct {
		status, shaped, want int
	}{
		{422, 422, 422}, {400, 400, 400}, {503, 503, 503}, {0, 503, 503}, {-1, 503, 503}, {200, 503, 503}, {302, 503, 503}, {1000, 503, 503},
		{403, 0, 403}, {403, 1000, 403}, {403, 200, 200},
	} {
		f := newFixture(t, nil)
		status, contentType, retry, answer := f.answerTo(scripted{
			refusal: &channel.Refusal{Status: tt.status, Reason: "never_heard_of", Message: "no"},
			status:  func(int) int { return tt.shaped },
		})
		if status != tt.want || contentType != "text/x-said" || answer != "no" || (retry != "") != (tt.want == 503) {
			t.Errorf("%d, answered with %d: %d %s %q, Retry-After %q", tt.status, tt.shaped, status, contentType, answer, retry)
		}
		if f.refused("chat/shop", "never_heard_of") != 1 {
			t.Errorf("%d: not counted by its reason", tt.status)
		}
	}
}

// The events of one call are stored together, or none of them.
func TestSeveralEventsInACall(t *testing.T) {
	now := time.Now()
	first, second := part(channel.KindEvent, "a", 1, now), part(channel.KindEvent, "b", 2, now)
	old := part(channel.KindEvent, "a", 3, now.Add(-2*time.Hour))
	foreign, leftOut := part(channel.KindForeignAccount, "a", 4, now), part(channel.KindEvent, "left_out", 5, now)
	for name, tt := range map[string]struct {
		calls    []channel.Call
		verified bool
		before   int // how many of the events are stored already
		err      error
		status   int
		answer   string
		stored   []byte
		ignored  map[string]int
	}{
		"two":               {calls: []channel.Call{first, second}, status: 200, answer: "accepted", stored: []byte{1, 2}},
		"one of them again": {calls: []channel.Call{first, second}, before: 1, status: 200, answer: "accepted", stored: []byte{1, 2}},
		"both again":        {calls: []channel.Call{first, second}, before: 2, status: 200, answer: "already accepted", stored: []byte{1, 2}},
		"one of them twice": {calls: []channel.Call{first, first}, status: 200, answer: "accepted", stored: []byte{1}},
		"the inbox fails":   {calls: []channel.Call{first, second, leftOut}, err: inbox.ErrFull, status: 503, answer: "inbox is full"},
		"with parts left out": {
			calls: []channel.Call{foreign, first, leftOut}, status: 200, answer: "accepted",
			stored: []byte{1}, ignored: map[string]int{"foreign_account": 1, "excluded": 1},
		},
		"parts left out alone": {
			calls: []channel.Call{leftOut, foreign}, status: 200, answer: "not stored: the channel leaves this event out",
			ignored: map[string]int{"foreign_account": 1, "excluded": 1},
		},
		"one is stale": {
			calls: []channel.Call{first, old}, verified: true, status: 503, answer: "the event's timestamp is older than the channel takes",
		},
		"one is old, unsigned":  {calls: []channel.Call{first, old}, status: 200, answer: "accepted", stored: []byte{1, 3}},
		"none":                  {status: 200, answer: "ready", ignored: map[string]int{"probe": 1}},
		"the inbox is too late": {calls: []channel.Call{first}, err: errors.New("broken"), status: 503, answer: "the event could not be stored"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			for _, call := range tt.calls[:tt.before] {
				if _, err := f.inbox.Accept(t.Context(), []event.Event{call.Event}); err != nil {
					t.Fatal(err)
				}
			}
			f.inbox.err = tt.err
			status, _, _, answer := f.answerTo(scripted{reading: channel.Reading{Calls: tt.calls, Verified: tt.verified}})
			if status != tt.status || answer != tt.answer {
				t.Errorf("%d %q, want %d %q", status, answer, tt.status, tt.answer)
			}
			var stored []byte
			for _, e := range f.inbox.stored() {
				stored = append(stored, e.ID[0])
			}
			if diff := cmp.Diff(tt.stored, stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			for _, reason := range []string{"probe", "foreign_account", "excluded"} {
				if got := int(f.metrics.Of("chat/shop").Ignored.Of(reason)); got != tt.ignored[reason] {
					t.Errorf("%d counted as %s, want %d", got, reason, tt.ignored[reason])
				}
			}
			if duplicates := int(f.metrics.Of("chat/shop").Duplicates.Load()); tt.err == nil && tt.status == 200 && len(tt.stored) > 0 &&
				duplicates+int(f.metrics.Of("chat/shop").Accepted.Load()) != len(tt.calls)-len(tt.ignored) {
				t.Errorf("%d duplicates of %d", duplicates, len(tt.calls))
			}
		})
	}
}

// An event that its type has not made complete is stored nowhere: no consumer would get it, or it would pass for another
// event's retry.
func TestIncompleteEvents(t *testing.T) {
	whole := part(channel.KindEvent, "a", 1, time.Now())
	for name, forget := range map[string]func(*event.Event){
		"no channel":        func(e *event.Event) { e.Channel = "" },
		"another's channel": func(e *event.Event) { e.Channel = "chat/other" },
		"no id":             func(e *event.Event) { e.ID = event.ID{} },
	} {
		t.Run(name, func(t *testing.T) {
			f, broken := newFixture(t, nil), whole
			forget(&broken.Event)
			status, _, retry, _ := f.answerTo(scripted{reading: channel.Reading{Calls: []channel.Call{whole, broken}}})
			if status != 503 || retry == "" || len(f.inbox.stored()) > 0 || f.refused("chat/shop", "type_failed") != 1 {
				t.Errorf("%d, Retry-After %q, stored: %v", status, retry, f.inbox.stored())
			}
		})
	}
}

// A type that makes up reasons and names of events floods neither the log nor the metrics.
func TestMadeUpLabelsAreBounded(t *testing.T) {
	var lines atomic.Int64
	f := newFixture(t, func(o *Options) {
		o.Log = funcr.New(func(string, string) { lines.Add(1) }, funcr.Options{})
	})
	for i := range 1000 {
		f.answerTo(scripted{refusal: &channel.Refusal{Status: 400, Reason: channel.Reason(fmt.Sprint("reason_", i)), Message: "no"}})
		call := part(channel.KindEvent, "a", 1, time.Now())
		call.Event.ID[1], call.Event.ID[2], call.KnownName = byte(i), byte(i>>8), fmt.Sprint("name_", i)
		f.answerTo(scripted{reading: channel.Reading{Calls: []channel.Call{call}}})
	}
	text, err := exposition(f.registry)
	if names := strings.Count(text, `"name_`); err != nil || lines.Load() > 100 || names == 0 || names > 300 {
		t.Errorf("%d lines, %d names of events, %v", lines.Load(), names, err)
	}
}

// A type may answer later than others, or sooner.
func TestTypesHaveTheirOwnTime(t *testing.T) {
	for _, limit := range []time.Duration{0, 50 * time.Millisecond} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			f := newFixture(t, nil, newChannel(func(c *Channel) { c.AnswerIn = limit }))
			f.inbox.block = make(chan struct{}) // never stores
			body, signature := message("m")
			w := f.do(request(path+"?"+keyParameter+"="+key, body, signature))
			if w.Code != 503 || f.refused("chat/shop", "timeout") != 1 {
				t.Errorf("%d", w.Code)
			}
		})
	}
}

// A call becomes no more events than memory is meant for, even if its type lets it in.
func TestTooManyEventsInACall(t *testing.T) {
	for calls, want := range map[int]int{channel.MaxCalls: 200, channel.MaxCalls + 1: 413} {
		f := newFixture(t, nil)
		reading := channel.Reading{Calls: slices.Repeat([]channel.Call{part(channel.KindEvent, "a", 1, time.Now())}, calls)}
		if status, _, _, _ := f.answerTo(scripted{reading: reading}); status != want || (len(f.inbox.stored()) > 0) != (want == 200) {
			t.Errorf("%d events: answered %d, want %d; %d stored", calls, status, want, len(f.inbox.stored()))
		}
	}
}

// odd is a channel type whose pages answer as a test says.
type odd struct {
	scripted
	pages []channel.Page
}

func (o odd) Public() []channel.Page { return o.pages }

// A page without a usable status is a defect of its type too, and costs no panic: the platform is asked to try again.
func TestPagesWithoutAUsableStatus(t *testing.T) {
	for _, tt := range []struct{ status, want int }{{200, 200}, {204, 204}, {403, 403}, {0, 503}, {99, 503}, {101, 503}, {1000, 503}} {
		serve := func(*http.Request) channel.Answer { return channel.Answer{Status: tt.status} }
		pages := []channel.Page{{Serve: serve}, {Path: "/proof", Serve: serve}}
		f := newFixture(t, nil, newChannel(func(c *Channel) { c.Type = odd{pages: pages} }))
		for _, target := range []string{path + "?" + keyParameter + "=" + key, "/proof"} {
			if w := f.do(httptest.NewRequest(http.MethodGet, target, http.NoBody)); w.Code != tt.want {
				t.Errorf("%s with %d: answered %d, want %d", target, tt.status, w.Code, tt.want)
			}
		}
		if refused := f.refused("chat/shop", reasonHandshake); (refused == 1) != (tt.want >= 300) {
			t.Errorf("%d: %v handshakes are counted as refused", tt.status, refused)
		}
	}
}
