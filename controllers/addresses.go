package controllers

import (
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// address is a host and a path outside the cluster. It belongs to the oldest resource of all namespaces that declares
// it, whether or not that one is led any calls.
type address struct{ host, path string }

// addressesOf are the addresses that a resource declares. One that is being deleted declares none.
func addressesOf(c *v1alpha1.ChannelConnector) (all []address) {
	if c.Spec.Exposure == nil || !c.DeletionTimestamp.IsZero() {
		return nil
	}
	paths := render.Paths(c)
	for _, host := range children.Hosts(c) {
		for _, path := range paths {
			all = append(all, address{host: host, path: path})
		}
	}
	return all
}

// taken returns the addresses of the resource that are another one's.
func (p *pass) taken() (all []status.Taken) {
	for _, a := range addressesOf(p.connector) {
		if oldest := p.addresses.oldest(a, p.key); oldest != nil && byAge(oldest, claimantOf(p.connector)) < 0 {
			all = append(all, status.Taken{Host: a.host, Path: a.path, By: oldest.key})
		}
	}
	return all
}
