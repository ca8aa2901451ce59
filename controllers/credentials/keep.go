package credentials

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// Grace is how long a key that lets calls in is accepted after its Secret or key is gone or blank, since some
// controllers delete a Secret and make it again.
const Grace = 30 * time.Second

// keep replaces unusable Secret keys by those of the connector, if these may stay. It returns the absent keys that the
// connector has: they stay for Grace, and an error in between does not restart it.
func keep(materials []material, has *render.InUse, in Input) (expiring []v1alpha1.ExpiringKey) {
	for i := range materials {
		m := &materials[i]
		if !m.mayStay(has, materials) {
			continue
		}
		absent := own(m.Reference) && m.state == gone && has.Values[m.source()]+has.APIKeys[m.source()] != ""
		key := in.expiry(m)
		noted := absent || own(m.Reference) && m.state == unknown && m.among(in.Expiring) >= 0
		if noted && m.among(expiring) < 0 {
			expiring = append(expiring, key)
		}
		if absent && !in.Now.Before(key.AcceptedUntil.Time) {
			continue
		}
		if absent {
			m.until = key.AcceptedUntil.Time
		}
		m.keep(has)
	}
	keepPair(materials, has)
	return expiring
}

// mayStay reports whether an unusable Secret key may be replaced by the connector's. The credential of a platform's API
// is none of the connector's.
func (m *material) mayStay(has *render.InUse, materials []material) bool {
	return m.state != usable && m.Use != render.PlatformCredential && (!own(m.Reference) || !m.replaced(has, materials))
}

// replaced reports whether a key that lets calls in has another value, or the connector's value of it has become one of
// the other use: the connector would refuse both together.
func (m *material) replaced(has *render.InUse, materials []material) bool {
	was := *m
	was.keep(has)
	return m.state == bad || slices.ContainsFunc(materials, func(o material) bool {
		return own(o.Reference) && o.Use != m.Use && o.state == usable && o.digest() == was.digest()
	})
}

// among returns the place of a Secret key in a list; negative if it is not there.
func (m *material) among(keys []v1alpha1.ExpiringKey) int {
	return slices.IndexFunc(keys, func(e v1alpha1.ExpiringKey) bool { return e.SecretName == m.Name && e.Key == m.Key })
}

// expiry returns until when an absent key is accepted: from the first sight of its absence, and no longer than Grace
// from now, whatever the clocks say.
func (in Input) expiry(m *material) v1alpha1.ExpiringKey {
	latest := in.Now.Add(Grace).Truncate(time.Second)
	if i := m.among(in.Expiring); i >= 0 && in.Expiring[i].AcceptedUntil.Time.Before(latest) {
		latest = in.Expiring[i].AcceptedUntil.Time
	}
	return v1alpha1.ExpiringKey{SecretName: m.Name, Key: m.Key, AcceptedUntil: metav1.NewTime(latest)}
}

// keep takes the connector's value of one Secret key. It takes no credential of the sink that is gone: nothing may be
// sent with that.
func (m *material) keep(has *render.InUse) {
	switch {
	case m.Use == render.Certificate, m.ofInbox(), m.state == unknown && m.File != "":
		m.Value = string(has.Files[m.File])
	case m.Use == render.APIKey:
		m.kept = has.APIKeys[m.source()]
	case m.Use == render.SigningKey, m.Use == render.ChannelSecret, m.state == unknown:
		m.Value = has.Values[m.source()]
	}
}

// ofInbox reports whether the inbox needs the Secret key.
func (m *material) ofInbox() bool { return m.Use == render.Credential && !m.OfSink() }

// keepPair takes the last good certificate with its key, if either is unusable. One field names both.
func keepPair(materials []material, has *render.InUse) {
	for i := range materials {
		m := &materials[i]
		unusable := func(half material) bool { return half.Path == m.Path && half.state != usable }
		if m.Use == render.Certificate && slices.ContainsFunc(materials, unusable) {
			m.Value = string(has.Files[m.File])
		}
	}
}

// awaited reports whether every signing key is yet to come, as it is before the platform's console has called the
// webhook for the first time.
func awaited(materials []material) bool {
	found := false
	for i := range materials {
		if m := &materials[i]; m.Use == render.SigningKey {
			if m.state != gone || m.Value != "" {
				return false
			}
			found = true
		}
	}
	return found
}

// conclude returns the findings about a Secret key, with their consequences. Awaiting is the
// reason while no signing key is there yet, empty otherwise.
func (m *material) conclude(awaiting string) []Finding {
	for i := range m.findings {
		f := &m.findings[i]
		if !f.Blocking {
			continue
		}
		f.Meanwhile = m.meanwhile()
		f.Sink = m.OfSink() && m.Value == ""
		if awaiting != "" && m.Use == render.SigningKey {
			f.Reason, f.Passing = awaiting, true
		}
	}
	return m.findings
}

func (m *material) meanwhile() string {
	switch {
	case !m.until.IsZero():
		return fmt.Sprintf("it is accepted until %s", m.until.UTC().Format(time.RFC3339))
	case own(m.Reference) && m.Value+m.kept != "":
		return "it is accepted"
	case m.Use == render.PlatformCredential:
		return "the webhook stays as it is registered, if it is"
	case m.Use == render.APIKey:
		return "calls with it get 401"
	case m.Use == render.SigningKey:
		return "nothing is verified with it"
	case m.Use == render.ChannelSecret:
		return "calls that need it are refused"
	case m.Value != "":
		return "the last good one stays in use"
	case m.OfSink():
		return "events are accepted and held"
	case m.Path == render.TLSPath:
		return "a running connector goes on with plain HTTP, and a new one does not start"
	}
	return "the inbox is opened without it"
}
