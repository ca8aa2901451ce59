package children

import (
	"slices"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// Hosts returns the names of the hosts under which a resource is reached from outside the cluster. The first is that of
// the URL to paste.
func Hosts(c *v1alpha1.ChannelConnector) []string {
	switch e := c.Spec.Exposure; {
	case e == nil:
		return nil
	case e.HTTPRoute != nil:
		hosts := make([]string, len(e.HTTPRoute.Hostnames))
		for i, host := range e.HTTPRoute.Hostnames {
			hosts[i] = string(host)
		}
		return hosts
	case e.Ingress != nil:
		return []string{string(e.Ingress.Host)}
	}
	return nil
}

// routed returns the URL paths that are led to the connector from outside the cluster, and nothing if the path that the
// platform calls is another resource's: that one's pages are not to be served by this one alone.
func routed(in Input) []string {
	if slices.Contains(in.Taken, render.Path(in.Connector)) {
		return nil
	}
	return slices.DeleteFunc(render.Paths(in.Connector), func(path string) bool { return slices.Contains(in.Taken, path) })
}
