// Package report is what a connector tells its operator about its traffic: a small JSON document on the listener of the
// metrics, for callers with the token.
//
// A report says how things stand and since when. It judges nothing: conditions are the operator's matter. It holds no
// secret, no user id and nothing of a body.
package report

import "time"

const (
	// Path is where the listener of the metrics serves the report. A caller sends the token of the configuration as
	// "Authorization: Bearer <token>".
	Path = "/report"
	// MaxSize bounds a report, in bytes of JSON. A connector with more channels than fit has no report.
	MaxSize = 16 << 10
	// MaxKeys bounds the signing keys of a channel in a report, the first ones in the order of the configuration, those
	// of single accounts last.
	MaxKeys = 32
)

// Report is the document.
type Report struct {
	// Began is the start of the process, and of everything that it counts.
	Began time.Time `json:"began"`
	Inbox Inbox     `json:"inbox"`
	// Channels are the configured ones, in the order of the configuration.
	Channels []Channel `json:"channels"`
}

// InboxState says whether the inbox takes events.
type InboxState string

const (
	// InboxOK is an inbox that takes events, or took the last one.
	InboxOK InboxState = "OK"
	// InboxFull is an inbox at its bound, or on a disk without room.
	InboxFull InboxState = "Full"
	// InboxFailing is an inbox that could not store the last event.
	InboxFailing InboxState = "Failing"
)

// Inbox is the state of the store of all channels.
type Inbox struct {
	// State is of the last write: of an event, or of a try while events could not be stored.
	State InboxState `json:"state"`
	// Since is the begin of State; zero for InboxOK.
	Since time.Time `json:"since,omitzero"`
	// Error is why events are not stored; empty for InboxOK.
	Error string `json:"error,omitempty"`
	// UsedBytes and LimitBytes are the space on the disk.
	UsedBytes  int64 `json:"usedBytes"`
	LimitBytes int64 `json:"limitBytes"`
	// FullInSeconds is the time until the space ends at the rate of the last minutes; zero while it does not shrink.
	FullInSeconds float64 `json:"fullInSeconds,omitempty"`
}

// Channel is the traffic of one channel.
type Channel struct {
	// Name is the channel's in the configuration.
	Name string `json:"name"`
	// LastAuthentic is the time of the last call that was let in: with a right signature, or with an API key if no
	// signature is demanded. Zero for none since the process began.
	LastAuthentic time.Time `json:"lastAuthentic,omitzero"`
	// LastEvent is the time of the last event that was stored, or recognised as stored.
	LastEvent time.Time `json:"lastEvent,omitzero"`
	// APIKeys are the accepted ones, in the order of the configuration.
	APIKeys     []Key       `json:"apiKeys,omitempty"`
	Signature   Signature   `json:"signature"`
	Delivery    Delivery    `json:"delivery"`
	DeadLetters DeadLetters `json:"deadLetters"`
}

// Key is a credential that calls show or are signed with.
type Key struct {
	// Name is for people: of an API key its name, of a signing key where it stands; at most 128 bytes of it.
	Name string `json:"name"`
	// Account is the account whose events alone a signing key verifies; empty for all.
	Account string `json:"account,omitempty"`
	// ID is the same in every replica and after a restart as long as the value is, and tells nothing of it: 16 hex
	// digits of an HMAC with the report's token. Of an API key it is empty.
	ID string `json:"id,omitempty"`
	// LastUsed is the time of the last call that it let in; zero for none since the process began, or since the key
	// came into use.
	LastUsed time.Time `json:"lastUsed,omitzero"`
}

// Signature is the verification of calls.
type Signature struct {
	// Mode is Enforce, Audit or Off.
	Mode string `json:"mode"`
	// Keys are the signing keys that are there, at most MaxKeys.
	Keys []Key `json:"keys,omitempty"`
	// Failed counts the calls since FailingSince whose signature matched no key. Calls without any signature do not
	// count: their sender knows no secret.
	Failed int64 `json:"failed,omitempty"`
	// FailingSince and LastFailed are the times of the first and the last failed call since one was verified, or since
	// the keys changed; zero for none.
	FailingSince time.Time `json:"failingSince,omitzero"`
	LastFailed   time.Time `json:"lastFailed,omitzero"`
	// Awaiting: the platform's keys could not be fetched so far, so that no call can be verified.
	Awaiting bool `json:"awaiting,omitempty"`
}

// Delivery is how events reach the sink.
type Delivery struct {
	// Paused reports whether the configuration holds deliveries, or the sink lacks a credential.
	Paused  bool  `json:"paused,omitempty"`
	Pending int64 `json:"pending"`
	// OldestPendingSeconds is the age of the oldest of the Pending events, which wait for the sink.
	OldestPendingSeconds float64 `json:"oldestPendingSeconds,omitempty"`
	// FailingSince is the time of the first failed attempt since the sink took an event, or refused one for good: a
	// refusal shows that the sink is up. Zero for none.
	FailingSince time.Time `json:"failingSince,omitzero"`
	// LastError is why the last attempt failed, while FailingSince is set.
	LastError string `json:"lastError,omitempty"`
	// LastTaken is the time of the last event that the sink took; zero for none since the process began.
	LastTaken time.Time `json:"lastTaken,omitzero"`
}

// DeadLetters are the events that were given up and are kept.
type DeadLetters struct {
	Count int64 `json:"count"`
	// LatestReason, refused or expired, is of the latest one since the process began, and LatestError of its last
	// attempt; empty for none.
	LatestReason string    `json:"latestReason,omitempty"`
	LatestError  string    `json:"latestError,omitempty"`
	LatestAt     time.Time `json:"latestAt,omitzero"`
}
