// Package echo is a channel type for tests alone. It differs from the real ones in everything that a type may decide: a
// handshake, an optional signature, several events in a call, bodies that are no JSON, answers of its own shape, and an
// endpoint. A test adds it with one line:
//
//	types.Channels = append(types.Channels, echo.Type)
package echo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// Type is the type.
var Type = channel.Type{
	Type: config.Type{
		Name:         "Echo",
		Platform:     "Echo",
		New:          func() config.Section { return &Settings{} },
		DefaultPath:  "/echo",
		PublicPrefix: "/echoes/",
	},
	AnswerIn: 3 * time.Second,
	Words: channel.Words{
		SecretName:    secretName,
		Field:         "secretKeys",
		NeverVerified: "Echo has one secret: copy the " + secretName + " of " + console,
		NoLonger:      "the key was changed: copy the new one from " + console,
	},
	Sample: &channel.Sample{
		Fields:      []channel.SampleField{{Name: "text", Usage: "the text of the message", Default: "Xin chào"}},
		ContentType: contentType,
		Body: func(values map[string]string, _ time.Time) ([]byte, error) {
			return []byte(rand.Text() + " anna " + values["text"]), nil
		},
		Sign: func(header http.Header, body []byte, secret string) error {
			header.Set(SignatureHeader, Sign(body, secret))
			return nil
		},
	},
}

const secretName, console = "echo key", "the echo's console"

// SignatureHeader carries the HMAC-SHA256 of the body, as hex.
const SignatureHeader = "X-Echo-Signature"

// contentType is that of events and of answers.
const contentType = "text/plain"

// EndpointPath is that of the endpoint.
const EndpointPath = "/echoes/back"

// WordHeader carries the word of a call of the endpoint.
const WordHeader = "X-Echo-Word"

// MaxEndpointBody is the largest body of such a call, in bytes.
const MaxEndpointBody = 64

// The reasons of this type.
const (
	// ReasonLine: a line is no event, or one too many.
	ReasonLine channel.Reason = "line"
	// ReasonWord: a call of the endpoint has not the word.
	ReasonWord channel.Reason = "word"
	// ReasonEchoed: the endpoint answered.
	ReasonEchoed channel.Reason = "echoed"
)

type echo struct {
	name, word string
	mode       channel.SignatureMode
	keys       []config.Secret
}

// Public returns the handshake: a caller that knows the word gets its challenge back.
func (e *echo) Public() []channel.Page { return []channel.Page{{Serve: e.shakeHands}} }

func (e *echo) shakeHands(call *http.Request) channel.Answer {
	query := call.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("word")), []byte(e.word)) != 1 {
		return e.Answer(http.StatusForbidden, "this is not the word")
	}
	return channel.Answer{Status: http.StatusOK, ContentType: contentType, Body: []byte(query.Get("challenge"))}
}

// Endpoints returns the endpoint: a caller that knows the word gets its body back.
func (e *echo) Endpoints() []channel.Endpoint {
	return []channel.Endpoint{{Path: EndpointPath, MaxBodySize: MaxEndpointBody, Serve: e.back}}
}

func (e *echo) back(_ context.Context, header http.Header, body []byte) (channel.Answer, channel.Reason) {
	if subtle.ConstantTimeCompare([]byte(header.Get(WordHeader)), []byte(e.word)) != 1 {
		return e.Answer(http.StatusForbidden, "this is not the word"), ReasonWord
	}
	return channel.Answer{Status: http.StatusOK, ContentType: contentType, Body: body}, ReasonEchoed
}

// Answer is one line.
func (*echo) Answer(status int, message string) channel.Answer {
	return channel.Answer{Status: status, ContentType: contentType, Body: fmt.Appendf(nil, "%d %s\n", status, message)}
}

// Read takes one event from each line: its id, its conversation and a text.
func (e *echo) Read(at time.Time, header http.Header, body []byte) (channel.Reading, *channel.Refusal) {
	reading := channel.Reading{}
	if e.mode == channel.SignatureEnforce {
		signer, ok := e.verify(header.Get(SignatureHeader), body)
		if !ok {
			return reading,
				&channel.Refusal{Status: http.StatusForbidden, Reason: channel.ReasonSignatureWrong, Message: "no key made this signature"}
		}
		reading.Verified, reading.SignedBy = true, signer
	}
	for line := range bytes.Lines(body) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		parts := strings.SplitN(string(line), " ", 3)
		if len(parts) < 3 || len(reading.Calls) == channel.MaxCalls {
			return reading, &channel.Refusal{Status: http.StatusUnprocessableEntity, Reason: ReasonLine, Message: "a line is no event"}
		}
		reading.Calls = append(reading.Calls, channel.Call{Name: "said", KnownName: "said", Event: event.Event{
			ID: digest.Of([]byte(Type.Name), []byte(parts[0])), Channel: e.name, Source: "/echo", Type: "test.echo.said",
			Conversation: parts[1], Time: at, ContentType: contentType, Body: line,
		}})
	}
	return reading, nil
}

// verify returns the digest of the key that made a signature.
func (e *echo) verify(signature string, body []byte) (signer [sha256.Size]byte, ok bool) {
	for _, key := range e.keys {
		if subtle.ConstantTimeCompare([]byte(signature), []byte(Sign(body, key.Reveal()))) == 1 {
			return key.Digest(), true
		}
	}
	return signer, false
}

// Sign returns the value of SignatureHeader.
func Sign(body []byte, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
