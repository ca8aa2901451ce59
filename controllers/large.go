package controllers

import (
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
)

// maxResource bounds what the caches hold of a ChannelConnector, in bytes. Most have 2 KiB, and one with a thousand
// Official Accounts some 120 KiB. The schema takes some that need more, such as one with the longest annotations.
const maxResource = 256 << 10

// cutResource leaves of a resource that is too large for the cache only what events, and other resources' passes, look
// at: the Secrets that it names, so that a key that is removed goes out of use, the addresses that it holds, and how its
// traffic is judged. Its own passes read the rest.
func cutResource(c *v1alpha1.ChannelConnector) *v1alpha1.ChannelConnector {
	if apply.Size(c) <= maxResource {
		return c
	}
	left, _ := identity(c).(*v1alpha1.ChannelConnector)
	left.Generation, left.Spec = c.Generation, core(c.Spec)
	left.Status = v1alpha1.ChannelConnectorStatus{Conditions: c.Status.Conditions, Traffic: c.Status.Traffic}
	for _, drop := range []func(){
		func() { left.Status = v1alpha1.ChannelConnectorStatus{} },
		func() { left.Spec = v1alpha1.ChannelConnectorSpec{} }, // the definition in the cluster has other bounds
	} {
		if apply.Size(left) > maxResource {
			drop()
		}
	}
	return left
}

// core leaves out what may be large and what nobody but the resource's own passes reads.
func core(spec v1alpha1.ChannelConnectorSpec) v1alpha1.ChannelConnectorSpec {
	spec.Workload = v1alpha1.Workload{TLS: spec.Workload.TLS}
	spec.Webhook.Events = v1alpha1.EventFilter{}
	spec = *spec.DeepCopy()
	if declared := spec.Channel(); declared != nil {
		declared.Shrink()
	}
	if e := spec.Exposure; e != nil && e.Ingress != nil {
		e.Ingress.Annotations = nil
	}
	return spec
}

// isCut reports whether a resource was cut. Its author may write any annotation, but the schema gives each resource a
// grace period.
func isCut(c *v1alpha1.ChannelConnector) bool {
	_, marked := c.Annotations[cutMark]
	return marked && c.Spec.Workload.TerminationGracePeriodSeconds == 0
}
