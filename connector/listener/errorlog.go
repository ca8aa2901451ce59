package listener

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// logEvery is the least time between lines of one kind: callers cause them, and must not flood the log.
const logEvery = time.Minute

// kindPanic is let through always: it is a defect of ours.
const kindPanic = "panic"

// kinds are the beginnings of net/http's lines with the values of the metric label "kind". The rest is "other".
var kinds = []struct{ prefix, kind string }{
	{"http: panic serving", kindPanic},
	{"http: TLS handshake error", "tls_handshake"},
	{"http: Accept error", "accept"},
	{"http: response.WriteHeader", "response"},
	{"http: superfluous response.WriteHeader", "response"},
	{"http: URL query contains semicolon", "semicolon"},
}

// address matches a caller's address in a line of net/http.
var address = regexp.MustCompile(`(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.%\w]*\])(:\d+)?`)

// errorLog receives the lines of an http.Server.
type errorLog struct {
	slog.Handler // for all but Handle: it takes every line of net/http, none of which has attributes
	log          logr.Logger
	metrics      *telemetry.Metrics

	mu   sync.Mutex
	last map[string]time.Time
}

// NewErrorLog makes the handler for an http.Server's ErrorLog. It counts every line by its kind, and logs one of each
// kind in a minute, without the caller's address; panics always.
func NewErrorLog(log logr.Logger, metrics *telemetry.Metrics) slog.Handler {
	for _, k := range kinds {
		metrics.ServerLog.WithLabelValues(k.kind) // 0 from the start, so that the first line is an increase
	}
	return &errorLog{Handler: slog.NewTextHandler(io.Discard, nil), log: log, metrics: metrics, last: make(map[string]time.Time)}
}

func (e *errorLog) Handle(_ context.Context, r slog.Record) error {
	kind := kindOf(r.Message)
	e.metrics.ServerLog.WithLabelValues(kind).Inc()
	if kind == kindPanic || e.due(kind) {
		e.log.Info(address.ReplaceAllString(r.Message, "(address)"), "kind", kind)
	}
	return nil
}

func (e *errorLog) due(kind string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if last, known := e.last[kind]; known && now.Sub(last) < logEvery {
		return false
	}
	e.last[kind] = now
	return true
}

func kindOf(line string) string {
	for _, k := range kinds {
		if strings.HasPrefix(line, k.prefix) {
			return k.kind
		}
	}
	return "other"
}
