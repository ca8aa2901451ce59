package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
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
	// life counts the connector's lives.
	life atomic.Int64
	// kind says that it no longer fails.
	kind atomic.Bool
	// gate, while it is locked, holds back every answer.
	gate sync.RWMutex

	mu            sync.Mutex
	random        *rand.Rand
	connections   int
	closed        *sync.Cond
	conversations map[int]*arrivals
	// messages finds messages by their CloudEvents id.
	messages map[string]message
	taken    map[message]bool
	refused  map[message]bool
	repeats  int
}

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
	s.closed = sync.NewCond(&s.mu)
	s.life.Store(1)
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ConnState = s.count
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// count keeps the number of open connections.
func (s *sink) count(_ net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.connections++
	case http.StateClosed, http.StateHijacked:
		s.connections--
		s.closed.Signal()
	case http.StateActive, http.StateIdle:
	}
}

// idle waits until nothing of a killed connector is under way any more.
func (s *sink) idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.connections > 0 {
		s.closed.Wait()
	}
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
	switch answer := s.arrive(m, r.Header.Get("Ce-Id")); answer {
	case 0:
		panic(http.ErrAbortHandler) // break the connection off
	default:
		w.WriteHeader(answer)
	}
}

// arrive checks an arrival and chooses the answer, zero for none.
func (s *sink) arrive(m message, id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages[id] = m
	c := s.conversations[m.conversation]
	if c == nil {
		c = &arrivals{latest: message{m.conversation, -1}, answered: -1}
		s.conversations[m.conversation] = c
	}
	switch life := s.life.Load(); {
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
		s.taken[m], c.answered = true, s.life.Load()
	case http.StatusUnprocessableEntity:
		s.refused[m], c.answered = true, s.life.Load()
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
