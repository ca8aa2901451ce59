// Package channel defines what a channel type is: the one place that knows a chat platform's protocol. Everything else
// of the connector treats calls as opaque bytes.
//
// # The life of a channel
//
// A type is a package of its own, which holds all knowledge of its platform. One line in package types adds it.
//
//  1. Load. When the connector reads a configuration file, at its start and at every change, it calls Type.New for each
//     channel of the type, and decodes the section into the Settings that New returned.
//  2. Check. Settings.Check reads the secrets of the section and says what is wrong with it. A version with a problem
//     is never used.
//  3. Open. Settings.Open makes the Channel. It is immutable and used by many goroutines at once. The next version of
//     the file opens another Channel. This one is dropped when its last call ends: there is nothing to close. Work that
//     goes on beside calls, and what it finds out, belongs to a Worker, which channels and versions share.
//  4. Public pages. They are checked when the channel is opened: see Page.Path. The webhook serves the pages with a path
//     of their own to anyone, and those on the channel's own path, such as a handshake, only with the API key.
//  5. Precheck. The API key stands in the URL that the platform calls, whatever the type, and finds the channel. If the
//     Channel is a Prechecker, the webhook hands it the header of every call with that key. If Precheck refuses, the
//     webhook reads at most MaxProbeSize bytes of body, and refuses a call with a larger body before it has come. API
//     keys ride in URLs and leak: a caller that has only the key should cost little.
//  6. Read. The webhook hands the header and the whole body to Read, which returns the events of the call or a refusal.
//  7. Store. The events that the channel's filter selects are stored together, or none of them is. Events that are not
//     stored are counted.
//  8. Answer. The webhook says how the call ended, as a status and a message, and the type puts that into the shape
//     that the platform expects.
//
// A type whose platform wants more than calls has more: Endpoints are called by others than the platform, Type.Register
// tells a platform without a console where to call, and an Awaiter says that it cannot verify calls yet.
//
// # How a call is read
//
// Read does, in this order:
//
//  1. Classify: is the body the platform's probe, sent when a webhook URL is saved? A probe needs no signature, and its
//     reading ends here.
//  2. Scan the few members that it needs, bounded in depth, from the raw bytes. They are never serialised again.
//  3. Verify: is the call meant for this app, and is it signed as the mode demands? A call that fails is refused with a
//     *Refusal.
//  4. Identify: derive the event id, the conversation, the account, the user, the type and the time; tell console tests
//     and foreign accounts apart.
//
// Read never blocks, keeps no reference to the header, and keeps body only in Event.Body. An authentic call that it
// does not understand is an event like any other: platforms add event names without notice.
package channel

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// Type is one kind of chat platform. What New returns implements Settings.
type Type struct {
	config.Type

	// AnswerIn is the longest time from the arrival of a call to its answer. At most MaxAnswerIn.
	AnswerIn time.Duration
	// Words are how messages speak of the verification of calls. Required.
	Words Words
	// Echoes are the patterns of events that a bot causes by itself, or that say nothing to most bots. Samples and the
	// reference leave them out; nil if the platform sends none.
	Echoes []string
	// Sample makes calls as the platform does; nil if nothing does.
	Sample *Sample
	// Calls returns the URLs that channels with a section call by themselves, so that firewalls can let them out; nil if
	// they call none. The section need not have been checked.
	Calls func(section config.Section) []string
	// Register tells the platform where to call; nil if people paste the URL into a console. The operator calls it, again
	// and again until it returns nil. Its error is a *RegistrationError.
	Register func(ctx context.Context, r Registration) error
}

// Words are how messages speak of the verification of calls.
type Words struct {
	// SecretName is what people call that which verifies calls, for example "OA secret key".
	SecretName string
	// Field is the section's field that holds the mode of verification: "signature".
	Field string
	// NeverVerified says what to do if no call ever verified: "Zalo has three secrets: put the OA secret key into the
	// Secret that signature.secretKeyRefs names".
	NeverVerified string
	// NoLonger says why calls may verify no longer, and what to do: "the key was reset in Zalo's console: put the new
	// one into the Secret".
	NoLonger string
}

// Registration is what a platform without a console has to know.
type Registration struct {
	// API is the address of the platform's API; empty for the platform's own.
	API string
	// Client makes the calls. Its errors may quote URLs, which hold the credential: Register returns none of them as
	// they are.
	Client *http.Client
	// Credential opens the platform's API.
	Credential string
	// URL is that of the webhook, with an API key.
	URL string
	// Secret is what calls are to be verified with.
	Secret string
}

// MaxAnswerIn leaves a call that arrives during a stop time for its answer.
const MaxAnswerIn = 4 * time.Second

// Settings are the section of one channel. Signing and Open are called after Check has found nothing wrong; the operator
// opens a channel without that, and without its secrets, to learn of its pages.
type Settings interface {
	config.Section
	// Signing says how calls are verified.
	Signing() Signing
	// Open makes the channel. Its events carry the name.
	Open(name string, e Environment) Channel
}

// Channel reads the calls of one configured channel.
type Channel interface {
	// Public returns the pages that the platform asks for, beside its calls. They never change.
	Public() []Page
	// Read classifies, verifies and identifies one call, which arrived at a time of the webhook's clock. The refusal is
	// nil if the call is let in.
	Read(at time.Time, header http.Header, body []byte) (Reading, *Refusal)
	// Answer puts the end of a call into the shape that the platform expects. Message is for people, and quotes nothing
	// of the call.
	Answer(status int, message string) Answer
}

// Prechecker is a Channel that can refuse calls by their header.
type Prechecker interface {
	// Precheck returns why Read will refuse the call with any body but a probe: the mode demands a signature, a key
	// could verify it, and the header has none or a malformed one. Otherwise it returns nil.
	Precheck(header http.Header) *Refusal
}

// Awaiter is a Channel that verifies calls with keys that a Worker fetches.
type Awaiter interface {
	// Awaiting reports whether none is there so far, so that no call can be verified.
	Awaiting() bool
}

// EndpointServer is a Channel that answers others than its platform, for example a web page's server that wants a token
// for its visitor.
type EndpointServer interface {
	// Endpoints never change.
	Endpoints() []Endpoint
}

// Endpoint answers the POST calls of one path to callers with an API key of the channel. Channels may share its path.
type Endpoint struct {
	// Path is the URL path. It begins with the type's PublicPrefix.
	Path string
	// MaxBodySize is the largest body accepted, in bytes.
	MaxBodySize int64
	// Serve answers a call. It may wait, for as long as ctx says at most, and bounds how many calls wait: each holds a
	// place of the webhook. A status of 503 asks the caller to try again. Reason is why the call is refused, or why Serve
	// answered; it is a metric label as in a Refusal.
	Serve func(ctx context.Context, header http.Header, body []byte) (a Answer, reason Reason)
}

// MaxCalls is the largest number of parts of a call: one call must not become many times its size in memory. Meta sends
// at most 1000 updates in one call, each of which may be an entry with one item, and both are parts.
const MaxCalls = 2001

// Page answers the GET and HEAD requests of one path. Neither its path nor what it answers may hold a secret.
type Page struct {
	// Path is the URL path, for example "/zalo_verifierAbCdEf.html". It is served to anyone. Without a path of its own,
	// the page is on the channel's path and served to callers with the API key. On "/" the webhook serves the MetaTags
	// of all channels.
	//
	// A path of its own begins with the type's PublicPrefix, which no webhook's path does. No two pages of a channel
	// have one path; pages of two channels that do are the same page.
	Path string
	// MetaTags appear in the head of the page "/", which has no Serve.
	MetaTags []MetaTag
	// Serve answers a request.
	Serve func(*http.Request) Answer
}

// MetaTag is one <meta name="..." content="..."> element.
type MetaTag struct{ Name, Content string }

// Answer is a complete response but for its length.
type Answer struct {
	// Status is an HTTP status from 200 to 599. Any other is replaced: by the one that was asked for, or by 503.
	Status int
	// ContentType is the media type of Body.
	ContentType string
	Body        []byte
}

// Reading is what Read found in one call.
type Reading struct {
	// Calls are the parts of the call, with one event each. A call without parts is a probe or says nothing: it is
	// answered 200 and only counted. Read refuses a call with more than MaxCalls parts; the webhook answers 413 if it
	// does not.
	Calls []Call
	// Verified: a signature was demanded, and it is right.
	Verified bool
	// SignedBy is the SHA-256 of the key that made the signature; zero unless Verified.
	SignedBy [sha256.Size]byte
	// AuditFailure is why Enforce would have refused the call, if the mode is Audit; empty otherwise.
	AuditFailure Reason
}

// Kind says what an authentic part of a call is.
type Kind int

const (
	// KindEvent is a real event, to be stored and delivered.
	KindEvent Kind = iota
	// KindConsoleTest is the signed sample of the platform's Test button. It is answered 200 and only counted.
	KindConsoleTest
	// KindForeignAccount is an authentic event of an account outside the channel's allow-list. It is answered 200 and
	// only counted: a refusal would cost the whole app its webhook.
	KindForeignAccount
)

// Call is one part of a call.
type Call struct {
	Kind Kind
	// Name is the platform's event name, for example "user_send_text"; the channel's include and exclude patterns match
	// it.
	Name string
	// KnownName is Name if the platform documents it, otherwise "other": a bounded set, fit for a metric label. The
	// webhook counts names beyond a few hundred as "other".
	KnownName string
	// Event is complete. It is set for KindEvent only. The webhook answers 503 to a call that has an event without an
	// id or with another Channel than Open's, and stores none of its events.
	Event event.Event
	// SentAt is the platform's time of the event; zero unless its form is the usual one, so that its age can be judged.
	// It is set for KindEvent only.
	SentAt time.Time
}

// Reason names a cause of refusal. It is a metric label: a type has a small fixed set of them, in snake case, and takes
// those below where they fit. The webhook counts and logs those beyond a few dozen as "other".
type Reason string

const (
	// ReasonMalformed: the platform sends no such body. For example, it is not one JSON object, is nested too deep, or
	// has a member twice.
	ReasonMalformed Reason = "malformed"
	// ReasonTooLarge: the call has more than MaxCalls parts.
	ReasonTooLarge Reason = "too_large"
	// ReasonWrongApp: the call names another app.
	ReasonWrongApp Reason = "wrong_app"
	// ReasonSignatureMissing: the signature, or a member that it needs, is absent.
	ReasonSignatureMissing Reason = "signature_missing"
	// ReasonSignatureWrong: the signature matches no active key.
	ReasonSignatureWrong Reason = "signature_wrong"
	// ReasonAwaitingSecret: the secret that verifies the call is not there yet.
	ReasonAwaitingSecret Reason = "awaiting_secret"
)

// Refusal is why a call is not let in.
type Refusal struct {
	// Status is the HTTP status of the answer, from 400 to 599; any other counts as 503. It is 503 if the platform
	// should send the call again.
	Status int
	Reason Reason
	// Message is for the caller: it names the cause and never a secret or anything of the body.
	Message string
}
