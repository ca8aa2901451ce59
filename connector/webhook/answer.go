package webhook

import (
	"net/http"
	"strconv"
	"sync"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// retryAfter is the wait, in seconds, that a 503 asks for. A busy moment passes, and a full inbox drains at the sink's
// pace; platforms with a retry schedule of their own ignore it.
const retryAfter = "5"

// reply is how a call ends, in any channel's shape.
type reply struct {
	// reason is why the call is refused, or answered 200 and not stored: a value of the metric label "reason".
	reason  string
	status  int
	message string
	header  map[string]string
}

func newReply(reason string, status int, message string) *reply {
	return &reply{reason: reason, status: status, message: message}
}

func newOK(reason, message string) *reply { return newReply(reason, http.StatusOK, message) }

// unavailable is the header of every 503.
var unavailable = map[string]string{"Retry-After": retryAfter}

func newUnavailable(reason, message string) *reply {
	return &reply{reason, http.StatusServiceUnavailable, message, unavailable}
}

func newMethodNotAllowed(allow string) *reply {
	return &reply{"method", http.StatusMethodNotAllowed, "method not allowed: use " + allow, map[string]string{"Allow": allow}}
}

// The replies to calls that are let in.
var (
	answerAccepted       = newOK("", "accepted")
	answerDuplicate      = newOK("", "already accepted")
	answerProbe          = newOK("probe", "ready")
	answerURLCheck       = newOK("url_check", "ready")
	answerConsoleTest    = newOK("console_test", "test received, not stored")
	answerForeignAccount = newOK("foreign_account", "not stored: the account is not on the channel's list")
	answerExcluded       = newOK("excluded", "not stored: the channel leaves this event out")
)

// The refusals that are not the channel type's.
var (
	answerUnknownPath = newReply("unknown_path", http.StatusNotFound, "no channel has this path")
	answerUsePost     = newMethodNotAllowed("POST")
	answerUseGet      = newMethodNotAllowed("GET, HEAD")
	answerKey         = newReply("key", http.StatusUnauthorized,
		"API key missing or wrong: send it as query parameter "+keyParameter+" or header "+keyHeader)
	answerBusy     = newUnavailable("busy", "too many calls in flight")
	answerTooLarge = newReply("too_large", http.StatusRequestEntityTooLarge, "body is larger than the channel allows")
	answerCutShort = newReply("aborted", http.StatusBadRequest, "body is cut short or its transfer encoding is broken")
	answerCutOff   = newUnavailable("cut_off", "the body had not arrived when other calls needed the room")
	answerSlowBody = newUnavailable("timeout", "the body did not arrive in time")
	answerStale    = newUnavailable(telemetry.ReasonStale, "the event's timestamp is older than the channel takes")
	answerFull     = newUnavailable("inbox_full", "inbox is full")
	answerDiskFull = newUnavailable("inbox_disk_full", "the inbox's disk is full")
	answerFailed   = newUnavailable("inbox_failed", "the event could not be stored")
	// answerIncomplete is for a defect of the channel type, so the platform should send the call again.
	answerIncomplete = newUnavailable("type_failed", "the channel's type did not complete the event")
	answerNotInTime  = newUnavailable("timeout", "the event was not stored in time")
)

// reasonHandshake counts the GETs of a channel's path that the channel type refuses.
const reasonHandshake = "handshake"

// replyTo is the reply to a call that its channel type refuses. A refusal without a usable status is a defect of the
// type, so the platform should send the call again.
func replyTo(refusal *channel.Refusal) *reply {
	reason := string(refusal.Reason)
	if refusal.Status < 400 || refusal.Status > 599 || refusal.Status == http.StatusServiceUnavailable {
		return newUnavailable(reason, refusal.Message)
	}
	return newReply(reason, refusal.Status, refusal.Message)
}

// answer is a complete response. All responses share the header values and only read them.
type answer struct {
	channel.Answer

	contentType, length []string
	header              map[string]string
}

// shape puts replies into the shape that a channel's platform expects.
type shape struct {
	of func(status int, message string) channel.Answer
	// made are the answers to the replies of the tables above.
	made sync.Map
}

// answer returns the answer of a reply, which is made once.
func (s *shape) answer(r *reply) *answer {
	if made, ok := s.made.Load(r); ok {
		return made.(*answer)
	}
	a := s.make(r)
	s.made.Store(r, a)
	return a
}

// make makes an answer. One without a usable status gets the reply's.
func (s *shape) make(r *reply) *answer {
	a := newAnswer(s.of(r.status, r.message), r.status)
	a.header = r.header
	return a
}

// newPageAnswer completes what a page or an endpoint returned. One without a usable status is a defect of the type, so
// the caller should ask again.
func newPageAnswer(of channel.Answer) *answer {
	a := newAnswer(of, http.StatusServiceUnavailable)
	if a.Status == http.StatusServiceUnavailable {
		a.header = unavailable
	}
	return a
}

// newAnswer completes an answer; status takes the place of one that HTTP does not know.
func newAnswer(a channel.Answer, status int) *answer {
	if a.Status < 200 || a.Status > 599 {
		a.Status = status
	}
	return &answer{Answer: a, contentType: []string{a.ContentType}, length: []string{strconv.Itoa(len(a.Body))}}
}

func (a *answer) write(w http.ResponseWriter) {
	header := w.Header()
	header["Content-Type"], header["Content-Length"] = a.contentType, a.length
	for name, value := range a.header {
		header.Set(name, value)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a caller that does not take its answer calls again
}
