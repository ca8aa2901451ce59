// Package credentials reads the keys of Secrets and ConfigMaps that a ChannelConnector names, and judges them with a list
// of policies. What is said of Secret keys holds for both.
package credentials

import (
	"bytes"
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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// GeneratedKey is the key under which a generated API key stands in its Secret.
const GeneratedKey = "xp-api-key"

// Source returns the data of an object of the resource's namespace, or an error for which apierrors.IsNotFound holds.
type Source func(ctx context.Context, object render.Object) (map[string][]byte, error)

// OfConfigMap returns the data of a ConfigMap as a Source does.
func OfConfigMap(m *corev1.ConfigMap) map[string][]byte {
	data := maps.Clone(m.BinaryData)
	for key, value := range m.Data {
		if data == nil {
			data = map[string][]byte{}
		}
		data[key] = []byte(value) // the API server lets no key be in both
	}
	return data
}

// Input is the input of Resolve.
type Input struct {
	Connector *v1alpha1.ChannelConnector
	// Generated is the Secret with the generated API key, for a resource that names none.
	Generated string
	// GeneratedFinding is a finding about that Secret; nil: judge it.
	GeneratedFinding *Finding
	From             Source
	// SharedWith returns a ChannelConnector that names a key as its own as well; empty for none. Nil: nobody does.
	SharedWith func(v1alpha1.SecretKeyRef) string
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
	// Registering is what the platform is to be told; nil if the operator does not register the webhook.
	Registering *Registering
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
	awaiting := ""
	if awaited(materials) {
		awaiting = ReasonAwaiting(in.Connector.Spec.Type)
	}
	for i := range materials {
		out.Findings = append(out.Findings, materials[i].conclude(awaiting)...)
	}
	if unread == nil || in.InUse != nil {
		out.Credentials = collect(materials)
	}
	out.Registering = registering(materials)
	return out, nil
}

// maxValues bounds the values of one resource together, in bytes. The connector gets them in one Secret, and the API
// server takes none that is larger.
const maxValues = 1 << 20

// read reads each Secret once, and keeps of it what the resource names. A Secret may hold 1 MiB and a resource name
// hundreds, so that none outlives the reading of the next one. The error says which ones could not be read.
func read(ctx context.Context, in Input) ([]material, error) {
	named := references(in.Connector, in.Generated)
	materials, of := make([]material, len(named)), map[render.Object][]*material{}
	for i, r := range named {
		materials[i].Reference = r
		of[r.Object] = append(of[r.Object], &materials[i])
	}
	var unread []error
	room := maxValues
	for _, r := range named {
		if of[r.Object] == nil {
			continue
		}
		data, err := in.From(ctx, r.Object)
		o := object{data: data, found: err == nil, unread: client.IgnoreNotFound(err)}
		if o.unread != nil {
			unread = append(unread, fmt.Errorf("read %s: %w", r.Object, o.unread))
		}
		for _, m := range of[r.Object] {
			room -= m.read(o, room)
		}
		of[r.Object] = nil
	}
	slices.SortFunc(unread, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return materials, errors.Join(unread...)
}

// object is a Secret or ConfigMap as it was read.
type object struct {
	data  map[string][]byte
	found bool
	// unread is why it could not be read.
	unread error
}

// material is one Secret key that a resource names.
type material struct {
	render.Reference

	// objectFound and keyFound: the Secret and its key exist.
	objectFound, keyFound bool
	state                 state
	// Value is the value without the white space around it, of which padded tells. It is empty for one that is larger
	// than its limit, or than the room that the values before it leave: they are too many together.
	Value                     string
	padded, tooLarge, tooMany bool
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
func (m *material) source() string { return m.Name + "/" + m.Key }

// read takes the value from its object, if there is room for it, and returns its size.
func (m *material) read(from object, room int) (size int) {
	if from.unread != nil {
		m.state = unknown
		return 0
	}
	m.objectFound = from.found
	var raw []byte
	raw, m.keyFound = from.data[m.Key]
	value := bytes.TrimSpace(raw)
	switch m.padded = len(value) < len(raw); {
	case len(value) > m.Limit():
		m.tooLarge = true
	case len(value) > room:
		m.tooMany = true
	default:
		m.Value = string(value)
	}
	return len(m.Value)
}

// own reports whether a Secret key lets calls in.
func own(r render.Reference) bool {
	return r.Use == render.SigningKey || r.Use == render.ChannelSecret || r.Use == render.APIKey
}

// unshared reports whether no other ChannelConnector should have the same Secret key.
func unshared(r render.Reference) bool { return own(r) || r.Use == render.PlatformCredential }

// there reports whether there is a value to judge.
func (m *material) there() bool { return m.keyFound && m.Value != "" }

// String names the material in a message, never its value.
func (m *material) String() string {
	return fmt.Sprintf("%s, key %q (%s)", m.Object, m.Key, m.Path)
}

// references lists the Secret keys that a resource names. If it names no API key, the one in the Secret generated is
// listed.
func references(c *v1alpha1.ChannelConnector, generated string) []render.Reference {
	return render.References(c, v1alpha1.SecretKeyRef{Name: generated, Key: GeneratedKey})
}

// Named returns what a resource names, sorted and each once: the users' Secrets and ConfigMaps, and as its own keys the
// Secret keys that it should share with no other one: those that let calls in, and the one that registers its webhook.
func Named(c *v1alpha1.ChannelConnector) (objects []render.Object, ownKeys []v1alpha1.SecretKeyRef) {
	for _, r := range references(c, "") {
		if r.Name == "" {
			continue
		}
		if objects = append(objects, r.Object); unshared(r) {
			ownKeys = append(ownKeys, v1alpha1.SecretKeyRef{Name: r.Name, Key: r.Key})
		}
	}
	slices.SortFunc(objects, func(a, b render.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(ownKeys, func(a, b v1alpha1.SecretKeyRef) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(objects), slices.Compact(ownKeys)
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
		if m.Use == render.PlatformCredential { // no pod gets it
			continue
		}
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
