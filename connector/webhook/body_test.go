package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"

	"github.com/prometheus/client_golang/prometheus"
)

// watched is a body that sees the buffer it is read into.
type watched struct {
	io.Reader
	t      *testing.T
	ticket *ticket
	read   int64
}

func (w *watched) Read(p []byte) (int, error) {
	// A single byte beyond a full buffer only tells whether there is more.
	if buffer := w.read + int64(len(p)); buffer > w.ticket.taken[memory] && (w.read != w.ticket.taken[memory] || len(p) != 1) {
		w.t.Errorf("a buffer of %d bytes with room for %d", buffer, w.ticket.taken[memory])
	}
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	return n, err
}

func (*watched) Close() error { return nil }

// A body takes room as it arrives, whatever length it declares, and never more memory.
func TestBodyGrowsWithinItsRoom(t *testing.T) {
	const bound = 5 * firstRead
	for _, tc := range []struct {
		size, limit, free int64
		want              error
		held, declared    int64 // what is held at the end of a body of unknown length, and of known length
	}{
		{0, bound, bound, nil, firstRead, 0},
		{10, bound, bound, nil, firstRead, 10},
		{firstRead, bound, bound, nil, firstRead, firstRead},
		{firstRead + 1, bound, bound, nil, 2 * firstRead, firstRead + 1},
		{2*firstRead + 1, bound, bound, nil, 4 * firstRead, 2*firstRead + 1},
		{bound, bound, bound, nil, bound, bound},
		{bound + 1, bound, bound, errTooLarge, bound, 0},
		{firstRead, bound, firstRead, nil, firstRead, firstRead},
		{2*firstRead + 1, bound, 2*firstRead - 1, errNoRoom, firstRead, firstRead},
		{3*firstRead + 1, bound, 3 * firstRead, errNoRoom, 2 * firstRead, 2 * firstRead},
		{10, 10, 10, nil, 10, 10},
		{11, 10, 10, errTooLarge, 10, 0},
		{10, 10, 9, errNoRoom, 0, 0},
	} {
		for name, slowly := range map[string]func(io.Reader) io.Reader{"at once": iotest.DataErrReader, "slowly": iotest.OneByteReader} {
			for _, known := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d of %d with %d free, %s, length known %v", tc.size, tc.limit, tc.free, name, known), func(t *testing.T) {
					a := newAdmission(1, tc.free, prometheus.NewGauge(prometheus.GaugeOpts{}), prometheus.NewGauge(prometheus.GaugeOpts{}))
					ticket := a.entered(&share{alone: true}, func() {})
					ticket.arrive() // or the body itself would give way
					sent := bytes.Repeat([]byte("0123456789"), int(tc.size/10)+1)[:tc.size]
					call := httptest.NewRequest(http.MethodPost, "/", nil)
					held := tc.held
					if call.ContentLength = -1; known {
						call.ContentLength, held = tc.size, tc.declared
					}
					call.Body = &watched{Reader: slowly(bytes.NewReader(sent)), t: t, ticket: ticket}
					body, err := bodyReader{call.Body, call.ContentLength, tc.limit, ticket}.read()
					if !errors.Is(err, tc.want) || ticket.taken[memory] != held || err == nil && !bytes.Equal(body, sent) {
						t.Errorf("%d bytes, %v, room for %d, want %d", len(body), err, ticket.taken[memory], held)
					}
					if ticket.leave(); a.taken != ([resources]int64{}) || len(a.shares) > 0 {
						t.Errorf("not all room was given back: %v", a.taken)
					}
				})
			}
		}
	}
}

// Many small bodies of unknown length fit where few of the largest would.
func TestSmallChunkedBodiesShareTheRoom(t *testing.T) {
	const calls = 10
	f := newFixture(t, func(o *Options) { o.MaxBufferedBytes = 1 << 20 }, newChannel())
	f.inbox.block = make(chan struct{})
	target := f.serve(t)
	client := newClient(t)
	results := make(chan int, calls)
	chunked := func(body []byte, signature string) int {
		response, _ := post(t, client, target, struct{ io.Reader }{bytes.NewReader(body)}, signature)
		return response.StatusCode
	}
	for i := range calls {
		go func() {
			body, signature := message(fmt.Sprint(i))
			results <- chunked(body, signature)
		}()
		<-f.inbox.entered
	}
	if status := chunked(make([]byte, 1<<20), wellFormed); status != http.StatusServiceUnavailable || f.refused("chat/shop", "busy") != 1 {
		t.Errorf("a body that outgrows the room: %d", status)
	}
	close(f.inbox.block)
	for range calls {
		if status := <-results; status != http.StatusOK {
			t.Errorf("within the room: %d", status)
		}
	}
}
