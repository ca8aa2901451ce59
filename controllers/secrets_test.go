package controllers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// stalled expects a resource that serves with its last good configuration, and
// says what is wrong with a credential in exactly these words.
func stalled(ctx context.Context, c *v1alpha1.ChannelConnector, reason, message string) {
	GinkgoHelper()
	Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionCredentialsResolved).Should(
		And(HaveField("Status", BeEquivalentTo("False")), HaveField("Reason", reason), HaveField("Message", message)))
	whole := message + ". The last good configuration keeps serving"
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
		Expect(condition(ctx, c, kind)).To(And(HaveField("Reason", reason), HaveField("Message", whole)), kind)
	}
	Expect(condition(ctx, c, v1alpha1.ConditionWorkloadAvailable)).To(beTrue)
}

var _ = Describe("A Secret of a user", func() {
	const oaSecret = `Secret "shop-zalo", key "oa-secret-key" (spec.zaloOA.signature.secretKeyRefs[0])`
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
	)
	secret := func(name string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		newSinkSecrets(ctx, namespace)
		op = startOperator(namespace)
		shop = newConnector(namespace, "shop")
		shop.Spec.Sink.HTTP.URL = "https://bot.chat.svc/events"
		shop.Spec.Sink.HTTP.TLS = &v1alpha1.SinkTLS{
			CASecretKeyRef:             &v1alpha1.SecretKeyRef{Name: "bot-tls", Key: "tls.crt"},
			ClientCertificateSecretRef: &v1alpha1.SecretRef{Name: "bot-tls"},
		}
		shop.Spec.Sink.HTTP.Headers = []v1alpha1.Header{{Name: "Authorization", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "bot", Key: "authorization"}}}
		shop.Spec.Sink.HTTP.SigningSecretKeyRef = &v1alpha1.SecretKeyRef{Name: "bot", Key: "signing"}
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)
	})

	It("that is rotated reaches the configuration, and the resource stays Ready", func(ctx context.Context) {
		patched(ctx, secret("shop-zalo"), `{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(And(ContainSubstring("Hidden0SecretKey9OA"), Not(ContainSubstring("Hidden0SecretKey0OA"))))
		patched(ctx, secret("bot"), `{"stringData":{"authorization":"Bearer other"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("Bearer other"))
		Eventually(events).WithArguments(ctx, namespace).Should(ContainElement(HaveField("Reason", "ConfigurationChanged")))
		Eventually(readiness).WithArguments(namespace, "shop").Should(onceReady)
	})

	It("that holds an API key is never copied, only its digest", func(ctx context.Context) {
		patched(ctx, secret("shop-xbot"), `{"stringData":{"xp-api-key":"Hidden0API0Key0009"}}`)
		digest := sha256.Sum256([]byte("Hidden0API0Key0009"))
		Eventually(configOf).WithArguments(ctx, shop).Should(And(
			ContainSubstring(hex.EncodeToString(digest[:])), Not(ContainSubstring("Hidden0API0Key"))))
	})

	DescribeTable("that cannot be used stalls the resource, the last good configuration keeps serving, and the next change clears it:",
		func(ctx context.Context, name, patch, mend, reason, message string) {
			before := configOf(ctx, shop)
			patched(ctx, secret(name), patch)
			stalled(ctx, shop, reason, message)
			Eventually(events).WithArguments(ctx, namespace).Should(ContainElement(And(HaveField("Reason", reason), HaveField("Type", "Warning"))))
			Expect(configOf(ctx, shop)).To(Equal(before))
			staysSettled(ctx, op, shop)
			Expect(op.log.lines("ERROR")).To(BeEmpty())

			if mend == "" {
				certificate, key := newCertificate()
				pair := secret(name)
				Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pair), pair)).To(Succeed())
				pair.Data = map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key}
				Expect(k8s.Update(ctx, pair)).To(Succeed())
			} else {
				patched(ctx, secret(name), mend)
			}
			becomesReady(ctx, shop)
		},
		Entry("emptied", "shop-zalo", `{"stringData":{"oa-secret-key":""}}`, `{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"SecretKeyEmpty", oaSecret+" is empty: fill it in"),
		Entry("only white space", "shop-zalo", `{"stringData":{"oa-secret-key":" \n"}}`, `{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"SecretKeyEmpty", oaSecret+" is empty: fill it in"),
		Entry("a key renamed", "shop-zalo", `{"data":{"oa-secret-key":null},"stringData":{"oa-key":"Hidden0SecretKey0OA"}}`, `{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"SecretKeyNotFound", `Secret "shop-zalo" has no key "oa-secret-key" (spec.zaloOA.signature.secretKeyRefs[0]): add the key, or correct the reference`),
		Entry("two lines", "shop-zalo", `{"stringData":{"oa-secret-key":"Hidden0Secret\nKey0OA"}}`, `{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"SecretKeyMalformed", oaSecret+" holds white space or invisible characters, or is no text: put the key alone into it, on one line"),
		Entry("the API key", "shop-zalo", `{"stringData":{"oa-secret-key":"Hidden0API0Key0000-of-32-characters"}}`, `{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"OASecretKeyEqualsAPIKey", oaSecret+` is the same as the API key in Secret "shop-xbot", key "xp-api-key": the two are different things, copy the OA secret key from Zalo's console`),
		Entry("no PEM", "bot-tls", `{"stringData":{"tls.crt":"not a certificate"}}`, "", "SecretKeyMalformed", `Secret "bot-tls", key "tls.crt" (spec.sink.http.tls.caSecretKeyRef) holds no certificate in PEM: write a bundle of "BEGIN CERTIFICATE" blocks; `+
			`Secret "bot-tls", key "tls.crt" (spec.sink.http.tls.clientCertificateSecretRef) holds no certificate in PEM: write a "BEGIN CERTIFICATE" block`),
		Entry("not the certificate's key", "bot-tls", `{"stringData":{"tls.key":"not a key"}}`, "", "SecretKeyMalformed",
			`Secret "bot-tls", key "tls.key" (spec.sink.http.tls.clientCertificateSecretRef) is not the private key, in PEM, of the certificate in key "tls.crt": put a matching pair into the Secret`),
		Entry("a header of two lines", "bot", `{"stringData":{"authorization":"Bearer\r\nX: y"}}`, `{"stringData":{"authorization":"Bearer hidden"}}`,
			"SecretKeyMalformed", `Secret "bot", key "authorization" (spec.sink.http.headers[0].secretKeyRef) holds line breaks or control characters, or is no text: put the value on one line`),
		Entry("no signing secret", "bot", `{"stringData":{"signing":"whsec_short"}}`, `{"stringData":{"signing":"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}}`,
			"SecretKeyMalformed", `Secret "bot", key "signing" (spec.sink.http.signingSecretKeyRef) is no signing secret: write "whsec_" and the base64 of 24 to 64 bytes`),
		Entry("of 1 MiB", "bot", `{"stringData":{"authorization":"`+strings.Repeat("x", 1_000_000)+`"}}`, `{"stringData":{"authorization":"Bearer hidden"}}`,
			"SecretKeyTooLarge", `Secret "bot", key "authorization" (spec.sink.http.headers[0].secretKeyRef) is larger than 64 KiB: put the credential alone into it`),
	)

	It("that is deleted is named with its remedy, until it is there again", func(ctx context.Context) {
		Expect(k8s.Delete(ctx, secret("shop-zalo"))).To(Succeed())
		Expect(k8s.Delete(ctx, secret("shop-xbot"))).To(Succeed())
		stalled(ctx, shop, "SecretNotFound", `Secret "shop-zalo" does not exist (spec.zaloOA.signature.secretKeyRefs[0]): create it with the key "oa-secret-key", or correct the reference; `+
			`Secret "shop-xbot" does not exist (spec.webhook.apiKeys[0].secretKeyRef): create it with the key "xp-api-key", or correct the reference`)
		newSecrets(ctx, namespace)
		becomesReady(ctx, shop)
	})

	It("that does not exist yet holds a new resource up, and nothing is made before it does", func(ctx context.Context) {
		early := newConnector(namespace, "early")
		early.Spec.ZaloOA.Signature.SecretKeyRefs[0].Name = "later"
		created(ctx, early)
		Eventually(readyCondition).WithArguments(ctx, early).Should(And(HaveField("Reason", "SecretNotFound"), HaveField("Message",
			`Secret "later" does not exist (spec.zaloOA.signature.secretKeyRefs[0]): create it with the key "oa-secret-key", or correct the reference`)))
		Expect(k8s.Get(ctx, childKey(early), &corev1.Service{})).To(MatchError(ContainSubstring("not found")))
		later := secret("later")
		later.StringData = map[string]string{"oa-secret-key": "Hidden0SecretKey2OA"}
		Expect(k8s.Create(ctx, later)).To(Succeed())
		haveChildren(ctx, early)
		becomesReady(ctx, early)
	})

	It("that only smells warns, and stops nothing", func(ctx context.Context) {
		patched(ctx, secret("shop-zalo"), `{"stringData":{"oa-secret-key":" short "}}`)
		patched(ctx, secret("shop-xbot"), `{"stringData":{"xp-api-key":"`+strings.Repeat("k", 200)+`"}}`)
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionCredentialsResolved).Should(warning(
			oaSecret+" is shorter than 16 characters: make sure that it is complete",
			oaSecret+" begins or ends with white space, which is left out: write the Secret without it",
			`Secret "shop-xbot", key "xp-api-key" (spec.webhook.apiKeys[0].secretKeyRef) looks like an access token: make sure that it is the OA secret key or the API key`))
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("value: short\n"))
		Eventually(events).WithArguments(ctx, namespace).Should(ContainElement(And(HaveField("Reason", "ResolvedWithWarnings"), HaveField("Type", "Warning"))))
		Eventually(readiness).WithArguments(namespace, "shop").Should(onceReady)
	})

	It("of another name changes nothing, and costs no pass", func(ctx context.Context) {
		before, requests := op.passes.total(), op.requests.Load()
		for range 20 {
			other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "other-"}}
			Expect(k8s.Create(ctx, other)).To(Succeed())
			patched(ctx, other, `{"stringData":{"some":"thing"}}`)
		}
		Consistently(op.passes.total, "300ms").Should(Equal(before))
		Expect(op.requests.Load()).To(Equal(requests))
	})

	It("is told by its new name as soon as the resource names it", func(ctx context.Context) {
		renamed := secret("renamed")
		renamed.StringData = map[string]string{"oa-secret-key": "Hidden0SecretKey3OA"}
		Expect(k8s.Create(ctx, renamed)).To(Succeed())
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.Signature.SecretKeyRefs[0].Name = "renamed" })
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("Hidden0SecretKey3OA"))
		patched(ctx, renamed, `{"stringData":{"oa-secret-key":"Hidden0SecretKey4OA"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("Hidden0SecretKey4OA"))
	})
})
