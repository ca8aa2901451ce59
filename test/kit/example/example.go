// Package example has the event that xBot publishes as its example.
package example

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"strconv"
	"time"
)

// AppID is the app that the event belongs to.
const AppID = "2553928453557884079"

// MessageID tells the event from others.
const MessageID = "cb31dff1c39642cc1b83"

// Event is the example, byte for byte.
//
//go:embed xbot_example.json
var Event []byte

// EventWithID returns the example with another message id: the connector takes an event with the same id for a
// repetition.
func EventWithID(id string) []byte {
	return bytes.Replace(Event, []byte(MessageID), []byte(id), 1)
}

// Timestamp is the event's own time, in November 2023.
const Timestamp = "1699003881354"

// EventOf returns the example with another message id and time: by default a connector refuses old events.
func EventOf(id string, at time.Time) []byte {
	return bytes.Replace(EventWithID(id), []byte(Timestamp), strconv.AppendInt(nil, at.UnixMilli(), 10), 1)
}

// Key returns n random bytes in hexadecimal digits, as keys are written.
func Key(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // it never fails
	return hex.EncodeToString(raw)
}
