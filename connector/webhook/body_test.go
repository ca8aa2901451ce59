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

	"golang.org/x/sync/semaphore"
)

// watched is a body that sees the buffer it is read into.
type watched struct {
	io.Reader
	t    *testing.T
	room *room
	read int64
}

func (w *watched) Read(p []byte) (int, error) {
	// A single byte beyond a full buffer only tells whether there is more.
	if buffer := w.read + int64(len(p)); buffer > w.room.held && (w.read != w.room.held || len(p) != 1) {
		w.t.Errorf("a buffer of %d bytes with room for %d", buffer, w.room.held)
	}
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	return n, err
}

func (*watched) Close() error { return nil }

// A body of unknown length takes room as it grows, and never more memory.
func TestBodyGrowsWithinItsRoom(t *testing.T) {
	const bound = 5 * firstRead
	for _, tc := range []struct {
		size, limit, free int64
		want              error
		held              int64
	}{
		{0, bound, bound, nil, firstRead},
		{firstRead, bound, bound, nil, firstRead},
		{firstRead + 1, bound, bound, nil, 2 * firstRead},
		{2*firstRead + 1, bound, bound, nil, 4 * firstRead},
		{bound, bound, bound, nil, bound},
		{bound + 1, bound, bound, errTooLarge, bound},
		{firstRead, bound, firstRead, nil, firstRead},
		{firstRead + 1, bound, 2*firstRead - 1, errNoRoom, firstRead},
		{3 * firstRead, bound, 3 * firstRead, errNoRoom, 2 * firstRead},
		{10, 10, 10, nil, 10},
		{11, 10, 10, errTooLarge, 10},
		{1, 10, 9, errNoRoom, 0},
	} {
		for name, slowly := range map[string]func(io.Reader) io.Reader{"at once": iotest.DataErrReader, "slowly": iotest.OneByteReader} {
			t.Run(fmt.Sprintf("%d of %d with %d free, %s", tc.size, tc.limit, tc.free, name), func(t *testing.T) {
				free := semaphore.NewWeighted(tc.free)
				r := &room{free: free}
				sent := bytes.Repeat([]byte("0123456789"), int(tc.size/10)+1)[:tc.size]
				call := httptest.NewRequest(http.MethodPost, "/", nil)
				call.ContentLength = -1
				call.Body = &watched{Reader: slowly(bytes.NewReader(sent)), t: t, room: r}
				body, err := []byte(nil), errNoRoom
				if r.widen(firstSize(call, tc.limit)) {
					body, err = readBody(call, tc.limit, r)
				}
				if !errors.Is(err, tc.want) || r.held != tc.held || err == nil && !bytes.Equal(body, sent) {
					t.Errorf("%d bytes, %v, room for %d", len(body), err, r.held)
				}
				if r.leave(); !free.TryAcquire(tc.free) {
					t.Error("not all room was given back")
				}
			})
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
	if status := chunked(make([]byte, 1<<20), ""); status != http.StatusServiceUnavailable || f.refused("chat/shop", "busy") != 1 {
		t.Errorf("a body that outgrows the room: %d", status)
	}
	close(f.inbox.block)
	for range calls {
		if status := <-results; status != http.StatusOK {
			t.Errorf("within the room: %d", status)
		}
	}
}
