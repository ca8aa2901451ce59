package webchat

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

const (
	// answerMargin is the part of a call's time that is left for the answer.
	answerMargin = 200 * time.Millisecond
	// maxAnswer and maxAnswerHeader bound what Direct Line says, in bytes.
	maxAnswer, maxAnswerHeader = 64 << 10, 64 << 10
	// maxIdle bounds the idle connections, of all channels.
	maxIdle = 16
	// idleTimeout closes connections that no call needed for a while.
	idleTimeout = 90 * time.Second
)

// The reasons why Direct Line gave no token.
const (
	reasonSecretRefused channel.Reason = "direct_line_secret" //nolint:gosec // a name
	reasonThrottled     channel.Reason = "direct_line_throttled"
	reasonFailed        channel.Reason = "direct_line_failed"
	reasonUnexpected    channel.Reason = "direct_line_unexpected"
	reasonUnreachable   channel.Reason = "direct_line_unreachable"
	reasonTimeout       channel.Reason = "direct_line_timeout"
	// reasonAborted is the webhook's own: the caller hung up.
	reasonAborted channel.Reason = "aborted"
)

// connections are those to Direct Line, which all channels share. They end with the last channel that wants them.
type connections struct {
	http.Transport

	// places are taken by the calls that wait.
	places chan struct{}
}

// Run implements channel.Worker.
func (c *connections) Run(ctx context.Context) {
	<-ctx.Done()
	c.CloseIdleConnections()
}

// newConnections uses HTTP/1.1 only: a hanging connection then holds up one call and no other.
func newConnections() channel.Worker {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &connections{places: make(chan struct{}, maxAllCalls), Transport: http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: channel.MaxAnswerIn}).DialContext,
		TLSHandshakeTimeout:    channel.MaxAnswerIn,
		Protocols:              protocols,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxCalls,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true,
	}}
}

// directLine calls Direct Line 3.0.
type directLine struct {
	url    string
	client http.Client
	// places are those of the process.
	places chan struct{}
}

func newDirectLine(url string, e channel.Environment) *directLine {
	shared := e.Worker("AzureBot web chat", newConnections).(*connections)
	return &directLine{strings.TrimRight(cmp.Or(url, DefaultURL), "/") + "/v3/directline/tokens/", http.Client{
		Transport:     shared,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, shared.places}
}

// user is bound to a token.
type user struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// generate makes a token for a new conversation of a user.
func (l *directLine) generate(ctx context.Context, secret string, of user, origins []string) (*chat, *channel.Refusal) {
	body, _ := json.Marshal(struct { //nolint:errchkjson // texts always marshal
		User           user     `json:"user"`
		TrustedOrigins []string `json:"trustedOrigins,omitempty"`
	}{of, origins})
	status, opened, refusal := l.post(ctx, "generate", secret, body)
	switch {
	case refusal != nil:
		return nil, refusal
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, &channel.Refusal{Status: http.StatusBadGateway, Reason: reasonSecretRefused,
			Message: "the " + secretName + " is refused: the owner of the connector has to copy it again from " + secretOrigin}
	case status == http.StatusBadRequest:
		return nil, &channel.Refusal{Status: http.StatusBadGateway, Reason: reasonUnexpected,
			Message: "Direct Line takes no such user or origin: the owner of the connector has to compare trustedOrigins with " + secretOrigin}
	case opened == nil:
		return nil, refusalOf(status)
	}
	opened.UserID, opened.reason = of.ID, reasonOpened
	return opened, nil
}

// refresh makes a new token for the conversation of one that has not expired.
func (l *directLine) refresh(ctx context.Context, token string) (*chat, *channel.Refusal) {
	status, opened, refusal := l.post(ctx, "refresh", token, nil)
	switch {
	case refusal != nil:
		return nil, refusal
	case status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, &channel.Refusal{Status: http.StatusUnauthorized, Reason: reasonToken,
			Message: "the token has expired, or is none of Direct Line: ask for a new one with userInfo"}
	case opened == nil:
		return nil, refusalOf(status)
	}
	opened.UserID, opened.reason = userOf(opened.Token), reasonRefreshed
	return opened, nil
}

// userOf returns the user that a token of Direct Line is bound to; empty if it does not tell. Direct Line has just made
// the token, so that its signature need not be verified.
func userOf(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	claims, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(claims)
	var bound struct{ User string }
	if err != nil || json.Unmarshal(text, &bound) != nil {
		return ""
	}
	return bound.User
}

// post makes one call, and none again. The chat is nil unless the status is one of success.
func (l *directLine) post(ctx context.Context, operation, bearer string, body []byte) (int, *chat, *channel.Refusal) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(channel.MaxAnswerIn)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(-answerMargin))
	defer cancel()
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+operation, bytes.NewReader(body))
	if err != nil {
		return 0, nil, failure(ctx, err)
	}
	call.Header.Set("Authorization", "Bearer "+bearer)
	call.Header.Set("Content-Type", "application/json")
	answer, err := l.client.Do(call)
	if err != nil {
		return 0, nil, failure(ctx, err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusCreated {
		return answer.StatusCode, nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, failure(ctx, err)
	}
	opened, refusal := conversation(text)
	return answer.StatusCode, opened, refusal
}

// conversation reads Direct Line's answer.
func conversation(text []byte) (*chat, *channel.Refusal) {
	var made struct {
		ConversationID, Token string
		ExpiresIn             float64 `json:"expires_in"`
	}
	if len(text) > maxAnswer || json.Unmarshal(text, &made) != nil || made.ConversationID == "" || made.Token == "" ||
		made.ExpiresIn < 1 || made.ExpiresIn > math.MaxInt32 {
		return nil, &channel.Refusal{Status: http.StatusBadGateway, Reason: reasonUnexpected,
			Message: "Direct Line's answer holds no token: the owner of the connector has to see whether webChat.url is that of Direct Line"}
	}
	return &chat{ConversationID: made.ConversationID, Token: made.Token, ExpiresIn: int64(made.ExpiresIn)}, nil
}

// refusalOf is the answer to a call that ended with a status of Direct Line. Nothing that it says is quoted.
func refusalOf(status int) *channel.Refusal {
	switch {
	case status == http.StatusTooManyRequests:
		return &channel.Refusal{Status: http.StatusServiceUnavailable, Reason: reasonThrottled,
			Message: "Direct Line takes no more calls for now: try again later"}
	case status >= http.StatusInternalServerError:
		return &channel.Refusal{Status: http.StatusServiceUnavailable, Reason: reasonFailed,
			Message: fmt.Sprintf("Direct Line failed with status %d: try again later", status)}
	default:
		return &channel.Refusal{Status: http.StatusBadGateway, Reason: reasonUnexpected,
			Message: fmt.Sprintf("Direct Line answered with status %d: the owner of the connector has to see whether "+
				"webChat.url is that of Direct Line", status)}
	}
}

// failure is the answer to a call that Direct Line did not answer. The error is not passed on: it quotes the URL.
func failure(ctx context.Context, err error) *channel.Refusal {
	refusal := &channel.Refusal{Status: http.StatusServiceUnavailable, Reason: reasonUnreachable}
	switch cause := ctx.Err(); {
	case errors.Is(cause, context.Canceled):
		refusal.Reason, refusal.Message = reasonAborted, "the caller hung up"
	case cause != nil:
		refusal.Reason, refusal.Message = reasonTimeout, "Direct Line did not answer in time: try again later"
	default:
		refusal.Message = "Direct Line cannot be reached: " + causeOf(err) + ": try again later"
	}
	return refusal
}

// causeOf says what kind of error it is.
func causeOf(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its name cannot be resolved"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not trusted"
	}
	return "there is no connection to it"
}
