package controllers

import "xbot.a4b.vn/channel-connector/api/v1alpha1"

// ownKey is a Secret key that only one ChannelConnector of a namespace should have.
type ownKey struct {
	namespace string
	v1alpha1.SecretKeyRef
}

// sharedWith returns the oldest other ChannelConnector that names a Secret key as its own; empty for none.
func (p *pass) sharedWith(key v1alpha1.SecretKeyRef) string {
	if oldest := p.ownKeys.oldest(ownKey{p.key.Namespace, key}, p.key); oldest != nil {
		return oldest.key.Name
	}
	return ""
}
