package status_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// listener is a Gateway with one, which takes routes of every namespace unless it is changed.
func listener(name string, protocol gatewayv1.ProtocolType, port int32, host string, change ...func(*gatewayv1.Gateway)) status.Gateway {
	g := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	l := gatewayv1.Listener{Name: gatewayv1.SectionName(name), Protocol: protocol, Port: port, AllowedRoutes: &gatewayv1.AllowedRoutes{
		Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)},
	}}
	if host != "" {
		l.Hostname = new(gatewayv1.Hostname(host))
	}
	g.Spec.Listeners = []gatewayv1.Listener{l}
	for _, change := range change {
		change(g)
	}
	return status.ReadGateway(g)
}

// tells is what the Gateway's controller says of the only listener.
func tells(kind, reason string, generation int64) func(*gatewayv1.Gateway) {
	return func(g *gatewayv1.Gateway) {
		g.Status.Listeners = []gatewayv1.ListenerStatus{{Name: g.Spec.Listeners[0].Name, Conditions: []metav1.Condition{
			{Type: kind, Status: metav1.ConditionFalse, Reason: reason, ObservedGeneration: generation},
		}}}
	}
}

// listens adds listeners like the only one, and gives all of them their ports.
func listens(ports ...gatewayv1.PortNumber) func(*gatewayv1.Gateway) {
	return func(g *gatewayv1.Gateway) {
		like := g.Spec.Listeners[0]
		g.Spec.Listeners = nil
		for i, port := range ports {
			like.Name, like.Port = gatewayv1.SectionName(fmt.Sprintf("web-%d", i)), port
			g.Spec.Listeners = append(g.Spec.Listeners, like)
		}
	}
}

// unnamed is an exposure whose HTTPRoute is for the whole Gateway.
func unnamed(e status.Exposure) status.Exposure {
	e.HTTPRoute.Status.Parents[0].ParentRef.SectionName = nil
	return e
}

// admits is of which namespaces the only listener takes routes.
func admits(from gatewayv1.FromNamespaces) func(*gatewayv1.Gateway) {
	return func(g *gatewayv1.Gateway) { g.Spec.Listeners[0].AllowedRoutes.Namespaces.From = &from }
}

// TestExposedByListeners: HTTPS is served by listeners that take the route and that their controller serves.
func TestExposedByListeners(t *testing.T) {
	https := func(change func(*gatewayv1.Gateway)) status.Exposure {
		return status.Exposure{
			Looked: true, HTTPRoute: route(2, metav1.ConditionTrue, metav1.ConditionTrue),
			Gateways: []status.Gateway{listener("web", "HTTPS", 443, "", change)},
		}
	}
	for name, c := range map[string]exposes{
		"another namespace's": {
			spec: byRoute, seen: https(admits("Same")), want: "Unknown GatewayUnknown: ",
		},
		"nobody's": {
			spec: byRoute, seen: https(admits("None")), want: "Unknown GatewayUnknown: ",
		},
		"perhaps its own": {
			spec: byRoute, seen: https(admits("Selector")), want: "True Exposed: ",
		},
		"without its certificate": {
			spec: byRoute, seen: https(tells("ResolvedRefs", "InvalidCertificateRef", 2)),
			want: `Unknown Pending: HTTPRoute "shop-connector" is taken, and Listener "web" of Gateway "public" of namespace "gateways" ` +
				`(InvalidCertificateRef) is not served`,
		},
		"not programmed": {
			spec: byRoute, seen: https(tells("Programmed", "Pending", 2)),
			want: "Unknown Pending:  … (Pending) is not served",
		},
		"without its certificate before": {
			spec: byRoute, seen: https(tells("ResolvedRefs", "InvalidCertificateRef", 1)),
			want: "True Exposed: ",
		},
		"without its certificate, in no version": {
			spec: byRoute, seen: https(tells("ResolvedRefs", "InvalidCertificateRef", 0)),
			want: "Unknown Pending:  … (InvalidCertificateRef) is not served",
		},
		"on another port as well": {
			spec: unnamedRoute, seen: unnamed(https(listens(8443, 443, 8443))), want: "True Exposed:  … and HTTPS is served",
		},
		"on other ports alone": {
			spec: unnamedRoute, seen: unnamed(https(listens(8443, 9443, 8443))), want: "True Exposed:  … leads to port 8443, 9443 of the Gateway",
		},
		"with a kind that is unknown": {
			spec: byRoute, seen: https(tells("ResolvedRefs", "InvalidRouteKinds", 2)),
			want: "True Exposed: ",
		},
	} {
		t.Run(name, c.check)
	}
}

// TestLookAtGateways: Gateways are looked at again after as long as Exposed has not been True. If its reason is new,
// that is soon, since what was remembered of them may be why.
func TestLookAtGateways(t *testing.T) {
	absent := status.Gateway{Unread: "there is no such Gateway"}
	for name, c := range map[string]struct {
		gateway status.Gateway
		// since is for how long Exposed is so; 0 if the resource is new. reason is the one before, if it was another one.
		since   time.Duration
		reason  string
		changed bool
		want    time.Duration
	}{
		"it is True":                 {gateway: listener("web", gatewayv1.HTTPSProtocolType, 443, "")},
		"it is new":                  {gateway: absent, want: 5 * time.Second},
		"for a moment":               {gateway: absent, since: time.Second, want: 5 * time.Second},
		"for a while":                {gateway: absent, since: time.Minute, want: time.Minute},
		"for a while with HTTP":      {gateway: listener("web", gatewayv1.HTTPProtocolType, 80, ""), since: time.Minute, want: time.Minute},
		"for a day":                  {gateway: absent, since: 24 * time.Hour, want: 24 * time.Hour},
		"for other reasons":          {gateway: absent, since: 24 * time.Hour, reason: status.ReasonPending, want: 35 * time.Second},
		"of late, for other reasons": {gateway: absent, since: 7 * time.Second, reason: status.ReasonPending, want: 7 * time.Second},
		"of another spec":            {gateway: absent, since: 24 * time.Hour, changed: true, want: 35 * time.Second},
		"the clock was put back":     {gateway: absent, since: -time.Hour, want: 5 * time.Second},
	} {
		o := observed(t)
		o.Connector = connectortest.New(t, byRoute)
		o.Exposure = status.Exposure{
			Looked: true, HTTPRoute: route(2, metav1.ConditionTrue, metav1.ConditionTrue), Gateways: []status.Gateway{c.gateway},
		}
		if c.since != 0 {
			o.Connector.Status = status.Compute(o)
			was := meta.FindStatusCondition(o.Connector.Status.Conditions, v1alpha1.ConditionExposed)
			was.LastTransitionTime.Time, was.Reason = o.Now.Add(-c.since), cmp.Or(c.reason, was.Reason)
		}
		if c.changed {
			o.Connector.Generation++
		}
		next := status.Compute(o)
		if c.since == 0 { // its time is the machine's
			o.Now = time.Now()
		}
		if got := status.LookAtGateways(o, next); got != c.want {
			t.Errorf("%s: after %s, want %s", name, got, c.want)
		}
	}
	o := observed(t)
	if got := status.LookAtGateways(o, status.Compute(o)); got != 0 {
		t.Errorf("without an exposure: after %s", got)
	}
	o.Connector = connectortest.New(t, byRoute)
	o.Exposure = status.Exposure{Looked: true, HTTPRoute: route(2, "", ""), Gateways: []status.Gateway{absent}}
	if got := status.LookAtGateways(o, status.Compute(o)); got != 0 {
		t.Errorf("before the route is taken, which is watched: after %s", got)
	}
}
