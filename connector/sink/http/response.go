package httpsink

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"xbot.a4b.vn/channel-connector/connector/sink"
)

// maxRetryAfter bounds a sink's Retry-After, so that a slip in it (a date in the wrong year, milliseconds for seconds)
// cannot hold a conversation for days.
const maxRetryAfter = time.Hour

// judge decides by the status of the answer alone whether the event was taken.
func judge(resp *http.Response, now time.Time) error {
	status := resp.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	reason := "HTTP " + strconv.Itoa(status)
	switch status {
	case http.StatusSwitchingProtocols:
		reason += ": the sink changed to another protocol, which nobody asked for"
	case http.StatusProxyAuthRequired:
		reason += ": the proxy asks for credentials"
	case http.StatusBadRequest, http.StatusGone, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return &sink.Refused{Reason: reason}
	}
	// Other 4xx too: a bot being redeployed answers 404, an expired token 401.
	return &sink.Failed{
		Class:      "status",
		Reason:     reason,
		RetryAfter: retryAfter(resp.Header, now),
	}
}

// retryAfter reads a Retry-After header: seconds or an HTTP date. It returns zero if the header is absent, past or
// unreadable. Both the date and the header Date are of the sink's clock, so their difference holds, whatever our clock
// shows. Without a Date, now counts.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if at, err := http.ParseTime(value); err == nil {
		if sent, err := http.ParseTime(header.Get("Date")); err == nil {
			now = sent
		}
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
}
