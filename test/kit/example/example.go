// Package example has the event that xBot publishes as its example, for those who
// show the connector at work.
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

// EventWithID returns the example with another message id. The connector takes the
// same id for a repetition.
func EventWithID(id string) []byte {
	return bytes.Replace(Event, []byte(MessageID), []byte(id), 1)
}

// Timestamp is when the event was made, in November 2023, as it says itself.
const Timestamp = "1699003881354"

// EventOf returns the example with another message id, as if it had been made at a
// time, because a connector refuses old events unless it is told not to.
func EventOf(id string, at time.Time) []byte {
	return bytes.Replace(EventWithID(id), []byte(Timestamp), strconv.AppendInt(nil, at.UnixMilli(), 10), 1)
}

// Key returns n random bytes in hexadecimal digits, as keys are written.
func Key(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // it never fails
	return hex.EncodeToString(raw)
}
