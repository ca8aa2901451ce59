package traffic

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// answerTimeout is how long Zalo waits for an answer.
const answerTimeout = 2 * time.Second

// Platform calls a webhook as its platform does. In each conversation it posts one message after the other, each until the
// answer is 200.
type Platform struct {
	// URL is the webhook's, without a key.
	URL string
	// Dialect is the platform's. Default: ZaloOA.
	Dialect Dialect
	// Conversations is the number of those that talk at the same time. First is the number of the first one.
	Conversations, First int
	// Pause is between a conversation's calls.
	Pause time.Duration
	// Retries are the waits before the second and later calls of a message; the last one repeats. Default: Pause.
	Retries []time.Duration
	// Fresh makes every n-th call on a connection of its own. Default: 0, none.
	Fresh int
	// Again chooses an acknowledged message to send once more after m, until it is acknowledged again: the n-th of the
	// same conversation. Default: none.
	Again func(m Message) (n int, again bool)
	// TLS is the client's side of an https URL. Default: the system's.
	TLS *tls.Config
	// Dial connects to the URL's host. Default: as DNS says.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Text is the text of every message.
	Text string
	// Patience bounds a call. Default: Zalo's 2 s.
	Patience time.Duration

	began       time.Time
	kept, fresh http.Client
	end         chan struct{} // no message is begun once it is closed
	giveUp      context.CancelFunc
	talking     sync.WaitGroup

	mu           sync.Mutex
	keys         Keys
	acknowledged []int
	calls        []Call
	made         int
}

// EveryNth returns a function for Again: it repeats every n-th message.
func EveryNth(n int) func(Message) (int, bool) {
	return func(m Message) (int, bool) { return m.N, m.N%n == 0 }
}

// Keys are those of a call. Secret is what it is signed with.
type Keys struct{ APIKey, Secret string }

// Call is a call that has ended.
type Call struct {
	Message
	At, Until time.Time
	// Keys are those of the call.
	Keys Keys
	// Try is 1 for a message's first call. Again reports whether the message was acknowledged before.
	Try   int
	Again bool
	// Status is the answer's. It is 0 if there was none, and Err says why.
	Status int
	Err    error
}

// Failed reports whether the call was not answered 200.
func (c Call) Failed() bool { return c.Status != http.StatusOK }

// String describes a call without its keys.
func (c Call) String() string {
	return fmt.Sprintf("%s %v after %v: %d %v", c.At.Format("15:04:05.000"), c.Message, c.Until.Sub(c.At), c.Status, c.Err)
}

// Start lets all conversations begin.
func (p *Platform) Start(ctx context.Context, keys Keys) {
	if p.Dialect.Write == nil {
		p.Dialect = ZaloOA
	}
	ctx, p.giveUp = context.WithCancel(ctx)
	p.began, p.end = time.Now(), make(chan struct{})
	patience := cmp.Or(p.Patience, answerTimeout)
	dial := p.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: patience}).DialContext
	}
	p.kept = http.Client{Timeout: patience, Transport: &http.Transport{
		MaxIdleConnsPerHost: p.Conversations, DialContext: dial, TLSClientConfig: p.TLS,
	}}
	p.fresh = http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial, TLSClientConfig: p.TLS}}
	p.keys, p.acknowledged = keys, make([]int, p.Conversations)
	for conversation := range p.Conversations {
		p.talking.Go(func() { p.talk(ctx, conversation) })
	}
}

// Use changes the keys of later calls.
func (p *Platform) Use(keys Keys) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// Stop ends the conversations, and gives up messages that are not acknowledged.
func (p *Platform) Stop() {
	p.giveUp()
	p.talking.Wait()
	p.kept.CloseIdleConnections()
}

// Finish ends the conversations once every message that was begun is acknowledged.
func (p *Platform) Finish() {
	close(p.end)
	p.talking.Wait()
	p.Stop()
}

// Acknowledged returns the number of messages of each conversation that were answered 200.
func (p *Platform) Acknowledged() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.acknowledged...)
}

// Calls returns the calls that ended since it was last asked, and forgets them.
func (p *Platform) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = nil
	return calls
}

func (p *Platform) talk(ctx context.Context, conversation int) {
	pause := time.NewTicker(p.Pause)
	defer pause.Stop()
	for n := 0; ; n++ {
		m := Message{p.First + conversation, n}
		if !p.insist(ctx, m, false) {
			return
		}
		p.acknowledge(conversation)
		if p.Again != nil {
			if earlier, again := p.Again(m); again && !p.insist(ctx, Message{m.Conversation, earlier}, true) {
				return
			}
		}
		if !p.goesOn(ctx, pause.C) {
			return
		}
	}
}

// goesOn waits, and reports whether another message is to be begun.
func (p *Platform) goesOn(ctx context.Context, pause <-chan time.Time) bool {
	select {
	case <-pause:
	case <-p.end:
	case <-ctx.Done():
	}
	select {
	case <-p.end:
		return false
	default:
		return ctx.Err() == nil
	}
}

// insist posts a message until it is acknowledged, or ctx ends.
func (p *Platform) insist(ctx context.Context, m Message, again bool) (acknowledged bool) {
	e := p.event(m)
	for try := 1; !p.call(context.WithoutCancel(ctx), e, try, again); try++ {
		wait := p.Pause
		if len(p.Retries) > 0 {
			wait = p.Retries[min(try, len(p.Retries))-1]
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Repeat posts a message once more, byte for byte, and returns the answer's status. Calls does not return it.
func (p *Platform) Repeat(ctx context.Context, m Message) (int, error) {
	p.mu.Lock()
	keys := p.keys
	p.mu.Unlock()
	return p.event(m).post(ctx, &p.kept, p.URL, keys)
}

func (p *Platform) acknowledge(conversation int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acknowledged[conversation]++
}

// call posts an event once.
func (p *Platform) call(ctx context.Context, e event, try int, again bool) (taken bool) {
	p.mu.Lock()
	call := Call{Message: e.message, At: time.Now(), Keys: p.keys, Try: try, Again: again}
	p.made++
	client := &p.kept
	if p.Fresh > 0 && p.made%p.Fresh == 0 {
		client = &p.fresh
	}
	p.mu.Unlock()
	call.Status, call.Err = e.post(ctx, client, p.URL, call.Keys)
	call.Until = time.Now()

	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
	return !call.Failed()
}

// event is a message as the platform sends it, byte for byte the same each time.
type event struct {
	message Message
	dialect Dialect
	body    []byte
}

// event makes a message whose time follows from its number, so that a repetition has the same bytes.
func (p *Platform) event(m Message) event {
	return p.Dialect.event(m, p.began.Add(time.Duration(m.N)*time.Millisecond), p.Text)
}

func (d Dialect) event(m Message, at time.Time, text string) event {
	return event{m, d, d.Write(m, at, text)}
}

// NewRequest makes a signed call of a message that was sent at a time.
func (d Dialect) NewRequest(ctx context.Context, url string, keys Keys, m Message, at time.Time, text string) (*http.Request, error) {
	return d.event(m, at, text).request(ctx, url, keys)
}

func (e event) request(ctx context.Context, url string, keys Keys) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(e.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Xp-Api-Key", keys.APIKey)
	e.dialect.Sign(req.Header, e.body, keys.Secret)
	return req, nil
}

// Post signs and posts a message of now, and returns the answer's status.
func (d Dialect) Post(ctx context.Context, client *http.Client, url string, keys Keys, m Message, text string) (int, error) {
	return d.event(m, time.Now(), text).post(ctx, client, url, keys)
}

func (e event) post(ctx context.Context, client *http.Client, url string, keys Keys) (int, error) {
	req, err := e.request(ctx, url, keys)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
