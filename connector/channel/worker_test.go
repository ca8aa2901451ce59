package channel_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// digger is a worker that tells how often it has begun and ended.
type digger struct {
	name         string
	begun, ended int
	// left is the work that is left once its time is over; nil: none.
	left chan struct{}
}

func (d *digger) Run(ctx context.Context) {
	d.begun++
	<-ctx.Done()
	if d.left != nil {
		<-d.left
	}
	d.ended++
}

// pit is a process with workers.
type pit struct {
	*channel.Workers

	made []*digger
}

// asks asks for a worker, as a channel of a version does.
func (p *pit) asks(v *channel.Version, key string) *digger {
	return channel.Environment{Version: v}.Worker(key, func() channel.Worker {
		p.made = append(p.made, &digger{name: key})
		return p.made[len(p.made)-1]
	}).(*digger)
}

// inPit tests workers in a bubble of time. They have ended when the test does.
func inPit(t *testing.T, test func(t *testing.T, p *pit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pit{Workers: channel.NewWorkers(t.Context())}
		test(t, p)
		p.Close()
		for _, d := range p.made {
			d.want(t, d.begun, d.begun)
		}
	})
}

// slow is a worker that needs a moment.
type slow struct {
	digger

	started chan struct{}
}

func (s *slow) Started() <-chan struct{} { return s.started }

// TestAwaitStart: a version waits for the workers that begin with it, and for none that began before.
func TestAwaitStart(t *testing.T) {
	inPit(t, func(t *testing.T, p *pit) {
		started := make(chan struct{})
		use := func() time.Duration {
			begin, v := time.Now(), p.Version()
			p.asks(v, "usual")
			channel.Environment{Version: v}.Worker("slow", func() channel.Worker {
				return &slow{digger{name: "slow"}, started}
			})
			v.Use()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			v.AwaitStart(ctx)
			return time.Since(begin)
		}
		if waited := use(); waited != time.Minute {
			t.Errorf("a worker that does not start: %s", waited)
		}
		if waited := use(); waited != 0 {
			t.Errorf("one that began before: %s", waited)
		}
		p.Version().Use()
		time.AfterFunc(time.Second, func() { close(started) })
		if waited := use(); waited != time.Second {
			t.Errorf("one that starts: %s", waited)
		}
	})
}

// want compares once everything that can run has run.
func (d *digger) want(t *testing.T, begun, ended int) {
	t.Helper()
	if synctest.Wait(); d.begun != begun || d.ended != ended {
		t.Errorf("%s has begun %d times and ended %d times, want %d and %d", d.name, d.begun, d.ended, begun, ended)
	}
}

// TestWorkersAreShared: channels and versions with one key have one worker, which begins once and ends with the last of
// them.
func TestWorkersAreShared(t *testing.T) {
	inPit(t, func(t *testing.T, p *pit) {
		first := p.Version()
		keys, other := p.asks(first, "Type keys"), p.asks(first, "Type other")
		if p.asks(first, "Type keys") != keys || len(p.made) != 2 {
			t.Error("two channels of a version do not share their worker")
		}
		keys.want(t, 0, 0)
		first.Use()
		keys.want(t, 1, 0)
		second := p.Version()
		if p.asks(second, "Type keys") != keys {
			t.Error("two versions do not share their worker")
		}
		other.want(t, 1, 0)
		second.Use()
		keys.want(t, 1, 0)
		other.want(t, 1, 1)
		third := p.Version()
		again := p.asks(third, "Type other")
		third.Use()
		keys.want(t, 1, 1)
		if again == other {
			t.Error("a worker that has ended comes again")
		}
		again.want(t, 1, 0)
		p.Version().Use()
		again.want(t, 1, 1)
	})
}

// TestVersionsThatNeverCome: a version that is refused starts nothing and ends nothing.
func TestVersionsThatNeverCome(t *testing.T) {
	inPit(t, func(t *testing.T, p *pit) {
		used := p.Version()
		keys := p.asks(used, "Type keys")
		used.Use()
		refused := p.Version()
		lost := p.asks(refused, "Type lost")
		lost.want(t, 0, 0)
		next := p.Version()
		if p.asks(next, "Type lost") == lost {
			t.Error("the worker of a refused version is shared")
		}
		p.asks(next, "Type keys")
		next.Use()
		lost.want(t, 0, 0)
		keys.want(t, 1, 0)
	})
}

// TestCloseWaitsForWorkers: no worker is at work when Close has returned.
func TestCloseWaitsForWorkers(t *testing.T) {
	inPit(t, func(t *testing.T, p *pit) {
		version := p.Version()
		slow := p.asks(version, "Type slow")
		slow.left = make(chan struct{})
		version.Use()
		closed := false
		go func() { p.Close(); closed = true }()
		if slow.want(t, 1, 0); closed {
			t.Error("closed while a worker is at work")
		}
		close(slow.left)
		if slow.want(t, 1, 1); !closed {
			t.Error("not closed")
		}
		p.Close() // again, which is nothing
	})
}

// TestWorkersEndWithTheirContext: a process that stops ends the work of every version.
func TestWorkersEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		p := &pit{Workers: channel.NewWorkers(ctx)}
		version := p.Version()
		d := p.asks(version, "Type keys")
		version.Use()
		d.want(t, 1, 0)
		stop()
		d.want(t, 1, 1)
		p.Close()
	})
}

// TestWorkersOfNoProcess: a channel that is opened to learn of its pages gets a worker of its own, which does not work.
func TestWorkersOfNoProcess(t *testing.T) {
	p := &pit{}
	if first, second := p.asks(nil, "Type keys"), p.asks(nil, "Type keys"); first == second || first.begun > 0 {
		t.Error("the worker is shared, or at work")
	}
}
