package gateway

import (
	"context"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// readGateways reads the Gateways of the class, and the routes that are attached to them.
func (p *pass) readGateways(ctx context.Context) error {
	class := &gatewayv1.GatewayClass{}
	if err := p.Get(ctx, client.ObjectKey{Name: p.Class}, class); err != nil {
		return client.IgnoreNotFound(err)
	}
	before := class.DeepCopy()
	set(&class.Status.Conditions, class.Generation, string(gatewayv1.GatewayClassConditionStatusAccepted), "Accepted", true)
	p.tells(class, before.Status, class.Status)

	gateways, routes := &gatewayv1.GatewayList{}, &gatewayv1.HTTPRouteList{}
	if err := p.List(ctx, gateways); err != nil {
		return err
	}
	if err := p.List(ctx, routes); err != nil {
		return err
	}
	inForce := inOrder(routes.Items)
	had := make(map[*gatewayv1.HTTPRoute]gatewayv1.HTTPRouteStatus)
	for _, route := range inForce {
		had[route] = *route.Status.DeepCopy()
		route.Status.Parents = slices.DeleteFunc(route.Status.Parents, func(s gatewayv1.RouteParentStatus) bool {
			return string(s.ControllerName) == p.Name() && !p.names(route, s.ParentRef, gateways.Items)
		})
	}
	for i := range gateways.Items {
		if string(gateways.Items[i].Spec.GatewayClassName) == p.Class {
			if err := p.readGateway(ctx, &gateways.Items[i], inForce); err != nil {
				return err
			}
		}
	}
	for _, route := range inForce {
		p.tells(route, had[route], route.Status)
	}
	return nil
}

// names reports whether a route still names a parent that is a Gateway of the class.
func (p *pass) names(route *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference, gateways []gatewayv1.Gateway) bool {
	return slices.ContainsFunc(route.Spec.ParentRefs, func(now gatewayv1.ParentReference) bool { return same(now, ref) }) &&
		slices.ContainsFunc(gateways, func(g gatewayv1.Gateway) bool {
			return string(g.Spec.GatewayClassName) == p.Class && refers(route, ref, &g)
		})
}

// readGateway adds the hosts of a Gateway and the routes to it.
func (p *pass) readGateway(ctx context.Context, gateway *gatewayv1.Gateway, routes []*gatewayv1.HTTPRoute) error {
	before := gateway.DeepCopy()
	attached := make(map[gatewayv1.SectionName]int32)
	certificates, err := p.certificates(ctx, gateway)
	if err != nil {
		return err
	}
	for _, listener := range gateway.Spec.Listeners {
		if host := string(ptr.Deref(listener.Hostname, "")); certificates[listener.Name] != nil && host != "" && host[0] != '*' {
			p.site(host, certificates[listener.Name])
		}
	}
	for _, route := range routes {
		for _, ref := range route.Spec.ParentRefs {
			if refers(route, ref, gateway) {
				if err := p.attach(ctx, gateway, certificates, route, ref, attached); err != nil {
					return err
				}
			}
		}
	}
	host, _, _ := net.SplitHostPort(p.Proxy.Address)
	gateway.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Type: ptr.To(gatewayv1.IPAddressType), Value: host}}
	set(&gateway.Status.Conditions, gateway.Generation, string(gatewayv1.GatewayConditionAccepted), "Accepted", true)
	set(&gateway.Status.Conditions, gateway.Generation, string(gatewayv1.GatewayConditionProgrammed), "Programmed", true)
	gateway.Status.Listeners = listeners(gateway, certificates, attached)
	p.tells(gateway, before.Status, gateway.Status)
	return nil
}

// certificates are the Secrets of the listeners that end TLS, by their names; nil if one is not there.
func (p *pass) certificates(ctx context.Context, gateway *gatewayv1.Gateway) (map[gatewayv1.SectionName]*corev1.Secret, error) {
	found := make(map[gatewayv1.SectionName]*corev1.Secret)
	for _, listener := range gateway.Spec.Listeners {
		if listener.Protocol != gatewayv1.HTTPSProtocolType || listener.TLS == nil || len(listener.TLS.CertificateRefs) != 1 {
			continue
		}
		secret := &corev1.Secret{}
		key := client.ObjectKey{Namespace: gateway.Namespace, Name: string(listener.TLS.CertificateRefs[0].Name)}
		if err := p.Get(ctx, key, secret); client.IgnoreNotFound(err) != nil {
			return nil, err
		} else if err == nil {
			found[listener.Name] = secret
		}
	}
	return found, nil
}

// attach adds a route to the listeners that it names, and writes into its status what came of it.
func (p *pass) attach(ctx context.Context, gateway *gatewayv1.Gateway, certificates map[gatewayv1.SectionName]*corev1.Secret,
	route *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference, attached map[gatewayv1.SectionName]int32) error {
	paths, resolved, supported, err := p.paths(ctx, route)
	if err != nil {
		return err
	}
	accepted := gatewayv1.RouteReasonNoMatchingParent
	for _, listener := range gateway.Spec.Listeners {
		if ptr.Deref(ref.SectionName, listener.Name) != listener.Name || ptr.Deref(ref.Port, listener.Port) != listener.Port {
			continue
		}
		hosts := intersect(route.Spec.Hostnames, listener.Hostname)
		switch {
		case !supported:
			accepted = gatewayv1.RouteReasonUnsupportedValue
		case !allows(gateway, listener, route):
			accepted = gatewayv1.RouteReasonNotAllowedByListeners
		case len(hosts) == 0:
			accepted = gatewayv1.RouteReasonNoMatchingListenerHostname
		case certificates[listener.Name] != nil:
			accepted = gatewayv1.RouteReasonAccepted
			attached[listener.Name]++
			for _, host := range hosts {
				for _, to := range paths {
					p.site(host, certificates[listener.Name]).add(to.Path, to.Backend)
				}
			}
		}
	}
	conditions := p.parent(route, ref)
	set(conditions, route.Generation, string(gatewayv1.RouteConditionAccepted), string(accepted), accepted == gatewayv1.RouteReasonAccepted)
	set(conditions, route.Generation, string(gatewayv1.RouteConditionResolvedRefs), string(resolved),
		resolved == gatewayv1.RouteReasonResolvedRefs)
	return nil
}

// paths are a route's, with the backends that are there.
func (p *pass) paths(ctx context.Context, route *gatewayv1.HTTPRoute) (
	paths []Route, resolved gatewayv1.RouteConditionReason, supported bool, err error) {
	resolved, supported = gatewayv1.RouteReasonResolvedRefs, true
	for _, rule := range route.Spec.Rules {
		if len(rule.BackendRefs) != 1 || len(rule.Filters) > 0 {
			return nil, resolved, false, nil
		}
		to := rule.BackendRefs[0]
		backend, err := p.backend(ctx, route.Namespace, string(to.Name), ptr.Deref(to.Port, 0))
		if err != nil {
			return nil, resolved, false, err
		}
		if backend == "" {
			resolved = gatewayv1.RouteReasonBackendNotFound
			continue
		}
		for _, match := range rule.Matches {
			if match.Path == nil || ptr.Deref(match.Path.Type, "") != gatewayv1.PathMatchExact ||
				match.Method != nil || len(match.Headers) > 0 || len(match.QueryParams) > 0 {
				return nil, resolved, false, nil
			}
			paths = append(paths, Route{ptr.Deref(match.Path.Value, ""), backend})
		}
	}
	return paths, resolved, supported, nil
}

// parent returns the conditions of a parent in a route's status.
func (p *pass) parent(route *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference) *[]metav1.Condition {
	for i := range route.Status.Parents {
		status := &route.Status.Parents[i]
		if string(status.ControllerName) == p.Name() && same(status.ParentRef, ref) {
			return &status.Conditions
		}
	}
	route.Status.Parents = append(route.Status.Parents, gatewayv1.RouteParentStatus{
		ParentRef: ref, ControllerName: gatewayv1.GatewayController(p.Name()),
	})
	return &route.Status.Parents[len(route.Status.Parents)-1].Conditions
}

// listeners are those of a Gateway's status.
func listeners(gateway *gatewayv1.Gateway, certificates map[gatewayv1.SectionName]*corev1.Secret,
	attached map[gatewayv1.SectionName]int32) (all []gatewayv1.ListenerStatus) {
	for _, listener := range gateway.Spec.Listeners {
		status := gatewayv1.ListenerStatus{
			Name: listener.Name, AttachedRoutes: attached[listener.Name],
			SupportedKinds: []gatewayv1.RouteGroupKind{{Group: ptr.To(gatewayv1.Group(gatewayv1.GroupName)), Kind: "HTTPRoute"}},
		}
		for _, had := range gateway.Status.Listeners {
			if had.Name == listener.Name {
				status.Conditions = slices.Clone(had.Conditions)
			}
		}
		reason := gatewayv1.ListenerReasonResolvedRefs
		if certificates[listener.Name] == nil {
			reason = gatewayv1.ListenerReasonInvalidCertificateRef
		}
		for _, kind := range []gatewayv1.ListenerConditionType{
			gatewayv1.ListenerConditionAccepted, gatewayv1.ListenerConditionProgrammed, gatewayv1.ListenerConditionResolvedRefs,
		} {
			set(&status.Conditions, gateway.Generation, string(kind), string(reason), certificates[listener.Name] != nil)
		}
		all = append(all, status)
	}
	return all
}

// refers reports whether a route's parent is a Gateway.
func refers(route *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference, gateway *gatewayv1.Gateway) bool {
	return ptr.Deref(ref.Kind, "Gateway") == "Gateway" && string(ref.Name) == gateway.Name &&
		string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(route.Namespace))) == gateway.Namespace
}

// same reports whether two references are to the same section of the same parent.
func same(a, b gatewayv1.ParentReference) bool {
	return a.Name == b.Name && ptr.Equal(a.Namespace, b.Namespace) && ptr.Equal(a.SectionName, b.SectionName) && ptr.Equal(a.Port, b.Port)
}

// allows reports whether a listener takes routes of the route's namespace.
func allows(gateway *gatewayv1.Gateway, listener gatewayv1.Listener, route *gatewayv1.HTTPRoute) bool {
	from := gatewayv1.NamespacesFromSame
	if listener.AllowedRoutes != nil && listener.AllowedRoutes.Namespaces != nil {
		from = ptr.Deref(listener.AllowedRoutes.Namespaces.From, from)
	}
	return from == gatewayv1.NamespacesFromAll || from == gatewayv1.NamespacesFromSame && gateway.Namespace == route.Namespace
}

// intersect are the hosts that both a route and a listener have.
func intersect(route []gatewayv1.Hostname, listener *gatewayv1.Hostname) (hosts []string) {
	of := string(ptr.Deref(listener, ""))
	if len(route) == 0 && of != "" && of[0] != '*' {
		return []string{of}
	}
	for _, host := range route {
		if suffix, wild := strings.CutPrefix(of, "*"); of == "" || of == string(host) || wild && strings.HasSuffix(string(host), suffix) {
			hosts = append(hosts, string(host))
		}
	}
	return hosts
}

// set sets a condition.
func set(conditions *[]metav1.Condition, generation int64, kind, reason string, is bool) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, ObservedGeneration: generation})
}
