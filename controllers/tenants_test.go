package controllers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// meter counts the bytes that the API server answers an operator, and the requests for one object.
type meter struct {
	bytes, gets atomic.Int64
	// lists are requests for a whole collection in one piece.
	lists atomic.Int64
	// object is the end of the path of the object.
	object string
}

func (m *meter) pass(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, m.object) {
		m.gets.Add(1)
	}
	query := req.URL.Query()
	if req.Method == http.MethodGet && query.Has("resourceVersion") && query.Get("watch") != "true" {
		m.lists.Add(1)
	}
	answer, err := next.RoundTrip(req)
	if err == nil {
		answer.Body = metered{answer.Body, &m.bytes}
	}
	return answer, err
}

type metered struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.bytes.Add(int64(n))
	return n, err
}

var _ = Describe("A tenant with a share of the operator's memory", func() {
	const mebi = 1 << 20
	var namespace string
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
	})
	// labelled makes Secrets that look like the operator's own.
	labelled := func(ctx context.Context, from, to int) {
		GinkgoHelper()
		for i := from; i < to; i++ {
			Expect(k8s.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("large-%d", i), Labels: children.Labels("shop")},
				Data:       map[string][]byte{"data": make([]byte, mebi-1024)},
			})).To(Succeed())
		}
	}

	It("gets none for Secrets that have the operator's labels", func(ctx context.Context) {
		const n = 16
		labelled(ctx, 0, n)
		m := &meter{object: "/secrets/shop-connector"}
		op := startOperator(namespace, func(s *setup) { s.wire.inject(m.pass) })
		shop := newConnector(namespace, "shop")
		shop.Spec.Webhook.APIKeys = nil // the operator makes one
		created(ctx, shop)
		haveChildren(ctx, shop)
		labelled(ctx, n, 2*n)
		becomesReady(ctx, shop)
		op.forcePass(ctx, shop)
		settle(op)
		Expect(m.bytes.Load()).To(BeNumerically("<", 2*mebi), "of %d MiB", 2*n)
		Expect(m.lists.Load()).To(BeZero(), "a list in one piece is in the memory before anything can be left out of it")
	})

	It("costs no read of a configuration that nobody changed, and one after a restart", func(ctx context.Context) {
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)
		m := &meter{object: "/secrets/shop-connector"}
		op.inject(m.pass)
		staysSettled(ctx, op, shop)
		Expect(m.gets.Load()).To(BeZero())
		op.stop()

		op = startOperator(namespace, func(s *setup) { s.wire.inject(m.pass) })
		staysSettled(ctx, op, shop)
		Expect(m.gets.Load()).To(BeEquivalentTo(1))
		Expect(op.writes.Load()).To(BeZero())
	})

	It("has children that are put back even if they are too large for the memory", func(ctx context.Context) {
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		for _, object := range childKinds() {
			annotated(ctx, child(ctx, shop, object), map[string]string{"example.com/large": strings.Repeat("x", 200<<10)})
		}
		becomesReady(ctx, shop)
		staysSettled(ctx, op, shop)

		patched(ctx, child(ctx, shop, &appsv1.Deployment{}), `{"spec":{"replicas":3}}`)
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(1))))
		patched(ctx, child(ctx, shop, &corev1.Service{}), `{"spec":{"selector":{"app.kubernetes.io/instance":"other"}}}`)
		Eventually(func() client.Object { return child(ctx, shop, &corev1.Service{}) }).
			Should(HaveField("Spec.Selector", HaveKeyWithValue(marks.LabelInstance, "shop")))
		patched(ctx, child(ctx, shop, &corev1.Secret{}), `{"data":{"v1alpha1.yaml":"e30="}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("appID"))
		becomesReady(ctx, shop)
		staysSettled(ctx, op, shop)
	})
})

var _ = Describe("An operator that serves some resources of a namespace", func() {
	const bound = 2
	bounded := func(s *setup) { s.MaxConnectorsPerNamespace = bound }
	var (
		namespace string
		all       []*v1alpha1.ChannelConnector
	)
	create := func(ctx context.Context, n int) {
		GinkgoHelper()
		for range n {
			all = append(all, created(ctx, newConnector(namespace, fmt.Sprintf("shop-%d", len(all)))))
		}
	}
	BeforeEach(func(ctx context.Context) {
		namespace, all = newNamespace(ctx), nil
		newSecrets(ctx, namespace)
	})
	full := func(ctx context.Context, c *v1alpha1.ChannelConnector) {
		GinkgoHelper()
		Eventually(readyCondition).WithArguments(ctx, c).Should(HaveField("Reason", "NamespaceFull"))
		Expect(condition(ctx, c, v1alpha1.ConditionStalled).Message).
			To(Equal(fmt.Sprintf("Namespace %q has 2 older ChannelConnectors, and the operator serves no more in one namespace "+
				"(--max-connectors-per-namespace): delete one that is not needed, or ask for a higher bound", namespace)))
		Expect(k8s.Get(ctx, childKey(c), &corev1.Secret{})).To(MatchError(ContainSubstring("not found")))
		Expect(condition(ctx, c, v1alpha1.ConditionInboxGrowing).Message).To(BeEmpty(), "it has no inbox")
	}

	It("serves the oldest, and the next one once one is deleted", func(ctx context.Context) {
		op := startOperator(namespace, bounded)
		create(ctx, 2*bound)
		for _, c := range all[:bound] {
			becomesReady(ctx, c)
		}
		full(ctx, all[bound])
		full(ctx, all[bound+1])
		Eventually(metric).WithArguments("xbot_operator_connectors_beyond_bound").Should(BeEquivalentTo(bound))
		staysSettled(ctx, op, all...)

		Expect(k8s.Delete(ctx, all[0].DeepCopy())).To(Succeed())
		becomesReady(ctx, all[bound])
		full(ctx, all[bound+1])
		Eventually(metric).WithArguments("xbot_operator_connectors_beyond_bound").Should(BeEquivalentTo(1))
	})

	It("goes on to serve those that were there before the bound", func(ctx context.Context) {
		op := startOperator(namespace)
		create(ctx, bound+1)
		for _, c := range all {
			becomesReady(ctx, c)
		}
		settle(op)
		op.stop()
		op = startOperator(namespace, bounded)
		create(ctx, 1)
		full(ctx, all[bound+1])
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}},
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		for _, c := range all[:bound+1] {
			Eventually(configOf).WithArguments(ctx, c).Should(ContainSubstring("Hidden0SecretKey9OA"))
			becomesReady(ctx, c)
		}
		staysSettled(ctx, op, all...)
	})
})

var _ = Describe("A resource that is too large to be kept in memory", func() {
	It("is served as any other, and a key that is removed goes out of use", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := newConnector(namespace, "shop")
		shop.Spec.Exposure = ingressOf("large.example.com")
		shop.Spec.Workload.NetworkPolicy = &v1alpha1.NetworkPolicy{}
		for i := range 16 {
			peer := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprint(i)}}}
			for j := range 64 {
				peer.PodSelector.MatchExpressions = append(peer.PodSelector.MatchExpressions, metav1.LabelSelectorRequirement{
					Key: fmt.Sprint("key-", j), Operator: metav1.LabelSelectorOpNotIn,
					Values: []string{strings.Repeat("a", 63), strings.Repeat("b", 63), strings.Repeat("c", 63), strings.Repeat("d", 63)},
				})
			}
			shop.Spec.Workload.NetworkPolicy.WebhookFrom = append(shop.Spec.Workload.NetworkPolicy.WebhookFrom, peer)
		}
		created(ctx, shop)
		becomesReady(ctx, shop)
		Expect(child(ctx, shop, &networkingv1.NetworkPolicy{}).Spec.Ingress[0].From).To(HaveLen(16))
		Eventually(pathsOf).WithArguments(ctx, shop).Should(Equal([]string{"large.example.com" + calledPath}))
		staysSettled(ctx, op, shop)
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}},
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("Hidden0SecretKey9OA"))
		op.stop()

		By("starting the operator")
		op = startOperator(namespace)
		staysSettled(ctx, op, shop)
		becomesReady(ctx, shop)
	})
})

var _ = Describe("An operator that limits what resources declare of their pods", func() {
	limited := func(s *setup) {
		s.Allowed = controllers.Allowed{
			PodLabels: controllers.Names{"team", "example.com/*"}, PodAnnotations: controllers.Names{}, PriorityClasses: controllers.Names{},
			IngressAnnotations: controllers.Names{"cert-manager.io/*"},
		}
	}
	const said = `The flags of the operator do not allow spec.workload.podLabels["zone"] (--allowed-pod-labels), ` +
		`spec.workload.podAnnotations["a"] (--allowed-pod-annotations), spec.workload.priorityClassName "high" ` +
		`(--allowed-priority-classes): leave that out, or ask for it to be allowed`
	declare := func(c *v1alpha1.ChannelConnector) {
		c.Spec.Workload.PodLabels = map[string]v1alpha1.LabelValue{"zone": "secure", "team": "chat"}
		c.Spec.Workload.PodAnnotations = map[string]v1alpha1.AnnotationValue{"a": "b"}
		c.Spec.Workload.PriorityClassName = "high"
	}
	var (
		namespace string
		op        *operator
		shop      *v1alpha1.ChannelConnector
	)
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op, shop = startOperator(namespace, limited), newConnector(namespace, "shop")
	})
	refused := func(ctx context.Context, message string) {
		GinkgoHelper()
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionStalled).
			Should(And(beTrue, HaveField("Reason", "NotAllowed"), HaveField("Message", message)))
		Expect(condition(ctx, shop, v1alpha1.ConditionUpdatePending).Status).To(BeEmpty())
	}

	It("makes no pod that it does not allow, and none without what is declared", func(ctx context.Context) {
		declare(shop)
		created(ctx, shop)
		refused(ctx, said)
		staysSettled(ctx, op, shop)
		Expect(k8s.Get(ctx, childKey(shop), &appsv1.Deployment{})).To(MatchError(ContainSubstring("not found")))

		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Workload = v1alpha1.Workload{PodLabels: map[string]v1alpha1.LabelValue{"example.com/zone": "a", "team": "chat"}}
		})
		becomesReady(ctx, shop)
	})

	It("leaves the pods as they are, and goes on to change their keys", func(ctx context.Context) {
		created(ctx, shop)
		becomesReady(ctx, shop)
		pod := newPod(ctx, shop)
		aSecondPasses(pod.CreationTimestamp)
		before := templateOf(deploymentOf(ctx, shop))
		updated(ctx, shop, declare)
		refused(ctx, said+". The pods stay as they were")
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}},
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("Hidden0SecretKey9OA"))
		Eventually(touchesOf).WithArguments(ctx, shop).Should(ConsistOf(HaveSuffix("-3")))
		Expect(templateOf(deploymentOf(ctx, shop))).To(Equal(before))
		patched(ctx, child(ctx, shop, &appsv1.Deployment{}), `{"spec":{"replicas":3}}`)
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(1))))
		says(ctx, shop, rolledOut)
		staysSettled(ctx, op, shop)
		op.stop()

		op = startOperator(namespace) // whose flags allow it
		Eventually(func() string { return templateOf(deploymentOf(ctx, shop)) }).Should(ContainSubstring(`"zone":"secure"`))
		becomesReady(ctx, shop)
	})
	It("makes no Ingress that it does not allow, and leaves the one that is there as it is", func(ctx context.Context) {
		const snippet = "nginx.ingress.kubernetes.io/server-snippet"
		annotate := func(name string) func(*v1alpha1.ChannelConnector) {
			return func(c *v1alpha1.ChannelConnector) {
				c.Spec.Exposure = &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{
					Host: v1alpha1.Hostname(namespace + ".example.com"), Annotations: map[string]v1alpha1.AnnotationValue{name: "text"},
				}}
			}
		}
		message := fmt.Sprintf("The flags of the operator do not allow spec.exposure.ingress.annotations[%q] (--allowed-ingress-annotations): "+
			"leave that out, or ask for it to be allowed", snippet)
		annotate(snippet)(shop)
		created(ctx, shop)
		refused(ctx, message)
		staysSettled(ctx, op, shop)
		Expect(k8s.Get(ctx, childKey(shop), &networkingv1.Ingress{})).To(MatchError(ContainSubstring("not found")))

		updated(ctx, shop, annotate("cert-manager.io/cluster-issuer"))
		becomesReady(ctx, shop)
		before := child(ctx, shop, &networkingv1.Ingress{})
		updated(ctx, shop, annotate(snippet))
		refused(ctx, message+". The pods stay as they were")
		staysSettled(ctx, op, shop)
		Expect(child(ctx, shop, &networkingv1.Ingress{})).To(Equal(before))
	})
	It("leaves the Service as the pods are, with TLS or without", func(ctx context.Context) {
		certificate, key := newCertificate()
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-tls"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
		})).To(Succeed())
		created(ctx, shop)
		becomesReady(ctx, shop)
		before := templateOf(deploymentOf(ctx, shop))
		for _, c := range []struct {
			tls         *v1alpha1.WorkloadTLS
			port, after int32
		}{{&v1alpha1.WorkloadTLS{SecretName: "shop-tls"}, 80, 443}, {nil, 443, 80}} {
			updated(ctx, shop, func(shop *v1alpha1.ChannelConnector) {
				declare(shop)
				shop.Spec.Workload.TLS = c.tls
			})
			refused(ctx, said+". The pods stay as they were")
			staysSettled(ctx, op, shop)
			Expect(portsOf(ctx, shop)).To(ConsistOf(c.port))
			Expect(addressOf(ctx, shop)).To(HavePrefix(map[int32]string{80: "http:", 443: "https:"}[c.port]))
			Expect(templateOf(deploymentOf(ctx, shop))).To(Equal(before))
			Expect(strings.Contains(configOf(ctx, shop), "certFile")).To(Equal(c.port == 443), "what a pod reads that starts again")

			updated(ctx, shop, func(shop *v1alpha1.ChannelConnector) { shop.Spec.Workload = v1alpha1.Workload{TLS: c.tls} })
			Eventually(portsOf).WithArguments(ctx, shop).Should(ConsistOf(c.after))
			becomesReady(ctx, shop)
			before = templateOf(deploymentOf(ctx, shop))
			Expect(strings.Contains(configOf(ctx, shop), "certFile")).To(Equal(c.after == 443))
		}
	})
})
