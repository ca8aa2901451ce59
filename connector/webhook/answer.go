package webhook

import (
	"encoding/json"
	"net/http"
	"strconv"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// Why calls are refused, besides the reasons of package channel. All are values
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

// Why calls are answered 200 and not stored: values of the metric label
// "reason" of ignored calls.
const (
	ignoredProbe          = "probe"
	ignoredURLCheck       = "url_check"
	ignoredConsoleTest    = "console_test"
	ignoredForeignAccount = "foreign_account"
	ignoredExcluded       = "excluded"
)

// retryAfter is the wait, in seconds, that a 503 asks for. A busy moment passes
// and a full inbox drains at the sink's pace; platforms with a retry schedule of
// their own ignore it.
const retryAfter = "5"

// answer is a complete response. The header values are shared by all responses,
// which only read them.
type answer struct {
	status int
	body   []byte
	length []string
	header map[string]string
}

var jsonContentType = []string{"application/json"}

func newAnswer(status int, message string) *answer {
	result := "1"
	if status == http.StatusOK {
		result = "0"
	}
	body, _ := json.Marshal(struct { //nolint:errchkjson // two strings always marshal
		Status  string `json:"status"`
		Message string `json:"message"`
	}{result, message})
	return &answer{status: status, body: body, length: []string{strconv.Itoa(len(body))}}
}

func newUnavailable(message string) *answer {
	a := newAnswer(http.StatusServiceUnavailable, message)
	a.header = map[string]string{"Retry-After": retryAfter}
	return a
}

func newMethodNotAllowed(allow string) *answer {
	a := newAnswer(http.StatusMethodNotAllowed, "method not allowed: use "+allow)
	a.header = map[string]string{"Allow": allow}
	return a
}

var (
	answerAccepted       = newAnswer(http.StatusOK, "accepted")
	answerDuplicate      = newAnswer(http.StatusOK, "already accepted")
	answerProbe          = newAnswer(http.StatusOK, "ready")
	answerConsoleTest    = newAnswer(http.StatusOK, "test received, not stored")
	answerForeignAccount = newAnswer(http.StatusOK, "not stored: the account is not on the channel's list")
	answerExcluded       = newAnswer(http.StatusOK, "not stored: the channel leaves this event out")

	answerUnknownPath = newAnswer(http.StatusNotFound, "no channel has this path")
	answerUsePost     = newMethodNotAllowed("POST")
	answerUseGet      = newMethodNotAllowed("GET, HEAD")
	answerKey         = newAnswer(http.StatusUnauthorized, "API key missing or wrong: send it as query parameter "+keyParameter+" or header "+keyHeader)
	answerBusy        = newUnavailable("too many calls in flight")
	answerTooLarge    = newAnswer(http.StatusRequestEntityTooLarge, "body is larger than the channel allows")
	answerCutShort    = newAnswer(http.StatusBadRequest, "body is cut short or its transfer encoding is broken")
	answerCutOff      = newUnavailable("the body had not arrived when other calls needed the room")
	answerSlowBody    = newUnavailable("the body did not arrive in time")
	answerStale       = newUnavailable("the event's timestamp is older than the channel takes")
	answerFull        = newUnavailable("inbox is full")
	answerDiskFull    = newUnavailable("the inbox's disk is full")
	answerFailed      = newUnavailable("the event could not be stored")
	answerNotInTime   = newUnavailable("the event was not stored in time")
)

// refusalStatus is the status of each refusal of a channel type.
var refusalStatus = map[channel.Reason]int{
	channel.ReasonMalformed:        http.StatusBadRequest,
	channel.ReasonWrongApp:         http.StatusForbidden,
	channel.ReasonSignatureMissing: http.StatusUnauthorized,
	channel.ReasonSignatureWrong:   http.StatusUnauthorized,
	channel.ReasonAwaitingSecret:   http.StatusServiceUnavailable,
}

// answerTo is the answer to a call that its channel type refuses.
func answerTo(refusal *channel.Refusal) *answer {
	status := refusalStatus[refusal.Reason]
	if status == http.StatusServiceUnavailable {
		return newUnavailable(refusal.Message)
	}
	return newAnswer(status, refusal.Message)
}

func (a *answer) write(w http.ResponseWriter) {
	header := w.Header()
	header["Content-Type"] = jsonContentType
	header["Content-Length"] = a.length
	for name, value := range a.header {
		header.Set(name, value)
	}
	w.WriteHeader(a.status)
	// A caller that does not take its answer will call again.
	_, _ = w.Write(a.body)
}
