package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/listener"
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
	// Log receives, without any data of a call: why calls are refused and how many
	// are, why the inbox takes no events, and that calls would be refused under
	// Enforce, each at most once a minute.
	Log logr.Logger
	// Now is the clock.
	Now func() time.Time
	// MaxInFlight bounds the calls served at once.
	MaxInFlight int
	// MaxBufferedBytes bounds the bodies of calls in flight together, until Resize.
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
	inFlight *admission
	refusals *repeats

	inboxFull, diskFull, inboxLate, inboxFailed throttle
}

// NewHandler makes a handler that knows no path until Use.
func NewHandler(o Options) *Handler {
	h := &Handler{
		inbox:    o.Inbox,
		metrics:  o.Metrics,
		log:      o.Log,
		now:      o.Now,
		inFlight: newAdmission(o.MaxInFlight, o.MaxBufferedBytes, o.Metrics.BufferedBytes, o.Metrics.BufferedBytesLimit),
		refusals: newRepeats(o.Log),
	}
	h.Use(NewRoutes(nil))
	return h
}

// Use replaces the channels at once; a call under way keeps those it began with.
// What is known of a channel's traffic stays as long as the channel does.
func (h *Handler) Use(routes *Routes) {
	before := h.routes.Load()
	for name, r := range routes.names {
		if before != nil && before.names[name] != nil {
			r.traffic = before.names[name].traffic
		}
		r.traffic.use(r.Keys, r.SigningKeys)
		r.metrics = h.metrics.Use(name)
	}
	h.routes.Store(routes)
}

// Resize changes how many bytes the bodies of calls in flight may have together,
// at least as many as the largest of a channel. A call that has begun goes on; it
// gives way to others as before.
func (h *Handler) Resize(maxBufferedBytes int64) { h.inFlight.resize(maxBufferedBytes) }

// Drain makes every further answer ask its caller to close the connection, so
// that callers move to another endpoint. Calls are still served.
func (h *Handler) Drain() { h.draining.Store(true) }

// exchange is one call and its answer.
type exchange struct {
	http.ResponseWriter

	call *http.Request
	// conn is told what the call has shown.
	conn *listener.Conn
	// apiKey is the digest of the call's, once it has named a channel.
	apiKey [sha256.Size]byte
	// arrived is when, by the handler's clock.
	arrived time.Time
	// deadline is by when it is answered, by the system's clock, which
	// connections and contexts keep to.
	deadline time.Time
}

// closeAfter asks the caller to close its connection with this answer. Whoever
// has shown no key is asked each time: an idle connection is kept for long, and a
// stranger could gather them.
func (x *exchange) closeAfter() { x.Header().Set("Connection", "close") }

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	x := &exchange{ResponseWriter: w, call: call, conn: listener.FromContext(call.Context()), arrived: h.now(), deadline: time.Now().Add(answerWithin)}
	if call.ContentLength != 0 {
		// For every call, because net/http waits for the body of a refused one
		// too. A writer that cannot set deadlines is no network connection.
		_ = http.NewResponseController(w).SetReadDeadline(x.deadline)
	}
	if h.draining.Load() {
		x.closeAfter()
	}
	routes, path := h.routes.Load(), spelling(call.URL)
	switch {
	case routes.paths[path]:
		h.serveChannel(x, routes, path) //nolint:contextcheck // the store outlives a caller that hangs up
	case routes.pages[path] != nil:
		h.servePage(x, http.StatusOK, "text/html; charset=utf-8", routes.pages[path])
	case path == HealthPath || path == "/":
		h.serveHealth(x)
	default:
		h.refuse(x, answerUnknownPath, "", reasonUnknownPath)
	}
}

// HealthPath answers load balancers, which take 404 for dead.
const HealthPath = "/healthz"

// serveHealth says whether calls should come here: like readiness, it fails from
// the begin of a stop on. It is not counted, since it is no call of a platform.
func (h *Handler) serveHealth(x *exchange) {
	if h.draining.Load() {
		h.servePage(x, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte("stopping\n"))
		return
	}
	h.servePage(x, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// servePage serves what anyone may see.
func (h *Handler) servePage(x *exchange, status int, contentType string, page []byte) {
	if !isRead(x.call) {
		h.refuse(x, answerUseGet, "", reasonMethod)
		return
	}
	x.closeAfter()
	x.Header().Set("Content-Type", contentType)
	x.Header().Set("Content-Length", strconv.Itoa(len(page)))
	x.WriteHeader(status)
	// A caller that does not take the page will ask again.
	_, _ = x.Write(page)
}

func isRead(call *http.Request) bool {
	return call.Method == http.MethodGet || call.Method == http.MethodHead
}

// serveChannel finds the call's channel by its key. Platforms post; a console may
// check the URL with a GET before it is saved.
func (h *Handler) serveChannel(x *exchange, routes *Routes, path string) {
	post := x.call.Method == http.MethodPost
	var r *route
	if post || isRead(x.call) {
		r, x.apiKey = routes.authenticate(x.call, path)
		x.showKey(r)
	}
	switch {
	case r != nil && post:
		h.admit(x, r)
	case r != nil:
		h.ignore(x, answerProbe, r.Name, ignoredURLCheck)
	case post:
		h.refuse(x, answerKey, "", reasonKey)
	default:
		h.refuse(x, answerUsePost, "", reasonMethod)
	}
}

// showKey tells the call's connection that it had the key of r, unless that is
// nil. Where no signature is demanded, the key is all that can be shown.
func (x *exchange) showKey(r *route) {
	switch {
	case r != nil && r.Enforces:
		x.conn.ShowKey()
	case r != nil:
		x.conn.Verify()
	}
}

// admit bounds what the calls in flight cost together. Only calls with a key
// take a place, so that a stranger cannot crowd out the platform.
func (h *Handler) admit(x *exchange, r *route) {
	t := h.inFlight.enter(&r.share, x.interruptBody)
	if t == nil {
		h.refuse(x, answerBusy, r.Name, reasonBusy)
		return
	}
	defer t.leave()
	h.metrics.InFlight.Inc()
	defer h.metrics.InFlight.Dec()
	body, ok := h.receive(x, r, t)
	if !ok {
		return
	}
	h.serve(x, r, body)
	h.metrics.AcceptDuration.Observe(h.now().Sub(x.arrived).Seconds())
}

// interruptBody ends the wait for the call's body.
func (x *exchange) interruptBody() {
	_ = http.NewResponseController(x.ResponseWriter).SetReadDeadline(time.Unix(1, 0))
}

// receive returns the body, or answers the call. Without the signature that its
// channel demands, a call may be the platform's probe and nothing larger.
func (h *Handler) receive(x *exchange, r *route, t *ticket) ([]byte, bool) {
	limit, unsigned := r.MaxBodySize, r.Type.Precheck(x.call.Header)
	if unsigned != nil {
		limit = min(limit, channel.MaxProbeSize)
	}
	body, err := newBodyReader(x.call, limit, t).read()
	switch arrived := t.arrive(); {
	case err == nil && arrived:
		return body, true
	case errors.Is(err, errTooLarge) && unsigned != nil:
		x.closeAfter() // or net/http would wait for the body before it answers
		h.turnAway(x, r, unsigned)
	default:
		a, reason := bodyRefusal(err, t)
		h.refuse(x, a, r.Name, reason)
	}
	return nil, false
}

// serve has the channel type look at the body.
func (h *Handler) serve(x *exchange, r *route, body []byte) {
	found, refusal := r.Type.Read(x.arrived, x.call.Header, body)
	if refusal != nil {
		h.turnAway(x, r, refusal)
		return
	}
	r.traffic.letIn(x.apiKey, found, r.Enforces, x.arrived)
	if found.AuditFailure != "" {
		r.metrics.AuditFailures.Inc(string(found.AuditFailure))
		if r.auditFailed.allows(x.arrived) {
			h.log.Info("calls accepted under Audit that Enforce would refuse", "channel", r.Name, "reason", found.AuditFailure)
		}
	}
	h.triage(x, r, found)
}

// turnAway refuses a call that its channel type refuses.
func (h *Handler) turnAway(x *exchange, r *route, refusal *channel.Refusal) {
	if refusal.Reason == channel.ReasonSignatureWrong {
		r.traffic.unverified(x.arrived)
	}
	h.refuse(x, answerTo(refusal), r.Name, refusal.Reason)
}

// triage tells the calls to store from those that are only counted.
func (h *Handler) triage(x *exchange, r *route, found channel.Call) {
	switch {
	case found.Kind == channel.KindProbe:
		h.ignore(x, answerProbe, r.Name, ignoredProbe)
	case found.Kind == channel.KindConsoleTest:
		h.ignore(x, answerConsoleTest, r.Name, ignoredConsoleTest)
	case found.Kind == channel.KindForeignAccount:
		h.ignore(x, answerForeignAccount, r.Name, ignoredForeignAccount)
	case !r.events.selects(found.Name):
		h.ignore(x, answerExcluded, r.Name, ignoredExcluded)
	case h.isStale(x, r, found):
		h.refuse(x, answerStale, r.Name, reasonStale)
	default:
		h.store(x, r, found)
	}
}

// store answers 200 only when the inbox says that the event is durable. A caller
// that hangs up does not stop it: the event is real, and its retry will be
// recognised.
func (h *Handler) store(x *exchange, r *route, found channel.Call) {
	e := found.Event
	ctx, cancel := context.WithDeadline(context.WithoutCancel(x.call.Context()), x.deadline)
	defer cancel()
	outcomes, err := h.inbox.Accept(ctx, []event.Event{e})
	if err == nil {
		r.traffic.stored(x.arrived)
	}
	switch {
	case err == nil && outcomes[0] == inbox.Stored:
		x.conn.Verify() // a captured call, sent again, earns nothing
		r.metrics.Accepted.Add(1)
		h.metrics.AcceptedEvents.WithLabelValues(found.KnownName).Inc()
		answerAccepted.write(x)
	case err == nil && outcomes[0] == inbox.Duplicate:
		r.metrics.Duplicates.Add(1)
		answerDuplicate.write(x)
	default:
		h.fail(x, r, err)
	}
}

// fail refuses a call whose event the inbox did not take.
func (h *Handler) fail(x *exchange, r *route, err error) {
	a, reason, lines := answerFailed, reasonInboxFailed, &h.inboxFailed
	switch {
	case errors.Is(err, inbox.ErrFull):
		a, reason, lines = answerFull, reasonInboxFull, &h.inboxFull
	case errors.Is(err, inbox.ErrDiskFull):
		a, reason, lines = answerDiskFull, reasonDiskFull, &h.diskFull
	case errors.Is(err, context.DeadlineExceeded):
		a, reason, lines = answerNotInTime, reasonTimeout, &h.inboxLate
	}
	if lines.allows(x.arrived) {
		h.log.Error(err, "the inbox does not take events; callers are answered 503", "channel", r.Name, "reason", reason)
	}
	h.refuse(x, a, r.Name, reason)
}

// refuse answers, counts and logs. Channel is empty until the key named one.
func (h *Handler) refuse(x *exchange, a *answer, channelName string, reason channel.Reason) {
	h.metrics.Of(channelName).Refused.Inc(string(reason))
	h.refusals.note(channelName, reason)
	if channelName == "" {
		x.closeAfter()
	}
	a.write(x)
}

// ignore answers 200 to a call that is not stored, and counts it.
func (h *Handler) ignore(x *exchange, a *answer, channelName, reason string) {
	h.metrics.Of(channelName).Ignored.Inc(reason)
	a.write(x)
}
