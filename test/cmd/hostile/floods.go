package main

import (
	"context"
	"fmt"
	"time"
)

// flood is an attack of strangers on a connector of its own.
type flood struct {
	name string
	// with are the strangers' names.
	with []string
	// held is the number of connections that are held, perSecond that of new ones each second, once all are held. The
	// oldest ones are given up for them.
	held, perSecond int
	// secureOnly is for TLS alone.
	secureOnly, secure bool
}

var floods = []flood{
	{name: "20,000 held, 1,000 new a second", with: []string{"silent", "half a header"}, held: 20_000, perSecond: 1000},
	{name: "500 with 20 kB of tiny header lines", with: []string{"tiny header lines"}, held: 500, perSecond: 500},
	{name: "3,000 with 16 kB of headers", with: []string{"16 kB of short headers"}, held: 3000, perSecond: 500},
	{name: "20 with 1 MiB of headers at the metrics", with: []string{"1 MiB of tiny lines for the metrics"}, held: 20, perSecond: 20},
	{name: "1,000 scrapes a second", with: []string{"a scrape"}, held: 1000, perSecond: 1000},
	{name: "3,000 slow handshakes", with: []string{"half a handshake"}, held: 3000, perSecond: 1000, secureOnly: true},
	{name: "wrong keys, 500 a second", with: []string{"a wrong key"}, held: 500, perSecond: 500},
}

// start starts the attackers until the scope ends. No process holds more than maxHeld connections, so that the
// machine's limits do not matter.
func (s *stage) startFlood(ctx context.Context, f flood, at *connector) {
	const maxHeld = 10_000
	parts := (f.held + maxHeld - 1) / maxHeld
	for range parts {
		attackers := startAttackers(ctx, orders{
			Webhook: at.Server, Metrics: at.Metrics, Strangers: f.with, Held: f.held / parts, Rate: f.perSecond / parts,
			Burst: f.held / parts, Stay: time.Duration(f.held) * time.Second / time.Duration(f.perSecond),
		})
		s.Cleanup(attackers.Kill)
	}
}

const (
	// answerWithin is Zalo's own limit.
	answerWithin = 2 * time.Second
	// asked is the share of the signed calls that must be answered in time, in %, and askedMiB the bound on the memory.
	asked    = 99.9
	askedMiB = 200
)

// tried are a platform's calls.
type tried struct {
	calls, inTime int
	worst         time.Duration
}

func (c tried) percent() float64 { return 100 * float64(c.inTime) / float64(max(c.calls, 1)) }

func (c tried) String() string {
	return fmt.Sprintf("%d of %d (%.2f %%), worst %v", c.inTime, c.calls, c.percent(), c.worst.Round(time.Millisecond))
}

// result is the outcome of a flood.
type result struct {
	attack      string
	kept, fresh tried
	peakMiB     float64
	died        bool
}

const heading = "| attack | signed calls answered 200 within 2 s on kept connections | on new connections | peak memory " +
	"|\n|---|---|---|---|"

func (r result) met() bool {
	return !r.died && r.kept.percent() >= asked && r.fresh.percent() >= asked && r.peakMiB < askedMiB
}

func (r result) String() string {
	peak := fmt.Sprintf("%.0f MiB", r.peakMiB)
	if r.died {
		peak = "killed"
	}
	return fmt.Sprintf("| %s | %v | %v | %s |", r.attack, r.kept, r.fresh, peak)
}
