package main

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// floodCommand begins the command line of a flood's process.
const floodCommand = "flood"

// flood is what strangers do to a connector of its own. Fields are exported for the
// flood's process.
type flood struct {
	Name string
	// Held is how many connections are held; the oldest one is given up for a
	// new one.
	Held int
	// PerSecond is how many are opened each second, once all are held.
	PerSecond int
	// Metrics aims at the metrics' port.
	Metrics bool
	// Address is where it goes.
	Address string
	// SecureOnly is for TLS alone.
	SecureOnly, Secure bool
}

var floods = []flood{
	{Name: "20,000 held, 1,000 new a second", Held: 20_000, PerSecond: 1000},
	{Name: "500 with 20 kB of tiny header lines", Held: 500, PerSecond: 500},
	{Name: "3,000 with 16 kB of headers", Held: 3000, PerSecond: 500},
	{Name: "20 with 1 MiB of headers at the metrics", Held: 20, PerSecond: 20, Metrics: true},
	{Name: "1,000 scrapes a second", Held: 1000, PerSecond: 1000, Metrics: true},
	{Name: "3,000 slow handshakes", Held: 3000, PerSecond: 1000, SecureOnly: true},
	{Name: "wrong keys, 500 a second", Held: 500, PerSecond: 500},
}

func (f flood) name() string {
	if f.Secure {
		return f.Name + ", TLS"
	}
	return f.Name
}

// hello is what the n-th connection sends, which never is a whole call with a
// key.
func (f flood) hello(n int64) string {
	call := string(begun(""))
	switch {
	case strings.Contains(f.Name, "tiny"):
		return call + headerLines(20_000, tiny)
	case strings.Contains(f.Name, "16 kB"):
		return call + headerLines(16_000, "X-Header-%d: "+strings.Repeat("v", 80)+"\r\n")
	case strings.Contains(f.Name, "1 MiB"):
		return "GET /metrics HTTP/1.1\r\nHost: h\r\n" + headerLines(1<<20, tiny)
	case strings.Contains(f.Name, "scrapes"):
		return "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
	case strings.Contains(f.Name, "handshakes"):
		return "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // the begin of a ClientHello
	case strings.Contains(f.Name, "wrong keys"):
		return call + fmt.Sprintf("xp-api-key: %064d\r\nContent-Length: 1000\r\n\r\n", n)
	case n%2 == 0:
		return call + "X-Half: a"
	}
	return ""
}

// headerLines are numbered lines of about size bytes together.
func headerLines(size int, format string) string {
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

// start starts the attackers. No process may have more than maxHeld connections,
// whatever the machine's limits.
func (f flood) start(webhook, metrics string) (all []*attackers, err error) {
	const maxHeld = 10_000
	f.Address = webhook
	if f.Metrics {
		f.Address = metrics
	}
	parts := (f.Held + maxHeld - 1) / maxHeld
	f.Held, f.PerSecond = f.Held/parts, f.PerSecond/parts
	for range parts {
		a, err := startAttackers(floodCommand, f)
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

// begin opens connections until the process ends.
func (f flood) begin() {
	const atOnce = 100 // a connection whose data is not taken holds up few others
	held := make(chan net.Conn, f.Held)
	var opened atomic.Int64
	begin := time.Now()
	for range atOnce {
		go f.open(held, &opened, begin)
	}
}

// open opens connections for ever: the first ones as fast as it can.
func (f flood) open(held chan net.Conn, opened *atomic.Int64, begin time.Time) {
	for {
		n := opened.Add(1)
		if late := n - int64(f.Held); late > 0 {
			<-time.After(time.Until(begin.Add(time.Duration(late) * time.Second / time.Duration(f.PerSecond))))
		}
		conn, err := dialFrom(n, f.Address)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute)) // it is closed long before
		go func() { _, _ = conn.Write([]byte(f.hello(n))) }()
		for kept := false; !kept; {
			select {
			case held <- conn:
				kept = true
			case oldest := <-held:
				_ = oldest.Close()
			}
		}
	}
}
