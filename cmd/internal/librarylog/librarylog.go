// Package librarylog keeps libraries from writing to stderr by themselves.
package librarylog

import (
	"log" //nolint:depguard // what libraries write through it is the point
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// interval is the shortest time between two reports of the same place.
const interval = time.Minute

// Redirect takes the lines that libraries write through package log, or through log/slog without a logger of their own.
// It logs which function of which library wrote how many lines. It never passes on the text: net/http, for example,
// quotes peers, whose bytes may hold user ids and messages and are no line of JSON.
//
// A place is reported at once, and then at most once a minute, with the number of lines since its last report. A place
// that ends the process is always reported.
func Redirect(logger logr.Logger) {
	log.SetOutput(&writer{logger: logger, places: map[string]*place{}})
}

type writer struct {
	logger logr.Logger
	mu     sync.Mutex
	places map[string]*place // by function, of which a program has so many
}

// place is a function that writes.
type place struct {
	lines int // since it was last named
	named time.Time
}

// Write is called once for each line, by the goroutine that logs.
func (w *writer) Write(text []byte) (int, error) {
	function, ends := caller()
	if lines := w.count(function, ends); lines > 0 {
		w.logger.Info("A library wrote to the standard log; its text is left out, since it may quote what a peer sent",
			"function", function, "lines", lines, "endsTheProcess", ends)
	}
	return len(text), nil
}

// count returns the number of lines to report, 0 for no report.
func (w *writer) count(function string, always bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.places[function]
	if p == nil {
		p = &place{}
		w.places[function] = p
	}
	p.lines++
	now := time.Now()
	if !always && now.Sub(p.named) < interval {
		return 0
	}
	lines := p.lines
	p.lines, p.named = 0, now
	return lines
}

// caller returns the function that called package log or log/slog, and reports whether it called Fatal or Panic.
func caller() (function string, ends bool) {
	programCounters := make([]uintptr, 32)
	frames := runtime.CallersFrames(programCounters[:runtime.Callers(3, programCounters)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		name := frame.Function
		if !strings.HasPrefix(name, "log.") && !strings.HasPrefix(name, "log/slog.") {
			return name, ends
		}
		ends = ends || strings.Contains(name, ".Fatal") || strings.Contains(name, ".Panic")
	}
	return "unknown", ends
}
