// Package credentials reads the Secret keys that a ChannelConnector names, and judges them with a list of policies.
package credentials

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// GeneratedKey is the key under which a generated API key stands in its Secret.
const GeneratedKey = "xp-api-key"

// Source returns a Secret of the resource's namespace, or an error for which apierrors.IsNotFound holds.
type Source func(ctx context.Context, name string) (*corev1.Secret, error)

// Input is the input of Resolve.
type Input struct {
	Connector *v1alpha1.ChannelConnector
	// Generated is the Secret with the generated API key, for a resource that names none.
	Generated string
	// GeneratedFinding is a finding about that Secret; nil: judge it.
	GeneratedFinding *Finding
	From             Source
	// Others are ChannelConnectors that share any of the resource's OwnKeys.
	Others []v1alpha1.ChannelConnector
	// InUse returns the connector's present credentials; nil while there is no connector. It is called only if a Secret
	// key is unusable.
	InUse func(ctx context.Context) (*render.InUse, error)
	// Expiring are the keys that were absent before, and Now is the time.
	Expiring []v1alpha1.ExpiringKey
	Now      time.Time
}

// Resolved is the result of Resolve.
type Resolved struct {
	// Credentials are nil if a Secret could not be read and there is no connector yet.
	Credentials *render.Credentials
	Findings    []Finding
	// Expiring are the absent keys that the connector still has.
	Expiring []v1alpha1.ExpiringKey
	// Unread is why some Secret could not be read: the connector keeps its values.
	Unread error
}

// Resolve reads and judges every Secret key that the resource names. It leaves out unusable ones, which keep nothing
// else from use:
//
//   - A key that lets calls in goes out of use at once if its value was replaced or serves the other use from now on, and
//     after Grace if its Secret or key is gone or blank.
//   - Of certificates the last good ones stay.
//   - Without a credential of the sink the connector holds the events.
//
// It returns an error if InUse does.
func Resolve(ctx context.Context, in Input) (*Resolved, error) {
	materials, unread := read(ctx, in)
	out := &Resolved{Unread: unread}
	if amiss := judge(materials, in); amiss && in.InUse != nil {
		has, err := in.InUse(ctx)
		if err != nil {
			return nil, err
		}
		out.Expiring = keep(materials, has, in)
	}
	awaiting := awaited(materials)
	for i := range materials {
		out.Findings = append(out.Findings, materials[i].conclude(awaiting)...)
	}
	if unread == nil || in.InUse != nil {
		out.Credentials = collect(materials)
	}
	return out, nil
}

// read reads each Secret once. The error says which ones could not be read.
func read(ctx context.Context, in Input) ([]material, error) {
	named := references(in.Connector, in.Generated)
	materials := make([]material, len(named))
	secrets, unread := map[string]*corev1.Secret{}, map[string]error{}
	for i := range materials {
		m := &materials[i]
		m.Reference = named[i]
		if _, known := secrets[m.Secret]; !known {
			secret, err := in.From(ctx, m.Secret)
			switch {
			case apierrors.IsNotFound(err):
				secret = nil
			case err != nil:
				unread[m.Secret] = fmt.Errorf("read Secret %q: %w", m.Secret, err)
			}
			secrets[m.Secret] = secret
		}
		if unread[m.Secret] != nil {
			m.state = unknown
			continue
		}
		m.read(secrets[m.Secret])
	}
	all := make([]error, 0, len(unread))
	for _, name := range slices.Sorted(maps.Keys(unread)) {
		all = append(all, unread[name])
	}
	return materials, errors.Join(all...)
}

// material is one Secret key that a resource names.
type material struct {
	render.Reference

	// secretFound and keyFound: the Secret and its key exist.
	secretFound, keyFound bool
	state                 state
	// raw is the value in the Secret; Value has no white space around it.
	raw, Value string
	// kept is the digest of an absent API key that is still accepted; until is the end of the acceptance.
	kept  string
	until time.Time
	// findings are those of the policies.
	findings []Finding
}

// state says whether a Secret key can be used.
type state int

const (
	usable state = iota
	// gone: there is no such Secret or key, or it is blank.
	gone
	// bad: the value is unfit for its use.
	bad
	// unknown: the API server could not say.
	unknown
)

// source names the material to the connector.
func (m *material) source() string { return m.Secret + "/" + m.Key }

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

// own reports whether no other ChannelConnector should have the same Secret key.
func own(r render.Reference) bool { return r.Use == render.SigningKey || r.Use == render.APIKey }

// there reports whether there is a value to judge.
func (m *material) there() bool { return m.keyFound && m.Value != "" }

// String names the material in a message, never its value.
func (m *material) String() string {
	return fmt.Sprintf("Secret %q, key %q (%s)", m.Secret, m.Key, m.Path)
}

// references lists the Secret keys that a resource names. If it names no API key, the one in the Secret generated is
// listed.
func references(c *v1alpha1.ChannelConnector, generated string) []render.Reference {
	return render.References(c, v1alpha1.SecretKeyRef{Name: generated, Key: GeneratedKey})
}

// SecretNames returns the names of the users' Secrets that a resource names, sorted, each once.
func SecretNames(c *v1alpha1.ChannelConnector) []string {
	var names []string
	for _, r := range references(c, "") {
		if r.Secret != "" {
			names = append(names, r.Secret)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OwnKeys returns the Secret keys that a resource should share with no other one, its signing keys and API keys:
// sorted, each once.
func OwnKeys(c *v1alpha1.ChannelConnector) []v1alpha1.SecretKeyRef {
	var keys []v1alpha1.SecretKeyRef
	for _, r := range references(c, "") {
		if own(r) && r.Secret != "" {
			keys = append(keys, v1alpha1.SecretKeyRef{Name: r.Secret, Key: r.Key})
		}
	}
	slices.SortFunc(keys, func(a, b v1alpha1.SecretKeyRef) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(keys)
}

func collect(materials []material) *render.Credentials {
	c := &render.Credentials{Values: make(map[string]render.Value, len(materials))}
	// A key that moves from one Secret to another is in both while the first is kept.
	moved := func(m *material) bool {
		return m.Value == "" && slices.ContainsFunc(materials, func(o material) bool {
			return o.Use == render.APIKey && o.Value != "" && o.digest() == m.kept
		})
	}
	for i := range materials {
		m := &materials[i]
		v := render.Value{Text: m.Value, Source: m.source()}
		if m.Use == render.APIKey {
			v.Text = ""
			if !moved(m) {
				v.SHA256 = m.digest()
			}
		}
		c.Values[m.Field] = v
	}
	return c
}

// digest is that of a key that lets calls in; empty if there is none.
func (m *material) digest() string {
	if m.Value == "" {
		return m.kept
	}
	digest := sha256.Sum256([]byte(m.Value))
	return hex.EncodeToString(digest[:])
}
