package webhook

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/listener"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// answerWithin is how long after its arrival a call is answered at the latest, where no
// channel type says otherwise.
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
	// stranger is the shape of answers to calls that no key named a channel for.
	stranger *shape

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
		stranger: &shape{of: channel.JSONAnswer},
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
	// shape is that of the answer.
	shape *shape
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

// answerBy bounds the wait for the body, for every call, because net/http waits for
// that of a refused one too.
func (x *exchange) answerBy(deadline time.Time) {
	x.deadline = deadline
	if x.call.ContentLength != 0 {
		// A writer that cannot set deadlines is no network connection.
		_ = http.NewResponseController(x.ResponseWriter).SetReadDeadline(deadline)
	}
}

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	x := &exchange{ResponseWriter: w, call: call, conn: listener.FromContext(call.Context()), shape: h.stranger, arrived: h.now()}
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
	h.servePage(x, func(*http.Request) channel.Answer {
		status, body := http.StatusOK, "ok\n"
		if h.draining.Load() {
			status, body = http.StatusServiceUnavailable, "stopping\n"
		}
		return channel.Answer{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte(body)}
	})
}

// servePage serves what anyone may see.
func (h *Handler) servePage(x *exchange, page func(*http.Request) channel.Answer) {
	if !isRead(x.call) {
		h.refuse(x, answerUseGet, "", reasonMethod)
		return
	}
	x.closeAfter()
	newAnswer(page(x.call)).write(x)
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
		x.address(r)
	}
	switch {
	case r != nil && post:
		h.admit(x, r)
	case r != nil && r.handshake != nil:
		h.shakeHands(x, r)
	case r != nil:
		h.ignore(x, r.Name, ignoredURLCheck)
	case post:
		h.refuse(x, answerKey, "", reasonKey)
	default:
		h.refuse(x, answerUsePost, "", reasonMethod)
	}
}

// address says that the call had the key of r, unless that is nil. Where no signature
// is demanded, the key is all that the call's connection can show.
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
	a := newAnswer(r.handshake(x.call))
	if a.Status == http.StatusOK {
		r.metrics.Ignored.Inc(ignoredURLCheck.reason)
	} else {
		h.noteRefusal(x, r.Name, reasonHandshake)
	}
	a.write(x)
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
	limit, unsigned := r.MaxBodySize, (*channel.Refusal)(nil)
	if r.precheck != nil {
		unsigned = r.precheck(x.call.Header)
	}
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

// serve has the channel type read the call.
func (h *Handler) serve(x *exchange, r *route, body []byte) {
	reading, refusal := r.Type.Read(x.arrived, x.call.Header, body)
	if refusal != nil {
		h.turnAway(x, r, refusal)
		return
	}
	r.traffic.letIn(x.apiKey, reading, r.Enforces, x.arrived)
	if reading.AuditFailure != "" {
		r.metrics.AuditFailures.Inc(string(reading.AuditFailure))
		if r.auditFailed.allows(x.arrived) {
			h.log.Info("calls accepted under Audit that Enforce would refuse", "channel", r.Name, "reason", reading.AuditFailure)
		}
	}
	h.triage(x, r, reading)
}

// turnAway refuses a call that its channel type refuses.
func (h *Handler) turnAway(x *exchange, r *route, refusal *channel.Refusal) {
	if refusal.Reason == channel.ReasonSignatureWrong {
		r.traffic.unverified(x.arrived)
	}
	h.noteRefusal(x, r.Name, refusal.Reason)
	x.shape.make(replyTo(refusal)).write(x)
}

// refuse answers, counts and logs. Channel is empty until the key named one.
func (h *Handler) refuse(x *exchange, a *reply, channelName string, reason channel.Reason) {
	h.noteRefusal(x, channelName, reason)
	x.shape.answer(a).write(x)
}

// noteRefusal counts and logs, before the answer.
func (h *Handler) noteRefusal(x *exchange, channelName string, reason channel.Reason) {
	h.metrics.Of(channelName).Refused.Inc(string(reason))
	h.refusals.note(channelName, reason)
	if channelName == "" {
		x.closeAfter()
	}
}

// ignore answers 200 to a call that is not stored, and counts it.
func (h *Handler) ignore(x *exchange, channelName string, why *ignored) {
	h.metrics.Of(channelName).Ignored.Inc(why.reason)
	x.shape.answer(why.reply).write(x)
}
