package children

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1ac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete

// httpRoute leads calls from outside the cluster through Gateways. Its lists have no keys: the API server replaces each
// as a whole.
var httpRoute = Kind{
	Name: "HTTPRoute", Want: wantHTTPRoute, Outer: true, Optional: true,
	New:   func() client.Object { return &gatewayv1.HTTPRoute{} },
	Prune: func(Input) bool { return true },
}

// maxMatches is how many matches a rule has in every version: the Gateway API 1.0 and 1.1 take no more.
const maxMatches = 8

func wantHTTPRoute(in Input) runtime.ApplyConfiguration {
	c := in.Connector
	if c.Spec.Exposure == nil || c.Spec.Exposure.HTTPRoute == nil {
		return nil
	}
	paths := routed(in)
	if len(paths) == 0 {
		return nil
	}
	spec := gatewayv1ac.HTTPRouteSpec()
	for some := range slices.Chunk(paths, maxMatches) {
		rule := gatewayv1ac.HTTPRouteRule().WithBackendRefs(
			gatewayv1ac.HTTPBackendRef().WithName(gatewayv1.ObjectName(ConnectorName(c.Name))).WithPort(servicePort(c)))
		for _, path := range some {
			rule.WithMatches(gatewayv1ac.HTTPRouteMatch().WithPath(
				gatewayv1ac.HTTPPathMatch().WithType(gatewayv1.PathMatchExact).WithValue(path)))
		}
		spec.WithRules(rule)
	}
	for _, host := range Hosts(c) {
		spec.WithHostnames(gatewayv1.Hostname(host))
	}
	for _, parent := range c.Spec.Exposure.HTTPRoute.ParentRefs {
		spec.WithParentRefs(parentRef(parent))
	}
	return gatewayv1ac.HTTPRoute(ConnectorName(c.Name), c.Namespace).
		WithLabels(Labels(c.Name)).
		WithAnnotations(annotations(c)).
		WithOwnerReferences(owner(c)...).
		WithSpec(spec)
}

func parentRef(p v1alpha1.ParentRef) *gatewayv1ac.ParentReferenceApplyConfiguration {
	ref := gatewayv1ac.ParentReference().WithName(gatewayv1.ObjectName(p.Name))
	if p.Namespace != "" {
		ref.WithNamespace(gatewayv1.Namespace(p.Namespace))
	}
	if p.SectionName != "" {
		ref.WithSectionName(gatewayv1.SectionName(p.SectionName))
	}
	if p.Port != 0 {
		ref.WithPort(p.Port)
	}
	return ref
}
