package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
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

// start starts the attackers, all on the machine's first core. No process may
// have more than maxHeld connections, whatever the machine's limits.
func (f flood) start(ctx context.Context, webhook, metrics string) (attackers []*process.Process, err error) {
	const maxHeld = 10_000
	address := webhook
	if f.Metrics {
		address = metrics
	}
	parts := (f.Held + maxHeld - 1) / maxHeld
	f.Held, f.PerSecond = f.Held/parts, f.PerSecond/parts
	description, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for range parts {
		cmd := exec.CommandContext(ctx, "taskset", "-c", "0", self, floodCommand, string(description), address)
		cmd.Stderr = os.Stderr
		attacker, err := process.Start(cmd)
		if err != nil {
			return attackers, err
		}
		attackers = append(attackers, attacker)
	}
	return attackers, nil
}

// floodUntilKilled is a flood's process.
func floodUntilKilled(description, address string) error {
	var f flood
	if err := json.Unmarshal([]byte(description), &f); err != nil {
		return err
	}
	const atOnce = 100 // a connection whose data is not taken holds up few others
	held := make(chan net.Conn, f.Held)
	var opened atomic.Int64
	begin := time.Now()
	for range atOnce {
		go f.open(address, held, &opened, begin)
	}
	select {}
}

// open opens connections for ever: the first ones as fast as it can.
func (f flood) open(address string, held chan net.Conn, opened *atomic.Int64, begin time.Time) {
	for {
		n := opened.Add(1)
		if late := n - int64(f.Held); late > 0 {
			<-time.After(time.Until(begin.Add(time.Duration(late) * time.Second / time.Duration(f.PerSecond))))
		}
		conn, err := dialFrom(n, address)
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
