package controllers

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
)

// ownKey is a Secret key that only one ChannelConnector of a namespace should have.
type ownKey struct {
	namespace string
	v1alpha1.SecretKeyRef
}

func ownKeysOf(o client.Object) (all []ownKey) {
	if c, ok := o.(*v1alpha1.ChannelConnector); ok {
		for _, key := range credentials.OwnKeys(c) {
			all = append(all, ownKey{c.Namespace, key})
		}
	}
	return all
}

// sharing returns the keys of the resource that others name as well, each with the name of the oldest other one.
func (p *pass) sharing() map[v1alpha1.SecretKeyRef]string {
	shared := map[v1alpha1.SecretKeyRef]string{}
	for _, key := range ownKeysOf(p.connector) {
		if oldest := p.ownKeys.oldest(key, p.key); oldest != nil {
			shared[key.SecretKeyRef] = oldest.key.Name
		}
	}
	return shared
}
