package controllers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

var _ = Describe("A generated API key", func() {
	const deleted = `Secret "shop-api-key" with the generated API key was deleted while in use: restore it; ` +
		`or have a new key made with "kubectl annotate --overwrite chc shop xbot.a4b.vn/regenerate-api-key=$(date +%s)" and paste it into the ` +
		`platform's console. Meanwhile it is accepted until T`
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
	)
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace)
		shop = newConnector(namespace, "shop")
		shop.Spec.Webhook.APIKeys = nil
	})
	serving := func(ctx context.Context) {
		GinkgoHelper()
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)
	}
	// accepted is what the configuration holds of a key.
	accepted := func(key string) string {
		digest := sha256.Sum256([]byte(key))
		return hex.EncodeToString(digest[:])
	}
	regenerate := func(ctx context.Context, value string) {
		GinkgoHelper()
		annotated(ctx, shop.DeepCopy(), map[string]string{marks.AnnotationRegenerateAPIKey: value})
	}

	It("is made once, let in, and never changed or owned", func(ctx context.Context) {
		serving(ctx)
		secret := apiKeySecret(ctx, shop)
		Expect(configOf(ctx, shop)).To(ContainSubstring(accepted(string(secret.Data["xp-api-key"]))))
		Expect(secret).To(withoutOwner)
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring(`appID: "42"`))
		Expect(apiKeySecret(ctx, shop).ResourceVersion).To(Equal(secret.ResourceVersion))
	})

	It("that is deleted while in use is not made again, and is accepted for a while, for it to be restored", func(ctx context.Context) {
		serving(ctx)
		secret, config := apiKeySecret(ctx, shop), configOf(ctx, shop)
		Expect(k8s.Delete(ctx, secret.DeepCopy())).To(Succeed())
		stalled(ctx, shop, "GeneratedAPIKeyDeleted", deleted)
		op.forcePass(ctx, shop)
		Expect(configOf(ctx, shop)).To(Equal(config))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), &corev1.Secret{})).To(MatchError(ContainSubstring("not found")))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(shop), shop)).To(Succeed())
		Expect(shop.Status.APIKeySecretName).To(Equal("shop-api-key"))

		secret.ResourceVersion, secret.UID = "", ""
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		becomesReady(ctx, shop)
		Expect(configOf(ctx, shop)).To(Equal(config))
	})

	It("that lost its labels is in use still: they are asked for, and no key is made", func(ctx context.Context) {
		serving(ctx)
		key, secret := generatedKey(ctx, shop), apiKeySecret(ctx, shop)
		config := configOf(ctx, shop)
		patched(ctx, secret, `{"metadata":{"labels":null}}`)
		stalled(ctx, shop, "GeneratedAPIKeyUnlabelled",
			`Secret "shop-api-key" with the generated API key lost the labels by which the operator knows it: `+
				`put them back with "kubectl label --overwrite secret shop-api-key app.kubernetes.io/managed-by=channel-connector-operator `+
				`xbot.a4b.vn/connector=shop". Meanwhile it is accepted`)
		op.forcePass(ctx, shop)
		Expect(configOf(ctx, shop)).To(Equal(config))

		Expect(k8s.Delete(ctx, apiKeySecret(ctx, shop))).To(Succeed())
		stalled(ctx, shop, "GeneratedAPIKeyDeleted", deleted)

		restored := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-api-key"}, StringData: map[string]string{"xp-api-key": key},
		}
		Expect(k8s.Create(ctx, restored)).To(Succeed())
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "GeneratedAPIKeyUnlabelled"))
		patched(ctx, restored,
			`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"channel-connector-operator","xbot.a4b.vn/connector":"shop"}}}`)
		becomesReady(ctx, shop)
		Expect(configOf(ctx, shop)).To(Equal(config))
	})

	It("is made again once for each value of the annotation", func(ctx context.Context) {
		serving(ctx)
		first := generatedKey(ctx, shop)
		regenerate(ctx, "1") // nothing is missing yet
		op.forcePass(ctx, shop)
		Expect(generatedKey(ctx, shop)).To(Equal(first))

		Expect(k8s.Delete(ctx, apiKeySecret(ctx, shop))).To(Succeed())
		Eventually(generatedKey).WithArguments(ctx, shop).ShouldNot(Equal(first))
		second := generatedKey(ctx, shop)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring(accepted(second)))
		becomesReady(ctx, shop)

		Expect(k8s.Delete(ctx, apiKeySecret(ctx, shop))).To(Succeed())
		stalled(ctx, shop, "GeneratedAPIKeyDeleted", deleted)
		regenerate(ctx, "2")
		Eventually(generatedKey).WithArguments(ctx, shop).ShouldNot(Equal(second))
		becomesReady(ctx, shop)
	})

	It("follows its Secret when a team writes a key of its own into it", func(ctx context.Context) {
		serving(ctx)
		patched(ctx, apiKeySecret(ctx, shop), `{"stringData":{"xp-api-key":"Hidden0Own0Key0000"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring(accepted("Hidden0Own0Key0000")))
		patched(ctx, apiKeySecret(ctx, shop), `{"stringData":{"xp-api-key":""}}`)
		stalled(ctx, shop, "SecretKeyEmpty",
			`Secret "shop-api-key", key "xp-api-key" (generated) is empty: fill it in. Meanwhile it is accepted until T`)
	})

	It("is left where it is when the resource names keys, and found again", func(ctx context.Context) {
		serving(ctx)
		key := generatedKey(ctx, shop)
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Webhook.APIKeys = newConnector(namespace, "shop").Spec.Webhook.APIKeys
		})
		Eventually(configOf).WithArguments(ctx, shop).ShouldNot(ContainSubstring(accepted(key)))
		Eventually(func() (string, error) {
			return shop.Status.APIKeySecretName, k8s.Get(ctx, client.ObjectKeyFromObject(shop), shop)
		}).Should(BeEmpty())
		Expect(generatedKey(ctx, shop)).To(Equal(key))

		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Webhook.APIKeys = nil })
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring(accepted(key)))
	})

	It("is not made while a foreign Secret has its name", func(ctx context.Context) {
		foreign := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-api-key"},
			StringData: map[string]string{"xp-api-key": "Hidden0Their0Key00"},
		}
		Expect(k8s.Create(ctx, foreign)).To(Succeed())
		created(ctx, shop)
		Eventually(readyCondition).WithArguments(ctx, shop).
			Should(And(HaveField("Reason", "GeneratedAPIKeyNameClashes"), HaveField("Message", HavePrefix(
				`Secret "shop-api-key", which the generated API key needs, exists and was not made for this ChannelConnector: delete it, `+
					`or name your own keys in spec.webhook.apiKeys. Meanwhile `))))
		Expect(configOf(ctx, shop)).NotTo(ContainSubstring("sha256"), "it is let in")
		Expect(apiKeySecret(ctx, shop).ResourceVersion).To(Equal(foreign.ResourceVersion))

		Expect(k8s.Delete(ctx, foreign)).To(Succeed())
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
	})
})
