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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
