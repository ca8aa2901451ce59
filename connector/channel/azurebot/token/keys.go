// Package token verifies the tokens with which Azure calls a bot: JSON Web Tokens that are signed with RS256 by a key of
// a published OpenID metadata document.
//
// The documents are fetched beside the calls. Verify never waits: if the keys are not there, it says so, and the caller
// may have the platform send the call again. If a document cannot be fetched, the last good keys stay in use, however
// old they are. Nothing verifies without a key.
package token

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// Document is an OpenID metadata document, which leads to the keys of its issuer.
type Document struct {
	// URL is absolute, http or https.
	URL string
	// Authorities are trusted for https; nil stands for the system's.
	Authorities *x509.CertPool
}

// Pace says how often a document is fetched.
type Pace struct {
	// Every is the usual time from one fetch to the next. A tenth more or less is chosen by chance.
	Every time.Duration
	// Fresh is how long keys are taken for all that there are. If a token names an older document's unknown key, the
	// document is fetched early.
	Fresh time.Duration
	// Early bounds how often callers can make us fetch it: earlyBurst times in a row, and then once in this time.
	Early time.Duration
	// FirstRetry and LastRetry are the bounds of the wait after a failure, which doubles each time.
	FirstRetry, LastRetry time.Duration
}

// earlyBurst lets a rotation be served at once that comes soon after a fetch.
const earlyBurst = 3

// UsualPace is that of a process that serves calls.
var UsualPace = Pace{Every: time.Hour, Fresh: time.Second, Early: 30 * time.Second, FirstRetry: time.Second, LastRetry: 5 * time.Minute}

// Keys are those of one document, and the tokens that they verified. They are a channel.Starter.
type Keys struct {
	document Document
	pace     Pace
	client   *http.Client
	log      logr.Logger
	metrics  *telemetry.Metrics

	// current is nil before the first good fetch.
	current atomic.Pointer[set]
	// started is closed with the first good fetch.
	started chan struct{}
	// wanted: a call needs the document to be fetched early.
	wanted chan struct{}
	// early are the fetches that callers may still cause.
	early *rate.Limiter
	known cache
}

// set are the keys of one version of the document. It is immutable.
type set struct {
	issuer string
	byID   map[string]*key
	// asOf is when the fetch began.
	asOf time.Time
}

// key is one that verifies. A key that did not change is the same pointer in the next set.
type key struct {
	public *rsa.PublicKey
	// endorsements are the ids of the channels that the key speaks for; empty for all.
	endorsements []string
	// tenant is the only one that the key speaks for; empty for all.
	tenant string
}

func (k *key) equal(other *key) bool {
	return other != nil && k.public.Equal(other.public) && k.tenant == other.tenant && slices.Equal(k.endorsements, other.endorsements)
}

// New returns the keys of a document. There are none until Run has fetched it.
func New(d Document, p Pace, log logr.Logger, metrics *telemetry.Metrics) *Keys {
	return &Keys{
		document: d, pace: p, client: newClient(d), log: log, metrics: metrics,
		started: make(chan struct{}), wanted: make(chan struct{}, 1), early: rate.NewLimiter(rate.Every(p.Early), earlyBurst),
	}
}

// Started is closed once there are keys; see channel.Starter.
func (k *Keys) Started() <-chan struct{} { return k.started }

// Present reports whether any token could be verified.
func (k *Keys) Present() bool { return k.current.Load() != nil }

// Issuer returns the issuer that the document names; empty while there are no keys.
func (k *Keys) Issuer() string {
	if s := k.current.Load(); s != nil {
		return s.issuer
	}
	return ""
}

// Run fetches the document until ctx ends.
func (k *Keys) Run(ctx context.Context) {
	label := k.label()
	defer k.metrics.TokenKeysFetched.DeleteLabelValues(label)
	for failures, early := 0, false; ctx.Err() == nil; early = k.pause(ctx, failures) {
		next, err := k.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			k.metrics.TokenFetches.WithLabelValues(label, "failed").Inc()
			k.log.Error(brief(err), "the keys of tokens cannot be fetched: the last ones stay in use", "document", label,
				"failures", failures, "age", k.age())
		default:
			if failures > 0 {
				k.log.Info("the keys of tokens are fetched again", "document", label, "failures", failures)
			}
			failures = 0
			k.metrics.TokenFetches.WithLabelValues(label, "fetched").Inc()
			k.metrics.TokenKeysFetched.WithLabelValues(label).SetToCurrentTime()
			k.use(next)
			if early {
				k.early.Allow()
			}
		}
	}
}

// maxFailure bounds what the log says of a failure, in bytes: it may quote the document's server.
const maxFailure = 512

func brief(err error) error {
	if text := err.Error(); len(text) > maxFailure {
		return errors.New(strings.ToValidUTF8(text[:maxFailure], "") + "…")
	}
	return err
}

// label is the document in metrics and logs.
func (k *Keys) label() string {
	u, err := url.Parse(k.document.URL)
	if err != nil {
		return ""
	}
	return u.Host + u.Path
}

// age is that of the keys in use, for people; "none" if there are none.
func (k *Keys) age() string {
	s := k.current.Load()
	if s == nil {
		return "none"
	}
	return time.Since(s.asOf).Truncate(time.Second).String()
}

// use puts keys into use. Those that did not change keep the tokens that they verified.
func (k *Keys) use(next *set) {
	before := k.current.Load()
	if before != nil {
		for id, one := range next.byID {
			if last := before.byID[id]; one.equal(last) {
				next.byID[id] = last
			}
		}
	}
	k.current.Store(next)
	if before == nil {
		close(k.started)
	}
}

// pause waits until the document is to be fetched again, and reports whether a caller made that early. After a failure
// none does.
func (k *Keys) pause(ctx context.Context, failures int) (early bool) {
	wait, wanted := k.pace.Every*9/10+rand.N(k.pace.Every/5+1), k.wanted //nolint:gosec // spreads load, and is no secret
	if failures > 0 {
		wait, wanted = k.pace.retry(failures), nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return false
		case <-wanted:
			if !k.fresh(k.current.Load()) {
				return true
			}
		}
	}
}

// retry is the wait after a number of failures in a row: half of it is certain, the rest is chosen by chance.
func (p Pace) retry(failures int) time.Duration {
	wait := p.FirstRetry
	for ; failures > 1 && wait < p.LastRetry; failures-- {
		wait *= 2
	}
	wait = min(wait, p.LastRetry)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // spreads load, and is no secret
}

// fresh reports whether a key that is not in the set is unknown to the issuer too.
func (k *Keys) fresh(s *set) bool {
	age := time.Since(s.asOf)
	return age < k.pace.Fresh || age < k.pace.Early && k.early.Tokens() < 1
}

// fetchEarly asks for the document to be fetched before its time.
func (k *Keys) fetchEarly() {
	select {
	case k.wanted <- struct{}{}:
	default: // it is asked for already
	}
}
