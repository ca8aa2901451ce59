package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// stopMargin of the grace period is kept for what comes after the deliveries: closing the inbox and ending the process.
const stopMargin = 2 * time.Second

// callsTime is how long the stop waits for calls in flight. Each is answered within channel.MaxAnswerIn of its arrival,
// so what is open after that is a connection without a call, and must not take the time of the deliveries.
const callsTime = channel.MaxAnswerIn + time.Second

// stop ends the parts in order. ctx does not end; the grace period does.
func (p *process) stop(ctx context.Context) error {
	p.ending.begin()
	c := p.current.Load().Stop
	grace := time.Duration(c.GracePeriod)
	ctx, cancel := context.WithTimeout(ctx, grace-min(stopMargin, grace/4))
	defer cancel()
	p.log.Info("stopping", "drainDelay", time.Duration(c.DrainDelay).String(), "gracePeriod", grace.String())

	p.ready.Store(false)
	p.webhook.Drain()
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(c.DrainDelay)):
	}
	p.ending.waitsFor("calls in flight")
	err := p.endCalls(ctx)
	p.ending.waitsFor("deliveries")
	if c.Pending == config.PendingDeliver {
		_ = p.dispatcher.Drain(ctx) // what it leaves is counted below
	}
	if err := p.dispatcher.Stop(ctx); err != nil {
		p.log.Info("attempts under way were cut short; they are made again after the next start")
	}
	if c.Pending == config.PendingDeliver {
		p.countAbandoned(context.WithoutCancel(ctx))
	}
	return errors.Join(err, p.close())
}

func (p *process) endCalls(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callsTime)
	defer cancel()
	if err := p.webhook.Shutdown(ctx); err != nil {
		return fmt.Errorf("calls were still in flight and were cut off: %w", err)
	}
	return nil
}

// countAbandoned tells of events in an inbox that is deleted with its pod.
func (p *process) countAbandoned(ctx context.Context) {
	for _, ch := range p.present(ctx) {
		if ch.Pending == 0 {
			continue
		}
		p.metrics.Use(ch.Name).Abandoned.Add(ch.Pending)
		p.log.Info("events were not delivered before the grace period ended; they are lost if the inbox is deleted with its pod",
			"channel", ch.Name, "events", ch.Pending)
	}
}

// close ends the inbox and, last of all, probes and metrics.
func (p *process) close() error {
	p.ending.waitsFor("the inbox and its disk")
	return errors.Join(p.admin.Close(), p.inbox.Close(), p.probes.Close())
}
