package pebble

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// consumer is the claiming of one channel. What it knows is the channel's, so that a claim outlives it.
type consumer struct {
	store   *Inbox
	channel *channel
	closed  atomic.Bool
}

// Consume implements inbox.Queue.
func (s *Inbox) Consume(ctx context.Context, name string, settings inbox.Settings) (inbox.Consumer, error) {
	c := &consumer{store: s, channel: s.channel(name)}
	if !c.channel.consumed.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("channel %q has a consumer already", name)
	}
	if err := c.Configure(ctx, settings); err != nil {
		c.channel.consumed.Store(false)
		return nil, err
	}
	return c, nil
}

// acquire is that of the store, and refuses once the consumer is closed.
func (c *consumer) acquire() error {
	if c.closed.Load() {
		return inbox.ErrClosed
	}
	return c.store.acquire()
}

func (c *consumer) Ready() <-chan struct{} { return c.channel.ready }

func (c *consumer) Close() error {
	if !c.closed.Swap(true) {
		c.channel.consumed.Store(false)
	}
	return nil
}

func (c *consumer) Configure(ctx context.Context, settings inbox.Settings) error {
	ch := c.channel
	ch.ordering.Store(int32(settings.Ordering))
	known := ch.retention.Swap(int64(settings.DeadLetterRetention))
	if settings.Paused == ch.pauses.Load().Paused() && time.Duration(known) == settings.DeadLetterRetention {
		return nil
	}
	defer ch.signal() // for the events that were accepted while the channel was paused
	return c.store.committer.change(ctx, 256, func(tx *transaction) {
		p := ch.pauses.Load().Set(settings.Paused, tx.now)
		ch.pauses.Store(&p)
		tx.changed[ch] = struct{}{}
	})
}
