package webhook

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// nowhere is a writer that keeps nothing but the status.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header             { return n.header }
func (n *nowhere) Write(body []byte) (int, error)  { return len(body), nil }
func (n *nowhere) WriteHeader(status int)          { n.status = status }
func (n *nowhere) SetReadDeadline(time.Time) error { return nil }

// BenchmarkServeHTTP is the handler's own cost, with an inbox that knows every event.
func BenchmarkServeHTTP(b *testing.B) {
	f := newFixture(b, nil, newChannel())
	f.inbox.known = true
	body, signature := message("m")
	reader := bytes.NewReader(body)
	call := request(path+"?"+keyParameter+"="+key, body, signature)
	call.Body = io.NopCloser(reader)
	w := &nowhere{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		f.ServeHTTP(w, call)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}
