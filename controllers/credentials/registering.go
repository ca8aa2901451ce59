package credentials

import (
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// Registering is what a platform is to be told of the webhook. The values are those of the Secret keys that the resource
// names first: in a rotation the new one stands first, and the connector takes both.
type Registering struct {
	// Credential opens the platform's API.
	Credential string
	// Ref is its Secret key, and Named names that in messages.
	Ref   v1alpha1.SecretKeyRef
	Named string
	// APIKey is a part of the webhook's URL, and calls are to be verified with Secret.
	APIKey, Secret string
	// Missing: a value is not there, and CredentialsResolved says which.
	Missing bool
	// Unsure: a value is not there, and may be in a moment: it could not be read, or is absent and still accepted.
	Unsure bool
}

// registering returns nil if the resource does not let the operator register its webhook.
func registering(materials []material) *Registering {
	var r *Registering
	for i := range materials {
		if m := &materials[i]; m.Use == render.PlatformCredential {
			r = &Registering{Ref: v1alpha1.SecretKeyRef{Name: m.Name, Key: m.Key}, Named: m.String()}
		}
	}
	if r == nil {
		return nil
	}
	r.Credential = r.first(materials, render.PlatformCredential)
	r.APIKey = r.first(materials, render.APIKey)
	r.Secret = r.first(materials, render.SigningKey)
	return r
}

// first returns the first value with a use that the connector may use as well. A key before it that may come back in a
// moment is waited for, so that the platform is not told twice.
func (r *Registering) first(materials []material, use render.Use) string {
	for i := range materials {
		switch m := &materials[i]; {
		case m.Use != use:
		case m.state == usable && m.Value != "":
			return m.Value
		case m.state == unknown, m.Value+m.kept != "":
			r.Unsure = true
			return ""
		}
	}
	r.Missing = true
	return ""
}
