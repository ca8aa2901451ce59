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

// judge compares what a channel's platform sent with what its bot took and what the
// inbox holds at the end.
func (c *campaign) judge(ch *channel, held holding) {
	acknowledged, arrivals := ch.platform.Acknowledged(), ch.bot.Arrivals()
	var dead []traffic.Message
	if h := held[ch.name]; h != nil {
		dead = h.dead
		if len(h.pending) > 0 {
			c.promises.brokenf(promiseSound, "%s: %d events are pending", ch.name, len(h.pending))
		}
	}
	refused := make([]traffic.Message, 0, len(dead))
	for _, a := range arrivals {
		if a.Refused {
			refused = append(refused, a.Message)
		}
	}
	c.each(promiseLoss, ch, "a dead letter that was never refused", missing(dead, refused))
	v := traffic.Judge(acknowledged, arrivals, dead...)
	c.each(promiseLoss, ch, "lost", v.Lost)
	c.each(promiseOrder, ch, "before its turn", v.Inverted)
	c.each(promiseInvented, ch, "never sent", traffic.Invented(acknowledged, arrivals))
	c.deadLetters += len(dead)
	c.verdict.Acknowledged += v.Acknowledged
	c.verdict.Lost = append(c.verdict.Lost, v.Lost...)
	c.verdict.Inverted = append(c.verdict.Inverted, v.Inverted...)
	c.verdict.Repeated = append(c.verdict.Repeated, v.Repeated...)
}

func (c *campaign) each(promise string, ch *channel, what string, messages []traffic.Message) {
	for _, m := range messages {
		c.promises.brokenf(promise, "%s: %s: %v", ch.name, what, m)
	}
}

// figures judges the shares and bounds, and lists everything that was measured.
func (c *campaign) figures() []figure {
	good, first, failedCalls := share(c.calls.first, c.disturbances)
	if good < wantCalls {
		c.promises.brokenf(promiseCalls, "%.2f %% of %d, %v", 100*good, first, failedCalls)
	}
	answered, probed, failedProbes := share(c.probes, c.disturbances)
	if answered < wantProbes {
		c.promises.brokenf(promiseProbes, "%.2f %% of %d, %v", 100*answered, probed, failedProbes)
	}
	if c.memory > mostMemory {
		c.promises.brokenf(promiseMemory, "%.0f MiB", c.memory)
	}
	if c.log.busiest() > mostLines {
		c.promises.brokenf(promiseLogBound, "%d lines in a minute", c.log.busiest())
	}
	c.judgeCallers()
	figures := []figure{
		{"duration", c.duration.String()},
		{"signed calls", fmt.Sprint(c.calls.all)},
		{"of these 200", fmt.Sprint(c.calls.ok)},
		{"of these others", counted(c.calls.byError)},
		{"first tries outside of disturbances", fmt.Sprint(first)},
		{"of these 200 within 2 s", fmt.Sprintf("%.3f %%", 100*good)},
		{"probes answered within 1 s", fmt.Sprintf("%.2f %% of %d", 100*answered, probed)},
		{"acknowledged events", fmt.Sprint(c.verdict.Acknowledged)},
		{"losses", fmt.Sprint(len(c.verdict.Lost))},
		{"inversions", fmt.Sprint(len(c.verdict.Inverted))},
		{"taken again", fmt.Sprint(len(c.verdict.Repeated))},
		{"dead letters", fmt.Sprint(c.deadLetters)},
		{"refused, by the connector's reason", rounded(c.refused)},
		{"hostile connections", fmt.Sprint(c.attacks.sum())},
		{"most memory, MiB", fmt.Sprintf("%.0f", c.memory)},
		{"most open files", fmt.Sprint(c.files)},
		{"most lines of the log in a minute", fmt.Sprint(c.log.busiest())},
	}
	if len(c.starts) > 0 {
		starts := series.Series(c.starts)
		figures = append(figures, figure{"start to ready, median and most", fmt.Sprintf("%.0f ms, %.0f ms",
			1000*starts.Median(), 1000*slices.Max(starts))})
	}
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		figures = append(figures, figure{what, fmt.Sprint(c.counts[what])})
	}
	for _, kind := range slices.Sorted(maps.Keys(c.attacks)) {
		figures = append(figures, figure{"attack: " + kind, counted(c.attacks[kind])})
	}
	return figures
}

// judgeCallers finds the calls that should not have been answered 200.
func (c *campaign) judgeCallers() {
	for _, caller := range callers {
		if n := c.attacks.answered(caller.name); n > 0 && !caller.welcome {
			c.promises.brokenf(promiseForged, "%d of %s", n, caller.name)
		}
	}
	if n := c.attacks.answered(oldCall); n > 0 {
		c.promises.brokenf(promiseForged, "%d of %s", n, oldCall)
	}
}

func counted(counts map[string]int) string {
	parts := make([]string, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

func rounded(values map[string]float64) string {
	counts := make(map[string]int, len(values))
	for name, value := range values {
		counts[name] = int(value)
	}
	return counted(counts)
}

// clockMoved reports whether the log has a time of the farthest jump: an offset that
// the connector does not see would prove nothing.
func (c *campaign) clockMoved() bool {
	return c.counts["clocks far ahead"] == 0 || c.log.clock().After(time.Now().Add(9*year))
}
