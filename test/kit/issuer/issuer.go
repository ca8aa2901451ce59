// Package issuer signs tokens as Azure's Bot Framework does, and serves the keys that verify them.
package issuer

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// Name is the issuer of every token: that of the Bot Framework.
const Name = "https://api.botframework.com"

// metadataPath is where the OpenID metadata stands.
const metadataPath = "/.well-known/openidconfiguration"

// keySize is the least that verifiers take, in bits.
const keySize = 2048

// Issuer serves OpenID metadata and keys. It signs with the newest key.
type Issuer struct {
	server http.Server
	url    string

	mu   sync.Mutex
	keys []key
}

// key is a key pair with its id.
type key struct {
	id      string
	private *rsa.PrivateKey
}

// New listens on a host until Close. It has one key.
func New(ctx context.Context, host string) (*Issuer, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("the issuer's place: %w", err)
	}
	i := &Issuer{url: "http://" + listener.Addr().String()}
	if err := i.Rotate(1); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+metadataPath, i.serveMetadata)
	mux.HandleFunc("GET /keys", i.serveKeys)
	i.server = http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := i.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // every later result would be wrong
		}
	}()
	return i, nil
}

// Close ends the server at once.
func (i *Issuer) Close() error { return i.server.Close() }

// MetadataURL is the address of the OpenID metadata.
func (i *Issuer) MetadataURL() string { return i.url + metadataPath }

// Rotate makes a new key, and serves it with the newest others: so many in all.
func (i *Issuer) Rotate(served int) error {
	private, err := rsa.GenerateKey(rand.Reader, keySize)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, key{rand.Text(), private})
	i.keys = i.keys[max(0, len(i.keys)-served):]
	return nil
}

// Token returns a token of its own for a bot that is valid from now on for a time.
func (i *Issuer) Token(appID string, valid time.Duration) (string, error) {
	i.mu.Lock()
	newest := i.keys[len(i.keys)-1]
	i.mu.Unlock()
	now := time.Now()
	signed := part(map[string]any{"alg": "RS256", "typ": "JWT", "kid": newest.id}) + "." + part(map[string]any{
		"iss": Name, "aud": appID, "nbf": now.Unix(), "exp": now.Add(valid).Unix(), "jti": rand.Text(),
	})
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, newest.private, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// part is a part of a token.
func part(content map[string]any) string {
	raw, _ := json.Marshal(content) //nolint:errchkjson // texts and numbers always marshal
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (i *Issuer) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": Name, "jwks_uri": i.url + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (i *Issuer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	keys := make([]map[string]any, len(i.keys))
	for n, k := range i.keys {
		keys[n] = map[string]any{
			"kty": "RSA", "use": "sig", "kid": k.id, "n": base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()),
		}
	}
	answer(w, map[string]any{"keys": keys})
}

func answer(w http.ResponseWriter, content map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(content) //nolint:errchkjson // texts always marshal; a caller that does not take it asks again
}
