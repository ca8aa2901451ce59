package controllers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

const (
	hooks      = "hooks.example.com"
	calledPath = "/webhook/xpbot/api/zalo/push"
	pasted     = "://" + hooks + calledPath + "?param.header.xp-api-key=<key>"
)

// exposureOf returns what the resource says of its exposure: "True Exposed: …".
func exposureOf(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	v := condition(ctx, c, v1alpha1.ConditionExposed)
	return string(v.Status) + " " + v.Reason + ": " + v.Message
}

// webhookURL returns the URL to paste.
func webhookURL(ctx context.Context, c *v1alpha1.ChannelConnector) (string, error) {
	live := &v1alpha1.ChannelConnector{}
	err := k8s.Get(ctx, client.ObjectKeyFromObject(c), live)
	return live.Status.WebhookURL, err
}

func ingressOf(host string) *v1alpha1.Exposure {
	return &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{Host: v1alpha1.Hostname(host)}}
}

// pathsOf returns the hosts and paths that an Ingress leads to the connector; none while there is no Ingress.
func pathsOf(ctx context.Context, c *v1alpha1.ChannelConnector) (all []string, err error) {
	ingress := &networkingv1.Ingress{}
	err = k8s.Get(ctx, childKey(c), ingress)
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			all = append(all, rule.Host+path.Path)
		}
	}
	return all, client.IgnoreNotFound(err)
}

// hasAddress plays an Ingress's controller.
func hasAddress(ctx context.Context, c *v1alpha1.ChannelConnector) {
	GinkgoHelper()
	ingress := &networkingv1.Ingress{}
	Eventually(k8s.Get).WithArguments(ctx, childKey(c), ingress).Should(Succeed())
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "203.0.113.7"}}
	Expect(k8s.Status().Update(ctx, ingress)).To(Succeed())
}

// pairFor returns a certificate for a host with its key, as a Secret has them.
func pairFor(host string, from, until time.Time) map[string][]byte {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: from, NotAfter: until,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	return map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
	}
}

var _ = Describe("An exposure by an Ingress", func() {
	var (
		namespace string
		op        *operator
		watch     *ahead
		shop      *v1alpha1.ChannelConnector
	)
	BeforeEach(func(ctx context.Context) {
		namespace, watch = newNamespace(ctx), &ahead{}
		newSecrets(ctx, namespace)
		op = startOperator(namespace, func(s *setup) { s.Clock = watch })
		shop = newConnector(namespace, "shop")
		shop.Spec.Exposure = ingressOf(hooks)
	})
	exposed := func(ctx context.Context) func() string { return func() string { return exposureOf(ctx, shop) } }

	It("leads the webhook's path and the pages to the connector, and goes with the exposure", func(ctx context.Context) {
		shop.Spec.Exposure.Ingress.ClassName = "nginx"
		shop.Spec.Exposure.Ingress.Annotations = map[string]v1alpha1.AnnotationValue{
			"example.com/a": "a", "example.com/b": "b", marks.AnnotationApplied: "the operator's own",
		}
		created(ctx, shop)
		becomesReady(ctx, shop)
		Eventually(pathsOf).WithArguments(ctx, shop).Should(Equal([]string{hooks + calledPath}))
		Eventually(webhookURL).WithArguments(ctx, shop).Should(Equal("https" + pasted))
		Eventually(exposed(ctx)).Should(And(HavePrefix("Unknown Pending: "), ContainSubstring(`class "nginx"`)))
		hasAddress(ctx, shop)
		Eventually(exposed(ctx)).Should(And(HavePrefix("True Exposed: "), ContainSubstring("no tlsSecretName")))
		Expect(child(ctx, shop, &networkingv1.Ingress{})).To(ownedBy(shop))
		staysSettled(ctx, op, shop)

		// What its controller adds stays, and what the spec no longer has goes.
		annotated(ctx, child(ctx, shop, &networkingv1.Ingress{}), map[string]string{"example.com/theirs": "theirs"})
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Exposure.Ingress.Annotations = map[string]v1alpha1.AnnotationValue{"example.com/b": "c"}
			c.Spec.ZaloOA.DomainVerification = &v1alpha1.DomainVerification{Codes: []string{"AbCdEf"}}
		})
		Eventually(pathsOf).WithArguments(ctx, shop).
			Should(Equal([]string{hooks + calledPath, hooks + "/zalo_verifierAbCdEf.html", hooks + "/"}))
		Expect(child(ctx, shop, &networkingv1.Ingress{}).Annotations).To(And(HaveKeyWithValue("example.com/b", "c"),
			HaveKeyWithValue("example.com/theirs", "theirs"), Not(HaveKey("example.com/a"))))
		staysSettled(ctx, op, shop)

		// What leads elsewhere is put back.
		patched(ctx, child(ctx, shop, &networkingv1.Ingress{}), `{"spec":{"rules":[{"host":"hooks.example.com"}]}}`)
		Eventually(pathsOf).WithArguments(ctx, shop).Should(HaveLen(3))

		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Exposure = nil })
		Eventually(k8s.Get).WithArguments(ctx, childKey(shop), &networkingv1.Ingress{}).Should(Satisfy(apierrors.IsNotFound))
		Eventually(exposed(ctx)).Should(Equal(" : "))
		Expect(webhookURL(ctx, shop)).To(BeEmpty())
		staysSettled(ctx, op, shop)
	})

	It("says what is wrong with the certificate, and when time makes it so", func(ctx context.Context) {
		shop.Spec.Exposure.Ingress.TLSSecretName = "hooks-tls"
		created(ctx, shop)
		becomesReady(ctx, shop)
		hasAddress(ctx, shop)
		Eventually(exposed(ctx)).Should(And(HavePrefix("False CertificateInvalid: "), ContainSubstring(`Secret "hooks-tls"`),
			ContainSubstring("is missing")))
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hooks-tls"}, Type: corev1.SecretTypeTLS}
		now := time.Now()
		secret.Data = pairFor("other.example.com", now.Add(-time.Hour), now.Add(90*24*time.Hour))
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		Eventually(exposed(ctx)).Should(And(HavePrefix("False CertificateInvalid: "), ContainSubstring("not for "+hooks)))
		secret.Data = pairFor(hooks, now.Add(-time.Hour), now.Add(90*24*time.Hour))
		secret.Data[corev1.TLSPrivateKeyKey] = []byte("Hidden0Private0Key")
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		Eventually(exposed(ctx)).Should(And(HavePrefix("False CertificateInvalid: "), ContainSubstring(`Secret "hooks-tls"`),
			ContainSubstring("tls.key"), Not(ContainSubstring("Hidden"))))
		secret.Data = pairFor(hooks, now.AddDate(0, -3, 0), time.Now().Add(14*24*time.Hour+10*time.Second))
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		Eventually(exposed(ctx)).Should(HavePrefix("True Exposed: "))
		Eventually(exposed(ctx)).Should(HavePrefix("True CertificateExpiring: "), "14 days are left in a moment")
		staysSettled(ctx, op, shop)
		watch.put(15 * 24 * time.Hour)
		op.forcePass(ctx, shop)
		Eventually(exposed(ctx)).Should(And(HavePrefix("False CertificateInvalid: "), ContainSubstring("ended on")))
		Expect(readyCondition(ctx, shop)).To(beTrue, "Ready does not depend on it")
		staysSettled(ctx, op, shop)
		Expect(op.log.lines("Hidden0Private0Key")).To(BeEmpty())
	})

	It("takes over no foreign Ingress, and the connector runs without it", func(ctx context.Context) {
		foreign := &networkingv1.Ingress{Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "other.example.com"}}}}
		foreign.Namespace, foreign.Name = namespace, childKey(shop).Name
		Expect(k8s.Create(ctx, foreign)).To(Succeed())
		created(ctx, shop)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(nameTaken("Ingress", "was not made by the operator"))
		Eventually(exposed(ctx)).Should(HavePrefix("Unknown NotWritten: "))
		Expect(say(ctx, shop, rolledOut)).To(Succeed(), "the Deployment is there")
		release(ctx, foreign)
		Eventually(pathsOf).WithArguments(ctx, shop).Should(HaveLen(1))
		becomesReady(ctx, shop)
	})
})

var _ = Describe("Two resources with one address", func() {
	It("leave it to the older one, of any namespace, for as long as that declares it", func(ctx context.Context) {
		one, two := newNamespace(ctx), newNamespace(ctx)
		newSecrets(ctx, one)
		newSecrets(ctx, two)
		op := startOperator("", func(s *setup) { s.Namespaces = []string{one, two} })
		older, younger := newConnector(two, "older"), newConnector(one, "younger")
		for _, c := range []*v1alpha1.ChannelConnector{older, younger} {
			c.Spec.Exposure = ingressOf(hooks)
			c.Spec.ZaloOA.DomainVerification = &v1alpha1.DomainVerification{Codes: []string{c.Name}}
		}
		created(ctx, older)
		aSecondPasses(older.CreationTimestamp)
		created(ctx, younger)
		becomesReady(ctx, older)
		becomesReady(ctx, younger)
		hasAddress(ctx, older)
		exposed := func(c *v1alpha1.ChannelConnector) func() string { return func() string { return exposureOf(ctx, c) } }
		Eventually(exposed(younger)).Should(And(HavePrefix("False PathTaken: "), ContainSubstring(hooks+calledPath),
			ContainSubstring(`"older" of namespace "`+two+`"`)))
		Eventually(exposed(older)).Should(HavePrefix("True Exposed: "))
		Expect(pathsOf(ctx, younger)).To(BeEmpty())
		Expect(webhookURL(ctx, younger)).To(BeEmpty(), "it would be the other's")
		staysSettled(ctx, op, older, younger)

		By("sharing the host with a path of its own")
		updated(ctx, younger, func(c *v1alpha1.ChannelConnector) { c.Spec.Webhook.Path = "/second" })
		Eventually(pathsOf).WithArguments(ctx, younger).Should(Equal([]string{hooks + "/second", hooks + "/zalo_verifieryounger.html"}))
		hasAddress(ctx, younger)
		Eventually(exposed(younger)).Should(And(HavePrefix("True Exposed: "), ContainSubstring(hooks+"/, which ChannelConnector")))
		staysSettled(ctx, op, older, younger)

		By("an older one that declares the address later")
		updated(ctx, older, func(c *v1alpha1.ChannelConnector) { c.Spec.Webhook.Path = "/second" })
		Eventually(exposed(younger)).Should(HavePrefix("False PathTaken: "))
		Eventually(pathsOf).WithArguments(ctx, younger).Should(BeEmpty())
		staysSettled(ctx, op, older, younger)

		By("the older one's end")
		Expect(k8s.Delete(ctx, older)).To(Succeed())
		Eventually(pathsOf).WithArguments(ctx, younger).Should(HaveLen(3))
		hasAddress(ctx, younger)
		Eventually(exposed(younger)).Should(HavePrefix("True Exposed: "))
		Eventually(webhookURL).WithArguments(ctx, younger).Should(HavePrefix("https://" + hooks + "/second?"))
	})
})
