package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// Gateway is what is known of a Gateway: its listeners, or why they are unknown.
type Gateway struct {
	Listeners []Listener
	Unread    string
}

// Listener is what of a Gateway's listener says how a host is served. Whole Gateways are others', of up to 1.5 MiB each.
type Listener struct {
	Name, Host string
	Protocol   gatewayv1.ProtocolType
	Port       int32
	// From is of which namespaces it takes routes.
	From gatewayv1.FromNamespaces
	// Fault is why it is not served, in a word of its controller; empty if it is, or if that is not known.
	Fault string
}

const (
	// maxListeners is the Gateway API's own bound.
	maxListeners = 64
	// maxFault bounds the words of a controller, in bytes.
	maxFault = 64
)

// ReadGateway returns what counts of a Gateway.
func ReadGateway(g *gatewayv1.Gateway) (known Gateway) {
	for _, l := range g.Spec.Listeners[:min(len(g.Spec.Listeners), maxListeners)] {
		if l.Protocol != gatewayv1.HTTPSProtocolType && l.Protocol != gatewayv1.HTTPProtocolType {
			continue
		}
		listener := Listener{Name: string(l.Name), Protocol: l.Protocol, Port: l.Port, From: gatewayv1.NamespacesFromSame}
		if l.Hostname != nil {
			listener.Host = strings.ToLower(string(*l.Hostname))
		}
		if r := l.AllowedRoutes; r != nil && r.Namespaces != nil && r.Namespaces.From != nil {
			listener.From = *r.Namespaces.From
		}
		listener.Fault = fault(g, l.Name)
		known.Listeners = append(known.Listeners, listener)
	}
	return known
}

// fault is why a Gateway's controller says that it does not serve a listener of this version.
func fault(g *gatewayv1.Gateway, name gatewayv1.SectionName) string {
	i := slices.IndexFunc(g.Status.Listeners, func(l gatewayv1.ListenerStatus) bool { return l.Name == name })
	if i < 0 {
		return ""
	}
	for _, kind := range []gatewayv1.ListenerConditionType{
		gatewayv1.ListenerConditionResolvedRefs, gatewayv1.ListenerConditionAccepted, gatewayv1.ListenerConditionProgrammed,
	} {
		v := current(g.Status.Listeners[i].Conditions, string(kind), g.Generation)
		if v.Status == metav1.ConditionFalse && v.Reason != string(gatewayv1.ListenerReasonInvalidRouteKinds) { // the other kinds are served
			return strings.Clone(traffic.Cut(v.Reason, maxFault))
		}
	}
	return ""
}

// way is how the Gateways listen for the host of the URL.
type way struct {
	https, http bool
	// own reports whether HTTPS is served on its own port; ports are the others.
	own   bool
	ports []string
	// unread says of which Gateway that is unknown, and why; empty if all are known.
	unread string
	// fault is a listener for HTTPS that is not served; empty if all are.
	fault string
}

// listening looks through the Gateways for the listeners of the URL's host.
func listening(o Observation) (w way) {
	c := o.Connector
	for i, ref := range c.Spec.Exposure.HTTPRoute.ParentRefs {
		gateway := o.Exposure.Gateways[i]
		if gateway.Unread != "" && w.unread == "" {
			w.unread = gatewayName(ref, c.Namespace) + ": " + gateway.Unread
		}
		for _, l := range gateway.Listeners {
			if !l.takes(ref, c) {
				continue
			}
			if l.Fault != "" && l.Protocol == gatewayv1.HTTPSProtocolType {
				ref.SectionName = l.Name
				w.fault = fmt.Sprintf("%s (%s)", gatewayName(ref, c.Namespace), l.Fault)
				continue
			}
			w.add(l)
		}
	}
	return w
}

// add adds a listener that is served.
func (w *way) add(l Listener) {
	if l.Protocol == gatewayv1.HTTPProtocolType {
		w.http = true
		return
	}
	w.https = true
	if port := fmt.Sprintf("%d", l.Port); l.Port == portHTTPS {
		w.own = true
	} else if !slices.Contains(w.ports, port) {
		w.ports = append(w.ports, port)
	}
}

// NotServed reports whether HTTPS is not served by the Gateways although a listener is there for it. Then that may come at
// any time.
func (e Exposure) NotServed(c *v1alpha1.ChannelConnector) bool {
	w := listening(Observation{Connector: c, Exposure: e})
	return w.fault != "" && !w.https
}

// GatewayFresh is for how long a Gateway that was read counts as it was, so that the many resources behind one cost one
// request.
const GatewayFresh = 30 * time.Second

// gatewaysAgain is how soon, at most, Gateways are looked at again that are not known to serve HTTPS.
const gatewaysAgain = 5 * time.Second

// LookAtGateways is after how long to look again at Gateways, which are not watched, if that may end a status that is
// not True: after as long as it has been so, and if it is new, no later than they are read again. 0 is no sooner than
// usual.
func LookAtGateways(o Observation, next v1alpha1.ChannelConnectorStatus) time.Duration {
	was := meta.FindStatusCondition(o.Connector.Status.Conditions, v1alpha1.ConditionExposed)
	is := meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionExposed)
	if len(o.Exposure.Gateways) == 0 || is == nil || is.Status == metav1.ConditionTrue || parents(o) != nil { // the route is watched
		return 0
	}
	again := max(o.Now.Sub(is.LastTransitionTime.Time), gatewaysAgain)
	if was == nil || was.Reason != is.Reason || was.ObservedGeneration != is.ObservedGeneration {
		return min(again, GatewayFresh+gatewaysAgain)
	}
	return again
}

// portHTTPS is the only one that a URL without a port has.
const portHTTPS = 443

// takes reports whether a listener of a Gateway that a resource names takes its calls.
func (l Listener) takes(ref v1alpha1.ParentRef, c *v1alpha1.ChannelConnector) bool {
	if ref.SectionName != "" && ref.SectionName != l.Name || ref.Port != 0 && ref.Port != l.Port {
		return false
	}
	own := cmp.Or(ref.Namespace, c.Namespace) == c.Namespace
	if l.From == gatewayv1.NamespacesFromNone || l.From == gatewayv1.NamespacesFromSame && !own { // by a selector it may
		return false
	}
	suffix, wildcard := strings.CutPrefix(l.Host, "*")
	host := children.Hosts(c)[0]
	return l.Host == "" || l.Host == host || wildcard && strings.HasSuffix(host, suffix)
}
