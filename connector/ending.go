package connector

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// exitMargin of the grace period is kept for the process's own end.
const exitMargin = 500 * time.Millisecond

// ending bounds the time that a process takes to end. The parts end in order and within bounds of their own (see stop),
// but no bound helps against a disk that does not answer: a call to it cannot be called off. The process then ends
// without it, as after a crash, which the inbox survives.
type ending struct {
	log   logr.Logger
	grace atomic.Int64
	once  sync.Once
	begun chan struct{} // closed when the stop begins
	// waiting is what the start or the stop waits for.
	waiting atomic.Pointer[string]
}

func newEnding(log logr.Logger) *ending {
	e := &ending{log: log, begun: make(chan struct{})}
	e.useGracePeriod(config.DefaultGracePeriod)
	e.waitsFor("the start")
	return e
}

func (e *ending) useGracePeriod(d time.Duration) { e.grace.Store(int64(d)) }

// begin starts the grace period, unless the end of within's context has.
func (e *ending) begin() { e.once.Do(func() { close(e.begun) }) }

// waitsFor names the part that the process waits for from now on.
func (e *ending) waitsFor(what string) { e.waiting.Store(&what) }

// within returns what run returns. Once ctx has ended, or begin was called, it waits for no longer than the grace
// period less the margin, and then returns an error that names that part.
func (e *ending) within(ctx context.Context, run func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	case <-e.begun:
	}
	grace := time.Duration(e.grace.Load())
	late := time.NewTimer(grace - min(exitMargin, grace/8))
	defer late.Stop()
	select {
	case err := <-ended:
		return err
	case <-late.C:
	}
	waiting := *e.waiting.Load()
	e.log.Error(nil, "the process ends without an orderly stop, since its grace period ends",
		"waitedFor", waiting, "gracePeriod", grace.String())
	return fmt.Errorf("the grace period of %v ended while the process waited for %s", grace, waiting)
}
