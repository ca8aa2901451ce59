// Package channel defines what a channel type is: the one place that knows a
// chat platform's protocol. Everything else of the connector treats calls as
// opaque bytes.
//
// # The life of a channel
//
// A type is a package of its own. It registers one constructor (in package
// connector, one line), and its schema is in package config: the type's name,
// the union's member with its defaults, and the checks. For each configured channel of that type, at start and at every reload of the
// configuration, the constructor builds a Channel from the validated
// configuration. A Channel is immutable and used by many goroutines at once; a
// reload builds a new one and drops the old when its last call ends.
//
// For every call whose API key matched, the webhook hands the headers to Precheck.
// If that refuses, the webhook reads no more than MaxProbeSize bytes of body, and
// answers a call with a larger one with that refusal, before its body has come: API
// keys ride in URLs and leak, and whoever has only the key should cost as little as
// possible.
//
// Then it hands the headers and the whole body to Read. Read does, in this order:
//
//  1. Classify: is the body the platform's probe (sent when a webhook URL is
//     saved)? Then it needs no signature, and nothing more is read.
//  2. Scan the few members that it needs, bounded in depth, from the raw bytes.
//     The bytes themselves are never re-serialised.
//  3. Verify: is the call meant for this app, and is it signed as the mode
//     demands? A call that fails is refused with a *Refusal.
//  4. Identify: derive the event id, the conversation, the account, the user,
//     the type and the time; tell console tests and foreign accounts apart.
//
// Read never blocks, keeps no reference to the header, and keeps body only as
// Event.Body. What it cannot understand but can authenticate is an event like
// any other: platforms add event names without notice.
package channel

import (
	"crypto/sha256"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/event"
)

// Channel reads the calls of one configured channel.
type Channel interface {
	// Precheck returns why Read will refuse the call, whatever its body is, unless
	// that is a probe: the mode demands a signature, there is a key to verify it
	// with, and the header has none or one that is malformed. Otherwise it returns
	// nil.
	Precheck(header http.Header) *Refusal
	// Read classifies, verifies and identifies one call, which arrived at a time of
	// the webhook's clock. The refusal is nil when the call is let in.
	Read(at time.Time, header http.Header, body []byte) (Call, *Refusal)
	// DomainProof is what proves to the platform that the webhook's domain is
	// yours.
	DomainProof() DomainProof
}

// MaxProbeSize is the size of the largest probe, in bytes: empty, or an empty
// object with some white space in it.
const MaxProbeSize = 64

// DomainProof is what a platform looks for at the root of the webhook's domain.
// It is public: the webhook serves it to anyone, without a key, and merges what
// several channels of one process ask for.
type DomainProof struct {
	// Pages are HTML documents by URL path, for example
	// "/zalo_verifierAbCdEf.html". The path "/" is not among them.
	Pages map[string][]byte
	// MetaTags appear in the head of the page "/".
	MetaTags []MetaTag
}

// MetaTag is one <meta name="..." content="..."> element.
type MetaTag struct{ Name, Content string }

// Kind says what an authentic call is.
type Kind int

const (
	// KindEvent is a real event, to be stored and delivered.
	KindEvent Kind = iota
	// KindProbe is the unsigned call that the platform makes when a webhook URL
	// is saved. It is answered 200 and only counted.
	KindProbe
	// KindConsoleTest is the signed sample of the platform's Test button. It is
	// answered 200 and only counted.
	KindConsoleTest
	// KindForeignAccount is an authentic event of an account that is not on the
	// channel's allow-list. It is answered 200 and only counted: a refusal
	// would cost the whole app its webhook.
	KindForeignAccount
)

// Call is what Read found.
type Call struct {
	Kind Kind
	// Name is the platform's event name, for example "user_send_text"; the
	// channel's include and exclude patterns match it. Empty for a probe.
	Name string
	// KnownName is Name when the platform documents it, otherwise "other": a
	// bounded set, fit for a metric label.
	KnownName string
	// Event is complete. It is set for KindEvent only.
	Event event.Event
	// Verified: a signature was demanded, and it is right.
	Verified bool
	// SignedBy is the SHA-256 of the key that the signature matches; zero unless
	// Verified.
	SignedBy [sha256.Size]byte
	// SentAt is when the platform says that it made the event; zero unless the
	// timestamp has the platform's usual form, so that its age can be judged. It is
	// set for KindEvent only.
	SentAt time.Time
	// AuditFailure is why the call would have been refused under Enforce, when
	// the mode is Audit; empty otherwise.
	AuditFailure Reason
}

// Reason names a cause of refusal. It is a metric label.
type Reason string

const (
	// ReasonMalformed: not one JSON object in valid UTF-8, nested too deep, or
	// a member that is read given twice. 400.
	ReasonMalformed Reason = "malformed"
	// ReasonWrongApp: the call names another app. 403.
	ReasonWrongApp Reason = "wrong_app"
	// ReasonSignatureMissing: no signature, or a member that the signature
	// needs is absent. 401.
	ReasonSignatureMissing Reason = "signature_missing"
	// ReasonSignatureWrong: the signature matches no active key. 401.
	ReasonSignatureWrong Reason = "signature_wrong"
	// ReasonAwaitingSecret: the secret that verifies the call is not there yet. 503,
	// so that the platform's retries keep the event.
	ReasonAwaitingSecret Reason = "awaiting_secret"
)

// Refusal is why a call is not let in. Message is for the caller: it names the
// cause and never a secret or anything of the body.
type Refusal struct {
	Reason  Reason
	Message string
}
