package webhook

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/listener"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// answerWithin is the time from a call's arrival to its answer, at most, unless the channel type says otherwise.
const answerWithin = 1800 * time.Millisecond

// HealthPath answers load balancers, which take 404 for dead.
const HealthPath = "/healthz"

// Options are what a Handler works with; all are required.
type Options struct {
	Inbox   inbox.Accepter
	Metrics *telemetry.Metrics
	// Log receives, without any data of a call, how many calls are refused and why, why the inbox takes no events, and
	// that Enforce would refuse calls; each at most once a minute.
	Log logr.Logger
	Now func() time.Time
	// MaxInFlight bounds the calls served at once.
	MaxInFlight int
	// MaxBufferedBytes bounds the bodies of calls in flight together, until Resize.
	MaxBufferedBytes int64
}

// Handler answers calls. It is safe for concurrent use.
type Handler struct {
	Options

	routes   atomic.Pointer[Routes]
	draining atomic.Bool
	inFlight *admission
	refusals *repeats
	// visits is what the calls of all endpoints take together, so that they leave some to platforms.
	visits share
	// stranger is the shape of answers to calls without a valid API key.
	stranger *shape

	inboxFull, diskFull, inboxLate, inboxFailed throttle
}

// NewHandler makes a handler that knows no path until Use.
func NewHandler(o Options) *Handler {
	h := &Handler{
		Options:  o,
		inFlight: newAdmission(o.MaxInFlight, o.MaxBufferedBytes, o.Metrics.BufferedBytes, o.Metrics.BufferedBytesLimit),
		refusals: newRepeats(o.Log),
		stranger: &shape{of: channel.JSONAnswer},
	}
	h.routes.Store(NewRoutes(nil))
	return h
}

// Use replaces the channels at once; a call under way keeps those it began with. The traffic of a channel is known as
// long as the channel stays.
func (h *Handler) Use(routes *Routes) {
	before := h.routes.Load().names
	for name, r := range routes.names {
		if before[name] != nil {
			r.traffic = before[name].traffic
		}
		r.traffic.note(func(now *Traffic) { now.use(r.Keys, r.SigningKeys) })
		r.metrics = h.Metrics.Use(name)
	}
	h.routes.Store(routes)
}

// Resize changes how many bytes the bodies of calls in flight may have together, at least as many as the largest of a
// channel. A call that has begun goes on; it gives way to others as before.
func (h *Handler) Resize(maxBufferedBytes int64) { h.inFlight.resize(maxBufferedBytes) }

// Drain makes every further answer ask its caller to close the connection, so that callers move to another endpoint.
// Calls are still served.
func (h *Handler) Drain() { h.draining.Store(true) }

// exchange is one call and its answer.
type exchange struct {
	http.ResponseWriter

	call *http.Request
	// conn is told what the call has shown.
	conn *listener.Conn
	// apiKey is the digest of the call's key, once that has named a channel.
	apiKey [sha256.Size]byte
	// shape is that of the answer.
	shape *shape
	// arrived is the time of arrival, by the handler's clock.
	arrived time.Time
	// deadline is the time of the answer at the latest, by the system's clock, which connections and contexts keep to.
	deadline time.Time
	// ticket is what the call takes of admission.
	ticket ticket
	// one holds the events of a call of one event, which is nearly every call.
	one [1]event.Event
}

// closeAfter asks the caller to close its connection with this answer. A stranger is asked each time: an idle
// connection is kept for long, and strangers could gather them.
func (x *exchange) closeAfter() { x.Header().Set("Connection", "close") }

// end answers the call.
func (x *exchange) end(r *reply) { x.shape.answer(r).write(x) }

// answerBy bounds the wait for the body, of every call, because net/http waits for that of a refused one too.
func (x *exchange) answerBy(deadline time.Time) {
	x.deadline = deadline
	if x.call.ContentLength != 0 {
		x.stopReading(deadline)
	}
}

// stopReading ends the wait for the call's body at a time. A writer that cannot do that is no network connection.
func (x *exchange) stopReading(at time.Time) {
	_ = http.NewResponseController(x.ResponseWriter).SetReadDeadline(at)
}

// interruptBody ends the wait for the call's body now.
func (x *exchange) interruptBody() { x.stopReading(time.Unix(1, 0)) }

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	x := &exchange{ResponseWriter: w, call: call, conn: listener.FromContext(call.Context()), shape: h.stranger, arrived: h.Now()}
	x.answerBy(time.Now().Add(answerWithin))
	if h.draining.Load() {
		x.closeAfter()
	}
	routes, path := h.routes.Load(), spelling(call.URL)
	switch {
	case routes.paths[path]:
		h.serveChannel(x, routes, path) //nolint:contextcheck // the store outlives a caller that hangs up
	case routes.pages[path] != nil:
		h.servePage(x, routes.pages[path])
	case path == HealthPath || path == "/":
		h.servePage(x, h.health)
	default:
		h.refuse(x, "", answerUnknownPath)
	}
}

// health says whether calls should come here: like readiness, it fails from the begin of a stop on.
func (h *Handler) health(*http.Request) channel.Answer {
	status, body := http.StatusOK, "ok\n"
	if h.draining.Load() {
		status, body = http.StatusServiceUnavailable, "stopping\n"
	}
	return channel.Answer{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte(body)}
}

// servePage serves a page that anyone may see. It is not counted, since it is no call of a platform.
func (h *Handler) servePage(x *exchange, page func(*http.Request) channel.Answer) {
	if !isRead(x.call) {
		h.refuse(x, "", answerUseGet)
		return
	}
	x.closeAfter()
	newPageAnswer(page(x.call)).write(x)
}

func isRead(call *http.Request) bool {
	return call.Method == http.MethodGet || call.Method == http.MethodHead
}

// serveChannel finds the call's channel by its key. Platforms post; a console may check the URL with a GET before it is
// saved.
func (h *Handler) serveChannel(x *exchange, routes *Routes, path string) {
	post := x.call.Method == http.MethodPost
	var r *route
	if post || isRead(x.call) {
		r, x.apiKey = routes.authenticate(x.call, path)
		x.address(r)
	}
	switch {
	case r != nil && post:
		h.admit(x, r, r.endpoints[path])
	case r != nil && r.endpoints[path] != nil:
		h.refuse(x, r.Name, answerUsePost)
	case r != nil && r.handshake != nil:
		h.shakeHands(x, r)
	case r != nil:
		r.metrics.Ignored.Inc(answerURLCheck.reason)
		x.end(answerURLCheck)
	case post:
		h.refuse(x, "", answerKey)
	default:
		h.refuse(x, "", answerUsePost)
	}
}

// address says that the call had the key of r, unless that is nil. If no signature is demanded, the key is all that the
// call's connection can show.
func (x *exchange) address(r *route) {
	if r == nil {
		return
	}
	if r.Enforces {
		x.conn.ShowKey()
	} else {
		x.conn.Verify()
	}
	x.shape = r.shape
	if r.AnswerIn != answerWithin {
		x.answerBy(x.deadline.Add(r.AnswerIn - answerWithin))
	}
}

// shakeHands has the channel type answer a GET of the channel's path.
func (h *Handler) shakeHands(x *exchange, r *route) {
	a := newPageAnswer(r.handshake(x.call))
	if a.Status < http.StatusMultipleChoices {
		r.metrics.Ignored.Inc(answerURLCheck.reason)
	} else {
		h.noteRefusal(x, r.Name, reasonHandshake)
	}
	a.write(x)
}

// admit bounds what the calls in flight cost together. Only calls with a key take a place, so that a stranger cannot
// crowd out the platform. Endpoint is nil for a call of the platform.
func (h *Handler) admit(x *exchange, r *route, endpoint *channel.Endpoint) {
	of := &r.share
	if endpoint != nil {
		of = &h.visits
	}
	if !h.inFlight.enter(&x.ticket, of, x.interruptBody) {
		h.refuse(x, r.Name, answerBusy)
		return
	}
	defer x.ticket.leave()
	h.Metrics.InFlight.Inc()
	defer h.Metrics.InFlight.Dec()
	if endpoint != nil {
		h.serveEndpoint(x, r, endpoint)
	} else if body, ok := h.receive(x, r); ok {
		h.serve(x, r, body)
		h.Metrics.AcceptDuration.Observe(h.Now().Sub(x.arrived).Seconds())
	}
}

// receive returns the body, or answers the call. A call without the signature that its channel demands may be the
// platform's probe and nothing larger.
func (h *Handler) receive(x *exchange, r *route) ([]byte, bool) {
	limit, unsigned := r.MaxBodySize, (*channel.Refusal)(nil)
	if r.precheck != nil {
		unsigned = r.precheck(x.call.Header)
	}
	if unsigned != nil {
		limit = min(limit, channel.MaxProbeSize)
	}
	body, err := bodyReader{x.call.Body, x.call.ContentLength, limit, &x.ticket}.read()
	switch arrived := x.ticket.arrive(); {
	case err == nil && arrived:
		return body, true
	case errors.Is(err, errTooLarge) && unsigned != nil:
		x.closeAfter() // or net/http would wait for the body before it answers
		h.turnAway(x, r, unsigned)
	default:
		h.refuse(x, r.Name, bodyRefusal(err, !arrived))
	}
	return nil, false
}

// serve has the channel type read the call.
func (h *Handler) serve(x *exchange, r *route, body []byte) {
	reading, refusal := r.Type.Read(x.arrived, x.call.Header, body)
	if refusal != nil {
		h.turnAway(x, r, refusal)
		return
	}
	if len(reading.Calls) > channel.MaxCalls {
		h.refuse(x, r.Name, answerTooLarge)
		return
	}
	r.traffic.note(func(now *Traffic) { now.letIn(x.apiKey, &reading, r.Enforces, x.arrived) })
	if reading.AuditFailure != "" {
		r.metrics.AuditFailures.Inc(string(reading.AuditFailure))
		if r.auditFailed.allows(x.arrived) {
			h.Log.Info("calls accepted under Audit that Enforce would refuse", "channel", r.Name, "reason", reading.AuditFailure)
		}
	}
	h.triage(x, r, reading)
}

// turnAway refuses a call that its channel type refuses.
func (h *Handler) turnAway(x *exchange, r *route, refusal *channel.Refusal) {
	if refusal.Reason == channel.ReasonSignatureWrong {
		r.traffic.note(func(now *Traffic) { now.fail(x.arrived) })
	}
	h.noteRefusal(x, r.Name, string(refusal.Reason))
	x.shape.make(replyTo(refusal)).write(x)
}

// refuse answers, counts and logs. Channel is empty until the key named one.
func (h *Handler) refuse(x *exchange, channelName string, why *reply) {
	h.noteRefusal(x, channelName, why.reason)
	x.end(why)
}

// noteRefusal counts and logs, before the answer.
func (h *Handler) noteRefusal(x *exchange, channelName, reason string) {
	h.refusals.note(channelName, h.Metrics.Of(channelName).Refused.Inc(reason))
	if channelName == "" {
		x.closeAfter()
	}
}
