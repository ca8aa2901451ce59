package webhook

import (
	"net/http"
	"strconv"
	"sync"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// Why calls are refused, beside the reasons of package channel. All are values
// of the metric label "reason".
const (
	// reasonUnknownPath: no channel has that path. 404.
	reasonUnknownPath channel.Reason = "unknown_path"
	// reasonMethod: not POST. 405.
	reasonMethod channel.Reason = "method"
	// reasonKey: the API key is missing or wrong. 401.
	reasonKey channel.Reason = "key"
	// reasonBusy: too many calls in flight, or no room for the body. 503.
	reasonBusy channel.Reason = "busy"
	// reasonCutOff: the body had not arrived when another call needed the room.
	// 503.
	reasonCutOff channel.Reason = "cut_off"
	// reasonHandshake: the channel type refuses a GET of the channel's path.
	reasonHandshake channel.Reason = "handshake"
	// reasonTooLarge: the body is larger than the channel's bound. 413.
	reasonTooLarge channel.Reason = "too_large"
	// reasonAborted: the caller hung up before the body was complete. 400, if
	// it still listens.
	reasonAborted channel.Reason = "aborted"
	// reasonStale: a verified event is older than the channel takes. 503.
	reasonStale channel.Reason = telemetry.ReasonStale
	// reasonInboxFull: the inbox is at its bound. 503.
	reasonInboxFull channel.Reason = "inbox_full"
	// reasonDiskFull: the inbox's disk has no room. 503.
	reasonDiskFull channel.Reason = "inbox_disk_full"
	// reasonInboxFailed: the inbox could not store the event. 503.
	reasonInboxFailed channel.Reason = "inbox_failed"
	// reasonTimeout: the body did not arrive, or the event was not durable, in
	// time. 503.
	reasonTimeout channel.Reason = "timeout"
)

// ignored is why a call, or a part of it, is answered 200 and not stored. The reason is
// a value of the metric label "reason" of ignored calls.
type ignored struct {
	reason string
	reply  *reply
}

var (
	ignoredProbe          = &ignored{"probe", answerProbe}
	ignoredURLCheck       = &ignored{"url_check", answerProbe}
	ignoredConsoleTest    = &ignored{"console_test", answerConsoleTest}
	ignoredForeignAccount = &ignored{"foreign_account", answerForeignAccount}
	ignoredExcluded       = &ignored{"excluded", answerExcluded}
)

// retryAfter is the wait, in seconds, that a 503 asks for. A busy moment passes
// and a full inbox drains at the sink's pace; platforms with a retry schedule of
// their own ignore it.
const retryAfter = "5"

// reply is how a call ends, in any channel's shape.
type reply struct {
	status  int
	message string
	header  map[string]string
}

func newReply(status int, message string) *reply { return &reply{status: status, message: message} }

func newUnavailable(message string) *reply {
	return &reply{http.StatusServiceUnavailable, message, map[string]string{"Retry-After": retryAfter}}
}

func newMethodNotAllowed(allow string) *reply {
	return &reply{http.StatusMethodNotAllowed, "method not allowed: use " + allow, map[string]string{"Allow": allow}}
}

var (
	answerAccepted       = newReply(http.StatusOK, "accepted")
	answerDuplicate      = newReply(http.StatusOK, "already accepted")
	answerProbe          = newReply(http.StatusOK, "ready")
	answerConsoleTest    = newReply(http.StatusOK, "test received, not stored")
	answerForeignAccount = newReply(http.StatusOK, "not stored: the account is not on the channel's list")
	answerExcluded       = newReply(http.StatusOK, "not stored: the channel leaves this event out")

	answerUnknownPath = newReply(http.StatusNotFound, "no channel has this path")
	answerUsePost     = newMethodNotAllowed("POST")
	answerUseGet      = newMethodNotAllowed("GET, HEAD")
	answerKey         = newReply(http.StatusUnauthorized, "API key missing or wrong: send it as query parameter "+keyParameter+" or header "+keyHeader)
	answerBusy        = newUnavailable("too many calls in flight")
	answerTooLarge    = newReply(http.StatusRequestEntityTooLarge, "body is larger than the channel allows")
	answerCutShort    = newReply(http.StatusBadRequest, "body is cut short or its transfer encoding is broken")
	answerCutOff      = newUnavailable("the body had not arrived when other calls needed the room")
	answerSlowBody    = newUnavailable("the body did not arrive in time")
	answerStale       = newUnavailable("the event's timestamp is older than the channel takes")
	answerFull        = newUnavailable("inbox is full")
	answerDiskFull    = newUnavailable("the inbox's disk is full")
	answerFailed      = newUnavailable("the event could not be stored")
	answerNotInTime   = newUnavailable("the event was not stored in time")
)

// replyTo is the reply to a call that its channel type refuses. One without a usable
// status is a defect of the type, so the platform should send the call again.
func replyTo(refusal *channel.Refusal) *reply {
	if refusal.Status < 400 || refusal.Status > 599 || refusal.Status == http.StatusServiceUnavailable {
		return newUnavailable(refusal.Message)
	}
	return newReply(refusal.Status, refusal.Message)
}

// answer is a complete response. The header values are shared by all responses,
// which only read them.
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
	a := newAnswer(s.of(r.status, r.message))
	if a.Status < 200 || a.Status > 599 {
		a.Status = r.status
	}
	a.header = r.header
	return a
}

func newAnswer(a channel.Answer) *answer {
	return &answer{Answer: a, contentType: []string{a.ContentType}, length: []string{strconv.Itoa(len(a.Body))}}
}

func (a *answer) write(w http.ResponseWriter) {
	header := w.Header()
	header["Content-Type"] = a.contentType
	header["Content-Length"] = a.length
	for name, value := range a.header {
		header.Set(name, value)
	}
	w.WriteHeader(a.Status)
	// A caller that does not take its answer will call again.
	_, _ = w.Write(a.Body)
}
