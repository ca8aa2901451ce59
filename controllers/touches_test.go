package controllers_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

var _ = Describe("A changed configuration", func() {
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
		pod       *corev1.Pod
	)
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace)
		shop = created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		pod = newPod(ctx, shop)
		settle(op)
	})
	rotate := func(ctx context.Context) (digest string) {
		GinkgoHelper()
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}}, `{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("Hidden0SecretKey9OA"))
		return child(ctx, shop, &corev1.Secret{}).Annotations[children.AnnotationConfigDigest]
	}
	writtenAt := func(ctx context.Context) time.Time {
		GinkgoHelper()
		at, err := time.Parse(time.RFC3339Nano, child(ctx, shop, &corev1.Secret{}).Annotations[children.AnnotationConfigWrittenAt])
		Expect(err).NotTo(HaveOccurred())
		return at
	}
	touch := func(ctx context.Context) (string, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return pod.Annotations["xbot.a4b.vn/config-touched"], err
	}

	It("is told to the pods at once, after 1 s and after 5 s, and then never again", func(ctx context.Context) {
		Expect(touch(ctx)).To(BeEmpty(), "it started with its configuration")
		digest := rotate(ctx)
		at := writtenAt(ctx)
		for _, told := range []struct {
			touch string
			after time.Duration
		}{{digest + "-1", 0}, {digest + "-2", time.Second}, {digest + "-3", 5 * time.Second}} {
			Eventually(touch).WithArguments(ctx).Should(Equal(told.touch))
			Expect(time.Now()).To(BeTemporally(">=", at.Add(told.after)), "not too early")
		}
		writes := settle(op)
		forcePass(ctx, shop)
		Expect(op.writes.Load()).To(Equal(writes), "%v", op.written())
		Expect(touches(op)).To(Equal(3))
	})

	It("is told to none that started with it, is about to end, or is somebody else's", func(ctx context.Context) {
		leaving := newPod(ctx, shop)
		patched(ctx, leaving, `{"metadata":{"finalizers":["example.com/stays"]}}`)
		Expect(k8s.Delete(ctx, leaving, client.GracePeriodSeconds(30))).To(Succeed())
		aSecondPasses(pod.CreationTimestamp)
		digest := rotate(ctx)
		aSecondPasses(metav1.NewTime(writtenAt(ctx).Truncate(time.Second)))
		younger := newPod(ctx, shop)
		Eventually(touch).WithArguments(ctx).Should(Equal(digest + "-2"))
		for _, other := range []*corev1.Pod{leaving, younger} {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(other), other)).To(Succeed())
			Expect(other.Annotations).NotTo(HaveKey("xbot.a4b.vn/config-touched"))
		}
		patched(ctx, leaving, `{"metadata":{"finalizers":null}}`)
	})

	It("is told by the next operator where the one before ended", func(ctx context.Context) {
		digest := rotate(ctx)
		Eventually(touch).WithArguments(ctx).Should(Equal(digest + "-1"))
		op.stop()
		before := touches(op)
		op = startOperator(namespace)
		Eventually(touch).WithArguments(ctx).Should(Equal(digest + "-3"))
		settle(op)
		Expect(before + touches(op)).To(BeNumerically("<=", 3))
		op.stop()

		By("or after the last time for it, once")
		patched(ctx, pod, `{"metadata":{"annotations":{"xbot.a4b.vn/config-touched":null}}}`)
		op = startOperator(namespace)
		Eventually(touch).WithArguments(ctx).Should(Equal(digest + "-3"))
		settle(op)
		Expect(touches(op)).To(Equal(1))
	})

	It("that changes again is told anew", func(ctx context.Context) {
		first := rotate(ctx)
		Eventually(touch).WithArguments(ctx).Should(HavePrefix(first))
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
		Eventually(touch).WithArguments(ctx).ShouldNot(HavePrefix(first))
		Eventually(touch).WithArguments(ctx).Should(HaveSuffix("-2"))
	})
})

// touches is how often an operator told pods of a configuration.
func touches(op *operator) int {
	n := 0
	for _, write := range op.written() {
		if strings.Contains(write, "/pods/") {
			n++
		}
	}
	return n
}
