package registration

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

var shop = client.ObjectKey{Namespace: "chat", Name: "shop"}

// stage is a registrar with its platform.
type stage struct {
	*Registrar

	mu sync.Mutex
	// answer is the platform's; nil is that it takes all.
	answer func(ctx context.Context, r channel.Registration) error
	began  time.Time
	// calls are when the platform was called, since began, with its URL.
	calls   []string
	woken   int
	results map[string]int
}

// perform runs a registrar in a bubble with a clock of its own.
func perform(t *testing.T, act func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{results: map[string]int{}, began: time.Now()}
		s.Registrar = New(Options{
			Wake: func(context.Context, client.ObjectKey) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.woken++
			},
			Count: func(result string) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.results[result]++
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Start(ctx) }()
		act(t, s)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (s *stage) register(ctx context.Context, r channel.Registration) error {
	s.mu.Lock()
	s.calls = append(s.calls, time.Since(s.began).Round(time.Second).String()+" "+r.URL)
	answer := s.answer
	s.mu.Unlock()
	if r.Client == nil || r.Client.Timeout == 0 {
		return errors.New("an unbounded client")
	}
	if answer == nil {
		return nil
	}
	return answer(ctx, r)
}

// want wants a URL to be told, and waits for a while.
func (s *stage) want(url string, wait time.Duration) Outcome {
	w := s.wanted(url)
	s.Want(shop, w)
	pass(wait)
	return s.Want(shop, w)
}

func (s *stage) wanted(url string) Wanted {
	return Wanted{Registration: channel.Registration{URL: url}, Fingerprint: url, Register: s.register}
}

// pass lets time go by.
func pass(wait time.Duration) {
	time.Sleep(wait) //nolint:forbidigo // the bubble's time
	synctest.Wait()
}

// fails lets the platform fail.
func (s *stage) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = func(context.Context, channel.Registration) error { return err }
}

func (s *stage) expect(t *testing.T, calls ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(calls, s.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestItRegistersOnce(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		if got := s.want("a", time.Hour); got != (Outcome{Registered: true}) || s.woken != 1 || s.results[ResultRegistered] != 1 {
			t.Errorf("got %+v after %d wakes: %v", got, s.woken, s.results)
		}
		s.expect(t, "0s a")
		s.want("b", time.Hour)
		s.expect(t, "0s a", "1h0m0s b")
		s.Leave(shop)
		s.Leave(client.ObjectKey{Name: "unknown"})
		s.want("b", time.Hour)
		s.expect(t, "0s a", "1h0m0s b", "2h0m0s b")
	})
}

// TestItRetriesLessAndLess: the pauses double from 5 s to 10 minutes, and nobody is woken for the same failure twice.
func TestItRetriesLessAndLess(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		s.fails(&channel.RegistrationError{Message: "HTTP 500"})
		if got := s.want("a", 24*time.Hour); got != (Outcome{Failure: "HTTP 500"}) || s.woken != 1 {
			t.Errorf("got %+v after %d wakes", got, s.woken)
		}
		if n := len(s.calls); n < 120 || n > 155 {
			t.Errorf("%d calls in a day: %v", n, s.calls)
		}
		s.fails(nil)
		if got := s.want("a", 12*time.Minute); !got.Registered || s.woken != 2 {
			t.Errorf("got %+v after %d wakes", got, s.woken)
		}
	})
	for failures, least := range map[int]time.Duration{
		1: 5 * time.Second, 2: 10 * time.Second, 7: 320 * time.Second, 8: maxPause, 1000: maxPause,
	} {
		if got := pause(failures, false); got < least || got > least+least/5 {
			t.Errorf("%d failures: %s", failures, got)
		}
	}
}

// TestItAsksSeldomWithARefusedCredential, and at once with another one.
func TestItAsksSeldomWithARefusedCredential(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		s.fails(&channel.RegistrationError{Message: "HTTP 401", Refused: true})
		if got := s.want("a", 9*time.Minute); got != (Outcome{Failure: "HTTP 401", Refused: true}) || s.results[ResultRefused] != 1 {
			t.Errorf("got %+v: %v", got, s.results)
		}
		s.expect(t, "0s a")
		s.fails(nil)
		if got := s.want("b", time.Second); !got.Registered {
			t.Errorf("got %+v", got)
		}
		s.expect(t, "0s a", "9m0s b")
	})
}

// TestItHonoursRetryAfter, up to a bound.
func TestItHonoursRetryAfter(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		s.fails(&channel.RegistrationError{Message: "HTTP 429", RetryAfter: 30 * time.Minute})
		s.want("a", 31*time.Minute)
		s.expect(t, "0s a", "30m0s a")
		s.fails(&channel.RegistrationError{Message: "HTTP 429", RetryAfter: 1000 * time.Hour})
		s.want("b", 2*time.Hour)
		s.expect(t, "0s a", "30m0s a", "31m0s b", "1h31m0s b", "2h31m0s b")
	})
}

// TestItIsNotDriven: one who changes a Secret all the time causes a call in 5 s.
func TestItIsNotDriven(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		for n := range 600 {
			s.want(string(rune('a'+n%2)), 100*time.Millisecond)
		}
		if n := len(s.calls); n < 6 || n > 13 {
			t.Errorf("%d calls in a minute", n)
		}
	})
}

// TestAHangHoldsUpNothing: a call ends, and what came of it does not count if something else is wanted by then.
func TestAHangHoldsUpNothing(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		s.mu.Lock()
		s.answer = func(ctx context.Context, r channel.Registration) error {
			if r.URL == "hangs" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		s.mu.Unlock()
		s.want("hangs", time.Second)
		if got := s.want("a", 20*time.Second); !got.Registered {
			t.Errorf("got %+v", got)
		}
		s.expect(t, "0s hangs", "10s a")
		if got := s.want("hangs", 11*time.Second); got != (Outcome{Failure: "the call failed"}) {
			t.Errorf("got %+v: an error of any kind may quote a URL", got)
		}
		s.want("hangs too", time.Second)
		s.Forget(shop)
		if len(s.known) != 0 {
			t.Errorf("it keeps %v", s.known)
		}
	})
}

// TestAPauseKeepsThePace: an exposure that comes and goes causes no more calls than one that stays, and no call that was
// made already.
func TestAPauseKeepsThePace(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		s.fails(&channel.RegistrationError{Message: "HTTP 500"})
		for range 3600 {
			s.want("a", time.Second)
			s.Pause(shop)
			pass(time.Second)
		}
		if n := len(s.calls); n < 12 || n > 20 {
			t.Errorf("%d calls in 2 hours: %v", n, s.calls)
		}
		s.fails(nil)
		s.Pause(client.ObjectKey{Name: "unknown"})
		pass(time.Hour)
		before := len(s.calls)
		if got := s.want("a", time.Second); !got.Registered || len(s.calls) != before+1 {
			t.Errorf("got %+v after %d calls: it is overdue", got, len(s.calls)-before)
		}
	})
	perform(t, func(t *testing.T, s *stage) {
		s.answer = func(context.Context, channel.Registration) error {
			time.Sleep(5 * time.Second) //nolint:forbidigo // the bubble's time
			return nil
		}
		s.want("a", time.Second)
		s.Pause(shop)
		pass(time.Minute)
		if got := s.Want(shop, s.wanted("a")); !got.Registered || s.woken != 0 {
			t.Errorf("got %+v, which was registered during the pause", got)
		}
		s.expect(t, "0s a")
	})
}

// TestATenantHoldsUpOnlyHimself: who makes every call last until it is cut off keeps no other namespace from its own.
func TestATenantHoldsUpOnlyHimself(t *testing.T) {
	perform(t, func(t *testing.T, s *stage) {
		s.answer = func(ctx context.Context, r channel.Registration) error {
			if r.URL == "hangs" {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		for n := range 100 {
			s.Want(client.ObjectKey{Namespace: "hostile", Name: string(rune('a' + n))}, s.wanted("hangs"))
		}
		pass(time.Second)
		if got := s.want("a", time.Second); !got.Registered {
			t.Errorf("got %+v: it waits for another namespace", got)
		}
		if n := len(s.calls); n != 1+perNamespace {
			t.Errorf("%d calls: %v", n, s.calls)
		}
		last := client.ObjectKey{Namespace: "hostile", Name: "z"}
		for n := range 1000 { // as if its Secret changed all the time, and it were made again
			s.Want(last, s.wanted("hangs "+string(rune('a'+n))))
			pass(time.Millisecond)
			if n%2 > 0 {
				s.Forget(last)
			}
		}
		if n := len(s.waiting["hostile"]); n > 100 {
			t.Errorf("%d of 100 wait", n)
		}
		s.Want(last, s.wanted("hangs"))
		pass(10 * 100 / perNamespace * time.Second)
		called := map[string]int{}
		for key, e := range s.known {
			if !e.called.IsZero() {
				called[key.Namespace]++
			}
		}
		if called["hostile"] != 100 {
			t.Errorf("%d of 100 were called", called["hostile"])
		}
		if len(s.calling)+len(s.waiting) > 2 {
			t.Errorf("it keeps %v, %v", s.calling, s.waiting)
		}
	})
}
