package token

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The reasons why a token is not verified, as the end of a sentence about it.
var (
	// ErrAwaiting: the key may be one that is still to be fetched. The platform should send the call again.
	ErrAwaiting = errors.New("is signed with a key that is not fetched yet")

	ErrMalformed = errors.New("is not one JSON Web Token that is signed with RS256 and names its key")
	ErrIssuer    = errors.New("is of an issuer that this channel does not trust")
	ErrKey       = errors.New("is signed with a key that its issuer does not publish")
	ErrSignature = errors.New("has a wrong signature")
	ErrExpired   = errors.New("has expired, or does not say when it expires")
	ErrFuture    = errors.New("is not valid yet")
)

// MaxSize is that of the largest token, in bytes. Azure's have up to 2 KiB.
const MaxSize = 16 << 10

// skew is how far the clocks of the issuer and this machine may be apart.
const skew = 5 * time.Minute

// maxAudiences bounds the audiences of one token.
const maxAudiences = 16

// algorithms are those that are verified. A token has no say in it.
var algorithms = []jose.SignatureAlgorithm{jose.RS256}

// Claims are those of a verified token. They are immutable.
type Claims struct {
	Issuer, Tenant string
	Audience       []string
	// ServiceURLs are the claims "serviceurl" and "serviceUrl", as far as they are there.
	ServiceURLs []string

	expires, notBefore time.Time
	keyID              string
	key                *key
}

// Endorses reports whether the key of the token speaks for a channel of Bot Framework.
func (c *Claims) Endorses(channelID string) bool {
	return len(c.key.endorsements) == 0 || slices.Contains(c.key.endorsements, channelID)
}

// Authority is an issuer, or several that share their keys.
type Authority struct {
	Keys *Keys
	// Issues reports whether a token is one of its issuers', by its issuer and tenant.
	Issues func(c *Claims) bool
}

// Verify returns the claims of a token that one of the authorities issued, and that is valid at a time. A key of one
// authority never verifies a token of another.
func Verify(at time.Time, raw string, authorities []Authority) (*Claims, error) {
	if len(raw) > MaxSize {
		return nil, ErrMalformed
	}
	sum := digest(raw)
	for _, a := range authorities {
		if c := a.Keys.verified(sum); c != nil && a.Issues(c) {
			return c, c.validAt(at)
		}
	}
	parsed, err := parse(raw)
	if err != nil {
		return nil, err
	}
	claimed, err := parsed.claims()
	if err != nil {
		return nil, err
	}
	for _, a := range authorities {
		if a.Issues(claimed) {
			return a.Keys.verify(at, sum, parsed, claimed)
		}
	}
	return nil, ErrIssuer
}

// digest is that of a token. The usual token is hashed without an allocation.
func digest(raw string) [sha256.Size]byte {
	var usual [2 << 10]byte
	return sha256.Sum256(append(usual[:0], raw...))
}

// verified returns the claims of a token that was verified before, with a key that the document still has.
func (k *Keys) verified(sum [sha256.Size]byte) *Claims {
	s := k.current.Load()
	if s == nil {
		return nil
	}
	if c := k.known.find(sum); c != nil && s.byID[c.keyID] == c.key {
		return c
	}
	return nil
}

// verify verifies a token with the key that it names, and notes it. The claims are not trusted before.
func (k *Keys) verify(at time.Time, sum [sha256.Size]byte, t unverified, claimed *Claims) (*Claims, error) {
	s := k.current.Load()
	if s == nil {
		return nil, ErrAwaiting
	}
	one := s.byID[claimed.keyID]
	switch {
	case one == nil && k.fresh(s):
		return nil, ErrKey
	case one == nil:
		k.fetchEarly()
		return nil, ErrAwaiting
	case t.Claims(one.public) != nil:
		return nil, ErrSignature
	case one.tenant != "" && !strings.EqualFold(one.tenant, claimed.Tenant):
		return nil, ErrIssuer
	}
	claimed.key = one
	if err := claimed.validAt(at); err != nil {
		return nil, err
	}
	k.known.add(sum, claimed)
	return claimed, nil
}

// validAt returns why a token is not valid at a time.
func (c *Claims) validAt(at time.Time) error {
	switch {
	case !at.Add(-skew).Before(c.expires):
		return ErrExpired
	case at.Add(skew).Before(c.notBefore):
		return ErrFuture
	default:
		return nil
	}
}

// unverified is a token of the right form.
type unverified struct{ *jwt.JSONWebToken }

// parse reads a token. Keys and addresses of keys in its header are not looked at.
func parse(raw string) (unverified, error) {
	if !oneSpelling(raw) {
		return unverified{}, ErrMalformed
	}
	t, err := jwt.ParseSigned(raw, algorithms)
	if err != nil || len(t.Headers) != 1 || t.Headers[0].KeyID == "" {
		return unverified{}, ErrMalformed
	}
	return unverified{t}, nil
}

// oneSpelling reports whether a token has no other spelling: one token would else fill the cache. Base64 may hold line
// breaks, and bits in its last letters that stand for nothing.
func oneSpelling(raw string) bool {
	for part := range strings.SplitSeq(raw, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return !strings.ContainsAny(raw, "\r\n")
}

// claims returns what a token says of itself.
func (t unverified) claims() (*Claims, error) {
	var c struct {
		Issuer     string           `json:"iss"`
		Audience   jwt.Audience     `json:"aud"`
		Expires    *jwt.NumericDate `json:"exp"`
		NotBefore  *jwt.NumericDate `json:"nbf"`
		Tenant     string           `json:"tid"`
		ServiceURL *string          `json:"serviceurl"`
		Camel      *string          `json:"serviceUrl"`
	}
	if t.UnsafeClaimsWithoutVerification(&c) != nil || len(c.Audience) > maxAudiences {
		return nil, ErrMalformed
	}
	claims := &Claims{Issuer: c.Issuer, Tenant: c.Tenant, Audience: c.Audience, keyID: t.Headers[0].KeyID}
	if c.Expires != nil {
		claims.expires = c.Expires.Time()
	}
	if c.NotBefore != nil {
		claims.notBefore = c.NotBefore.Time()
	}
	for _, u := range []*string{c.ServiceURL, c.Camel} {
		if u != nil {
			claims.ServiceURLs = append(claims.ServiceURLs, *u)
		}
	}
	return claims, nil
}
