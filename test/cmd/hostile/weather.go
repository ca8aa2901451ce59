package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
	"xbot.a4b.vn/channel-connector/test/kit/wallclock"
)

const (
	// fewFiles is a hard limit as small as on some machines, manyFiles the usual one.
	fewFiles, manyFiles = 1024, 20000
	// maxEventAge is the window, beyond which calls look too old.
	maxEventAge = 240 * time.Hour
	year        = 365 * 24 * time.Hour
)

// jumps are the offsets of the wall clock. The last is beyond maxEventAge.
var jumps = []time.Duration{0, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, -year, 10 * year}

// trouble is a way to disturb the connector.
type trouble struct {
	name string
	// fails reports whether calls may fail meanwhile.
	fails bool
	make  func(context.Context)
}

// weather disturbs the connector in every way, one after the other in random order, until ctx ends.
func (c *campaign) weather(ctx context.Context) {
	deck := []trouble{
		{"kills", true, c.killed},
		{"kills while starting", true, c.killedWhileStarting},
		{"SIGTERMs", true, c.stopped},
		{"rotated keys", false, c.rotated},
		{"moved sinks", false, c.movedSink},
		{"bad versions", false, c.badVersion},
		{"clock jumps", false, func(ctx context.Context) { c.jump(ctx, c.anyJump()) }},
		{"clock jumps over a restart", true, c.jumpedOverRestart},
		{"damaged copies", true, c.copied},
	}
	if c.mounted {
		deck = append(deck, trouble{"full disks", true, c.filled})
	}
	for ctx.Err() == nil {
		c.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		for _, t := range deck {
			await(ctx, time.After(between(c.random, 100*time.Millisecond, c.pause)))
			if ctx.Err() != nil {
				break
			}
			// Trouble is carried through: a started connector is needed at the end.
			c.survive(context.WithoutCancel(ctx), t)
		}
	}
}

// survive disturbs the connector, and starts it again if it has ended by itself.
func (c *campaign) survive(ctx context.Context, t trouble) {
	c.last = t.name
	c.count(t.name)
	if t.fails {
		c.disturb(func() { t.make(ctx) })
	} else {
		t.make(ctx)
	}
	if c.copy != nil {
		c.examine(ctx, c.copy)
		c.copy = nil
	}
	if c.connector.Life().Ended() {
		c.promises.brokenf(promiseAlive, "it ended by itself, after %s:\n%s", c.last, c.log.end())
		c.restart(ctx)
	}
}

// disturb notes the time of f, in which calls may fail.
func (c *campaign) disturb(f func()) {
	from := time.Now()
	f()
	c.disturbances = append(c.disturbances, disturbance{from, time.Now()})
}

// restart starts the connector, in every second life with few files, and waits until it is ready.
func (c *campaign) restart(ctx context.Context) {
	c.connector.files = manyFiles
	if c.random.IntN(2) == 0 {
		c.connector.files = fewFiles
	}
	took, err := c.connector.Start(ctx)
	if err != nil {
		c.promises.brokenf(promiseStart, "after %s: %v:\n%s", c.last, err, c.log.end())
		must.Do(err)
	}
	c.starts = append(c.starts, took.Seconds())
}

func (c *campaign) killed(ctx context.Context) {
	c.connector.kill()
	c.restart(ctx)
}

func (c *campaign) killedWhileStarting(ctx context.Context) {
	c.connector.kill()
	c.connector.files = manyFiles
	must.Do(c.connector.Launch(ctx))
	await(ctx, time.After(between(c.random, 0, 300*time.Millisecond)))
	c.killed(ctx)
}

func (c *campaign) stopped(ctx context.Context) {
	c.stopConnector()
	c.restart(ctx)
}

func (c *campaign) stopConnector() {
	if err := c.connector.Stop(gracePeriod); err != nil {
		c.promises.brokenf(promiseStop, "%v:\n%s", err, c.log.end())
	}
}

// rotated changes the keys of a channel: old and new are valid for a while. The first channel keeps its keys, which
// sign the captured calls.
func (c *campaign) rotated(ctx context.Context) {
	i := 1 + c.random.IntN(len(c.channels)-1)
	ch, sink, next := c.channels[i], c.connector.Channels[i].Sink, newKeys()
	c.log.hide(next.APIKey, next.Secret)
	c.reload(ctx, i, ch.settings(sink, next))
	ch.platform.Use(next)
	await(ctx, time.After(3*time.Second)) // until calls with the old ones have ended
	old := ch.keys
	ch.keys = next
	c.reload(ctx, i, ch.settings(sink))
	status, err := traffic.ZaloOA.Post(ctx, http.DefaultClient, ch.platform.URL, old, inventedMessage, text)
	if err == nil && status == http.StatusOK {
		c.promises.brokenf(promiseForged, "keys that were removed got %d", status)
	}
}

// movedSink leads a channel to its bot's other door, by way of a closed one.
func (c *campaign) movedSink(ctx context.Context) {
	i := c.random.IntN(len(c.channels))
	ch := c.channels[i]
	door := ch.doors[0]
	if c.connector.Channels[i].Sink == door {
		door = ch.doors[1]
	}
	c.reload(ctx, i, ch.settings("http://127.0.0.1:1/events"))
	await(ctx, time.After(between(c.random, 0, 2*time.Second)))
	c.reload(ctx, i, ch.settings(door))
}

// reload puts a version of a channel's settings to use.
func (c *campaign) reload(ctx context.Context, i int, s channelSettings) {
	before, _ := c.connector.value(ctx, "config_reloads_total") // 0 before the first reload of a life
	c.connector.Channels[i] = s
	c.connector.writeConfig()
	c.reloads(ctx, "a good version", "config_reloads_total", above(before))
	c.reloads(ctx, "a good version", "config_last_reload_successful", is(1))
}

// reloads waits until a version shows in a metric.
func (c *campaign) reloads(ctx context.Context, version, metric string, right func(float64) bool) {
	if err := c.connector.becomes(ctx, metric, right, 10*time.Second); err != nil {
		c.promises.brokenf(promiseReload, "%s: %v", version, err)
	}
}

// badVersion writes a configuration that must be refused, then the right one again.
func (c *campaign) badVersion(ctx context.Context) {
	right := must.Get(os.ReadFile(c.connector.ConfigPath()))
	bad := [][]byte{
		nil, right[:len(right)/2], append(slices.Clone(right), "unknown: 1\n"...), append(slices.Clone(right), "\x00"...),
		append(slices.Clone(right), "channels: []\n"...),
	}
	must.Do(c.connector.Replace(bad[c.random.IntN(len(bad))]))
	c.reloads(ctx, "a bad version", "config_last_reload_successful", is(0))
	must.Do(c.connector.Replace(right))
	c.reloads(ctx, "the right version again", "config_last_reload_successful", is(1))
}

func (c *campaign) anyJump() time.Duration { return jumps[c.random.IntN(len(jumps))] }

// jump moves the clock. It moves it back after a while if calls look too old.
func (c *campaign) jump(ctx context.Context, offset time.Duration) {
	if offset <= maxEventAge {
		must.Do(c.clock.Set(offset))
		return
	}
	c.count("clocks far ahead")
	c.disturb(func() {
		must.Do(c.clock.Set(offset))
		await(ctx, time.After(between(c.random, time.Second, 3*time.Second)))
		c.badVersion(ctx) // its refusal is logged, with the time
		must.Do(c.clock.Set(0))
		await(ctx, time.After(10*wallclock.Latency))
	})
}

func (c *campaign) jumpedOverRestart(ctx context.Context) {
	c.stopConnector()
	offset := c.anyJump()
	must.Do(c.clock.Set(offset))
	c.restart(ctx)
	c.jump(ctx, offset)
}

// copied damages a copy of the inbox of a killed or stopped process. It is examined when the connector is ready again.
func (c *campaign) copied(ctx context.Context) {
	if c.random.IntN(2) == 0 {
		c.connector.kill()
	} else {
		c.stopConnector()
	}
	c.copy = c.copyInbox()
	c.restart(ctx)
}

// filled fills the disk for a while. The connector may end then, and is started again when there is room.
func (c *campaign) filled(ctx context.Context) {
	empty := fillDisk(c.disk())
	await(ctx, time.After(between(c.random, time.Second, 4*time.Second)))
	empty()
	c.acceptsAgain(ctx)
}

// acceptsAgain waits for acknowledged calls after a full disk. The process may still end a moment later, by an error
// that it met while the disk was full.
func (c *campaign) acceptsAgain(ctx context.Context) {
	before := c.acknowledged()
	patient, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := c.connector.Wait(patient, "calls answered 200", func(context.Context) bool { return c.acknowledged() > before })
	switch {
	case c.connector.Life().Ended() && strings.Contains(c.log.end(), syscall.ENOSPC.Error()):
		c.count("ends on a full disk")
		c.restart(ctx)
	case err != nil:
		c.promises.brokenf(promiseFull, "%v:\n%s", err, c.log.end())
	}
}

// newRandom is reproducible by its seed, apart from the machine's own timing.
func newRandom(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
