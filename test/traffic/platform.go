package traffic

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/example"
)

// answerTimeout is how long Zalo waits for an answer.
const answerTimeout = 2 * time.Second

// Platform calls a webhook as Zalo does. In each conversation it posts one message
// after the other, and each until the answer is 200.
type Platform struct {
	// URL is the webhook's, without a key.
	URL string
	// Conversations is how many talk at the same time.
	Conversations int
	// Pause is between a conversation's calls.
	Pause time.Duration
	// TextSize is that of a message's text, in bytes.
	TextSize int

	client  http.Client
	cancel  context.CancelFunc
	talking sync.WaitGroup

	mu           sync.Mutex
	keys         Keys
	acknowledged []int
	calls        []Call
}

// Keys are what a call is made with.
type Keys struct{ APIKey, OASecretKey string }

// Call is one that ended.
type Call struct {
	Message
	At, Until time.Time
	// Keys are those of the call.
	Keys Keys
	// Status is the answer's; 0 when there was none, then Err says why.
	Status int
	Err    error
}

// Failed says that the call was not answered 200.
func (c Call) Failed() bool { return c.Status != http.StatusOK }

// String describes a call without its keys.
func (c Call) String() string {
	return fmt.Sprintf("%s %v after %v: %d %v", c.At.Format("15:04:05.000"), c.Message, c.Until.Sub(c.At), c.Status, c.Err)
}

// Start lets all conversations begin.
func (p *Platform) Start(ctx context.Context, keys Keys) {
	ctx, p.cancel = context.WithCancel(ctx)
	p.client = http.Client{Timeout: answerTimeout, Transport: &http.Transport{
		MaxIdleConnsPerHost: p.Conversations, DialContext: (&net.Dialer{Timeout: answerTimeout}).DialContext,
	}}
	p.keys, p.acknowledged = keys, make([]int, p.Conversations)
	for conversation := range p.Conversations {
		p.talking.Go(func() { p.talk(ctx, conversation) })
	}
}

// Use makes the calls that follow with other keys.
func (p *Platform) Use(keys Keys) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// Stop ends the conversations when what was begun is acknowledged, or given up.
func (p *Platform) Stop() {
	p.cancel()
	p.talking.Wait()
	p.client.CloseIdleConnections()
}

// Acknowledged returns how many messages of each conversation were answered 200.
func (p *Platform) Acknowledged() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.acknowledged...)
}

// Calls returns those that ended since the last time it was asked, and forgets them.
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
	for n := 0; ctx.Err() == nil; {
		if p.call(context.WithoutCancel(ctx), Message{conversation, n}) {
			n++
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// call posts a message once.
func (p *Platform) call(ctx context.Context, m Message) (taken bool) {
	p.mu.Lock()
	call := Call{Message: m, At: time.Now(), Keys: p.keys}
	p.mu.Unlock()
	call.Status, call.Err = Post(ctx, &p.client, p.URL, call.Keys, m, p.TextSize)
	call.Until = time.Now()

	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
	if !call.Failed() {
		p.acknowledged[m.Conversation]++
	}
	return !call.Failed()
}

// event is the body of a message of the example's app with a text of textSize bytes,
// and the time in it.
func event(m Message, textSize int) (body []byte, timestamp string) {
	timestamp = fmt.Sprint(1699003881354 + m.N)
	return fmt.Appendf(nil, `{"event_name":"user_send_text","app_id":"%s","sender":{"id":"%d"},`+
		`"recipient":{"id":"3662729599332560487"},"message":{"text":"%s","msg_id":"%v"},"timestamp":"%s"}`,
		example.AppID, 6142494823000000000+m.Conversation, strings.Repeat("a", textSize), m, timestamp), timestamp
}

// Post signs and posts a message with a text of textSize bytes, and returns the answer's status.
func Post(ctx context.Context, client *http.Client, url string, keys Keys, m Message, textSize int) (int, error) {
	body, timestamp := event(m, textSize)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Xp-Api-Key", keys.APIKey)
	req.Header.Set(zalo.SignatureHeader, zalo.Sign(example.AppID, body, timestamp, keys.OASecretKey))
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
