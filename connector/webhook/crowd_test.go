package webhook

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
)

// wellFormed is a signature that nobody made with a secret.
var wellFormed = "mac=" + strings.Repeat("ab", 32)

// crowd are callers that make calls in turn: each opens a connection, sends a call that declares a size, and so many
// bytes of its body, waits until it is answered or cut off, and begins again, until it has had its turns or the test
// ends.
type crowd struct {
	callers, turns, declared, sent int
	key, signature                 string
}

// forever are more turns than a test lasts.
const forever = 1 << 30

// gather returns when every caller has sent its first call.
func (c crowd) gather(t *testing.T, address string) {
	t.Helper()
	header := "POST " + path + "?" + keyParameter + "=" + c.key + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + fmt.Sprint(c.declared) + "\r\n"
	if c.signature != "" {
		header += zalo.SignatureHeader + ": " + c.signature + "\r\n"
	}
	call := append([]byte(header+"\r\n"), bytes.Repeat([]byte(" "), c.sent)...)
	stop := make(chan struct{})
	var begun, ended sync.WaitGroup
	begun.Add(c.callers)
	for range c.callers {
		ended.Go(func() {
			first := sync.OnceFunc(begun.Done)
			defer first()
			for range c.turns {
				connection, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				unblock := make(chan struct{})
				go func() {
					select {
					case <-stop:
					case <-unblock:
					}
					connection.Close()
				}()
				_, _ = connection.Write(call)
				first()
				_, _ = io.Copy(io.Discard, connection)
				close(unblock)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	t.Cleanup(ended.Wait)
	t.Cleanup(func() { close(stop) })
	begun.Wait()
}

// signedCalls posts signed calls, every other one on a connection of its own, and returns how many were answered 200.
func signedCalls(t *testing.T, target string, calls int) (taken int) {
	t.Helper()
	kept, fresh := newClient(t), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for n := range calls {
		body, signature := message(fmt.Sprint(n))
		client := kept
		if n%2 == 1 {
			client = fresh
		}
		response, _ := post(t, client, target, bytes.NewReader(body), signature)
		if response.StatusCode == http.StatusOK {
			taken++
		}
	}
	return taken
}

func hostOf(target string) string { return strings.Split(target, "/")[2] }

// A caller that has the API key and not the OA secret cannot crowd out the platform.
func TestCallersWithTheKeyDoNotCrowdOutThePlatform(t *testing.T) {
	const calls = 200
	byDefault := Options{MaxInFlight: 1024, MaxBufferedBytes: 64 << 20}
	for name, tc := range map[string]struct {
		bounds Options
		crowds []crowd
	}{
		"declared and never sent": {byDefault, []crowd{
			{callers: 66, turns: forever, declared: 1 << 20, key: key, signature: wellFormed},
			{callers: 48, turns: forever, declared: 1 << 19, key: key, signature: wellFormed},
		}},
		"declared and never sent, unsigned": {byDefault, []crowd{
			{callers: 66, turns: 40, declared: 1 << 20, key: key},
			{callers: 48, turns: 40, declared: 1 << 19, key: key},
		}},
		"sent but for a byte": {Options{MaxInFlight: 1024, MaxBufferedBytes: 8 << 20}, []crowd{
			{callers: 10, turns: 20, declared: 1 << 20, sent: 1<<20 - 1, key: key, signature: wellFormed},
		}},
		"more than there are places": {Options{MaxInFlight: 256, MaxBufferedBytes: 64 << 20}, []crowd{
			{callers: 300, turns: 3, declared: 200, sent: 199, key: key, signature: wellFormed},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *Options) {
				o.MaxInFlight, o.MaxBufferedBytes = tc.bounds.MaxInFlight, tc.bounds.MaxBufferedBytes
			}, newChannel())
			target := f.serve(t)
			for _, c := range tc.crowds {
				c.gather(t, hostOf(target))
			}
			taken := signedCalls(t, target, calls)
			if taken*100 < 99*calls {
				t.Errorf("%d of %d signed calls were answered 200, want 99 %%", taken, calls)
			}
			t.Logf("%d of %d signed calls were answered 200", taken, calls)
		})
	}
}

// A key that leaked costs its own channel at most: the others have their share, even if the one without verification
// takes all that it may, and holds it.
func TestALeakedKeyCostsNoOtherChannel(t *testing.T) {
	const calls, leaked = 100, "chat/leaked"
	off := zaloOA()
	off.Signature = zalo.Signature{Mode: channel.SignatureOff}
	f := newFixture(t, func(o *Options) { o.MaxInFlight, o.MaxBufferedBytes = 90, 900<<10 }, newChannel(),
		newChannel(func(c *Channel) { c.Name, c.Keys, c.Type = leaked, digests(otherKey), opened(leaked, off) }))
	f.inbox.hold = func(channel string) bool { return channel == leaked }
	f.inbox.block = make(chan struct{})
	defer close(f.inbox.block)
	target := f.serve(t)

	// Whole calls, whose events wait for the inbox.
	var whole sync.WaitGroup
	defer whole.Wait()
	for n := range 100 {
		whole.Go(func() {
			body, _ := message(fmt.Sprint("held ", n))
			call, err := http.NewRequest(http.MethodPost, strings.ReplaceAll(target, key, otherKey), bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			if response, err := newClient(t).Do(call); err == nil {
				response.Body.Close()
			}
		})
	}
	eventually(t, "the leaked key's channel has its share", func() bool { return f.refused(leaked, "busy") > 0 })
	crowd{callers: 30, turns: 20, declared: 100 << 10, sent: 100<<10 - 1, key: otherKey}.gather(t, hostOf(target))
	if taken := signedCalls(t, target, calls); taken < calls {
		t.Errorf("%d of %d calls of another channel were answered 200", taken, calls)
	}
}
