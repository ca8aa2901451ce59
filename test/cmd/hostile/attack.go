package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// orders tell the attackers' process where and with what to attack.
type orders struct {
	// Webhook and Metrics are the connector's addresses.
	Webhook, Metrics string
	// Strangers is how many connections are held.
	Strangers int
	// Rate is how many connections are opened a second.
	Rate int
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
	pace  chan struct{}
	dials atomic.Int64
	mu    sync.Mutex
	seen  tally
}

// attackers are a process of this program, on the machine's first processor.
type attackers struct {
	*process.Process
	orders io.WriteCloser
	out    bytes.Buffer
}

// startAttackers starts the process of a command, and gives it its orders as JSON. It ends
// when its input does, which it also does when this process dies.
func startAttackers(command string, orders any) (*attackers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	a := &attackers{}
	cmd := exec.Command("taskset", "-c", "0", self, command)
	cmd.Stdout, cmd.Stderr = &a.out, os.Stderr
	if a.orders, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if a.Process, err = process.Start(cmd); err != nil {
		return nil, err
	}
	return a, json.NewEncoder(a.orders).Encode(orders)
}

// underOrders is the attackers' process: it starts an attack, which is under way until the
// input ends.
func underOrders[Orders any](in io.Reader, start func(Orders)) error {
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var orders Orders
	if err := json.Unmarshal(line, &orders); err != nil {
		return err
	}
	start(orders)
	_, _ = io.Copy(io.Discard, input) // to its end, whichever way it ends
	return nil
}

// runAttack is the campaign's attackers, which write a tally in the end.
func runAttack(in io.Reader, out io.Writer) error {
	a := &attack{pace: make(chan struct{}), seen: make(tally)}
	err := underOrders(in, func(o orders) {
		a.orders = o
		a.start()
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(err, json.NewEncoder(out).Encode(a.seen))
}

func (a *attack) start() {
	go a.keepPace()
	for i := range a.Strangers {
		go forever(0, func() { a.hold(strangers[i%len(strangers)]) })
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

// keepPace lets Rate connections be opened a second.
func (a *attack) keepPace() {
	const ticks = 50
	forever(time.Second/ticks, func() {
		for range max(a.Rate/ticks, 1) {
			a.pace <- struct{}{}
		}
	})
}

// dial opens a connection at the attack's pace.
func (a *attack) dial(address string) (net.Conn, error) {
	<-a.pace
	return dialFrom(a.dials.Add(1), address)
}

// dialFrom opens the n-th connection. The local addresses change, since one has too few
// ports for an hour of this; and none is the connector's, on whose port a connection of a
// stranger would keep it from starting again.
func dialFrom(n int64, address string) (net.Conn, error) {
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%200))}
	return (&net.Dialer{Timeout: patience, LocalAddr: local}).Dial("tcp", address)
}

// patience bounds each wait of an attacker.
const patience = 5 * time.Second

func (a *attack) count(kind, outcome string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[kind] == nil {
		a.seen[kind] = make(map[string]int)
	}
	a.seen[kind][outcome]++
}

// hold sends what a stranger sends, and stays for a minute, or until it is cut off.
func (a *attack) hold(s stranger) {
	address := a.Webhook
	if s.metrics {
		address = a.Metrics
	}
	conn, err := a.dial(address)
	if err != nil {
		a.count(s.name, "not let in")
		return
	}
	defer func() { _ = conn.Close() }()
	say := s.hello
	for range int(time.Minute / patience) {
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = conn.Write(say) // an error shows in the reading
		n, err := conn.Read(make([]byte, 1))
		if n > 0 {
			a.count(s.name, "answered")
			return
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			a.count(s.name, "cut off")
			return
		}
		say = []byte(s.drip)
	}
	a.count(s.name, "held to the end")
}

// call sends a request and waits for the answer.
func (a *attack) call(kind string, request []byte) {
	conn, err := a.dial(a.Webhook)
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

// answered is how often a kind of attack was answered 200.
func (t tally) answered(kind string) int { return t[kind]["200"] }

// sum is how often anything happened.
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
