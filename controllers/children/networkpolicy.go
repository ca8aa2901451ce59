package children

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// The ports of DNS servers. A policy sees the port of the pod behind a Service, which is 5353 on OpenShift.
const (
	portDNS          = 53
	portDNSOpenShift = 5353
)

// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete

// networkPolicy says who reaches the pods and whom they reach. It comes before the Deployment, so that no pod runs
// without it. While the pods keep an older configuration it is left as it is, since it leads to their sink.
var networkPolicy = Kind{
	Name: "NetworkPolicy", Want: wantNetworkPolicy,
	New:   func() client.Object { return &networkingv1.NetworkPolicy{} },
	Prune: func(in Input) bool { return in.Config != nil },
}

type (
	peer       = networkingv1ac.NetworkPolicyPeerApplyConfiguration
	egressRule = networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration
)

func wantNetworkPolicy(in Input) runtime.ApplyConfiguration {
	c := in.Connector
	if c.Spec.Workload.NetworkPolicy == nil || in.Config == nil {
		return nil
	}
	spec := networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(Selector(c.Name))).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
		WithIngress(ingressRules(in)...).
		WithEgress(resolving()).
		WithEgress(delivering(c)...).
		WithEgress(calling(c)...).
		WithEgress(as[[]*egressRule](c.Spec.Workload.NetworkPolicy.Egress)...)
	return networkingv1ac.NetworkPolicy(ConnectorName(c.Name), c.Namespace).
		WithLabels(Labels(c.Name)).
		WithAnnotations(annotations(c)).
		WithOwnerReferences(owner(c)...).
		WithSpec(spec)
}

// ingressRules let in calls of the webhook, and to the port of probes and metrics those who are named and the operator.
// A rule without peers would let in everyone.
func ingressRules(in Input) []*networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration {
	wanted := in.Connector.Spec.Workload.NetworkPolicy
	rules := []*networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration{networkingv1ac.NetworkPolicyIngressRule().
		WithPorts(policyPort(corev1.ProtocolTCP, render.PortWebhook)).
		WithFrom(as[[]*peer](wanted.WebhookFrom)...)}
	readers := as[[]*peer](wanted.MetricsFrom)
	if in.OperatorNamespace != "" {
		readers = append(readers, podsIn(in.OperatorNamespace).
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{marks.LabelName: marks.OperatorName})))
	}
	if len(readers) > 0 {
		rules = append(rules, networkingv1ac.NetworkPolicyIngressRule().
			WithPorts(policyPort(corev1.ProtocolTCP, render.PortProbes)).WithFrom(readers...))
	}
	return rules
}

// resolving lets the pods ask any DNS server: it may run in a pod, on the node or elsewhere.
func resolving() *egressRule {
	return networkingv1ac.NetworkPolicyEgressRule().WithPorts(
		policyPort(corev1.ProtocolUDP, portDNS), policyPort(corev1.ProtocolTCP, portDNS),
		policyPort(corev1.ProtocolUDP, portDNSOpenShift), policyPort(corev1.ProtocolTCP, portDNSOpenShift))
}

// delivering lets the pods reach the sink, or the proxy that leads to it. A URL that is secret is not told here.
func delivering(c *v1alpha1.ChannelConnector) []*egressRule {
	sink := c.Spec.Sink.HTTP
	if sink == nil {
		return nil
	}
	if sink.Proxy != "" && sink.Proxy != "none" {
		return toURL(sink.Proxy, c.Namespace)
	}
	return toURL(sink.URL, c.Namespace)
}

// calling lets the pods reach what the type of channel calls. Many URLs may stand behind one rule.
func calling(c *v1alpha1.ChannelConnector) (rules []*egressRule) {
	for _, target := range render.Calls(c) {
		for _, rule := range toURL(target, c.Namespace) {
			if !slices.ContainsFunc(rules, func(had *egressRule) bool { return equality.Semantic.DeepEqual(had, rule) }) {
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

// toURL lets the pods of a namespace reach the host of a URL.
func toURL(target, own string) []*egressRule {
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		port = map[string]uint64{"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}[u.Scheme]
	}
	return toHost(u.Hostname(), own, int32(port))
}

// toHost lets the pods of a namespace reach a host. A policy sees the pod behind a Service, of which neither labels nor
// port follow from its name: all pods of its namespace are let in. Any address may be behind another name.
func toHost(host, own string, port int32) (rules []*egressRule) {
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap().WithZone("")
		return append(rules, networkingv1ac.NetworkPolicyEgressRule().WithPorts(policyPort(corev1.ProtocolTCP, port)).WithTo(
			networkingv1ac.NetworkPolicyPeer().WithIPBlock(networkingv1ac.IPBlock().WithCIDR(netip.PrefixFrom(address, address.BitLen()).String()))))
	}
	namespace, outside := placeOf(host, own)
	if namespace != "" {
		rules = append(rules, networkingv1ac.NetworkPolicyEgressRule().WithPorts(
			networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP)).WithTo(podsIn(namespace)))
	}
	if outside {
		rules = append(rules, networkingv1ac.NetworkPolicyEgressRule().WithPorts(policyPort(corev1.ProtocolTCP, port)))
	}
	return rules
}

// placeOf tells the namespace of the Service that a name stands for, and whether the name may be one of another host: a
// name of two parts may be either, and so may one below a cluster's domain that is not cluster.local.
func placeOf(host, own string) (namespace string, outside bool) {
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if name == "localhost" {
		return "", false
	}
	service, inCluster := strings.CutSuffix(strings.TrimSuffix(name, ".cluster.local"), ".svc")
	parts := strings.Split(service, ".")
	switch {
	case len(parts) == 1:
		return own, false
	case inCluster:
		namespace = parts[len(parts)-1]
	case len(parts) == 2 || parts[2] == "svc":
		namespace, outside = parts[1], true
	default:
		return "", true
	}
	if validation.IsDNS1123Label(namespace) != nil {
		return "", true
	}
	return namespace, outside
}

func podsIn(namespace string) *peer {
	return networkingv1ac.NetworkPolicyPeer().
		WithNamespaceSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: namespace}))
}

func policyPort(protocol corev1.Protocol, port int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(port))
}
