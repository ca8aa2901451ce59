// Package azuretest stands for Azure in tests: it publishes keys as an OpenID metadata document does, and makes tokens.
package azuretest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is what the document names.
const Issuer = "https://api.botframework.com"

// Azure is a server on loopback with one document.
type Azure struct {
	// Fetches counts how often the keys were asked for.
	Fetches atomic.Int64

	server *httptest.Server
	mu     sync.Mutex
	keys   []*Key
	answer http.HandlerFunc
}

// Start starts a server that publishes keys, by plain HTTP. Close ends it.
func Start(keys ...*Key) *Azure {
	a := newAzure(keys)
	a.server = httptest.NewServer(a)
	return a
}

// StartTLS is Start with https.
func StartTLS(keys ...*Key) *Azure {
	a := newAzure(keys)
	a.server = httptest.NewUnstartedServer(a)
	a.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // clients that trust nobody
	a.server.StartTLS()
	return a
}

func newAzure(keys []*Key) *Azure { return &Azure{keys: keys} }

// Close ends the server.
func (a *Azure) Close() {
	a.server.CloseClientConnections()
	a.server.Close()
}

// URL is that of the metadata document.
func (a *Azure) URL() string { return a.server.URL + metadataPath }

// CA is the authority of an https server, in PEM.
func (a *Azure) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw})
}

// Authorities is CA as a pool.
func (a *Azure) Authorities() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.server.Certificate())
	return pool
}

const metadataPath, keysPath = "/metadata/openidconfiguration", "/metadata/keys"

// Publish replaces the keys.
func (a *Azure) Publish(keys ...*Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys = keys
}

// Break makes the server answer otherwise; nil mends it.
func (a *Azure) Break(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// ServeHTTP serves the document and the keys.
func (a *Azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	keys, answer := a.keys, a.answer
	a.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == metadataPath:
		write(w, map[string]any{"issuer": Issuer, "jwks_uri": a.server.URL + keysPath})
	default:
		a.Fetches.Add(1)
		write(w, map[string]any{"keys": keys})
	}
}

func write(w http.ResponseWriter, document map[string]any) {
	text, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(text) // a client that went away
}

// Key is one that signs tokens.
type Key struct {
	ID      string
	Private *rsa.PrivateKey
	// Members are added to the published form.
	Members map[string]any
}

// NewKey makes a key of 2048 bits.
func NewKey(id string) *Key { return NewKeyOf(id, 2048) }

// NewKeyOf makes a key of a number of bits.
func NewKeyOf(id string, bits int) *Key {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return &Key{ID: id, Private: private}
}

// With returns the key with more members in its published form.
func (k *Key) With(members map[string]any) *Key {
	return &Key{ID: k.ID, Private: k.Private, Members: members}
}

// MarshalJSON returns the published form.
func (k *Key) MarshalJSON() ([]byte, error) {
	members := map[string]any{
		"kty": "RSA", "use": "sig", "kid": k.ID, "x5t": k.ID,
		"n": base64.RawURLEncoding.EncodeToString(k.Private.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.Private.E)).Bytes()),
	}
	maps.Copy(members, k.Members)
	return json.Marshal(members)
}

// Claims are those of a token that is valid for a while, with changes: nil leaves a claim out.
func Claims(now time.Time, appID, serviceURL string, changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": Issuer, "aud": appID, "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(), "serviceurl": serviceURL,
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// Sign returns a token of the key, by RS256.
func (k *Key) Sign(claims map[string]any) string { return k.SignBy(jose.RS256, k.Private, claims) }

// SignBy returns a token that names the key, and is signed by any algorithm and secret.
func (k *Key) SignBy(algorithm jose.SignatureAlgorithm, secret any, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: secret},
		(&jose.SignerOptions{}).WithHeader("kid", k.ID).WithType("JWT"))
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

// Forge returns a token with any header and no signature of worth.
func Forge(header, claims map[string]any, signature []byte) string {
	part := func(v map[string]any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return fmt.Sprintf("%s.%s.%s", part(header), part(claims), base64.RawURLEncoding.EncodeToString(signature))
}
