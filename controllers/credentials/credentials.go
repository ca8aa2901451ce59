// Package credentials finds the Secret keys that a ChannelConnector names, and
// says with a list of policies what is wrong with them.
package credentials

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// GeneratedKey is the key under which a generated API key stands in its Secret.
const GeneratedKey = "xp-api-key"

// Credentials are the values, as the connector gets them.
type Credentials struct {
	// OASecretKeys verify signatures of every OA, in the order of the resource.
	OASecretKeys []string
	// AccountKeys verify signatures of the one OA whose id they stand under.
	AccountKeys map[string][]string
	// APIKeys let calls in.
	APIKeys []APIKey
	// Headers are added to the requests to the sink.
	Headers []Header
	// SinkURL is where events are posted; empty where the resource itself says it.
	SinkURL string
	// SigningSecret signs the requests to the sink; empty: they are not signed.
	SigningSecret string
	// SinkCA, SinkClientCert and SinkClientKey are PEM; empty where not declared.
	SinkCA, SinkClientCert, SinkClientKey []byte
}

// APIKey is an accepted key, of which only the digest leaves this package.
type APIKey struct {
	Name string
	// SHA256 is the digest as 64 hex digits.
	SHA256 string
}

// Header is a request header.
type Header struct{ Name, Value string }

// Source returns a Secret of the resource's namespace, or an error for which
// apierrors.IsNotFound holds.
type Source func(ctx context.Context, name string) (*corev1.Secret, error)

// Resolve reads every Secret key that the resource names and judges them. Where
// the resource names no API keys, generated is the Secret that holds the one
// that the operator made; others are ChannelConnectors that share any of its OwnKeys. The
// credentials are of use only when no finding is
// Blocking. An error is the source's: nothing is known then.
func Resolve(ctx context.Context, c *v1alpha1.ChannelConnector, generated string, from Source, others []v1alpha1.ChannelConnector) (*Credentials, []Finding, error) {
	materials := references(c, generated)
	secrets := map[string]*corev1.Secret{}
	for i := range materials {
		m := &materials[i]
		if _, known := secrets[m.Secret]; !known {
			secret, err := from(ctx, m.Secret)
			if err != nil && !apierrors.IsNotFound(err) {
				return nil, nil, fmt.Errorf("read Secret %q: %w", m.Secret, err)
			}
			if err != nil {
				secret = nil
			}
			secrets[m.Secret] = secret
		}
		m.read(secrets[m.Secret])
	}
	return collect(materials), judge(materials, c, others), nil
}

// purpose is what a Secret key is for.
type purpose int

const (
	oaSecretKey purpose = iota
	apiKey
	header
	sinkURL
	signingSecret
	sinkCA
	sinkClientCert
	sinkClientKey
)

// material is one Secret key that a resource names.
type material struct {
	// Path is the field that names it.
	Path        string
	Purpose     purpose
	Secret, Key string
	// Name is that of the API key or the header, or the id of the one OA that an OA
	// secret key is for.
	Name string

	// found says what of it there is.
	secretFound, keyFound bool
	// raw is the value as it stands in the Secret, Value the same without white
	// space around it.
	raw, Value string
}

func (m *material) read(secret *corev1.Secret) {
	if secret == nil {
		return
	}
	m.secretFound = true
	var raw []byte
	raw, m.keyFound = secret.Data[m.Key]
	m.raw = string(raw)
	m.Value = strings.TrimSpace(m.raw)
}

// own says that no other ChannelConnector should have the same.
func (m *material) own() bool { return m.Purpose == oaSecretKey || m.Purpose == apiKey }

// usable says that there is a value to judge.
func (m *material) usable() bool { return m.keyFound && m.Value != "" }

// String names the material in a message, never its value.
func (m *material) String() string {
	return fmt.Sprintf("Secret %q, key %q (%s)", m.Secret, m.Key, m.Path)
}

// references lists the Secret keys that a resource names, in the order of its
// fields.
func references(c *v1alpha1.ChannelConnector, generated string) []material {
	var all []material
	add := func(p purpose, path, name string, ref v1alpha1.SecretKeyRef) {
		all = append(all, material{Path: path, Purpose: p, Name: name, Secret: ref.Name, Key: ref.Key})
	}
	if z := c.Spec.ZaloOA; z != nil && z.Signature.Mode != v1alpha1.SignatureOff {
		for i, ref := range z.Signature.SecretKeyRefs {
			add(oaSecretKey, fmt.Sprintf("spec.zaloOA.signature.secretKeyRefs[%d]", i), "", ref)
		}
		for i, account := range z.OfficialAccounts {
			for j, ref := range account.SecretKeyRefs {
				add(oaSecretKey, fmt.Sprintf("spec.zaloOA.officialAccounts[%d].secretKeyRefs[%d]", i, j), account.ID, ref)
			}
		}
	}
	for i, key := range c.Spec.Webhook.APIKeys {
		add(apiKey, fmt.Sprintf("spec.webhook.apiKeys[%d].secretKeyRef", i), key.Name, key.SecretKeyRef)
	}
	if len(c.Spec.Webhook.APIKeys) == 0 {
		add(apiKey, "generated", "generated", v1alpha1.SecretKeyRef{Name: generated, Key: GeneratedKey})
	}
	if h := c.Spec.Sink.HTTP; h != nil {
		sinkReferences(h, add)
	}
	return all
}

func sinkReferences(h *v1alpha1.HTTPSink, add func(p purpose, path, name string, ref v1alpha1.SecretKeyRef)) {
	for i, h := range h.Headers {
		add(header, fmt.Sprintf("spec.sink.http.headers[%d].secretKeyRef", i), h.Name, h.SecretKeyRef)
	}
	if h.URLSecretKeyRef != nil {
		add(sinkURL, "spec.sink.http.urlSecretKeyRef", "", *h.URLSecretKeyRef)
	}
	if h.SigningSecretKeyRef != nil {
		add(signingSecret, "spec.sink.http.signingSecretKeyRef", "", *h.SigningSecretKeyRef)
	}
	if h.TLS == nil {
		return
	}
	if h.TLS.CASecretKeyRef != nil {
		add(sinkCA, "spec.sink.http.tls.caSecretKeyRef", "", *h.TLS.CASecretKeyRef)
	}
	if ref := h.TLS.ClientCertificateSecretRef; ref != nil {
		const path = "spec.sink.http.tls.clientCertificateSecretRef"
		add(sinkClientCert, path, "", v1alpha1.SecretKeyRef{Name: ref.Name, Key: corev1.TLSCertKey})
		add(sinkClientKey, path, "", v1alpha1.SecretKeyRef{Name: ref.Name, Key: corev1.TLSPrivateKeyKey})
	}
}

// SecretNames returns the names of the users' Secrets that a resource names,
// sorted, each once.
func SecretNames(c *v1alpha1.ChannelConnector) []string {
	var names []string
	for _, m := range references(c, "") {
		if m.Secret != "" {
			names = append(names, m.Secret)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OwnKeys returns the Secret keys that a resource should share with no other one,
// its OA secret keys and API keys: sorted, each once.
func OwnKeys(c *v1alpha1.ChannelConnector) []v1alpha1.SecretKeyRef {
	var keys []v1alpha1.SecretKeyRef
	for _, m := range references(c, "") {
		if m.own() && m.Secret != "" {
			keys = append(keys, v1alpha1.SecretKeyRef{Name: m.Secret, Key: m.Key})
		}
	}
	slices.SortFunc(keys, func(a, b v1alpha1.SecretKeyRef) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(keys)
}

func collect(materials []material) *Credentials {
	c := &Credentials{}
	for _, m := range materials {
		switch m.Purpose {
		case oaSecretKey:
			if m.Name != "" {
				c.addAccountKey(m.Name, m.Value)
				continue
			}
			c.OASecretKeys = append(c.OASecretKeys, m.Value)
		case apiKey:
			digest := sha256.Sum256([]byte(m.Value))
			c.APIKeys = append(c.APIKeys, APIKey{Name: m.Name, SHA256: hex.EncodeToString(digest[:])})
		case header:
			c.Headers = append(c.Headers, Header{Name: m.Name, Value: m.Value})
		case sinkURL:
			c.SinkURL = m.Value
		case signingSecret:
			c.SigningSecret = m.Value
		case sinkCA:
			c.SinkCA = []byte(m.Value)
		case sinkClientCert:
			c.SinkClientCert = []byte(m.Value)
		case sinkClientKey:
			c.SinkClientKey = []byte(m.Value)
		}
	}
	return c
}

func (c *Credentials) addAccountKey(account, key string) {
	if c.AccountKeys == nil {
		c.AccountKeys = make(map[string][]string)
	}
	c.AccountKeys[account] = append(c.AccountKeys[account], key)
}
