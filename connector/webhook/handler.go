package webhook

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// answerWithin is how long after its arrival a call is answered at the latest.
// Zalo gives up after 2 s; the rest is for the network.
const answerWithin = 1800 * time.Millisecond

// Options are what a Handler works with; all are required.
type Options struct {
	// Inbox stores events.
	Inbox inbox.Accepter
	// Metrics are the process's instruments.
	Metrics *telemetry.Metrics
	// Log receives, at level 1 and without any data of a call, why calls are
	// refused.
	Log logr.Logger
	// Now is the clock.
	Now func() time.Time
	// MaxInFlight bounds the calls served at once.
	MaxInFlight int
	// MaxBufferedBytes bounds the bodies of calls in flight together.
	MaxBufferedBytes int64
}

// Handler answers calls. It is safe for concurrent use.
type Handler struct {
	inbox   inbox.Accepter
	metrics *telemetry.Metrics
	log     logr.Logger
	now     func() time.Time

	routes   atomic.Pointer[Routes]
	draining atomic.Bool
	calls    *semaphore.Weighted
	bytes    *semaphore.Weighted
}

// NewHandler makes a handler that knows no path until Use.
func NewHandler(o Options) *Handler {
	h := &Handler{
		inbox:   o.Inbox,
		metrics: o.Metrics,
		log:     o.Log,
		now:     o.Now,
		calls:   semaphore.NewWeighted(int64(o.MaxInFlight)),
		bytes:   semaphore.NewWeighted(o.MaxBufferedBytes),
	}
	h.Use(NewRoutes(nil))
	return h
}

// Use replaces the channels at once; a call under way keeps those it began with.
func (h *Handler) Use(routes *Routes) { h.routes.Store(routes) }

// Drain makes every further answer ask its caller to close the connection, so
// that callers move to another endpoint. Calls are still served.
func (h *Handler) Drain() { h.draining.Store(true) }

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	arrived := h.now()
	if call.ContentLength != 0 {
		// Every call, because net/http waits for the body of a refused one too.
		// The connection's clock is the system's; a writer that cannot set
		// deadlines is not a network connection.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(answerWithin))
	}
	if h.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	routes := h.routes.Load()
	switch isChannel := routes.paths[call.URL.Path]; {
	case isChannel && call.Method == http.MethodPost:
		h.authenticate(w, call, routes, arrived)
	case routes.pages[call.URL.Path] != nil:
		h.servePage(w, call, routes.pages[call.URL.Path])
	case isChannel:
		h.refuse(w, answerUsePost, "", reasonMethod)
	default:
		h.refuse(w, answerUnknownPath, "", reasonUnknownPath)
	}
}

// servePage serves a page that proves domain ownership; anyone may see it.
func (h *Handler) servePage(w http.ResponseWriter, call *http.Request, page []byte) {
	if call.Method != http.MethodGet && call.Method != http.MethodHead {
		h.refuse(w, answerUseGet, "", reasonMethod)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	// A caller that does not take the page will ask again.
	_, _ = w.Write(page)
}

// authenticate finds the call's channel by its key.
func (h *Handler) authenticate(w http.ResponseWriter, call *http.Request, routes *Routes, arrived time.Time) {
	r := routes.authenticate(call)
	if r == nil {
		h.refuse(w, answerKey, "", reasonKey)
		return
	}
	h.admit(w, call, r, arrived)
}

// admit bounds what the calls in flight cost together. Only calls with a key
// take a place, so that a stranger cannot crowd out the platform.
func (h *Handler) admit(w http.ResponseWriter, call *http.Request, r *route, arrived time.Time) {
	if !h.calls.TryAcquire(1) {
		h.refuse(w, answerBusy, r.Name, reasonBusy)
		return
	}
	defer h.calls.Release(1)
	size := r.MaxBodySize
	if call.ContentLength >= 0 {
		size = min(size, call.ContentLength)
	}
	if !h.bytes.TryAcquire(size) {
		h.refuse(w, answerBusy, r.Name, reasonBusy)
		return
	}
	defer h.bytes.Release(size)

	h.metrics.InFlight.Inc()
	defer h.metrics.InFlight.Dec()
	h.serve(w, call, r, arrived)
	h.metrics.AcceptDuration.Observe(h.now().Sub(arrived).Seconds())
}

// serve reads the body and has the channel type look at it.
func (h *Handler) serve(w http.ResponseWriter, call *http.Request, r *route, arrived time.Time) {
	body, err := readBody(call, r.MaxBodySize)
	if err != nil {
		a, reason := bodyRefusal(err)
		h.refuse(w, a, r.Name, reason)
		return
	}
	found, refusal := r.Type.Read(call.Header, body)
	if refusal != nil {
		h.refuse(w, newAnswer(refusalStatus[refusal.Reason], refusal.Message), r.Name, refusal.Reason)
		return
	}
	if found.AuditFailure != "" {
		h.metrics.AuditFailures.WithLabelValues(r.Name, string(found.AuditFailure)).Inc()
		h.log.V(1).Info("call accepted under Audit that Enforce would refuse", "channel", r.Name, "reason", found.AuditFailure)
	}
	h.sort(w, call, r, found, arrived)
}

func (h *Handler) remaining(arrived time.Time) time.Duration {
	return answerWithin - h.now().Sub(arrived)
}

// sort tells the calls to store from those that are only counted.
func (h *Handler) sort(w http.ResponseWriter, call *http.Request, r *route, found channel.Call, arrived time.Time) {
	switch {
	case found.Kind == channel.KindProbe:
		h.ignore(w, answerProbe, r.Name, ignoredProbe)
	case found.Kind == channel.KindConsoleTest:
		h.ignore(w, answerConsoleTest, r.Name, ignoredConsoleTest)
	case found.Kind == channel.KindForeignAccount:
		h.ignore(w, answerForeignAccount, r.Name, ignoredForeignAccount)
	case !r.events.selects(found.Name):
		h.ignore(w, answerExcluded, r.Name, ignoredExcluded)
	default:
		h.store(w, call, r, found, arrived)
	}
}

// store answers 200 only when the inbox says that the event is durable. A caller
// that hangs up does not stop it: the event is real, and its retry will be
// recognised.
func (h *Handler) store(w http.ResponseWriter, call *http.Request, r *route, found channel.Call, arrived time.Time) {
	e := found.Event
	e.Channel = r.Name
	if e.Time.IsZero() {
		e.Time = arrived
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(call.Context()), h.remaining(arrived))
	defer cancel()
	outcome, err := h.inbox.Accept(ctx, e, lane(r.Ordering, e))
	switch {
	case err == nil && outcome == inbox.Stored:
		r.accepted.inc(h.metrics.Accepted, r.Name)
		h.metrics.AcceptedEvents.WithLabelValues(found.KnownName).Inc()
		answerAccepted.write(w)
	case err == nil && outcome == inbox.Duplicate:
		r.duplicates.inc(h.metrics.Duplicates, r.Name)
		answerDuplicate.write(w)
	case errors.Is(err, inbox.ErrFull):
		h.refuse(w, answerFull, r.Name, reasonInboxFull)
	case errors.Is(err, context.DeadlineExceeded):
		h.refuse(w, answerNotInTime, r.Name, reasonTimeout)
	default:
		h.refuse(w, answerFailed, r.Name, reasonInboxFailed)
	}
}

// lane is what the event waits in.
func lane(ordering config.Ordering, e event.Event) string {
	if ordering == config.Unordered {
		return e.ID.String()
	}
	return e.Conversation
}

// refuse answers, counts and logs. Channel is empty until the key named one.
func (h *Handler) refuse(w http.ResponseWriter, a *answer, channelName string, reason channel.Reason) {
	h.metrics.Refused.WithLabelValues(channelName, string(reason)).Inc()
	h.log.V(1).Info("call refused", "channel", channelName, "reason", reason)
	a.write(w)
}

// ignore answers 200 to a call that is not stored, and counts it.
func (h *Handler) ignore(w http.ResponseWriter, a *answer, channelName, reason string) {
	h.metrics.Ignored.WithLabelValues(channelName, reason).Inc()
	a.write(w)
}
