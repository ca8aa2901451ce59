package token

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of a fetch. Azure's documents have a few keys and a few KiB.
const (
	fetchTimeout = 10 * time.Second
	maxDocument  = 1 << 20
	maxKeys      = 100
)

// The sizes of RSA keys that are used, in bits. A smaller key is weak, and a larger one costs too much time.
const minRSA, maxRSA = 2048, 8192

// newClient returns the client of a document. It keeps no connection, since it has hardly a call in an hour, and follows
// no redirect, which could lead away from https.
func newClient(d Document) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.Authorities},
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch gets the document and the keys that it leads to.
func (k *Keys) fetch(ctx context.Context) (*set, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	fetched := &set{asOf: time.Now(), byID: map[string]*key{}}
	var metadata struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := k.get(ctx, k.document.URL, &metadata); err != nil {
		return nil, fmt.Errorf("the metadata document: %w", err)
	}
	if metadata.Issuer == "" {
		return nil, errors.New("the metadata document names no issuer")
	}
	if err := k.checkKeysURL(metadata.Keys); err != nil {
		return nil, err
	}
	var list struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.get(ctx, metadata.Keys, &list); err != nil {
		return nil, fmt.Errorf("the keys: %w", err)
	}
	if len(list.Keys) > maxKeys {
		return nil, fmt.Errorf("the document has %d keys, more than %d", len(list.Keys), maxKeys)
	}
	fetched.issuer = metadata.Issuer
	for _, raw := range list.Keys {
		if id, one := parseKey(raw); one != nil && fetched.byID[id] == nil {
			fetched.byID[id] = one
		}
	}
	if len(fetched.byID) == 0 {
		return nil, errors.New("the document has no RSA key of 2048 to 8192 bits that signs and has an id")
	}
	return fetched, nil
}

// checkKeysURL returns why the keys cannot be fetched from a URL. Https must not lead to http.
func (k *Keys) checkKeysURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return errors.New("the metadata document's jwks_uri is no absolute URL without credentials")
	case u.Scheme == "https", u.Scheme == "http" && strings.HasPrefix(k.document.URL, "http://"):
		return nil
	default:
		return errors.New("the metadata document's jwks_uri is not https")
	}
}

// get fetches JSON.
func (k *Keys) get(ctx context.Context, from string, into any) error {
	call, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	call.Header.Set("Accept", "application/json")
	answer, err := k.client.Do(call)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read as far as it is needed
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", call.URL.Host, answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", call.URL.Host, err)
	case len(body) > maxDocument:
		return fmt.Errorf("%s answered more than %d KiB", call.URL.Host, maxDocument>>10)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s answered no such JSON: %w", call.URL.Host, err)
	}
	return nil
}

// tenantID finds the tenant in the issuer of a key. A key for all tenants has "{tenantid}" there.
var tenantID = regexp.MustCompile(`/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/|$)`)

// parseKey returns one key and its id; nil if it is of no use here.
func parseKey(raw []byte) (id string, _ *key) {
	var k struct {
		ID           string   `json:"kid"`
		Kind         string   `json:"kty"`
		Use          string   `json:"use"`
		Algorithm    string   `json:"alg"`
		N            string   `json:"n"`
		E            string   `json:"e"`
		Issuer       string   `json:"issuer"`
		Endorsements []string `json:"endorsements"`
	}
	if json.Unmarshal(raw, &k) != nil || k.ID == "" || k.Kind != "RSA" ||
		k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != string(jose.RS256) {
		return "", nil
	}
	public := rsaKey(k.N, k.E)
	if public == nil {
		return "", nil
	}
	one := &key{public: public, endorsements: k.Endorsements}
	if tenant := tenantID.FindStringSubmatch(k.Issuer); tenant != nil {
		one.tenant = tenant[1]
	}
	return k.ID, one
}

// rsaKey returns the key with a modulus and an exponent; nil if it cannot be used. The certificates beside them do not
// matter: the connection to the document vouches for the key.
func rsaKey(n, e string) *rsa.PublicKey {
	bare, err := json.Marshal(map[string]string{"kty": "RSA", "n": n, "e": e})
	if err != nil {
		return nil
	}
	var parsed jose.JSONWebKey
	if parsed.UnmarshalJSON(bare) != nil {
		return nil
	}
	public, ok := parsed.Key.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < minRSA || public.N.BitLen() > maxRSA || public.E < 3 || public.E%2 == 0 {
		return nil
	}
	return public
}
