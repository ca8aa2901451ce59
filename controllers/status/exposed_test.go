package status_test

import (
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/status/statustest"
)

const (
	byRoute = `exposure: {httpRoute: {parentRefs: [{name: public, namespace: gateways, sectionName: web}], hostnames: [hooks.example.com]}}`

	unnamedRoute = `exposure: {httpRoute: {parentRefs: [{name: public, namespace: gateways}], hostnames: [hooks.example.com]}}`
	byIngress    = `exposure: {ingress: {host: hooks.example.com, tlsSecretName: hooks-tls}}`
	called       = "/webhook/xpbot/api/zalo/push"
	url          = "https://hooks.example.com" + called + "?param.header.xp-api-key=<key>"
)

// route is a HTTPRoute of generation 2 whose parent has judged the version of a generation.
func route(generation int64, accepted, resolved metav1.ConditionStatus) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Name: "shop-connector", Generation: 2}}
	r.Status.Parents = []gatewayv1.RouteParentStatus{{ParentRef: gatewayv1.ParentReference{
		Name: "public", Namespace: new(gatewayv1.Namespace("gateways")), SectionName: new(gatewayv1.SectionName("web")),
	}}}
	for kind, is := range map[string]metav1.ConditionStatus{"Accepted": accepted, "ResolvedRefs": resolved} {
		if is != "" {
			meta.SetStatusCondition(&r.Status.Parents[0].Conditions, metav1.Condition{
				Type: kind, Status: is, Reason: "TheirReason", Message: "their words", ObservedGeneration: generation,
			})
		}
	}
	return r
}

// also is a HTTPRoute with what another controller says of the same parent as well.
func also(r, other *gatewayv1.HTTPRoute) *gatewayv1.HTTPRoute {
	other.Status.Parents[0].ControllerName = "example.com/other"
	r.Status.Parents = append(r.Status.Parents, other.Status.Parents...)
	return r
}

// taken is an address that ChannelConnector chat/older has.
func taken(path string) status.Taken {
	return status.Taken{Host: "hooks.example.com", Path: path, By: client.ObjectKey{Namespace: "sales", Name: "older"}}
}

// exposes is one case of an exposure, and what the status says of it.
type exposes struct {
	spec string
	seen status.Exposure
	want string
	// url is that to paste; "none" for none, and empty for the usual one.
	url string
}

func (e exposes) check(t *testing.T) {
	t.Helper()
	o := observed(t)
	o.Connector = connectortest.New(t, e.spec)
	o.Exposure = e.seen
	s := status.Compute(o)
	o.Connector.Status = s
	for _, wrong := range statustest.Check(o.Connector) {
		t.Error(wrong)
	}
	got := conditions(s)[v1alpha1.ConditionExposed]
	for part := range strings.SplitSeq(e.want, " … ") {
		if !strings.Contains(got, part) {
			t.Errorf("Exposed is %q, want %q", got, e.want)
		}
	}
	if (e.want == "") != (got == "") {
		t.Errorf("Exposed is %q", got)
	}
	want := url
	if e.url != "" {
		want = strings.TrimPrefix(e.url, "none")
	}
	if s.WebhookURL != want {
		t.Errorf("the URL is %q, want %q", s.WebhookURL, want)
	}
	if again := status.Compute(o); conditions(again)[v1alpha1.ConditionExposed] != got || again.WebhookURL != s.WebhookURL {
		t.Errorf("the second time Exposed is %q at %q", conditions(again)[v1alpha1.ConditionExposed], again.WebhookURL)
	}
	if ready := conditions(s)[v1alpha1.ConditionReady]; ready != wellReady {
		t.Errorf("Ready is %q", ready)
	}
}

func TestExposedByHTTPRoute(t *testing.T) {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	looked := func(r *gatewayv1.HTTPRoute, g status.Gateway) status.Exposure {
		return status.Exposure{Looked: true, HTTPRoute: r, Gateways: []status.Gateway{g}}
	}
	https := listener("web", gatewayv1.HTTPSProtocolType, 443, "")
	for name, c := range map[string]exposes{
		"nothing is declared":      {spec: `delivery: {paused: false}`, url: "none"},
		"the pass did not come so": {spec: byRoute, want: "Unknown NotWritten: "},
		"no Gateway API": {
			spec: byRoute, seen: status.Exposure{Looked: true, Unserved: true}, want: "False GatewayAPIMissing:  … install the Gateway API",
		},
		"no right to watch": {
			spec: byRoute, seen: status.Exposure{Looked: true, Unwatched: true},
			want: "Unknown NotWritten:  … config/rbac",
		},
		"not looked for yet": {spec: byRoute, seen: status.Exposure{Looked: true, Unlooked: true}, want: "Unknown NotWritten: "},
		"not there":          {spec: byRoute, seen: status.Exposure{Looked: true}, want: "Unknown NotWritten: "},
		"nobody answers": {
			spec: byRoute, seen: looked(route(2, "", ""), https),
			want: `Unknown Pending: Listener "web" of Gateway "public" of namespace "gateways"`,
		},
		"an old answer":  {spec: byRoute, seen: looked(route(1, yes, yes), https), want: "Unknown Pending: "},
		"an old refusal": {spec: byRoute, seen: looked(route(1, no, no), https), want: "Unknown Pending: "},
		"refused": {
			spec: byRoute, seen: looked(route(2, no, yes), https),
			want: `False RouteRefused:  … (Accepted): TheirReason: their words`,
		},
		"without its Service": {
			spec: byRoute, seen: looked(route(2, yes, no), https),
			want: `False RouteRefused:  … (ResolvedRefs): TheirReason`,
		},
		"taken": {spec: byRoute, seen: looked(route(2, yes, yes), https), want: "True Exposed: "},
		"a wildcard's": {
			spec: byRoute, seen: looked(route(2, yes, yes), listener("web", "HTTPS", 443, "*.Example.com")),
			want: "True Exposed: ",
		},
		"another port": {
			spec: byRoute, seen: looked(route(2, yes, ""), listener("web", "HTTPS", 8443, "")),
			want: "True Exposed:  … 8443",
		},
		"HTTP alone": {
			spec: byRoute, seen: looked(route(2, yes, yes), listener("web", "HTTP", 80, "")),
			want: "Unknown HTTPOnly:  … Zalo calls HTTPS on port 443 only", url: strings.Replace(url, "https", "http", 1),
		},
		"another listener": {
			spec: byRoute, seen: looked(route(2, yes, yes), listener("other", "HTTPS", 443, "")), want: "Unknown GatewayUnknown: ",
		},
		"another host": {
			spec: byRoute, seen: looked(route(2, yes, yes), listener("web", "HTTPS", 443, "*.example.org")), want: "Unknown GatewayUnknown: ",
		},
		"no right on Gateways": {
			spec: byRoute, seen: looked(route(2, yes, yes), status.Gateway{Unread: "no right"}), want: "Unknown GatewayUnknown:  … no right",
		},
		"being deleted": {
			spec: byRoute, seen: func() status.Exposure {
				e := looked(route(2, yes, yes), https)
				e.HTTPRoute.DeletionTimestamp = &metav1.Time{Time: time.Now()}
				return e
			}(),
			want: `Unknown Pending: HTTPRoute "shop-connector" is being deleted … get httproute shop-connector`,
		},
		"the path is taken": {
			spec: byRoute, seen: status.Exposure{Looked: true, Taken: []status.Taken{taken("/"), taken(called)}},
			want: `False PathTaken:  … hooks.example.com/webhook/xpbot/api/zalo/push … "older" of namespace "sales"`, url: "none",
		},
		"a page is taken": {
			spec: byRoute, seen: func() status.Exposure {
				e := looked(route(2, yes, yes), https)
				e.Taken = []status.Taken{taken("/")}
				return e
			}(),
			want: `True Exposed:  … hooks.example.com/, which ChannelConnector "older" of namespace "sales" has`,
		},
	} {
		t.Run(name, c.check)
	}
}

// TestExposedByControllers: what a controller says counts whatever version it writes, unless that is an earlier one, and a
// refusal counts unless another controller takes the route.
func TestExposedByControllers(t *testing.T) {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	looked := func(r *gatewayv1.HTTPRoute, g status.Gateway) status.Exposure {
		return status.Exposure{Looked: true, HTTPRoute: r, Gateways: []status.Gateway{g}}
	}
	https := listener("web", gatewayv1.HTTPSProtocolType, 443, "")
	for name, c := range map[string]exposes{
		"without version": {spec: byRoute, seen: looked(route(0, yes, yes), https), want: "True Exposed: "},
		"refused without version": {
			spec: byRoute, seen: looked(route(0, no, yes), https), want: "False RouteRefused: ",
		},
		"with a later version": {spec: byRoute, seen: looked(route(3, yes, yes), https), want: "True Exposed: "},
		"by the controller that came after": {
			spec: byRoute, seen: looked(also(route(2, no, no), route(2, yes, yes)), https), want: "True Exposed: ",
		},
		"by the controller that was there before": {
			spec: byRoute, seen: looked(also(route(2, yes, ""), route(2, no, "")), https), want: "True Exposed: ",
		},
		"by one that was there before, of an earlier version": {
			spec: byRoute, seen: looked(also(route(1, yes, yes), route(2, no, no)), https), want: "False RouteRefused: ",
		},
		"without its Service, by the controller that came after": {
			spec: byRoute, seen: looked(also(route(2, no, yes), route(2, yes, no)), https), want: "False RouteRefused: ",
		},
	} {
		t.Run(name, c.check)
	}
}

func TestExposedByIngress(t *testing.T) {
	there, addressed := &networkingv1.Ingress{}, &networkingv1.Ingress{}
	there.Name, addressed.Name = "shop-connector", "shop-connector"
	addressed.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "203.0.113.7"}}
	going := addressed.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	now := observed(t).Now
	const field = "spec.exposure.ingress.tlsSecretName"
	certificate := func(from, until time.Time) []status.Certificate {
		return []status.Certificate{{Secret: "hooks-tls", Field: field, NotBefore: from, NotAfter: until}}
	}
	good := certificate(now.Add(-time.Hour), now.Add(15*24*time.Hour))
	for name, c := range map[string]exposes{
		"not there": {spec: byIngress, seen: status.Exposure{Looked: true}, want: "Unknown NotWritten: "},
		"no address": {
			spec: byIngress, seen: status.Exposure{Looked: true, Ingress: there, Certificates: good},
			want: "Unknown Pending:  … default class",
		},
		"being deleted": {
			spec: byIngress, seen: status.Exposure{Looked: true, Ingress: going, Certificates: good},
			want: `Unknown Pending: Ingress "shop-connector" is being deleted, and is made again … get ingress shop-connector`,
		},
		"well": {spec: byIngress, seen: status.Exposure{Looked: true, Ingress: addressed, Certificates: good}, want: "True Exposed: "},
		"without TLS": {
			spec: `exposure: {ingress: {host: hooks.example.com}}`, seen: status.Exposure{Looked: true, Ingress: addressed},
			want: "True Exposed:  … no tlsSecretName",
		},
		"ended": {
			spec: byIngress,
			seen: status.Exposure{Looked: true, Ingress: addressed, Certificates: certificate(now.Add(-2*time.Hour), now.Add(-time.Hour))},
			want: `False CertificateInvalid: Secret "hooks-tls" of spec.exposure.ingress.tlsSecretName has a certificate that ended on`,
		},
		"not yet": {
			spec: byIngress,
			seen: status.Exposure{Looked: true, Ingress: there, Certificates: certificate(now.Add(time.Hour), now.Add(2*time.Hour))},
			want: "False CertificateInvalid:  … not valid before",
		},
		"ends soon": {
			spec: byIngress,
			seen: status.Exposure{Looked: true, Ingress: addressed, Certificates: certificate(now.AddDate(0, -3, 0), now.Add(time.Hour))},
			want: "True CertificateExpiring:  … ends on",
		},
		"a Secret that is missing": {
			spec: byIngress,
			seen: status.Exposure{Looked: true, Ingress: addressed, Certificates: []status.Certificate{{Problem: "is missing"}}},
			want: "False CertificateInvalid:  … is missing",
		},
		"a Secret that cannot be read": {
			spec: byIngress,
			seen: status.Exposure{Looked: true, Ingress: addressed, Certificates: []status.Certificate{{Secret: "hooks-tls", Unread: true}}},
			want: "Unknown SecretUnreadable: ",
		},
	} {
		t.Run(name, c.check)
	}
}

// TestRestartKeepsExposed: an operator that has not looked for the kind yet leaves what the status says.
func TestRestartKeepsExposed(t *testing.T) {
	o := observed(t)
	o.Connector = connectortest.New(t, byRoute)
	o.Exposure = status.Exposure{
		Looked: true, HTTPRoute: route(2, metav1.ConditionTrue, metav1.ConditionTrue),
		Gateways: []status.Gateway{listener("web", "HTTPS", 443, "")},
	}
	o.Connector.Status = status.Compute(o)
	before := o.Connector.Status
	o.Exposure = status.Exposure{Looked: true, Unlooked: true}
	after := status.Compute(o)
	if conditions(after)[v1alpha1.ConditionExposed] != conditions(before)[v1alpha1.ConditionExposed] || after.WebhookURL != before.WebhookURL {
		t.Errorf("says %q at %q", conditions(after)[v1alpha1.ConditionExposed], after.WebhookURL)
	}
	o.Connector.Generation++
	if got := conditions(status.Compute(o))[v1alpha1.ConditionExposed]; !strings.HasPrefix(got, "Unknown NotWritten: ") {
		t.Errorf("of another spec it says %q", got)
	}
}

// TestNextStepIsTheURLToPaste: a team that waits for its key is told the URL outside the cluster.
func TestNextStepIsTheURLToPaste(t *testing.T) {
	o := observed(t)
	o.Connector = connectortest.New(t, byIngress)
	o.Findings = []credentials.Finding{{Reason: "AwaitingOASecretKey", Message: "m", Blocking: true, Passing: true}}
	want := "paste https://hooks.example.com" + called + "?param.header.xp-api-key=<API key> as"
	if got := conditions(status.Compute(o))[v1alpha1.ConditionReady]; !strings.Contains(got, want) {
		t.Errorf("Ready is %q, want %q", got, want)
	}
}
