package controllers_test

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// looksForRoutes reports whether the operator asks whether it may list HTTPRoutes.
func looksForRoutes(req *http.Request) bool {
	return strings.HasSuffix(req.URL.Path, "/httproutes") && req.URL.Query().Get("limit") == "1"
}

var _ = Describe("An exposure by a Gateway", Ordered, func() {
	var definitions envtest.CRDInstallOptions
	BeforeAll(func(ctx context.Context) {
		module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
		Expect(err).NotTo(HaveOccurred())
		folder := filepath.Join(strings.TrimSpace(string(module)), "config", "crd", "standard")
		definitions = envtest.CRDInstallOptions{ErrorIfPathMissing: true, MaxTime: 2 * soon, Paths: []string{
			filepath.Join(folder, "gateway.networking.k8s.io_httproutes.yaml"), filepath.Join(folder, "gateway.networking.k8s.io_gateways.yaml"),
		}}
	})
	AfterAll(func(ctx context.Context) {
		Expect(envtest.UninstallCRDs(cluster, definitions)).To(Succeed())
		// Else the operator of the next spec begins to watch what is about to go.
		Eventually(k8s.List).WithArguments(ctx, &gatewayv1.HTTPRouteList{}).Should(Satisfy(apierrors.IsNotFound))
	})
	exposedBy := func(gateway client.ObjectKey) *v1alpha1.Exposure {
		return &v1alpha1.Exposure{HTTPRoute: &v1alpha1.HTTPRouteExposure{
			ParentRefs: []v1alpha1.ParentRef{{Name: gateway.Name, Namespace: gateway.Namespace}},
			Hostnames:  []v1alpha1.Hostname{hooks, "zalo.example.com"},
		}}
	}
	newGateway := func(ctx context.Context, key client.ObjectKey, protocol gatewayv1.ProtocolType, port int32) {
		GinkgoHelper()
		g := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "test", Listeners: []gatewayv1.Listener{{
				Name: "web", Protocol: protocol, Port: port,
				AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)}},
			}},
		}}
		if protocol == gatewayv1.HTTPSProtocolType {
			g.Spec.Listeners[0].TLS = &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "web-tls"}}}
		}
		g.Namespace, g.Name = key.Namespace, key.Name
		Expect(k8s.Create(ctx, g)).To(Succeed())
	}
	// judged plays a Gateway's controller.
	judged := func(ctx context.Context, c *v1alpha1.ChannelConnector, status metav1.ConditionStatus, reason, message string) {
		GinkgoHelper()
		route := &gatewayv1.HTTPRoute{}
		Eventually(k8s.Get).WithArguments(ctx, childKey(c), route).Should(Succeed())
		parent := gatewayv1.RouteParentStatus{ParentRef: route.Spec.ParentRefs[0], ControllerName: "example.com/gateways"}
		meta.SetStatusCondition(&parent.Conditions, metav1.Condition{
			Type: "Accepted", Status: status, Reason: reason, Message: message, ObservedGeneration: route.Generation,
		})
		route.Status.Parents = []gatewayv1.RouteParentStatus{parent}
		Expect(k8s.Status().Update(ctx, route)).To(Succeed())
	}

	It("waits for the Gateway API, then for the Gateway, and says what they say", func(ctx context.Context) {
		namespace, infra := newNamespace(ctx), newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := newConnector(namespace, "shop")
		shop.Spec.Exposure = exposedBy(client.ObjectKey{Namespace: infra, Name: "public"})
		exposed := func() string { return exposureOf(ctx, shop) }
		created(ctx, shop)
		becomesReady(ctx, shop)
		Eventually(exposed).Should(HavePrefix("False GatewayAPIMissing: "))
		Eventually(webhookURL).WithArguments(ctx, shop).Should(Equal("https" + pasted))
		staysSettled(ctx, op, shop)

		_, err := envtest.InstallCRDs(cluster, definitions)
		Expect(err).NotTo(HaveOccurred())
		Eventually(exposed).Should(And(HavePrefix("Unknown Pending: "), ContainSubstring(`Gateway "public" of namespace "`+infra+`"`)))
		route := child(ctx, shop, &gatewayv1.HTTPRoute{})
		Expect(route).To(ownedBy(shop))
		Expect(route.Spec.Hostnames).To(Equal([]gatewayv1.Hostname{hooks, "zalo.example.com"}))
		Expect(route.Spec.Rules).To(HaveLen(1))
		Expect(route.Spec.Rules[0].Matches).To(HaveLen(1))
		Expect(*route.Spec.Rules[0].Matches[0].Path.Type).To(Equal(gatewayv1.PathMatchExact))
		Expect(*route.Spec.Rules[0].Matches[0].Path.Value).To(Equal(calledPath))
		staysSettled(ctx, op, shop)

		judged(ctx, shop, metav1.ConditionFalse, "NotAllowedByListeners", "namespace not allowed")
		Eventually(exposed).Should(And(HavePrefix("False RouteRefused: "), ContainSubstring("NotAllowedByListeners: namespace not allowed")))
		judged(ctx, shop, metav1.ConditionTrue, "Accepted", "")
		Eventually(exposed).Should(And(HavePrefix("Unknown GatewayUnknown: "), ContainSubstring("no such Gateway")))
		Expect(webhookURL(ctx, shop)).To(Equal("https" + pasted))
		Expect(readyCondition(ctx, shop)).To(beTrue, "Ready does not depend on it")
		newGateway(ctx, client.ObjectKey{Namespace: infra, Name: "public"}, gatewayv1.HTTPSProtocolType, 443)
		Eventually(exposed).Should(HavePrefix("True Exposed: "), "nothing tells of a Gateway")
		staysSettled(ctx, op, shop)

		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Exposure = ingressOf(hooks) })
		Eventually(k8s.Get).WithArguments(ctx, childKey(shop), &gatewayv1.HTTPRoute{}).Should(Satisfy(apierrors.IsNotFound))
		Eventually(pathsOf).WithArguments(ctx, shop).Should(HaveLen(1))
	})

	It("tells the scheme and the port by the Gateway's listeners, as far as it may read them", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		var reads atomic.Int64
		watch := &ahead{}
		op := startOperator(namespace, func(s *setup) {
			s.Clock = watch
			s.wire.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
				if !strings.Contains(req.URL.Path, "/gateways/") {
					return next.RoundTrip(req)
				}
				reads.Add(1)
				if strings.HasSuffix(req.URL.Path, "/hidden") {
					return turnAway(req, http.StatusForbidden, metav1.StatusReasonForbidden, ""), nil
				}
				return next.RoundTrip(req)
			})
		})
		newGateway(ctx, client.ObjectKey{Namespace: namespace, Name: "https"}, gatewayv1.HTTPSProtocolType, 443)
		newGateway(ctx, client.ObjectKey{Namespace: namespace, Name: "mapped"}, gatewayv1.HTTPSProtocolType, 8443)
		newGateway(ctx, client.ObjectKey{Namespace: namespace, Name: "http"}, gatewayv1.HTTPProtocolType, 80)
		var all []*v1alpha1.ChannelConnector
		for gateway, want := range map[string]struct{ scheme, says, because string }{
			"https": {"https", "True Exposed: ", "HTTPS is served"}, "mapped": {"https", "True Exposed: ", "leads to port 8443"},
			"http": {"http", "Unknown HTTPOnly: ", "HTTPS on port 443"}, "hidden": {"https", "Unknown GatewayUnknown: ", "no right"},
		} {
			shop := newConnector(namespace, "by-"+gateway)
			shop.Spec.Webhook.Path = "/" + gateway
			shop.Spec.Exposure = exposedBy(client.ObjectKey{Name: gateway})
			created(ctx, shop)
			becomesReady(ctx, shop)
			judged(ctx, shop, metav1.ConditionTrue, "Accepted", "")
			Eventually(func() string { return exposureOf(ctx, shop) }).Should(And(HavePrefix(want.says), ContainSubstring(want.because)))
			Eventually(webhookURL).WithArguments(ctx, shop).Should(HavePrefix(want.scheme + "://" + hooks + "/" + gateway + "?"))
			all = append(all, shop)
		}
		watch.put(time.Hour) // Gateways are looked at ever more rarely
		for _, c := range all {
			op.forcePass(ctx, c)
		}
		before := reads.Load()
		for range 5 {
			staysSettled(ctx, op, all...)
		}
		Expect(reads.Load()-before).To(BeNumerically("<=", 2*len(all)), "a Gateway is read once in 30 s")
		Expect(op.log.lines("ERROR")).To(BeEmpty())

		By("a restart, which knows nothing of the kind at first, and is not answered")
		op.stop()
		var asked atomic.Int64
		op = startOperator(namespace, func(s *setup) {
			s.Clock = watch
			s.wire.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
				if looksForRoutes(req) && asked.Add(1) == 1 {
					return turnAway(req, http.StatusInternalServerError, metav1.StatusReasonInternalError, ""), nil
				}
				return next.RoundTrip(req)
			})
		})
		Eventually(op.passes.total).Should(BeNumerically(">=", 2*len(all)))
		settle(op)
		Expect(op.written()).NotTo(ContainElement(ContainSubstring("by-https")))
		Expect(op.written()).NotTo(ContainElement(ContainSubstring("by-http/")))
		Expect(asked.Load()).To(BeNumerically(">=", 2))
	})

	It("is written in each namespace that allows it, whatever another one lacks", func(ctx context.Context) {
		without, with := newNamespace(ctx), newNamespace(ctx)
		startOperator("", func(s *setup) {
			s.Namespaces = []string{without, with}
			s.wire.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
				if looksForRoutes(req) && strings.Contains(req.URL.Path, "/namespaces/"+without+"/") {
					return turnAway(req, http.StatusForbidden, metav1.StatusReasonForbidden, ""), nil
				}
				return next.RoundTrip(req)
			})
		})
		var all []*v1alpha1.ChannelConnector
		for _, namespace := range []string{without, with} {
			newSecrets(ctx, namespace)
			shop := newConnector(namespace, "shop")
			shop.Spec.Webhook.Path = "/" + namespace
			shop.Spec.Exposure = exposedBy(client.ObjectKey{Name: "public"})
			all = append(all, created(ctx, shop))
			becomesReady(ctx, shop)
		}
		Eventually(func() string { return exposureOf(ctx, all[1]) }).Should(HavePrefix("Unknown Pending: "))
		Eventually(func() string { return exposureOf(ctx, all[0]) }).Should(And(HavePrefix("Unknown NotWritten: "), ContainSubstring("no right")))
		Expect(k8s.Get(ctx, childKey(all[0]), &gatewayv1.HTTPRoute{})).To(Satisfy(apierrors.IsNotFound))
	})
})
