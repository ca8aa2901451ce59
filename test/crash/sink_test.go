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

// sink is a bot that fails now and then, and checks each arrival: a
// conversation's events come in order, and one that was answered comes again
// only if the connector was killed since.
type sink struct {
	traffic.Bot
	t   *testing.T
	url string
	// life is the connector's present one. What an earlier one had sent may
	// arrive late: nobody waits for an answer to that, and it gets none.
	life atomic.Int64
	// kind says that it no longer fails.
	kind atomic.Bool
	// gate, while it is locked, holds back every answer.
	gate sync.RWMutex

	// The bot's mood alone uses what follows, until the load has ended.
	random        *rand.Rand
	conversations map[int]*latest
	// messages finds messages by their CloudEvents id.
	messages map[string]traffic.Message
	repeats  int
}

// lifeHeader tells the sink which life of the connector sent an event.
const lifeHeader = "X-Life"

// latest is the number of a conversation's latest message, and in which life of the
// connector that was answered, zero if it was not.
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
	body, err := io.ReadAll(r.Body) // the server sees that the caller gave up only after that
	if err != nil {
		return // the connector was killed while it sent
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.gate.RLock()
	defer s.gate.RUnlock()
	if r.Context().Err() == nil { // otherwise the connector gave up meanwhile
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

// refused are the messages that it has refused.
func (s *sink) refused() map[traffic.Message]bool {
	refused := make(map[traffic.Message]bool)
	for _, a := range s.Arrivals() {
		refused[a.Message] = refused[a.Message] || a.Refused
	}
	return refused
}
