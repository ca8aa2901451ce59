package connector

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// deadlined notes the deadline of each write.
type deadlined struct {
	*httptest.ResponseRecorder

	deadline time.Time
	writes   []time.Duration
}

func (d *deadlined) SetWriteDeadline(t time.Time) error {
	d.deadline = t
	return nil
}

func (d *deadlined) Write(content []byte) (int, error) {
	d.writes = append(d.writes, time.Until(d.deadline))
	return d.ResponseRecorder.Write(content)
}

// A caller that asks for the metrics and does not read them holds a place for a short time only.
func TestAPageIsReadSoon(t *testing.T) {
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	newProcess(logr.Discard(), &slog.LevelVar{}).scrapes().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || len(w.writes) == 0 {
		t.Fatalf("%d, %d writes", w.Code, len(w.writes))
	}
	for _, left := range w.writes {
		if left <= 0 || left > readTimeout {
			t.Errorf("a write may take %v", left)
		}
	}
}
