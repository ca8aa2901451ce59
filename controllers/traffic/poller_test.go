package traffic

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/report"
)

var shop = client.ObjectKey{Namespace: "chat", Name: "shop"}

// stage is a poller, the connector that it asks, and the operator that writes what it is woken for.
type stage struct {
	*Poller

	mu        sync.Mutex
	connector *v1alpha1.ChannelConnector
	picture   Picture
	// silent says that no pod answers.
	silent bool
	// writes are when the status was written.
	writes []time.Time
	polls  int
}

// answer is the pod, at the other end of a connection.
func (s *stage) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	s.mu.Lock()
	told := report.Report{Began: s.picture.Began, Inbox: s.picture.Inbox, Channels: []report.Channel{s.picture.Channel}}
	document, _ := json.Marshal(told) //nolint:errchkjson // times always marshal
	s.mu.Unlock()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(document), document)
}

// connect is the way to the pod.
func (s *stage) connect(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls++
	if s.silent {
		return nil, context.DeadlineExceeded
	}
	here, there := net.Pipe()
	go s.answer(there)
	return here, nil
}

// perform runs a poller inside a bubble with a clock of its own.
func perform(t *testing.T, act func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{connector: resource(), picture: healthy()}
		ch, began := &s.picture.Channel, time.Now() // the bubble's clock begins elsewhere
		ch.LastAuthentic, ch.LastEvent, ch.Delivery.LastTaken = began, began, began
		ch.APIKeys[0].LastUsed, ch.Signature.Keys[0].LastUsed = began, began
		s.Poller = New(Options{Find: s.find, Wake: s.write, Clock: clock.RealClock{}, Interval: DefaultInterval})
		s.dial = s.connect
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Start(ctx) }()
		s.Watch(shop)
		act(t, s)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (s *stage) find(context.Context, client.ObjectKey) (Target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connector == nil {
		return Target{}, nil
	}
	return Target{Connector: s.connector.DeepCopy(), Channel: "chat/shop", Pods: pods(1), Token: "token"}, nil
}

// write is the pass that a wake causes.
func (s *stage) write(_ context.Context, key client.ObjectKey) {
	assessment := s.Assessment(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	standing(s.connector, *assessment)
	s.writes = append(s.writes, time.Now())
}

// change changes what the pod tells.
func (s *stage) change(f func(*Picture)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.picture)
}

func (s *stage) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.writes)
}

// delivering is the reason of Delivering.
func (s *stage) delivering() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := Standing(s.connector.Status).Find(v1alpha1.ConditionDelivering); c != nil {
		return c.Reason
	}
	return ""
}

// knows reports whether a connector is watched.
func (p *Poller) knows(key client.ObjectKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[key] != nil
}

// sinkDown lets the sink fail.
func sinkDown(p *Picture) {
	p.Channel.Delivery = report.Delivery{Pending: 1, FailingSince: time.Now(), LastError: "connection refused"}
}

// TestChangeShows within 2 minutes, at whichever moment it happens; and what does not change is written once.
func TestChangeShows(t *testing.T) {
	for after := time.Duration(0); after < time.Minute; after += 7 * time.Second {
		perform(t, func(t *testing.T, s *stage) {
			<-time.After(10*time.Minute + after)
			if s.written() != 1 {
				t.Fatalf("%d writes for one state", s.written())
			}
			s.change(sinkDown)
			<-time.After(2 * time.Minute)
			if got := s.delivering(); got != ReasonSinkFailing {
				t.Errorf("2 minutes after a change %s after the hour, Delivering says %s", after, got)
			}
			<-time.After(time.Hour)
			if s.written() != 2 {
				t.Errorf("%d writes for two states", s.written())
			}
		})
	}
}

// TestMoment: what has passed at the second look is never written.
func TestMoment(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		<-time.After(10 * time.Minute)
		s.mu.Lock()
		before := s.polls
		s.mu.Unlock()
		s.change(sinkDown)
		for seen := before; seen == before; {
			<-time.After(time.Second)
			s.mu.Lock()
			seen = s.polls
			s.mu.Unlock()
		}
		s.change(func(p *Picture) { p.Channel.Delivery = report.Delivery{LastTaken: time.Now()} })
		<-time.After(time.Hour)
		if s.written() != 1 {
			t.Errorf("%d writes, and it was a moment", s.written())
		}
	})
}

// TestSilence: what cannot be read keeps its assessment for 10 minutes, is unknown then, and known again when it can be
// read.
func TestSilence(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		<-time.After(5 * time.Minute)
		s.mu.Lock()
		s.silent = true
		s.mu.Unlock()
		<-time.After(8 * time.Minute)
		if got := s.delivering(); got != ReasonEventsTaken {
			t.Errorf("after 8 minutes Delivering says %s", got)
		}
		<-time.After(5 * time.Minute)
		if got := s.delivering(); got != ReasonNotRead {
			t.Errorf("after 13 minutes Delivering says %s", got)
		}
		s.mu.Lock()
		s.silent = false
		s.mu.Unlock()
		<-time.After(2 * time.Minute)
		if got := s.delivering(); got != ReasonEventsTaken {
			t.Errorf("it tells again, and Delivering says %s", got)
		}
		if s.written() != 3 {
			t.Errorf("%d writes for three states", s.written())
		}
	})
}

// TestRestartedOperator writes nothing when nothing has changed.
func TestRestartedOperator(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		r := resource()
		s.mu.Lock()
		s.connector = standing(r, judge(r, s.picture, time.Now()))
		s.mu.Unlock()
		<-time.After(time.Hour)
		if s.written() != 0 {
			t.Errorf("%d writes", s.written())
		}
	})
}

// TestForget ends the polls of a resource that is gone.
func TestForget(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		<-time.After(10 * time.Minute)
		s.mu.Lock()
		s.connector = nil
		before := s.polls
		s.mu.Unlock()
		<-time.After(time.Hour)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.polls != before || s.knows(shop) {
			t.Errorf("%d more polls, and it is known: %v", s.polls-before, s.knows(shop))
		}
	})
}

// TestSoon asks a connector that has changed before it is due.
func TestSoon(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		<-time.After(10 * time.Minute)
		s.change(sinkDown)
		s.Soon(shop)
		<-time.After(41 * time.Second)
		if got := s.delivering(); got != ReasonSinkFailing {
			t.Errorf("Delivering says %s", got)
		}
	})
}

// await waits for the next tick; it returns false when ctx ends.
func await(ctx context.Context, tick *time.Ticker) bool {
	select {
	case <-tick.C:
		return true
	case <-ctx.Done():
		tick.Stop()
		return false
	}
}

// TestBusyChannel: where calls come all the time, no two polls say the same, and what changes is written all the same:
// times each 10 minutes, a backlog and a key that verifies within 2 minutes.
func TestBusyChannel(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		busy, end := context.WithCancel(t.Context())
		defer end()
		go func() {
			for tick := time.NewTicker(time.Second); await(busy, tick); {
				s.change(func(p *Picture) {
					p.Channel.LastAuthentic, p.Channel.LastEvent = time.Now(), time.Now()
					for i := range p.Channel.Signature.Keys {
						p.Channel.Signature.Keys[i].LastUsed = time.Now()
					}
				})
			}
		}()
		<-time.After(time.Hour)
		if n := s.written(); n < 5 || n > 7 {
			t.Errorf("%d writes in an hour", n)
		}
		s.change(func(p *Picture) {
			p.Channel.Delivery.Pending = 100_000
			p.Channel.Signature.Keys = append(p.Channel.Signature.Keys, report.Key{ID: "k2", LastUsed: time.Now()})
		})
		<-time.After(2 * time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		told := s.connector.Status.Traffic
		if told.Pending != 100_000 || len(told.VerifiedKeys) != 2 || time.Since(told.LastEventTime.Time) > 12*time.Minute {
			t.Errorf("after 2 minutes: %+v", told)
		}
	})
}

// TestFlappingHoldsUpNothing: one condition that comes and goes keeps no other from being told, and causes no writes.
func TestFlappingHoldsUpNothing(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		<-time.After(5 * time.Minute)
		s.change(func(p *Picture) {
			p.Inbox = report.Inbox{State: report.InboxFailing, Since: time.Now(), Error: "input/output error"}
		})
		for range 6 { // another one at each poll
			s.mu.Lock()
			seen := s.polls
			s.mu.Unlock()
			for polls := seen; polls == seen; {
				<-time.After(time.Second)
				s.mu.Lock()
				polls = s.polls
				s.mu.Unlock()
			}
			s.change(func(p *Picture) {
				if p.Channel.Delivery.Pending == 0 {
					sinkDown(p)
				} else {
					p.Channel.Delivery = report.Delivery{LastTaken: time.Now()}
				}
			})
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := Standing(s.connector.Status).Find(v1alpha1.ConditionInboxHealthy).Reason; got != ReasonFailing || len(s.writes) != 2 {
			t.Errorf("InboxHealthy says %s, after %d writes", got, len(s.writes))
		}
	})
}

// TestChangingWords: a sink that fails in another way each time is one failure.
func TestChangingWords(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		<-time.After(5 * time.Minute)
		s.change(sinkDown)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() {
			for i, tick := 0, time.NewTicker(45*time.Second); await(ctx, tick); i++ {
				s.change(func(p *Picture) { p.Channel.Delivery.LastError = []string{"HTTP 502", "HTTP 503", "a time-out"}[i%3] })
			}
		}()
		<-time.After(time.Hour)
		if n := s.written(); n > 8 {
			t.Errorf("%d writes in an hour", n)
		}
	})
}
