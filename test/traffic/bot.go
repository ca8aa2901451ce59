package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Bot takes events, and remembers the order in which they came.
type Bot struct {
	server http.Server
	url    string

	mu       sync.Mutex
	status   int
	arrivals []Arrival
}

// Arrival is a message that came.
type Arrival struct {
	Message
	At time.Time
	// Taken says that it was answered 2xx.
	Taken bool
}

// NewBot listens on an address until Close.
func NewBot(ctx context.Context, host string) (*Bot, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("the bot's place: %w", err)
	}
	b := &Bot{status: http.StatusOK, url: "http://" + listener.Addr().String() + "/events"}
	b.server.Handler, b.server.ReadHeaderTimeout = b, answerTimeout
	go func() {
		if err := b.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // nothing that follows would be true
		}
	}()
	return b, nil
}

// URL is where the bot takes events.
func (b *Bot) URL() string { return b.url }

// Close ends the bot at once.
func (b *Bot) Close() error { return b.server.Close() }

// Answer makes the bot answer a status from now on.
func (b *Bot) Answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// ServeHTTP takes an event.
func (b *Bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the connector was killed while it sent
	}
	m, err := parseMessage(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrivals = append(b.arrivals, Arrival{m, at, b.status/100 == 2})
	w.WriteHeader(b.status)
}

// Arrivals returns everything that came, in its order.
func (b *Bot) Arrivals() []Arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals)
}

// Verdict is what came of acknowledged messages.
type Verdict struct {
	// Acknowledged is how many there are.
	Acknowledged int
	// Lost were acknowledged and never taken.
	Lost []Message
	// Inverted came before an earlier one of their conversation was taken.
	Inverted []Message
	// Repeated came again after they were taken, once for each time.
	Repeated []Message
}

// String counts.
func (v Verdict) String() string {
	return fmt.Sprintf("%d acknowledged, %d lost, %d inverted, %d repeated", v.Acknowledged, len(v.Lost), len(v.Inverted), len(v.Repeated))
}

// Judge compares arrivals with the number of messages of each conversation that
// were acknowledged.
func Judge(acknowledged []int, arrivals []Arrival) Verdict {
	v := Verdict{Inverted: inverted(arrivals)}
	taken := make(map[Message]bool)
	for _, a := range arrivals {
		if taken[a.Message] {
			v.Repeated = append(v.Repeated, a.Message)
		}
		taken[a.Message] = taken[a.Message] || a.Taken
	}
	for conversation, count := range acknowledged {
		v.Acknowledged += count
		for n := range count {
			if m := (Message{conversation, n}); !taken[m] {
				v.Lost = append(v.Lost, m)
			}
		}
	}
	return v
}

func inverted(arrivals []Arrival) (early []Message) {
	awaited := make(map[int][]int) // what is not taken yet of each conversation, in its order
	for _, a := range arrivals {
		awaited[a.Conversation] = append(awaited[a.Conversation], a.N)
	}
	for _, numbers := range awaited {
		slices.Sort(numbers)
	}
	came, taken := make(map[Message]bool), make(map[Message]bool)
	for _, a := range arrivals {
		numbers := awaited[a.Conversation]
		if len(numbers) > 0 && numbers[0] < a.N && !came[a.Message] {
			early = append(early, a.Message)
		}
		came[a.Message] = true
		taken[a.Message] = taken[a.Message] || a.Taken
		for len(numbers) > 0 && taken[Message{a.Conversation, numbers[0]}] {
			numbers = numbers[1:]
		}
		awaited[a.Conversation] = numbers
	}
	return early
}

// Outage is the longest time in which no call was answered 200, of those that ended
// between two that were; 0 when none failed.
func Outage(calls []Call) time.Duration {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b Call) int { return a.Until.Compare(b.Until) })
	var longest time.Duration
	var lastGood time.Time
	failed := false
	for _, call := range calls {
		if call.Failed() {
			failed = true
			continue
		}
		if failed && !lastGood.IsZero() {
			longest = max(longest, call.Until.Sub(lastGood))
		}
		lastGood, failed = call.Until, false
	}
	return longest
}
