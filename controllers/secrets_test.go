package controllers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// until is a time in a message.
var until = regexp.MustCompile(`until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// saysOf compares a message, of which a time does not matter.
func saysOf(message string) types.GomegaMatcher {
	return WithTransform(func(c *metav1.Condition) string { return until.ReplaceAllString(c.Message, "until T") }, Equal(message))
}

// stalled expects a resource that serves on, and says what is wrong with a credential in exactly these words.
func stalled(ctx context.Context, c *v1alpha1.ChannelConnector, reason, message string) {
	GinkgoHelper()
	Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionCredentialsResolved).Should(
		And(HaveField("Status", BeEquivalentTo("False")), HaveField("Reason", reason), saysOf(message)))
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
		Expect(condition(ctx, c, kind)).To(And(HaveField("Reason", reason), saysOf(message)), kind)
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
		shop.Spec.Sink.HTTP.Headers = []v1alpha1.Header{
			{Name: "Authorization", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "bot", Key: "authorization"}},
		}
		shop.Spec.Sink.HTTP.SigningSecretKeyRef = &v1alpha1.SecretKeyRef{Name: "bot", Key: "signing"}
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)
	})

	It("that is rotated reaches the configuration, and the resource stays Ready", func(ctx context.Context) {
		patched(ctx, secret("shop-zalo"), `{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		Eventually(configOf).WithArguments(ctx, shop).
			Should(And(ContainSubstring("Hidden0SecretKey9OA"), Not(ContainSubstring("Hidden0SecretKey0OA"))))
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

	DescribeTable("that cannot be used stalls the resource, is out of use at once unless it is a certificate, and the next change clears it:",
		func(ctx context.Context, name, patch, mend, reason, message, out string) {
			before := configOf(ctx, shop)
			patched(ctx, secret(name), patch)
			stalled(ctx, shop, reason, message)
			Eventually(events).WithArguments(ctx, namespace).Should(ContainElement(And(HaveField("Reason", reason), HaveField("Type", "Warning"))))
			if out == "" {
				Expect(configOf(ctx, shop)).To(Equal(before))
			} else {
				Expect(before).To(ContainSubstring(out))
				Expect(configOf(ctx, shop)).NotTo(ContainSubstring(out))
			}
			delivers := condition(ctx, shop, v1alpha1.ConditionDelivering)
			if strings.Contains(message, "held") {
				Expect(delivers.Reason).To(Equal("CredentialMissing"))
			} else {
				Expect(delivers.Reason).NotTo(Equal("CredentialMissing"))
			}
			if !strings.Contains(message, "until") { // it settles when the key is out of use
				staysSettled(ctx, op, shop)
			}
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
			"SecretKeyEmpty", oaSecret+" is empty: fill it in. Meanwhile it is accepted until T", ""),
		Entry("only white space", "shop-zalo", `{"stringData":{"oa-secret-key":" \n"}}`, `{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"SecretKeyEmpty", oaSecret+" is empty: fill it in. Meanwhile it is accepted until T", ""),
		Entry("a key renamed", "shop-zalo", `{"data":{"oa-secret-key":null},"stringData":{"oa-key":"Hidden0SecretKey0OA"}}`,
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"SecretKeyNotFound",
			`Secret "shop-zalo" has no key "oa-secret-key" (spec.zaloOA.signature.secretKeyRefs[0]): add the key, or correct the reference. `+
				`Meanwhile it is accepted until T`, ""),
		Entry("two lines", "shop-zalo", `{"stringData":{"oa-secret-key":"Hidden0Secret\nKey0OA"}}`,
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"SecretKeyMalformed",
			oaSecret+" holds white space or invisible characters, or is no text: put the key alone into it, on one line. "+
				"Meanwhile nothing is verified with it", "Hidden0SecretKey0OA"),
		Entry("the API key", "shop-zalo", `{"stringData":{"oa-secret-key":"Hidden0API0Key0000-of-32-characters"}}`,
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey0OA"}}`,
			"OASecretKeyEqualsAPIKey",
			oaSecret+` is the same as the API key in Secret "shop-xbot", key "xp-api-key" (spec.webhook.apiKeys[0].secretKeyRef): the two are `+
				`different things, copy the OA secret key from Zalo's console. Meanwhile nothing is verified with it`, "Hidden0SecretKey0OA"),
		Entry("no PEM", "bot-tls", `{"stringData":{"tls.crt":"not a certificate"}}`, "", "SecretKeyMalformed",
			`Secret "bot-tls", key "tls.crt" (spec.sink.http.tls.caSecretKeyRef) holds no certificate in PEM: `+
				`write a bundle of "BEGIN CERTIFICATE" blocks. Meanwhile the last good one stays in use. `+
				`Secret "bot-tls", key "tls.crt" (spec.sink.http.tls.clientCertificateSecretRef) holds no certificate in PEM: `+
				`write a "BEGIN CERTIFICATE" block. Meanwhile the last good one stays in use`, ""),
		Entry("not the certificate's key", "bot-tls", `{"stringData":{"tls.key":"not a key"}}`, "", "SecretKeyMalformed",
			`Secret "bot-tls", key "tls.key" (spec.sink.http.tls.clientCertificateSecretRef) is not the private key, in PEM, `+
				`of the certificate in Secret "bot-tls", key "tls.crt" (spec.sink.http.tls.clientCertificateSecretRef): put a matching pair there. `+
				`Meanwhile the last good one stays in use`, ""),
		Entry("a header of two lines", "bot", `{"stringData":{"authorization":"Bearer\r\nX: y"}}`,
			`{"stringData":{"authorization":"Bearer hidden"}}`,
			"SecretKeyMalformed",
			`Secret "bot", key "authorization" (spec.sink.http.headers[0].secretKeyRef) holds line breaks or control characters, or is no text: `+
				`put the value on one line. Meanwhile events are accepted and held`, "Bearer hidden"),
		Entry("no signing secret", "bot", `{"stringData":{"signing":"whsec_short"}}`,
			`{"stringData":{"signing":"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}}`,
			"SecretKeyMalformed",
			`Secret "bot", key "signing" (spec.sink.http.signingSecretKeyRef) is no signing secret: `+
				`write "whsec_" and the base64 of 24 to 64 bytes. Meanwhile events are accepted and held`, "whsec_"),
		Entry("of 1 MiB", "bot", `{"stringData":{"authorization":"`+strings.Repeat("x", 1_000_000)+`"}}`,
			`{"stringData":{"authorization":"Bearer hidden"}}`,
			"SecretKeyTooLarge",
			`Secret "bot", key "authorization" (spec.sink.http.headers[0].secretKeyRef) is larger than 64 KiB: put the credential alone into it. `+
				`Meanwhile events are accepted and held`, "Bearer hidden"),
	)

	It("that is deleted is named with its remedy, until it is there again", func(ctx context.Context) {
		before := configOf(ctx, shop)
		Expect(k8s.Delete(ctx, secret("shop-zalo"))).To(Succeed())
		Expect(k8s.Delete(ctx, secret("shop-xbot"))).To(Succeed())
		stalled(ctx, shop, "SecretNotFound",
			`Secret "shop-zalo" does not exist (spec.zaloOA.signature.secretKeyRefs[0]): create it with the key "oa-secret-key",`+
				` or correct the reference. Meanwhile it is accepted until T. `+
				`Secret "shop-xbot" does not exist (spec.webhook.apiKeys[0].secretKeyRef): create it with the key "xp-api-key",`+
				` or correct the reference. Meanwhile it is accepted until T`)
		Expect(configOf(ctx, shop)).To(Equal(before))
		newSecrets(ctx, namespace)
		becomesReady(ctx, shop)
		Expect(configOf(ctx, shop)).To(Equal(before))
	})

	It("that does not exist yet holds nothing up: the pod comes, and the next step is said with the URL to paste", func(ctx context.Context) {
		early := newConnector(namespace, "early")
		early.Spec.ZaloOA.Signature.SecretKeyRefs[0].Name = "later"
		created(ctx, early)
		haveChildren(ctx, early)
		Eventually(say).WithArguments(ctx, early, rolledOut).Should(Succeed())
		Eventually(readyCondition).WithArguments(ctx, early).Should(And(HaveField("Reason", "AwaitingOASecretKey"), HaveField("Message",
			`Secret "later" does not exist (spec.zaloOA.signature.secretKeyRefs[0]): create it with the key "oa-secret-key",`+
				` or correct the reference. Meanwhile nothing is verified with it. `+
				"Next: paste http://early-connector."+namespace+
				".svc/webhook/xpbot/api/zalo/push?param.header.xp-api-key=<API key> as the webhook URL into Zalo's console, "+
				"which shows the OA secret key after its call was answered. Until then events are answered 503, so that Zalo's retries keep them")))
		Expect(condition(ctx, early, v1alpha1.ConditionReconciling)).To(beTrue)
		Expect(condition(ctx, early, v1alpha1.ConditionWorkloadAvailable)).To(beTrue)
		later := secret("later")
		later.StringData = map[string]string{"oa-secret-key": "Hidden0SecretKey2OA"}
		Expect(k8s.Create(ctx, later)).To(Succeed())
		Eventually(configOf).WithArguments(ctx, early).Should(ContainSubstring("Hidden0SecretKey2OA"))
		becomesReady(ctx, early)
	})

	It("that only smells warns, and stops nothing", func(ctx context.Context) {
		patched(ctx, secret("shop-zalo"), `{"stringData":{"oa-secret-key":" short "}}`)
		patched(ctx, secret("shop-xbot"), `{"stringData":{"xp-api-key":"`+strings.Repeat("k", 200)+`"}}`)
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionCredentialsResolved).Should(warning(
			oaSecret+" is shorter than 16 characters: make sure that it is complete",
			oaSecret+" begins or ends with white space, which is left out: write the Secret without it",
			`Secret "shop-xbot", key "xp-api-key" (spec.webhook.apiKeys[0].secretKeyRef) looks like an access token: `+
				`make sure that it is the OA secret key or the API key`))
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("value: short\n"))
		Eventually(events).WithArguments(ctx, namespace).
			Should(ContainElement(And(HaveField("Reason", "ResolvedWithWarnings"), HaveField("Type", "Warning"))))
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
