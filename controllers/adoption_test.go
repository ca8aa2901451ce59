package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

var _ = Describe("What an earlier resource left", func() {
	var (
		namespace string
		op        *operator
	)
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace)
	})
	withGeneratedKey := func(ctx context.Context) *v1alpha1.ChannelConnector {
		GinkgoHelper()
		shop := newConnector(namespace, "shop")
		shop.Spec.Webhook.APIKeys = nil
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		return shop
	}
	again := func(ctx context.Context, shop *v1alpha1.ChannelConnector) *v1alpha1.ChannelConnector {
		GinkgoHelper()
		Expect(k8s.Delete(ctx, shop)).To(Succeed())
		Eventually(k8s.Get).WithArguments(ctx, client.ObjectKeyFromObject(shop), shop.DeepCopy()).
			Should(MatchError(ContainSubstring("not found")))
		return withGeneratedKey(ctx)
	}
	// adoptions are the events of a resource that tell of what it took over.
	adoptions := func(ctx context.Context, shop *v1alpha1.ChannelConnector) (found []eventsv1.Event, err error) {
		all, err := events(ctx, namespace)
		for i := range all {
			if all[i].Regarding.UID == shop.UID && (all[i].Reason == "APIKeyAdopted" || all[i].Reason == "InboxAdopted") {
				found = append(found, all[i])
			}
		}
		return found, err
	}
	once := func(reason, note string) OmegaMatcher {
		return And(HaveField("Reason", reason), HaveField("Type", "Warning"), HaveField("Note", ContainSubstring(note)),
			HaveField("Series", BeNil()))
	}

	It("is told once when it is taken over: the API key and the inbox", func(ctx context.Context) {
		first := withGeneratedKey(ctx)
		staysSettled(ctx, op, first)
		Expect(adoptions(ctx, first)).To(BeEmpty())

		second := again(ctx, first)
		both := ConsistOf(
			once("APIKeyAdopted", `Secret "shop-api-key" was left by an earlier ChannelConnector`),
			once("InboxAdopted", `PersistentVolumeClaim "shop-connector" was left by an earlier ChannelConnector`),
		)
		Eventually(adoptions).WithArguments(ctx, second).Should(both)
		staysSettled(ctx, op, second)
		op.stop()
		op = startOperator(namespace)
		op.forcePass(ctx, second)
		staysSettled(ctx, op, second)
		Expect(adoptions(ctx, second)).To(both)
		Expect(op.writes.Load()).To(BeZero(), "%v", op.written())
	})

	It("is not what the resource made itself, though that lost its annotation or comes back into use", func(ctx context.Context) {
		shop := withGeneratedKey(ctx)
		claim := child(ctx, shop, &corev1.PersistentVolumeClaim{})
		patched(ctx, claim, `{"metadata":{"annotations":{"`+marks.AnnotationUID+`":null}}}`)
		Eventually(func() (map[string]string, error) {
			return claim.Annotations, k8s.Get(ctx, childKey(shop), claim)
		}).Should(HaveKeyWithValue(marks.AnnotationUID, string(shop.UID)))
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Webhook.APIKeys = newConnector(namespace, "shop").Spec.Webhook.APIKeys
		})
		Eventually(keyName).WithArguments(ctx, shop).Should(BeEmpty())
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Webhook.APIKeys = nil })
		Eventually(keyName).WithArguments(ctx, shop).Should(Equal("shop-api-key"))
		staysSettled(ctx, op, shop)
		Expect(adoptions(ctx, shop)).To(BeEmpty())
	})
})

// keyName returns the name of the generated API key's Secret in the status.
func keyName(ctx context.Context, c *v1alpha1.ChannelConnector) (string, error) {
	live := &v1alpha1.ChannelConnector{}
	err := k8s.Get(ctx, client.ObjectKeyFromObject(c), live)
	return live.Status.APIKeySecretName, err
}
