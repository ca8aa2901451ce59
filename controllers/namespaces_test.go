package controllers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// lagging lets the watches of a namespace lag behind.
func lagging(namespace string, lag time.Duration) fault {
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		answer, err := next.RoundTrip(req)
		if err == nil && req.URL.Query().Get("watch") == "true" && strings.Contains(req.URL.Path, "/namespaces/"+namespace+"/") {
			answer.Body = late{ReadCloser: answer.Body, done: req.Context().Done(), lag: lag}
		}
		return answer, err
	}
}

// late hands on what it reads a while later.
type late struct {
	io.ReadCloser
	done <-chan struct{}
	lag  time.Duration
}

func (l late) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	select {
	case <-time.After(l.lag):
	case <-l.done:
	}
	return n, err
}

var _ = Describe("An operator of several namespaces", func() {
	var (
		namespaces []string
		shops      []*v1alpha1.ChannelConnector
	)
	several := func(s *setup) { s.Namespaces = append(slices.Clone(namespaces), namespaces[0]) } // one is named twice
	// Resources of one name: nothing of one is taken for another's.
	BeforeEach(func(ctx context.Context) {
		namespaces, shops = nil, nil
		for range 3 {
			namespace := newNamespace(ctx)
			newSecrets(ctx, namespace)
			namespaces = append(namespaces, namespace)
			shops = append(shops, newConnector(namespace, "shop"))
		}
	})
	serving := func(ctx context.Context, op *operator) {
		GinkgoHelper()
		for _, shop := range shops {
			created(ctx, shop)
		}
		for _, shop := range shops {
			haveChildren(ctx, shop)
			becomesReady(ctx, shop)
		}
		settle(op)
	}

	It("looks after each as if it were the only one", func(ctx context.Context) {
		op := startOperator("", several)
		serving(ctx, op)
		for _, shop := range shops {
			Expect(condition(ctx, shop, v1alpha1.ConditionCredentialsResolved).Reason).
				To(Equal("Resolved"), "the same names elsewhere are not shared keys")
			newPod(ctx, shop)
		}
		for i, shop := range shops {
			pod := &corev1.PodList{}
			Expect(k8s.List(ctx, pod, client.InNamespace(shop.Namespace))).To(Succeed())
			aSecondPasses(pod.Items[0].CreationTimestamp)
			others := slices.Delete(slices.Clone(shops), i, i+1)
			before := []string{configOf(ctx, others[0]), configOf(ctx, others[1])}

			By("taking a changed Secret, and telling its pods")
			key := "Hidden0SecretKey" + shop.Namespace
			patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-zalo"}},
				`{"stringData":{"oa-secret-key":"`+key+`"}}`)
			Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring(key))
			Eventually(touchesOf).WithArguments(ctx, shop).Should(ConsistOf(HaveSuffix("-3")))
			Expect([]string{configOf(ctx, others[0]), configOf(ctx, others[1])}).To(Equal(before))

			By("putting every child back")
			for _, object := range []client.Object{&corev1.Secret{}, &corev1.Service{}, &corev1.ServiceAccount{}, &appsv1.Deployment{}} {
				Expect(k8s.Delete(ctx, child(ctx, shop, object))).To(Succeed())
				Eventually(k8s.Get).WithArguments(ctx, childKey(shop), object).Should(Succeed())
			}
			becomesReady(ctx, shop)
		}
		staysSettled(ctx, op, shops...)
	})

	It("leaves alone what is in another one", func(ctx context.Context) {
		elsewhere := created(ctx, shops[2])
		namespaces, shops = namespaces[:2], shops[:2]
		op := startOperator("", several)
		serving(ctx, op)
		patched(ctx, elsewhere.DeepCopy(), `{"spec":{"workload":{"replicas":0}}}`)
		for _, shop := range shops {
			op.forcePass(ctx, shop)
		}
		Expect(condition(ctx, elsewhere, v1alpha1.ConditionReady).Status).To(BeEmpty())
		Expect(op.written()).NotTo(ContainElement(ContainSubstring("/namespaces/" + elsewhere.Namespace + "/")))
	})

	It("upgrades one connector at a time over all of them", func(ctx context.Context) {
		before := startOperator("", several)
		serving(ctx, before)
		before.stop()
		startOperator("", several, upgraded)
		for left := range slices.Backward(shops) {
			var next *v1alpha1.ChannelConnector
			Eventually(func(g Gomega) {
				pending := 0
				for _, shop := range shops {
					if condition(ctx, shop, v1alpha1.ConditionUpdatePending).Status == "True" {
						pending++
					}
					if upgrading(ctx, shop.Namespace) == 1 {
						next = shop
					}
				}
				g.Expect(pending).To(Equal(left))
				g.Expect(next).NotTo(BeNil())
			}).Should(Succeed())
			becomesReady(ctx, next)
			Eventually(upgrading).WithArguments(ctx, next.Namespace).Should(BeZero())
		}
	})

	It("reads what it wrote in one, however late that one's watches are", func(ctx context.Context) {
		namespaces, shops = namespaces[:2], shops[:2]
		busy, late := shops[0], shops[1]
		op := startOperator("", several, func(s *setup) { s.wire.inject(lagging(late.Namespace, 500*time.Millisecond)) })
		late.Spec.Webhook.APIKeys = nil
		created(ctx, busy)
		created(ctx, late)
		written := func() []string {
			return slices.DeleteFunc(op.written(), func(write string) bool { return !strings.Contains(write, "/namespaces/"+late.Namespace+"/") })
		}
		replicas := 0
		Eventually(func(g Gomega) { // whatever comes from the busy one is younger
			replicas = 1 - replicas
			updated(ctx, busy, func(c *v1alpha1.ChannelConnector) {
				c.Spec.ZaloOA.AppID, c.Spec.Workload.Replicas = fmt.Sprint(42+replicas), new(int32(replicas))
			})
			g.Expect(readyCondition(ctx, late).Reason).To(Equal("Starting"))
		}).Should(Succeed())
		settle(op)
		Expect(written()).To(HaveLen(1+len(childKinds())+1), "the API key, every child and a status")
		Expect(op.log.lines("ERROR")).To(BeEmpty())
	})
})
