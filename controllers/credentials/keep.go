package credentials

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// Grace is how long a key that lets calls in is accepted after its Secret or its key
// is gone or blank: controllers that delete a Secret and make it again change nothing.
const Grace = 30 * time.Second

// InUse is what the configuration in the cluster has.
type InUse struct {
	// Values are by their sources: OA secret keys, headers and the signing secret.
	Values map[string]string
	// APIKeys are the digests by their sources.
	APIKeys map[string]string
	SinkURL string
	// SinkCA, SinkClientCert and SinkClientKey are the last good ones.
	SinkCA, SinkClientCert, SinkClientKey []byte
}

// keep puts what the connector has in place of what cannot be used, where it may stay.
// It returns the absent keys that the connector has: they stay for a while, which an
// error in between does not begin anew.
func keep(materials []material, has *InUse, in Input) (expiring []v1alpha1.ExpiringKey) {
	note := func(key v1alpha1.ExpiringKey) {
		if !slices.ContainsFunc(expiring, func(e v1alpha1.ExpiringKey) bool { return e.SecretName == key.SecretName && e.Key == key.Key }) {
			expiring = append(expiring, key)
		}
	}
	for i := range materials {
		m := &materials[i]
		if m.state == usable || m.state == bad && m.own() {
			continue
		}
		if m.state == gone && m.own() && (has.Values[m.source()] != "" || has.APIKeys[m.source()] != "") {
			key := in.expiry(m)
			note(key)
			if !in.Now.Before(key.AcceptedUntil.Time) {
				continue
			}
			m.until = key.AcceptedUntil.Time
		} else if m.state == unknown && m.own() && in.noted(m) {
			note(in.expiry(m))
		}
		m.keep(has)
	}
	keepPair(materials, has)
	return expiring
}

// noted reports whether a key was absent before.
func (in Input) noted(m *material) bool {
	return slices.ContainsFunc(in.Expiring, func(e v1alpha1.ExpiringKey) bool { return e.SecretName == m.Secret && e.Key == m.Key })
}

// expiry is until when an absent key is accepted: from the first sight of its absence,
// and no longer than Grace from now, whatever the clocks say.
func (in Input) expiry(m *material) v1alpha1.ExpiringKey {
	latest := in.Now.Add(Grace).Truncate(time.Second)
	for _, e := range in.Expiring {
		if e.SecretName == m.Secret && e.Key == m.Key && e.AcceptedUntil.Time.Before(latest) {
			latest = e.AcceptedUntil.Time
		}
	}
	return v1alpha1.ExpiringKey{SecretName: m.Secret, Key: m.Key, AcceptedUntil: metav1.NewTime(latest)}
}

// keep takes what the connector has of one Secret key. A credential of the sink that
// is gone is not among it: nothing may be sent with that.
func (m *material) keep(has *InUse) {
	switch {
	case m.Purpose == sinkCA:
		m.Value = string(has.SinkCA)
	case m.state == unknown && m.Purpose == sinkURL:
		m.Value = has.SinkURL
	case m.Purpose == apiKey:
		m.kept = has.APIKeys[m.source()]
	case m.Purpose == oaSecretKey, m.state == unknown:
		m.Value = has.Values[m.source()]
	}
}

// keepPair takes the last good certificate with its key, where either is amiss.
func keepPair(materials []material, has *InUse) {
	pair := func(m *material) bool { return m.Purpose == sinkClientCert || m.Purpose == sinkClientKey }
	if !slices.ContainsFunc(materials, func(m material) bool { return pair(&m) && m.state != usable }) {
		return
	}
	for i := range materials {
		if m := &materials[i]; m.Purpose == sinkClientCert {
			m.Value = string(has.SinkClientCert)
		} else if m.Purpose == sinkClientKey {
			m.Value = string(has.SinkClientKey)
		}
	}
}

// awaited reports whether every OA secret key is yet to come, as it is before Zalo's
// console has called the webhook for the first time.
func awaited(materials []material) bool {
	found := false
	for i := range materials {
		if m := &materials[i]; m.Purpose == oaSecretKey {
			if m.state != gone || m.Value != "" {
				return false
			}
			found = true
		}
	}
	return found
}

// conclude returns what there is to say of a Secret key, with what follows from it.
func (m *material) conclude(awaiting bool) []Finding {
	for i := range m.findings {
		f := &m.findings[i]
		if !f.Blocking {
			continue
		}
		f.Meanwhile = m.meanwhile()
		f.Sink = !m.own() && m.Value == ""
		if awaiting && m.Purpose == oaSecretKey {
			f.Reason, f.Passing = ReasonAwaitingOASecretKey, true
		}
	}
	return m.findings
}

func (m *material) meanwhile() string {
	switch {
	case !m.until.IsZero():
		return fmt.Sprintf("it is accepted until %s", m.until.UTC().Format(time.RFC3339))
	case m.own() && m.Value+m.kept != "":
		return "it is accepted"
	case m.Purpose == apiKey:
		return "calls with it get 401"
	case m.Purpose == oaSecretKey:
		return "nothing is verified with it"
	case m.Value != "":
		return "the last good one stays in use"
	}
	return "events are accepted and held"
}
