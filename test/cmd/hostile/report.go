package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/series"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

const (
	// wantCalls is the share of signed calls that must be answered 200 at first.
	wantCalls = 0.99
	// wantProbes is the same for probes.
	wantProbes = 0.99
	// mostMemory is the container's limit, in MiB.
	mostMemory = 256
	// mostLines of the log are written in a minute.
	mostLines = 1000
)

// judge compares a channel's three ends: the calls of its platform, the arrivals at its bot, and the inbox.
func (c *campaign) judge(ch *channel, held holding) {
	acknowledged, arrivals, dead := ch.platform.Acknowledged(), ch.bot.Arrivals(), held[ch.name][stateDead]
	if pending := len(held.of(ch.name)) - len(dead); pending > 0 {
		c.promises.brokenf(promiseSound, "%s: %d events are pending", ch.name, pending)
	}
	var refused []traffic.Message
	for _, a := range arrivals {
		if a.Refused {
			refused = append(refused, a.Message)
		}
	}
	v := traffic.Judge(acknowledged, arrivals, dead...)
	for _, wrong := range []struct {
		promise, what string
		messages      []traffic.Message
	}{
		{promiseLoss, "a dead letter that was never refused", missing(dead, refused)},
		{promiseLoss, "lost", v.Lost},
		{promiseOrder, "before its turn", v.Inverted},
		{promiseInvented, "never sent", traffic.Invented(acknowledged, arrivals)},
	} {
		for _, m := range wrong.messages {
			c.promises.brokenf(wrong.promise, "%s: %s: %v", ch.name, wrong.what, m)
		}
	}
	c.deadLetters += len(dead)
	c.verdict.Acknowledged += v.Acknowledged
	c.verdict.Lost = append(c.verdict.Lost, v.Lost...)
	c.verdict.Inverted = append(c.verdict.Inverted, v.Inverted...)
	c.verdict.Repeated = append(c.verdict.Repeated, v.Repeated...)
}

// judgeShare judges the share of good calls outside of disturbances.
func (c *campaign) judgeShare(promise string, calls []traffic.Call, want float64) (percent float64, count int) {
	good, count, failed := share(calls, c.disturbances)
	if good < want {
		c.promises.brokenf(promise, "%.2f %% of %d, %v", 100*good, count, failed)
	}
	return 100 * good, count
}

// figures judges the shares and bounds, and lists everything that was measured.
func (c *campaign) figures() []figure {
	good, first := c.judgeShare(promiseCalls, firstTries(c.calls), wantCalls)
	answered, probed := c.judgeShare(promiseProbes, c.probes, wantProbes)
	if c.memory > mostMemory {
		c.promises.brokenf(promiseMemory, "%.0f MiB", c.memory)
	}
	lines := c.log.shows().busiest
	if lines > mostLines {
		c.promises.brokenf(promiseLogBound, "%d lines in a minute", lines)
	}
	c.judgeCallers()
	answers := outcomes(c.calls)
	accepted := answers["200"]
	delete(answers, "200")
	figures := []figure{
		{"duration", c.duration},
		{"signed calls", len(c.calls)},
		{"of these 200", accepted},
		{"of these others", counted(answers)},
		{"first tries outside of disturbances", first},
		{"of these 200 within 2 s", fmt.Sprintf("%.3f %%", good)},
		{"probes answered within 1 s", fmt.Sprintf("%.2f %% of %d", answered, probed)},
		{"acknowledged events", c.verdict.Acknowledged},
		{"losses", len(c.verdict.Lost)},
		{"inversions", len(c.verdict.Inverted)},
		{"taken again", len(c.verdict.Repeated)},
		{"dead letters", c.deadLetters},
		{"refused, by the connector's reason", counted(c.refused)},
		{"hostile connections", c.attacks.sum()},
		{"most memory, MiB", fmt.Sprintf("%.0f", c.memory)},
		{"most open files", c.files},
		{"most lines of the log in a minute", lines},
	}
	if starts := series.Series(c.starts); len(starts) > 0 {
		figures = append(figures, figure{"start to ready, median and most", fmt.Sprintf("%.0f ms, %.0f ms",
			1000*starts.Median(), 1000*slices.Max(starts))})
	}
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		figures = append(figures, figure{what, c.counts[what]})
	}
	for _, kind := range slices.Sorted(maps.Keys(c.attacks)) {
		figures = append(figures, figure{"attack: " + kind, counted(c.attacks[kind])})
	}
	return figures
}

// judgeCallers finds the calls that should not have been answered 200.
func (c *campaign) judgeCallers() {
	for _, caller := range append(slices.Clone(callers), caller{name: oldCall}) {
		if n := c.attacks[caller.name]["200"]; n > 0 && !caller.welcome {
			c.promises.brokenf(promiseForged, "%d of %s", n, caller.name)
		}
	}
}

// counted lists counts by name: "401: 3, 503: 1".
func counted[N int | float64](counts map[string]N) string {
	parts := make([]string, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", name, int(counts[name])))
	}
	return strings.Join(parts, ", ")
}

// clockMoved reports whether the log has a time of the farthest jump: an offset that the connector does not see would
// prove nothing.
func (c *campaign) clockMoved() bool {
	return c.counts["clocks far ahead"] == 0 || c.log.shows().latest.After(time.Now().Add(9*year))
}
