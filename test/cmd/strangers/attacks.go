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

// attackCommand begins the command line of an attacker.
const attackCommand = "attack"

// attack is what strangers do. Fields are exported for the attacker's process.
type attack struct {
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

var attacks = []attack{
	{Name: "20,000 held, 1,000 new a second", Held: 20_000, PerSecond: 1000},
	{Name: "500 with 20 kB of tiny header lines", Held: 500, PerSecond: 500},
	{Name: "3,000 with 16 kB of headers", Held: 3000, PerSecond: 500},
	{Name: "20 with 1 MiB of headers at the metrics", Held: 20, PerSecond: 20, Metrics: true},
	{Name: "1,000 scrapes a second", Held: 1000, PerSecond: 1000, Metrics: true},
	{Name: "3,000 slow handshakes", Held: 3000, PerSecond: 1000, SecureOnly: true},
	{Name: "wrong keys, 500 a second", Held: 500, PerSecond: 500},
}

func (a attack) name() string {
	if a.Secure {
		return a.Name + ", TLS"
	}
	return a.Name
}

// hello is what the n-th connection sends, which never is a whole call with a
// key.
func (a attack) hello(n int64) string {
	const call = "POST /webhook/xpbot/api/zalo/push HTTP/1.1\r\nHost: h\r\n"
	switch {
	case strings.Contains(a.Name, "tiny"):
		return call + headerLines(20_000, "k%d:\n")
	case strings.Contains(a.Name, "16 kB"):
		return call + headerLines(16_000, "X-Header-%d: "+strings.Repeat("v", 80)+"\r\n")
	case strings.Contains(a.Name, "1 MiB"):
		return "GET /metrics HTTP/1.1\r\nHost: h\r\n" + headerLines(1<<20, "k%d:\n")
	case strings.Contains(a.Name, "scrapes"):
		return "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
	case strings.Contains(a.Name, "handshakes"):
		return "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // the begin of a ClientHello
	case strings.Contains(a.Name, "wrong keys"):
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
func (a attack) start(ctx context.Context, c *connector) (attackers []*process.Process, err error) {
	const maxHeld = 10_000
	address := c.Server
	if a.Metrics {
		address = c.Metrics
	}
	parts := (a.Held + maxHeld - 1) / maxHeld
	a.Held, a.PerSecond = a.Held/parts, a.PerSecond/parts
	description, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	for range parts {
		cmd := exec.CommandContext(ctx, "taskset", "-c", "0", "/proc/self/exe", attackCommand, string(description), address)
		cmd.Args[3] = executable()
		cmd.Stderr = os.Stderr
		attacker, err := process.Start(cmd)
		if err != nil {
			return attackers, err
		}
		attackers = append(attackers, attacker)
	}
	return attackers, nil
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// attackUntilStopped is the attacker's process, which is killed in the end.
func attackUntilStopped(description, address string) {
	var a attack
	if err := json.Unmarshal([]byte(description), &a); err != nil {
		panic(err)
	}
	const atOnce = 100 // a connection whose data is not taken holds up few others
	held := make(chan net.Conn, a.Held)
	var opened atomic.Int64
	begin := time.Now()
	for range atOnce - 1 {
		go a.open(address, held, &opened, begin)
	}
	a.open(address, held, &opened, begin)
}

// open opens connections for ever: the first ones as fast as it can.
func (a attack) open(address string, held chan net.Conn, opened *atomic.Int64, begin time.Time) {
	for {
		n := opened.Add(1)
		if late := n - int64(a.Held); late > 0 {
			<-time.After(time.Until(begin.Add(time.Duration(late) * time.Second / time.Duration(a.PerSecond))))
		}
		conn, err := dial(address, n)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute)) // it is closed long before
		go func() { _, _ = conn.Write([]byte(a.hello(n))) }()
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

// dial takes one of many source addresses, since one alone has too few ports.
func dial(address string, n int64) (net.Conn, error) {
	source := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(n%50+1))}
	return (&net.Dialer{Timeout: 5 * time.Second, LocalAddr: source}).Dial("tcp", address)
}
