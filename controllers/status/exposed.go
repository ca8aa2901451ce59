package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// The reasons of Exposed.
const (
	ReasonExposed             = "Exposed"
	ReasonCertificateExpiring = "CertificateExpiring"
	ReasonPathTaken           = "PathTaken"
	ReasonGatewayAPIMissing   = "GatewayAPIMissing"
	ReasonRouteRefused        = "RouteRefused"
	ReasonCertificateInvalid  = "CertificateInvalid"
	ReasonPending             = "Pending"
	ReasonNotWritten          = "NotWritten"
	ReasonGatewayUnknown      = "GatewayUnknown"
	ReasonHTTPOnly            = "HTTPOnly"
)

// Exposure is what a pass found of the way to the webhook from outside the cluster.
type Exposure struct {
	// Taken are the addresses that are another resource's.
	Taken []Taken
	// Looked reports whether the pass came to look at the rest. Without it, nothing may have been written.
	Looked bool
	// The operator has yet to find out whether the cluster serves HTTPRoutes; the cluster does not; the operator has no
	// right to watch them.
	Unlooked, Unserved, Unwatched bool
	// HTTPRoute and Ingress are the object that is declared; nil if it is not there.
	HTTPRoute *gatewayv1.HTTPRoute
	Ingress   *networkingv1.Ingress
	// Gateways are those of the declared parentRefs, in their order.
	Gateways []Gateway
	// Certificates are those that the platform is shown and the resource names: of the Ingress.
	Certificates []Certificate
}

// Taken is an address that an older resource declares as well.
type Taken struct {
	Host, Path string
	By         client.ObjectKey
}

func (t Taken) String() string {
	return fmt.Sprintf("%s%s, which ChannelConnector %q of namespace %q has", t.Host, t.Path, t.By.Name, t.By.Namespace)
}

// keyPlaceholder stands for the API key in a URL.
const keyPlaceholder = "<key>"

// webhookURL is what to paste into the platform's console. It is empty without an exposure, and if the address is
// another resource's, whose URL it would be.
func webhookURL(o Observation) string {
	c := o.Connector
	hosts := children.Hosts(c)
	if len(hosts) == 0 || pathTaken(o) != nil {
		return ""
	}
	e, scheme := o.Exposure, "https"
	if (!e.Looked || e.Unlooked) && c.Status.ObservedGeneration == c.Generation {
		return c.Status.WebhookURL // as the last pass has seen it that looked
	}
	if len(e.Gateways) > 0 {
		if w := listening(o); w.http && !w.https && w.unread == "" && w.fault == "" {
			scheme = "http"
		}
	}
	return fmt.Sprintf("%s://%s%s?param.header.xp-api-key=%s", scheme, hosts[0], render.Path(c), keyPlaceholder)
}

// pathTaken is the address of the webhook that is another resource's; nil if none is.
func pathTaken(o Observation) *Taken {
	called := render.Path(o.Connector)
	i := slices.IndexFunc(o.Exposure.Taken, func(t Taken) bool { return t.Path == called })
	if i < 0 {
		return nil
	}
	return &o.Exposure.Taken[i]
}

// exposed is the condition of the way to the webhook from outside the cluster; nil if none is declared.
func exposed(o Observation) *condition {
	e, declared := o.Exposure, o.Connector.Spec.Exposure
	switch taken := pathTaken(o); {
	case declared == nil:
		return nil
	case taken != nil:
		return &condition{status: metav1.ConditionFalse, reason: ReasonPathTaken, message: "Nothing is led to this connector at " +
			taken.String() + " and is older: write another host in spec.exposure, or another spec.webhook.path"}
	case !e.Looked:
		return notWritten("Ready says why")
	case e.Unlooked:
		return unlooked(o)
	case declared.HTTPRoute != nil:
		return certified(o, routeExposed(o))
	case e.Ingress == nil:
		return notWritten("Ready says why")
	}
	return certified(o, ingressExposed(o))
}

// certified is an answer, with what is to be said of the certificates. A worse answer than theirs stands.
func certified(o Observation, v *condition) *condition {
	for _, c := range o.Exposure.Certificates {
		problem, soon := c.judge(o.Now)
		switch {
		case v.status == metav1.ConditionFalse:
			return v
		case c.Unread:
			return &condition{status: metav1.ConditionUnknown, reason: ReasonSecretUnreadable, message: fmt.Sprintf("%s could not be read: it "+
				"is tried again", c)}
		case problem != "":
			return &condition{status: metav1.ConditionFalse, reason: ReasonCertificateInvalid, message: fmt.Sprintf("%s %s: renew it, or name "+
				"another Secret", c, problem)}
		case soon:
			v.message += fmt.Sprintf(". %s has a certificate that ends on %s: renew it", c, day(c.NotAfter))
		}
		if v.status == metav1.ConditionTrue && soon {
			v.reason = ReasonCertificateExpiring
		}
	}
	return v
}

func notWritten(why string) *condition {
	return &condition{status: metav1.ConditionUnknown, reason: ReasonNotWritten, message: "What leads calls to the connector was not " +
		"written, or not looked at: " + why}
}

// routeExposed judges a HTTPRoute.
func routeExposed(o Observation) *condition {
	switch e := o.Exposure; {
	case e.Unserved:
		return &condition{status: metav1.ConditionFalse, reason: ReasonGatewayAPIMissing, message: "The cluster serves no HTTPRoute of " +
			"gateway.networking.k8s.io/v1: install the Gateway API v1 and a controller for it, or declare spec.exposure.ingress. " +
			"The HTTPRoute is made as soon as the cluster serves it"}
	case e.Unwatched:
		return notWritten("the operator has no right to watch HTTPRoutes of this namespace: it needs those of config/rbac")
	case e.HTTPRoute == nil:
		return notWritten("Ready says why")
	}
	if going := ending(o, "HTTPRoute", o.Exposure.HTTPRoute); going != nil {
		return going
	}
	if refused := parents(o); refused != nil {
		return refused
	}
	return reached(o)
}

// ending is the condition while the route is being deleted; nil if it is not.
func ending(o Observation, kind string, route metav1.Object) *condition {
	if route.GetDeletionTimestamp() == nil {
		return nil
	}
	return &condition{status: metav1.ConditionUnknown, reason: ReasonPending, message: fmt.Sprintf("%s %q is being deleted, and is made "+
		"again once that has ended: see the finalizers of \"kubectl -n %s get %s %s -o yaml\", and the controller that wrote them",
		kind, route.GetName(), o.Connector.Namespace, strings.ToLower(kind), route.GetName())}
}

// unlooked is what the status said last, which holds until the operator has looked.
func unlooked(o Observation) *condition {
	c := o.Connector
	was := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionExposed)
	if was == nil || was.ObservedGeneration != c.Generation {
		return notWritten("the operator looks whether the cluster serves HTTPRoutes: if that lasts, its log says why")
	}
	return &condition{status: was.Status, reason: was.Reason, message: was.Message}
}

// maxQuoted bounds what is quoted of a controller's message, in bytes.
const maxQuoted = 400

// parents judges what the Gateways' controllers say of this version of the HTTPRoute; nil if all of them take it.
func parents(o Observation) (pending *condition) {
	c, route := o.Connector, o.Exposure.HTTPRoute
	for _, ref := range c.Spec.Exposure.HTTPRoute.ParentRefs {
		switch taken, refusal := judged(o, ref); {
		case taken:
		case refusal != nil:
			return &condition{status: metav1.ConditionFalse, reason: ReasonRouteRefused, message: fmt.Sprintf(
				"%s refuses HTTPRoute %q (%s): %s: %s", gatewayName(ref, c.Namespace), route.Name, refusal.Type, refusal.Reason,
				traffic.Cut(refusal.Message, maxQuoted))}
		case pending == nil:
			pending = &condition{status: metav1.ConditionUnknown, reason: ReasonPending, message: fmt.Sprintf(
				"%s has not taken this version of HTTPRoute %q yet: make sure that the Gateway is there, and that the controller of its "+
					"GatewayClass runs", gatewayName(ref, c.Namespace), route.Name)}
		}
	}
	return pending
}

// judged reports whether a controller takes the HTTPRoute for a parent, or otherwise the first refusal. A refusal says nothing
// if another controller takes it: nobody clears away the words of a controller that was replaced.
func judged(o Observation, ref v1alpha1.ParentRef) (taken bool, refusal *metav1.Condition) {
	route := o.Exposure.HTTPRoute
	for _, parent := range route.Status.Parents {
		if !names(parent.ParentRef, ref, o.Connector.Namespace) {
			continue
		}
		accepted := current(parent.Conditions, string(gatewayv1.RouteConditionAccepted), route.Generation)
		resolved := current(parent.Conditions, string(gatewayv1.RouteConditionResolvedRefs), route.Generation)
		switch {
		case accepted.Status == metav1.ConditionFalse:
			refusal = cmp.Or(refusal, accepted)
		case resolved.Status == metav1.ConditionFalse:
			refusal = cmp.Or(refusal, resolved)
		case accepted.Status == metav1.ConditionTrue:
			return true, nil
		}
	}
	return false, refusal
}

// current is a condition, unless it is that of an earlier version of its object; an empty one if there is none. Some
// controllers write no version, or one that the object does not have.
func current(of []metav1.Condition, kind string, generation int64) *metav1.Condition {
	v := meta.FindStatusCondition(of, kind)
	if v == nil || v.ObservedGeneration > 0 && v.ObservedGeneration < generation {
		return &metav1.Condition{}
	}
	return v
}

// names reports whether a parent of the HTTPRoute's status is a declared one.
func names(parent gatewayv1.ParentReference, ref v1alpha1.ParentRef, own string) bool {
	namespace, section, port := ref.Namespace, "", int32(0)
	if namespace == "" {
		namespace = own
	}
	if parent.SectionName != nil {
		section = string(*parent.SectionName)
	}
	if parent.Port != nil {
		port = *parent.Port
	}
	there := own
	if parent.Namespace != nil {
		there = string(*parent.Namespace)
	}
	return string(parent.Name) == ref.Name && there == namespace && section == ref.SectionName && port == ref.Port
}

// gatewayName is a Gateway, or its listener, in a message.
func gatewayName(ref v1alpha1.ParentRef, own string) string {
	namespace := ref.Namespace
	if namespace == "" {
		namespace = own
	}
	name := fmt.Sprintf("Gateway %q of namespace %q", ref.Name, namespace)
	if ref.SectionName != "" {
		name = fmt.Sprintf("Listener %q of %s", ref.SectionName, name)
	}
	return name
}

// reached judges how the Gateways that took the HTTPRoute listen.
func reached(o Observation) *condition {
	e, platform := o.Exposure, types.Channel(string(o.Connector.Spec.Type)).Platform
	w := listening(o)
	switch {
	case w.unread != "" && !w.https:
		return &condition{status: metav1.ConditionUnknown, reason: ReasonGatewayUnknown, message: fmt.Sprintf("HTTPRoute %q is taken, and "+
			"the URL is written with https, which is not known: %s. Make sure that it serves HTTPS on port 443", e.HTTPRoute.Name, w.unread)}
	case w.fault != "" && !w.https:
		return &condition{status: metav1.ConditionUnknown, reason: ReasonPending, message: fmt.Sprintf("HTTPRoute %q is taken, and %s is not "+
			"served: its own conditions say why", e.HTTPRoute.Name, w.fault)}
	case w.https && !w.own:
		return isExposed(o, fmt.Sprintf("HTTPRoute %q is taken. %s calls port 443 only: make sure that it leads to port %s of the Gateway",
			e.HTTPRoute.Name, platform, strings.Join(w.ports, ", ")))
	case w.https:
		return isExposed(o, fmt.Sprintf("HTTPRoute %q is taken by each Gateway, and HTTPS is served", e.HTTPRoute.Name))
	case w.http:
		return &condition{status: metav1.ConditionUnknown, reason: ReasonHTTPOnly, message: fmt.Sprintf("HTTPRoute %q is taken by listeners "+
			"for HTTP alone, and %s calls HTTPS on port 443 only: add a listener for HTTPS that takes it. If a load balancer in front of the "+
			"Gateway serves HTTPS, paste the URL with https", e.HTTPRoute.Name, platform)}
	}
	return &condition{status: metav1.ConditionUnknown, reason: ReasonGatewayUnknown, message: fmt.Sprintf("HTTPRoute %q is taken, and no "+
		"Gateway that it names has a listener for %s itself: make sure that HTTPS is served for it on port 443",
		e.HTTPRoute.Name, children.Hosts(o.Connector)[0])}
}

// ingressExposed judges an Ingress.
func ingressExposed(o Observation) *condition {
	c, e, declared := o.Connector, o.Exposure, o.Connector.Spec.Exposure.Ingress
	if going := ending(o, "Ingress", e.Ingress); going != nil {
		return going
	}
	if len(e.Ingress.Status.LoadBalancer.Ingress) == 0 {
		class := "the cluster's default class"
		if declared.ClassName != "" {
			class = fmt.Sprintf("class %q", declared.ClassName)
		}
		return &condition{status: metav1.ConditionUnknown, reason: ReasonPending, message: fmt.Sprintf("Ingress %q has no address yet: make "+
			"sure that a controller serves %s, and see \"kubectl -n %s describe ingress %s\". Some controllers never write an address",
			e.Ingress.Name, class, c.Namespace, e.Ingress.Name)}
	}
	message := fmt.Sprintf("Ingress %q has an address", e.Ingress.Name)
	if declared.TLSSecretName == "" {
		message += fmt.Sprintf(". It names no tlsSecretName: %s calls HTTPS on port 443 only, so its controller, or a load balancer in front "+
			"of it, must have a certificate for %s", types.Channel(string(c.Spec.Type)).Platform, declared.Host)
	}
	return isExposed(o, message)
}

// maxTaken is how many addresses a message lists.
const maxTaken = 4

// isExposed is the condition of a connector that is reached, although pages of it may be another resource's.
func isExposed(o Observation, message string) *condition {
	if taken := o.Exposure.Taken; len(taken) > 0 {
		var all []string
		for _, t := range taken[:min(len(taken), maxTaken)] {
			all = append(all, t.String())
		}
		if len(taken) > maxTaken {
			all = append(all, "and others")
		}
		message += ". Not led to this connector, since the other one is older: " + strings.Join(all, "; ")
	}
	return &condition{status: metav1.ConditionTrue, reason: ReasonExposed, message: message}
}
