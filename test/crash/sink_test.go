package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// sink takes events, fails now and then, and checks each arrival: a
// conversation's events come in order, and one that was answered comes again
// only if the connector was killed since.
type sink struct {
	*httptest.Server
	t *testing.T
	// life is the connector's present one. What an earlier one had sent may
	// arrive late: nobody waits for an answer to that, and it gets none.
	life atomic.Int64
	// kind says that it no longer fails.
	kind atomic.Bool
	// gate, while it is locked, holds back every answer.
	gate sync.RWMutex

	mu            sync.Mutex
	random        *rand.Rand
	conversations map[int]*arrivals
	// messages finds messages by their CloudEvents id.
	messages map[string]message
	taken    map[message]bool
	refused  map[message]bool
	repeats  int
}

// lifeHeader tells the sink which life of the connector sent an event.
const lifeHeader = "X-Life"

// arrivals is what is known of a conversation: its latest message, and in which
// life of the connector that was answered, zero if it was not.
type arrivals struct {
	latest   message
	answered int64
}

func newSink(t *testing.T, seed uint64) *sink {
	s := &sink{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), conversations: make(map[int]*arrivals),
		messages: make(map[string]message), taken: make(map[message]bool), refused: make(map[message]bool),
	}
	s.life.Store(1)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the connector was killed while it sent
	}
	s.gate.RLock()
	defer s.gate.RUnlock()
	if r.Context().Err() != nil {
		return // the connector gave up meanwhile: it gets no answer
	}
	m, err := readMessage(body)
	if err != nil {
		s.t.Errorf("the sink got %q: %v", body, err)
		return
	}
	life, err := strconv.ParseInt(r.Header.Get(lifeHeader), 10, 64)
	if err != nil {
		s.t.Errorf("the sink got %v without its life: %v", m, err)
		return
	}
	switch answer := s.arrive(m, r.Header.Get("Ce-Id"), life); answer {
	case 0:
		panic(http.ErrAbortHandler) // break the connection off
	default:
		w.WriteHeader(answer)
	}
}

// arrive checks an arrival and chooses the answer, zero for none.
func (s *sink) arrive(m message, id string, life int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if life != s.life.Load() {
		return 0
	}
	s.messages[id] = m
	c := s.conversations[m.conversation]
	if c == nil {
		c = &arrivals{latest: message{m.conversation, -1}, answered: -1}
		s.conversations[m.conversation] = c
	}
	switch {
	case m.n == c.latest.n+1 && c.answered != 0:
	case m.n != c.latest.n:
		s.t.Errorf("%v arrived after %v, which was answered in life %d", m, c.latest, c.answered)
	case c.answered == life:
		s.t.Errorf("%v arrived again in the life in which it was answered", m)
	case c.answered != 0:
		s.repeats++
	}
	c.latest, c.answered = m, 0
	answer := s.answer()
	switch answer {
	case http.StatusOK:
		s.taken[m], c.answered = true, life
	case http.StatusUnprocessableEntity:
		s.refused[m], c.answered = true, life
	}
	return answer
}

func (s *sink) answer() int {
	if s.kind.Load() {
		return http.StatusOK
	}
	switch roll := s.random.IntN(100); {
	case roll < 4:
		return http.StatusServiceUnavailable
	case roll < 5:
		return 0
	case roll < 6:
		return http.StatusUnprocessableEntity
	default:
		return http.StatusOK
	}
}

// message names an event of the load: the n-th of its conversation.
type message struct{ conversation, n int }

func (m message) String() string { return fmt.Sprintf("c%d-n%d", m.conversation, m.n) }

func readMessage(body []byte) (m message, err error) {
	var e struct {
		Message struct {
			MsgID string `json:"msg_id"`
		} `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return m, err
	}
	_, err = fmt.Sscanf(e.Message.MsgID, "c%d-n%d", &m.conversation, &m.n)
	return m, err
}
