package crash

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// sink is a bot that fails now and then, and checks each arrival: a conversation's events come in order, and an
// answered event comes again only if the connector was killed since.
type sink struct {
	traffic.Bot
	t   *testing.T
	url string
	// life is the connector's present one. Deliveries of an earlier one may arrive late; they get no answer, since no
	// process waits for it.
	life atomic.Int64
	// kind reports whether it no longer fails.
	kind atomic.Bool
	// gate, while it is locked, holds back every answer.
	gate sync.RWMutex

	// Only the bot's mood uses the fields below, until the load has ended.
	random        *rand.Rand
	conversations map[int]*latest
	// messages finds messages by their CloudEvents id.
	messages map[string]traffic.Message
	repeats  int
}

// lifeHeader is the header with the connector's life that sent an event.
const lifeHeader = "X-Life"

// latest is the number of a conversation's latest message, and the connector's life in which it was answered; 0 if it
// was not.
type latest struct {
	n        int
	answered int64
}

func newSink(t *testing.T, seed uint64) *sink {
	s := &sink{
		t: t, random: rand.New(rand.NewPCG(seed, 1)),
		conversations: make(map[int]*latest), messages: make(map[string]traffic.Message),
	}
	s.life.Store(1)
	s.Behave(s.arrive)
	server := httptest.NewServer(http.HandlerFunc(s.open))
	s.url = server.URL
	t.Cleanup(server.Close)
	return s
}

// open hands a call to the bot once the gate is open.
func (s *sink) open(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // only afterwards does the server notice that the caller gave up
	if err != nil {
		return // the connector was killed while it sent
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.gate.RLock()
	defer s.gate.RUnlock()
	if r.Context().Err() == nil { // otherwise the connector has given up
		s.ServeHTTP(w, r)
	}
}

// noAnswer breaks the connection off.
var noAnswer = traffic.Answer{Reply: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}

// arrive checks an arrival and chooses the answer.
func (s *sink) arrive(m traffic.Message, header http.Header) traffic.Answer {
	life, err := strconv.ParseInt(header.Get(lifeHeader), 10, 64)
	if err != nil {
		s.t.Errorf("the sink got %v without its life: %v", m, err)
	}
	if life != s.life.Load() {
		return noAnswer
	}
	s.messages[header.Get("Ce-Id")] = m
	c := s.conversations[m.Conversation]
	if c == nil {
		c = &latest{-1, -1}
		s.conversations[m.Conversation] = c
	}
	switch {
	case m.N == c.n+1 && c.answered != 0:
	case m.N != c.n:
		s.t.Errorf("%v arrived after number %d, which was answered in life %d", m, c.n, c.answered)
	case c.answered == life:
		s.t.Errorf("%v arrived again in the life in which it was answered", m)
	case c.answered != 0:
		s.repeats++
	}
	answer := s.answer()
	*c = latest{n: m.N}
	if answer.Status == http.StatusOK || answer.Status == http.StatusUnprocessableEntity {
		c.answered = life
	}
	return answer
}

func (s *sink) answer() traffic.Answer {
	if s.kind.Load() {
		return traffic.Answer{Status: http.StatusOK}
	}
	switch roll := s.random.IntN(100); {
	case roll < 4:
		return traffic.Answer{Status: http.StatusServiceUnavailable}
	case roll < 5:
		return noAnswer
	case roll < 6:
		return traffic.Answer{Status: http.StatusUnprocessableEntity}
	default:
		return traffic.Answer{Status: http.StatusOK}
	}
}

// refused returns the messages that it has refused.
func (s *sink) refused() map[traffic.Message]bool {
	refused := make(map[traffic.Message]bool)
	for _, a := range s.Arrivals() {
		refused[a.Message] = refused[a.Message] || a.Refused
	}
	return refused
}
