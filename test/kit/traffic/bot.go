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

// Bot takes events, and remembers their order. Its zero value answers 200 and listens nowhere.
type Bot struct {
	server http.Server
	url    string

	mu       sync.Mutex
	mood     Mood
	arrivals []Arrival
}

// Mood chooses the answer to a message with its header. It is called for one message after the other, in the order of
// their arrivals.
type Mood func(Message, http.Header) Answer

// Answer is a bot's answer to an event.
type Answer struct {
	// Status is the status that the connector is to understand; 0 for none.
	Status int
	// Reply writes it. Default: the status and no body.
	Reply http.HandlerFunc
}

// Arrival is a message that has arrived.
type Arrival struct {
	Message
	At time.Time
	// Taken reports whether it was answered 2xx.
	Taken bool
	// Refused reports whether it was answered 422: the connector makes it a dead letter.
	Refused bool
}

// NewBot listens on an address until Close.
func NewBot(ctx context.Context, host string) (*Bot, error) {
	b := &Bot{}
	b.server.Handler, b.server.ReadHeaderTimeout = b, answerTimeout
	var err error
	b.url, err = b.Door(ctx, host)
	return b, err
}

// Door makes the bot listen at one more address, and returns its URL.
func (b *Bot) Door(ctx context.Context, host string) (url string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("the bot's place: %w", err)
	}
	go func() {
		if err := b.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // every later result would be wrong
		}
	}()
	return "http://" + listener.Addr().String() + "/events", nil
}

// URL is the address at which the bot takes events.
func (b *Bot) URL() string { return b.url }

// Close ends the bot at once.
func (b *Bot) Close() error { return b.server.Close() }

// Answer makes the bot answer a status from now on.
func (b *Bot) Answer(status int) {
	b.Behave(func(Message, http.Header) Answer { return Answer{Status: status} })
}

// Behave makes the bot answer as the mood says from now on.
func (b *Bot) Behave(mood Mood) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mood = mood
}

// ServeHTTP takes an event.
func (b *Bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the connector was killed while it sent
	}
	m, err := ParseMessage(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// The arrival is noted before the answer, because the answer lets the next message come.
	answer := b.arrive(m, r.Header, at)
	if answer.Reply != nil {
		answer.Reply(w, r)
		return
	}
	w.WriteHeader(answer.Status)
}

func (b *Bot) arrive(m Message, header http.Header, at time.Time) Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	answer := Answer{Status: http.StatusOK}
	if b.mood != nil {
		answer = b.mood(m, header)
	}
	b.arrivals = append(b.arrivals, Arrival{
		Message: m, At: at, Taken: answer.Status/100 == 2, Refused: answer.Status == http.StatusUnprocessableEntity,
	})
	return answer
}

// Arrivals returns all arrivals, in order.
func (b *Bot) Arrivals() []Arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals)
}
