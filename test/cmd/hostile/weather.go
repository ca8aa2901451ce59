package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
	"xbot.a4b.vn/channel-connector/test/kit/wallclock"
)

const (
	// fewFiles is a hard limit as small as some machines set it, manyFiles the usual.
	fewFiles, manyFiles = 1024, 20000
	// maxEventAge is the window, beyond which calls look too old.
	maxEventAge = 240 * time.Hour
	year        = 365 * 24 * time.Hour
)

// jumps are where the wall clock goes. The last is beyond maxEventAge.
var jumps = []time.Duration{0, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, -year, 10 * year}

// weather disturbs the connector in every way, one after the other in random order,
// until ctx ends.
func (c *campaign) weather(ctx context.Context) error {
	deck := []func(context.Context) error{
		c.killed, c.killedWhileStarting, c.stopped, c.rotated, c.movedSink, c.badVersion, c.jumped, c.jumpedOverRestart,
		c.copied, c.filled,
	}
	for ctx.Err() == nil {
		c.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		for _, disturb := range deck {
			await(ctx, time.After(between(c.random, 100*time.Millisecond, c.pause)))
			if ctx.Err() != nil {
				break
			}
			// What was begun is carried through: a started connector is needed at the end.
			if err := c.survive(context.WithoutCancel(ctx), disturb); err != nil {
				return err
			}
		}
	}
	return nil
}

// survive disturbs the connector, and starts it where it has ended by itself.
func (c *campaign) survive(ctx context.Context, disturb func(context.Context) error) error {
	if err := disturb(ctx); err != nil {
		return err
	}
	if !c.connector.Life().Ended() {
		return nil
	}
	c.promises.brokenf(promiseAlive, "it ended by itself, after %s:\n%s", c.last, c.log.end())
	return c.restart(ctx)
}

// disturb begins a time in which calls may fail; the function returned ends it.
func (c *campaign) disturb(what string) (end func()) {
	c.last = what
	c.count(what)
	from := time.Now()
	return func() { c.disturbances = append(c.disturbances, disturbance{from, time.Now()}) }
}

// restart starts the connector, which waits until it is ready.
func (c *campaign) restart(ctx context.Context) error {
	c.connector.files = manyFiles
	if c.random.IntN(2) == 0 {
		c.connector.files = fewFiles
	}
	took, err := c.connector.Start(ctx)
	if err != nil {
		c.promises.brokenf(promiseStart, "after %s: %v:\n%s", c.last, err, c.log.end())
		return err
	}
	c.starts = append(c.starts, took.Seconds())
	return nil
}

func (c *campaign) killed(ctx context.Context) error {
	defer c.disturb("kills")()
	c.connector.kill()
	return c.restart(ctx)
}

func (c *campaign) killedWhileStarting(ctx context.Context) error {
	defer c.disturb("kills while starting")()
	c.connector.kill()
	c.connector.files = manyFiles
	if err := c.connector.Launch(ctx); err != nil {
		return err
	}
	await(ctx, time.After(between(c.random, 0, 300*time.Millisecond)))
	c.connector.kill()
	return c.restart(ctx)
}

func (c *campaign) stopped(ctx context.Context) error {
	defer c.disturb("SIGTERMs")()
	c.stopConnector()
	return c.restart(ctx)
}

func (c *campaign) stopConnector() {
	if err := c.connector.Stop(gracePeriod); err != nil {
		c.promises.brokenf(promiseStop, "%v:\n%s", err, c.log.end())
	}
}

// rotated changes the keys of a channel: old and new are valid for a while. The
// first one's stay, with which the captured calls are signed.
func (c *campaign) rotated(ctx context.Context) error {
	c.count("rotated keys")
	i := 1 + c.random.IntN(len(c.channels)-1)
	ch, sink, next := c.channels[i], c.connector.Channels[i].Sink, newKeys()
	c.log.hide(next.APIKey, next.OASecretKey)
	if err := c.reload(ctx, i, ch.settings(sink, next)); err != nil {
		return err
	}
	ch.platform.Use(next)
	await(ctx, time.After(3*time.Second)) // until calls with the old ones have ended
	old := ch.keys
	ch.keys = next
	if err := c.reload(ctx, i, ch.settings(sink)); err != nil {
		return err
	}
	status, err := traffic.Post(ctx, &fresh, ch.platform.URL, old, inventedMessage, text)
	if err == nil && status == 200 {
		c.promises.brokenf(promiseForged, "keys that were removed got %d", status)
	}
	return nil
}

// movedSink leads a channel to its bot's other door, by way of a closed one.
func (c *campaign) movedSink(ctx context.Context) error {
	c.count("moved sinks")
	i := c.random.IntN(len(c.channels))
	ch := c.channels[i]
	door := ch.doors[0]
	if c.connector.Channels[i].Sink == door {
		door = ch.doors[1]
	}
	if err := c.reload(ctx, i, ch.settings("http://127.0.0.1:1/events")); err != nil {
		return err
	}
	await(ctx, time.After(between(c.random, 0, 2*time.Second)))
	return c.reload(ctx, i, ch.settings(door))
}

// reload puts a version of a channel's settings to use.
func (c *campaign) reload(ctx context.Context, i int, s channelSettings) error {
	// The metric begins with the first reload of a life.
	before, err := c.connector.value(ctx, "config_reloads_total")
	if err != nil {
		before = 0
	}
	c.connector.Channels[i] = s
	if err := c.connector.writeConfig(); err != nil {
		return err
	}
	c.reloads(ctx, "a good version", "config_reloads_total", above(before))
	c.reloads(ctx, "a good version", "config_last_reload_successful", is(1))
	return nil
}

// reloads waits for what comes of a version.
func (c *campaign) reloads(ctx context.Context, version, metric string, right func(float64) bool) {
	if err := c.connector.becomes(ctx, metric, right, 10*time.Second); err != nil {
		c.promises.brokenf(promiseReload, "%s: %v", version, err)
	}
}

// badVersion writes a configuration that must be refused, then the right one again.
func (c *campaign) badVersion(ctx context.Context) error {
	c.count("bad versions")
	right, err := os.ReadFile(c.connector.ConfigPath())
	if err != nil {
		return err
	}
	bad := [][]byte{
		nil, right[:len(right)/2], append(slices.Clone(right), "unknown: 1\n"...), append(slices.Clone(right), "\x00"...),
		append(slices.Clone(right), "channels: []\n"...),
	}
	if err := c.connector.Replace(bad[c.random.IntN(len(bad))]); err != nil {
		return err
	}
	c.reloads(ctx, "a bad version", "config_last_reload_successful", is(0))
	if err := c.connector.Replace(right); err != nil {
		return err
	}
	c.reloads(ctx, "the right version again", "config_last_reload_successful", is(1))
	return nil
}

// jumped moves the clock of the running process.
func (c *campaign) jumped(ctx context.Context) error {
	c.count("clock jumps")
	return c.jump(ctx, jumps[c.random.IntN(len(jumps))])
}

// jump moves the clock. Where calls look too old, it moves it back after a while.
func (c *campaign) jump(ctx context.Context, offset time.Duration) error {
	if offset <= maxEventAge {
		return c.clock.Set(offset)
	}
	defer c.disturb("clocks far ahead")()
	if err := c.clock.Set(offset); err != nil {
		return err
	}
	await(ctx, time.After(between(c.random, time.Second, 3*time.Second)))
	if err := c.badVersion(ctx); err != nil { // which is logged, and so the time is
		return err
	}
	if err := c.clock.Set(0); err != nil {
		return err
	}
	await(ctx, time.After(10*wallclock.Latency))
	return nil
}

func (c *campaign) jumpedOverRestart(ctx context.Context) error {
	defer c.disturb("clock jumps over a restart")()
	c.stopConnector()
	offset := jumps[c.random.IntN(len(jumps))]
	if err := c.clock.Set(offset); err != nil {
		return err
	}
	if err := c.restart(ctx); err != nil {
		return err
	}
	return c.jump(ctx, offset)
}

// copied damages a copy of the inbox, of a process that was killed or stopped.
func (c *campaign) copied(ctx context.Context) error {
	end := c.disturb("damaged copies")
	if c.random.IntN(2) == 0 {
		c.connector.kill()
	} else {
		c.stopConnector()
	}
	d, err := c.copyInbox()
	if err != nil {
		return err
	}
	if err := c.restart(ctx); err != nil {
		return err
	}
	end()
	return c.examine(ctx, d)
}

// filled fills the disk for a while, if the inbox has one of its own. The connector may
// end then, and be started again until there is room.
func (c *campaign) filled(ctx context.Context) error {
	if !c.mounted {
		return nil
	}
	defer c.disturb("full disks")()
	empty, err := fillDisk(c.disk())
	if err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	await(ctx, time.After(between(c.random, time.Second, 4*time.Second)))
	if err := empty(); err != nil {
		return err
	}
	return c.acceptsAgain(ctx)
}

// acceptsAgain waits for acknowledged calls after a full disk. What the process met
// while the disk was full may end it a moment later.
func (c *campaign) acceptsAgain(ctx context.Context) error {
	before := c.acknowledged()
	accepts := func(context.Context) bool { return c.acknowledged() > before }
	patient, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := c.connector.Wait(patient, "calls answered 200", accepts)
	switch {
	case c.connector.Life().Ended() && strings.Contains(c.log.end(), syscall.ENOSPC.Error()):
		c.count("ends on a full disk")
		return c.restart(ctx)
	case err != nil:
		c.promises.brokenf(promiseFull, "%v:\n%s", err, c.log.end())
	}
	return nil
}

// newRandom is reproducible by its seed, apart from what the machine does.
func newRandom(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
