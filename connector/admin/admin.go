// Package admin is the API of a running connector for the person who runs it: what each channel does, and what became
// of the events that were given up. Its callers may read and delete events. So it is served on a socket that only the
// process's own user and root can open, and on loopback only if the configuration asks for that.
//
//	GET  /v1/status
//	GET  /v1/deadletters?channel=NAME           one JSON object a line
//	GET  /v1/deadletters/show?channel=NAME&id=ID
//	POST /v1/deadletters/redrive                Selection
//	POST /v1/deadletters/drop                   Selection
//
// Every error is answered as {"error": TEXT}.
package admin

import "time"

// The paths of the API.
const (
	pathStatus  = "/v1/status"
	pathList    = "/v1/deadletters"
	pathShow    = "/v1/deadletters/show"
	pathRedrive = "/v1/deadletters/redrive"
	pathDrop    = "/v1/deadletters/drop"
)

// Status describes a connector at a moment.
type Status struct {
	// ConfigDigest identifies the configuration in use.
	ConfigDigest string `json:"configDigest"`
	// InboxUsedBytes is the size of the inbox on disk.
	InboxUsedBytes int64 `json:"inboxUsedBytes"`
	// InboxLimitBytes is its bound.
	InboxLimitBytes int64 `json:"inboxLimitBytes"`
	// RefusedWithoutChannel counts calls since the process's start that no channel could be found for, such as those
	// with a wrong API key.
	RefusedWithoutChannel int64 `json:"refusedWithoutChannel"`
	// Channels are all that are configured or have anything stored, sorted.
	Channels []ChannelStatus `json:"channels"`
}

// ChannelStatus describes one channel. The counts from Accepted to FailedAttempts begin at the process's start.
type ChannelStatus struct {
	Name string `json:"name"`
	// Configured is false for a channel that was removed from the configuration and still has events stored.
	Configured bool `json:"configured"`
	Paused     bool `json:"paused"`
	// Pending counts stored events that are neither taken nor dead.
	Pending int64 `json:"pending"`
	// OldestPendingSeconds is the age of the oldest of them.
	OldestPendingSeconds float64 `json:"oldestPendingSeconds"`
	DeadLetters          int64   `json:"deadLetters"`
	Accepted             int64   `json:"accepted"`
	Duplicates           int64   `json:"duplicates"`
	// Ignored counts calls answered 200 without being stored, such as those of an account that is not on the
	// allow-list.
	Ignored int64 `json:"ignored"`
	Refused int64 `json:"refused"`
	// Stale counts those of Refused that were signed and older than webhook.maxEventAge: replays, or our clock is
	// ahead.
	Stale int64 `json:"stale"`
	// AuditFailures counts calls let in under signature mode Audit that Enforce would have refused.
	AuditFailures int64 `json:"auditFailures"`
	Taken         int64 `json:"taken"`
	// FailedAttempts counts delivery attempts that did not end in the sink's taking the event.
	FailedAttempts int64 `json:"failedAttempts"`
	// InFlight counts delivery attempts under way.
	InFlight int `json:"inFlight"`
	// LastError is why the latest failed attempt failed; empty if none did.
	LastError   string    `json:"lastError,omitempty"`
	LastErrorAt time.Time `json:"lastErrorAt,omitzero"`
	LastTakenAt time.Time `json:"lastTakenAt,omitzero"`
	// NextProbeAt is when the next single attempt is made while the sink's Retry-After holds the channel; absent while
	// nothing holds it.
	NextProbeAt time.Time `json:"nextProbeAt,omitzero"`
}

// DeadLetter is one event that was given up, without what a user wrote.
type DeadLetter struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"`
	Reason     string    `json:"reason"`
	Attempts   int       `json:"attempts"`
	AcceptedAt time.Time `json:"acceptedAt"`
	DiedAt     time.Time `json:"diedAt"`
}

// Letter is a dead letter with its whole event.
type Letter struct {
	DeadLetter
	Channel      string    `json:"channel"`
	Source       string    `json:"source"`
	Subject      string    `json:"subject,omitempty"`
	Conversation string    `json:"conversation"`
	Time         time.Time `json:"time"`
	// ContentType is the media type of Body.
	ContentType string `json:"contentType,omitempty"`
	// Body is the call's body, byte for byte; base64 in JSON.
	Body []byte `json:"body"`
}

// Selection names dead letters of a channel: either IDs or All, so that an empty list never means everything.
type Selection struct {
	Channel string   `json:"channel"`
	IDs     []string `json:"ids,omitempty"`
	All     bool     `json:"all,omitempty"`
}

// changed is the answer to a redrive or a drop.
type changed struct {
	Count int `json:"count"`
}

// failure is the answer to everything that failed.
type failure struct {
	Error string `json:"error"`
}

// listLine is one line of a list: a dead letter, or why the list ends early.
type listLine struct {
	*DeadLetter
	Error string `json:"error,omitempty"`
}
