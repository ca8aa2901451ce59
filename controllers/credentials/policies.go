package credentials

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// The reasons of findings: first the blocking ones, then the warnings. More are
// ReasonAwaiting and config.ReasonEqualsAPIKey.
const (
	ReasonSecretNotFound        = "SecretNotFound"
	ReasonKeyNotFound           = "SecretKeyNotFound"
	ReasonEmpty                 = "SecretKeyEmpty"
	ReasonTooLarge              = config.ReasonTooLarge
	ReasonMalformed             = "SecretKeyMalformed"
	ReasonConfigMapNotFound     = "ConfigMapNotFound"
	ReasonConfigMapKeyNotFound  = "ConfigMapKeyNotFound"
	ReasonConfigMapKeyEmpty     = "ConfigMapKeyEmpty"
	ReasonConfigMapKeyTooLarge  = "ConfigMapKeyTooLarge"
	ReasonConfigMapKeyMalformed = "ConfigMapKeyMalformed"

	ReasonAPIKeyTooShort    = config.ReasonTooShort
	ReasonAPIKeyTwice       = config.ReasonAPIKeyTwice
	ReasonAPIKeyDeleted     = "GeneratedAPIKeyDeleted"
	ReasonAPIKeyUnlabelled  = "GeneratedAPIKeyUnlabelled"
	ReasonAPIKeyNameClashes = "GeneratedAPIKeyNameClashes"

	ReasonShort         = config.ReasonShort
	ReasonShared        = "SecretKeyShared"
	ReasonLooksLikeUser = "SecretKeyLooksLikeAccessToken"
	ReasonTrimmed       = "SecretKeyTrimmed"
	ReasonURLChanges    = config.ReasonURLChanges
	ReasonExpired       = config.ReasonExpired
	ReasonNotYetValid   = config.ReasonNotYetValid
	ReasonExpiring      = config.ReasonExpiring
)

// ReasonAwaiting is the reason while no signing key of a resource is there yet. It has the platform's word for the key:
// "AwaitingOASecretKey".
func ReasonAwaiting(of v1alpha1.ChannelType) string {
	return "Awaiting" + config.InReason(types.Channel(string(of)).Words.SecretName)
}

// ofConfigMap are the reasons of a ConfigMap's keys, by those of a Secret's.
var ofConfigMap = map[string]string{
	ReasonSecretNotFound: ReasonConfigMapNotFound,
	ReasonKeyNotFound:    ReasonConfigMapKeyNotFound,
	ReasonEmpty:          ReasonConfigMapKeyEmpty,
	ReasonTooLarge:       ReasonConfigMapKeyTooLarge,
	ReasonMalformed:      ReasonConfigMapKeyMalformed,
}

// Finding is something wrong with a credential.
type Finding struct {
	// Reason is one of the constants above.
	Reason string
	// Message names the Secret, the key, the field and the remedy, never a value.
	Message string
	// Blocking findings keep the resource from being Ready; others only warn.
	Blocking bool
	// Passing findings are part of setting a channel up: they need no attention.
	Passing bool
	// Meanwhile is the consequence of a Blocking finding until it is mended.
	Meanwhile string
	// Sink: the sink lacks a credential, so that events are held.
	Sink bool
}

// subject is the context of a policy.
type subject struct {
	connector *v1alpha1.ChannelConnector
	// sharedWith returns another one that names a key as its own.
	sharedWith func(v1alpha1.SecretKeyRef) string
	// said are the connector's problems with the values, by Reference.Field; names replaces its names by those of
	// Secret keys.
	said  map[string][]render.Problem
	names *strings.Replacer
}

func newSubject(materials []material, in Input) subject {
	values, names := make(map[string]string, len(materials)), make([]string, 0, 4*len(materials)+2)
	for i := range materials {
		m := &materials[i]
		values[m.Field] = m.Value
		names = append(names, render.TrialFile(m.Reference), m.String(), m.Field, m.String())
	}
	names = append(names, "channels[0].", "spec.")
	return subject{in.Connector, in.SharedWith, render.Try(in.Connector, values), strings.NewReplacer(names...)}
}

// policy judges one Secret key among all that a resource names.
type policy func(m *material, s subject) []Finding

// policies are all policies, in their order. The first that blocks a Secret key is the last that judges it. The
// connector itself judges whether a value is fit for its use.
var policies = []policy{large, missing, refused, looksLikeAccessToken, warned, shared, trimmed}

func blocking(reason, format string, args ...any) []Finding {
	return []Finding{{Reason: reason, Message: fmt.Sprintf(format, args...), Blocking: true}}
}

func warning(reason, format string, args ...any) []Finding {
	return []Finding{{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// absent are the reasons for which a Secret key counts as gone.
var absent = []string{ReasonSecretNotFound, ReasonKeyNotFound, ReasonEmpty}

// judge lets the policies judge the Secret keys that could be read, and drops the unusable values. It reports whether
// any Secret key is unusable.
func judge(materials []material, in Input) (amiss bool) {
	s := newSubject(materials, in)
	for i := range materials {
		m := &materials[i]
		switch {
		case m.state == unknown:
		case m.Path == render.GeneratedPath && in.GeneratedFinding != nil:
			m.noteGenerated(*in.GeneratedFinding)
		default:
			m.ask(s)
		}
		amiss = amiss || m.state != usable
	}
	for i := range materials { // after all were compared with each other
		if m := &materials[i]; m.state != usable {
			m.Value = ""
		}
	}
	return amiss
}

// ask asks the policies about one Secret key.
func (m *material) ask(s subject) {
	for _, judge := range policies {
		for _, f := range judge(m, s) {
			m.note(f)
		}
		if m.state != usable {
			return
		}
	}
}

// noteGenerated keeps a finding about the generated API key, which may still be in use.
func (m *material) noteGenerated(f Finding) {
	m.note(f)
	if m.state = usable; !m.there() {
		m.state = gone
	}
}

// note keeps a finding.
func (m *material) note(f Finding) {
	switch {
	case f.Blocking && slices.Contains(absent, f.Reason):
		m.state = gone
	case f.Blocking:
		m.state = bad
	}
	if m.Kind == render.KindConfigMap {
		f.Reason = cmp.Or(ofConfigMap[f.Reason], f.Reason)
	}
	m.findings = append(m.findings, f)
}

// large finds a value of which nothing was kept.
func large(m *material, _ subject) []Finding {
	switch {
	case m.tooLarge:
		return blocking(ReasonTooLarge, "%v", config.TooLarge(m.String(), m.Limit()))
	case m.tooMany:
		return blocking(ReasonTooLarge, "%s does not fit: the values that the resource names may have %d MiB together, since the connector "+
			"gets them in one Secret: put the credentials alone into them", m, maxValues>>20)
	}
	return nil
}

// missing finds that there is no value.
func missing(m *material, _ subject) []Finding {
	switch {
	case !m.objectFound:
		return blocking(ReasonSecretNotFound,
			"%s does not exist (%s): create it with the key %q, or correct the reference", m.Object, m.Path, m.Key)
	case !m.keyFound:
		return blocking(ReasonKeyNotFound, "%s has no key %q (%s): add the key, or correct the reference", m.Object, m.Key, m.Path)
	case m.Value == "":
		return blocking(ReasonEmpty, "%s is empty: fill it in", m)
	}
	return nil
}

// refused finds the first reason why the connector would not use the value.
func refused(m *material, s subject) []Finding {
	for _, problem := range s.said[m.Field] {
		if problem.Refused {
			return blocking(cmp.Or(problem.Reason, ReasonMalformed), "%s", s.words(m, problem))
		}
	}
	return nil
}

// warned finds what the connector would warn of.
func warned(m *material, s subject) (all []Finding) {
	for _, problem := range s.said[m.Field] {
		all = append(all, warning(problem.Reason, "%s", s.words(m, problem))...)
	}
	return all
}

// words are the connector's message, with Secret keys in place of its fields and files.
func (s subject) words(m *material, problem render.Problem) string {
	message := s.names.Replace(problem.Message)
	if strings.HasPrefix(message, m.String()) {
		return message
	}
	return m.String() + " " + message
}

// accessTokenLength is above the length of every signing key and API key; access tokens have several hundred
// characters.
const accessTokenLength = 100

func looksLikeAccessToken(m *material, s subject) []Finding {
	jwt := strings.HasPrefix(m.Value, "eyJ") && strings.Count(m.Value, ".") == 2
	if m.Use == render.ChannelSecret || !own(m.Reference) || !jwt && len(m.Value) < accessTokenLength {
		return nil
	}
	return warning(ReasonLooksLikeUser, "%s looks like an access token: make sure that it is the %s or the API key", m,
		types.Channel(string(s.connector.Spec.Type)).Words.SecretName)
}

func shared(m *material, s subject) []Finding {
	if s.sharedWith == nil || !unshared(m.Reference) || m.Path == render.GeneratedPath { // the resource does not name that key
		return nil
	}
	other := s.sharedWith(v1alpha1.SecretKeyRef{Name: m.Name, Key: m.Key})
	if other == "" {
		return nil
	}
	return warning(ReasonShared, "%s is used by ChannelConnector %q as well: give each connector keys of its own", m, other)
}

func trimmed(m *material, _ subject) []Finding {
	if !m.padded || m.Use == render.Certificate {
		return nil
	}
	return warning(ReasonTrimmed, "%s begins or ends with white space, which is left out: write the Secret without it", m)
}
