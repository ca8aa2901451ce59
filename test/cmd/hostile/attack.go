package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// orders tell the attackers' process where and how to attack.
type orders struct {
	// Webhook and Metrics are the connector's addresses.
	Webhook, Metrics string
	// Strangers are the names of those that hold connections, in turn, and Held is the number of these.
	Strangers []string
	Held      int
	// Stay is how long a connection is held, whatever the answer. Default: a minute, or until the answer.
	Stay time.Duration
	// Rate is the number of connections that are opened a second, after the first Burst.
	Rate, Burst int
	// Keys are API keys that leaked, without the OA secrets.
	Keys []string
	// Captured are signed calls of long ago, byte for byte.
	Captured [][]byte
}

// tally counts outcomes by the kind of attack.
type tally map[string]map[string]int

// attack is under way until the process ends.
type attack struct {
	orders
	pace    *rate.Limiter
	dialing chan struct{} // bounds the connections that are not open yet
	dials   atomic.Int64
	mu      sync.Mutex
	seen    tally
}

// attackersRole is that of the attackers' process.
const attackersRole = "attackers"

// startAttackers starts a process of attackers on the machine's first processor, which outlives ctx.
func startAttackers(ctx context.Context, o orders) *process.Worker {
	return must.Get(process.StartWorker(context.WithoutCancel(ctx), attackersRole, o, "taskset", "-c", "0"))
}

// runAttack is the attackers' process, which answers with a tally in the end.
func runAttack(o orders, answer func(any) error, dismissed <-chan struct{}) error {
	a := &attack{orders: o, pace: rate.NewLimiter(rate.Limit(o.Rate), max(o.Burst, 1)), dialing: make(chan struct{}, 100), seen: make(tally)}
	a.start()
	<-dismissed
	a.mu.Lock()
	defer a.mu.Unlock()
	return answer(a.seen)
}

func (a *attack) start() {
	for i := range a.Held {
		s := strangers[a.Strangers[i%len(a.Strangers)]]
		s.name = a.Strangers[i%len(a.Strangers)]
		go forever(0, func() { a.hold(s) })
	}
	if len(a.Keys) == 0 {
		return
	}
	for _, c := range callers {
		for i := range c.atOnce {
			request := c.request(a.Keys[i%len(a.Keys)])
			go forever(c.every, func() { a.call(c.name, request) })
		}
	}
	for _, captured := range a.Captured {
		go forever(time.Second, func() { a.call(oldCall, captured) })
	}
}

// forever repeats, with a pause.
func forever(pause time.Duration, do func()) {
	for {
		do()
		<-time.After(pause)
	}
}

// patience bounds each wait of an attacker.
const patience = 5 * time.Second

// dial opens the n-th connection, at the attack's pace. The local addresses change, since one has too few ports for an
// hour of this. None is the connector's: a stranger's connection from its port would keep it from starting again.
func (a *attack) dial(address string) (conn net.Conn, n int64, err error) {
	_ = a.pace.Wait(context.Background()) // it fails only for a context that ends
	a.dialing <- struct{}{}
	defer func() { <-a.dialing }()
	n = a.dials.Add(1)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%200))}
	conn, err = (&net.Dialer{Timeout: patience, LocalAddr: local}).Dial("tcp", address)
	return conn, n, err
}

func (a *attack) count(kind, outcome string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[kind] == nil {
		a.seen[kind] = make(map[string]int)
	}
	a.seen[kind][outcome]++
}

// hold holds a connection of a stranger.
func (a *attack) hold(s stranger) {
	address := a.Webhook
	if s.metrics {
		address = a.Metrics
	}
	conn, n, err := a.dial(address)
	if err != nil {
		a.count(s.name, "not let in")
		return
	}
	defer func() { _ = conn.Close() }()
	say := s.hello(n)
	if a.Stay > 0 {
		end := time.After(a.Stay)
		_ = conn.SetDeadline(time.Now().Add(a.Stay))
		_, _ = conn.Write([]byte(say))
		<-end
		return
	}
	for range int(time.Minute / patience) {
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = conn.Write([]byte(say)) // an error shows in the reading
		switch n, err := conn.Read(make([]byte, 1)); {
		case n > 0:
			a.count(s.name, "answered")
			return
		case !errors.Is(err, os.ErrDeadlineExceeded):
			a.count(s.name, "cut off")
			return
		}
		say = s.drip
	}
	a.count(s.name, "held to the end")
}

// call sends a request and waits for the answer.
func (a *attack) call(kind string, request []byte) {
	conn, _, err := a.dial(a.Webhook)
	if err != nil {
		a.count(kind, "not let in")
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = conn.Write(request) // an error shows in the reading
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		a.count(kind, "no answer")
		return
	}
	_ = resp.Body.Close()
	a.count(kind, fmt.Sprint(resp.StatusCode))
}

// sum counts all outcomes.
func (t tally) sum() (n int) {
	for _, outcomes := range t {
		for _, count := range outcomes {
			n += count
		}
	}
	return n
}

// await waits for c, or for the end of ctx.
func await[T any](ctx context.Context, c <-chan T) {
	select {
	case <-c:
	case <-ctx.Done():
	}
}
