package admin

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

const (
	requestTimeout = 10 * time.Second
	// answerTimeout bounds a whole list: a caller that stops reading must not hold a view of the inbox, and the disk
	// space under it, for ever.
	answerTimeout = 5 * time.Minute
	// maxRequestSize leaves room for the ids of 100,000 dead letters.
	maxRequestSize = 16 << 20
)

// Inbox is what the API shows and changes of an inbox.
type Inbox interface {
	inbox.DeadLetters
	inbox.Described
}

// Connector is what the API is served from. Every field is required.
type Connector struct {
	Inbox Inbox
	// Delivery describes the deliveries of a channel.
	Delivery func(channel string) delivery.Status
	// Config returns the configuration in use.
	Config  func() *config.Config
	Metrics *telemetry.Metrics
	Log     logr.Logger
}

// NewServer returns a server of the API with its time-outs set. The caller gives it a listener of Listen, or one on
// loopback.
func NewServer(c Connector) *http.Server {
	return &http.Server{
		Handler:           c.handler(),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       requestTimeout,
	}
}

// handler serves local programs only. A web page in a browser on the same machine reaches loopback too: a name that its
// owner points at 127.0.0.1 shows in Host, and a form that posts here shows as cross-origin. No page reaches a socket,
// whose callers name localhost.
func (c Connector) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathList, c.list)
	for pattern, answer := range map[string]answerer{
		"GET " + pathStatus:   c.status,
		"GET " + pathShow:     c.show,
		"POST " + pathRedrive: c.change("redriven", c.Inbox.Redrive),
		"POST " + pathDrop:    c.change("dropped", c.Inbox.Drop),
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if answered, err := answer(r); err != nil {
				writeError(w, err)
			} else {
				writeJSON(w, http.StatusOK, answered)
			}
		})
	}
	local := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			writeError(w, refused{http.StatusForbidden, "the Host header must be localhost or a loopback address"})
			return
		}
		local.ServeHTTP(w, r)
	})
}

// answerer returns what a call is answered as JSON, or why it is not.
type answerer func(*http.Request) (any, error)

// refused is an error with a status other than 500.
type refused struct {
	status  int
	message string
}

func (r refused) Error() string { return r.message }

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && address.IsLoopback())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	content, err := json.Marshal(v)
	if err != nil {
		status, content = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(content) // an error means that the caller has gone
}

func writeError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if r, ok := errors.AsType[refused](err); ok {
		status = r.status
	}
	writeJSON(w, status, failure{err.Error()})
}
