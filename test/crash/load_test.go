package crash

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
)

const conversations = 200

// load posts to the connector as Zalo does, in each conversation one message
// after the other, until the answer is 200.
type load struct {
	t      *testing.T
	url    string
	client http.Client
	// first is the number of the first conversation, and text makes the messages
	// longer.
	first int
	text  string

	// acknowledged is the number of messages of each conversation that got a
	// 200.
	acknowledged [conversations]atomic.Int64
	// again counts repetitions of acknowledged messages that got a 200.
	again atomic.Int64
	posts sync.WaitGroup
	stop  chan struct{}
}

func newLoad(t *testing.T, url string) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: conversations}
	t.Cleanup(transport.CloseIdleConnections)
	return &load{t: t, url: url, client: http.Client{Transport: transport}, stop: make(chan struct{})}
}

// start lets all conversations talk until end is called.
func (l *load) start(seed uint64) {
	for c := range conversations {
		random := rand.New(rand.NewPCG(seed, uint64(c)))
		l.posts.Go(func() { l.talk(c, random) })
	}
}

// end waits until every message that was begun is acknowledged.
func (l *load) end() {
	close(l.stop)
	l.posts.Wait()
}

func (l *load) talk(conversation int, random *rand.Rand) {
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for n := 0; ; n++ {
		l.insist(message{l.first + conversation, n}, pause)
		l.acknowledged[conversation].Add(1)
		if random.IntN(8) == 0 {
			l.insist(message{l.first + conversation, random.IntN(n + 1)}, pause)
			l.again.Add(1)
		}
		select {
		case <-l.stop:
			return
		case <-pause.C:
		}
	}
}

// insist posts a message until it is acknowledged.
func (l *load) insist(m message, pause *time.Ticker) {
	for l.post(m) != http.StatusOK && l.t.Context().Err() == nil {
		<-pause.C
	}
}

// post returns the answer's status, zero if there was none.
func (l *load) post(m message) (status int) {
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Second)
	defer cancel()
	req, err := newRequest(ctx, l.url, m, l.text)
	if err != nil {
		l.t.Error(err)
		return 0
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return 0 // killed, or not yet started
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		l.t.Errorf("%v was answered %d", m, resp.StatusCode)
	}
	return resp.StatusCode
}

// began is when the messages say that they were made, give or take.
var began = time.Now().UnixMilli()

// newRequest makes a signed call; it is the same, to the byte, for the same
// message and text.
func newRequest(ctx context.Context, url string, m message, text string) (*http.Request, error) {
	timestamp := fmt.Sprint(began + int64(m.n))
	body := fmt.Appendf(nil, `{"event_name":"user_send_text","app_id":"%s","sender":{"id":"%d"},`+
		`"recipient":{"id":"3662729599332560487"},"message":{"text":"Chào A4B%s","msg_id":"%v"},"timestamp":"%s"}`,
		appID, 6142494823000000000+m.conversation, text, m, timestamp)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Xp-Api-Key", apiKey)
	req.Header.Set(zalo.SignatureHeader, zalo.Sign(appID, body, timestamp, secret))
	return req, nil
}
