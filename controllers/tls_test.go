package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

// fileOf is a file of a resource's configuration.
func fileOf(ctx context.Context, c *v1alpha1.ChannelConnector, name string) string {
	secret := &corev1.Secret{}
	if k8s.Get(ctx, childKey(c), secret) != nil {
		return ""
	}
	return string(secret.Data[name]) + "\n"
}

// portsOf are those of a resource's Service.
func portsOf(ctx context.Context, c *v1alpha1.ChannelConnector) (ports []int32) {
	service := &corev1.Service{}
	_ = k8s.Get(ctx, childKey(c), service)
	for _, port := range service.Spec.Ports {
		ports = append(ports, port.Port)
	}
	return ports
}

// addressOf is where a resource is reached, as its status says.
func addressOf(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	live := &v1alpha1.ChannelConnector{}
	if k8s.Get(ctx, client.ObjectKeyFromObject(c), live) != nil || live.Status.Address == nil {
		return ""
	}
	return live.Status.Address.URL
}

var _ = Describe("Certificates", func() {
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
	})
	pair := func() (*corev1.Secret, string) {
		certificate, key := newCertificate()
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-tls"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
		}, string(certificate)
	}

	It("of the webhook are awaited by a new connector, and rotate without a new pod", func(ctx context.Context) {
		shop.Spec.Workload.TLS = &v1alpha1.WorkloadTLS{SecretName: "shop-tls"}
		created(ctx, shop)
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionCredentialsResolved).Should(
			conditionIs("False", "SecretNotFound", `Secret "shop-tls" does not exist (spec.workload.tls.secretName)`, "a new one does not start"))
		Expect(apierrors.IsNotFound(k8s.Get(ctx, childKey(shop), &appsv1.Deployment{}))).To(BeTrue(), "a connector without a pair")
		staysSettled(ctx, op, shop)

		secret, first := pair()
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		becomesReady(ctx, shop)
		Expect(fileOf(ctx, shop, render.FileCertificate)).To(Equal(first))
		Expect(portsOf(ctx, shop)).To(ConsistOf(int32(443)))
		Expect(addressOf(ctx, shop)).To(HavePrefix("https://"))
		generation := deploymentOf(ctx, shop).Generation

		renewed, second := pair()
		Expect(k8s.Update(ctx, renewed)).To(Succeed())
		Eventually(fileOf).WithArguments(ctx, shop, render.FileCertificate).Should(Equal(second))
		Expect(k8s.Delete(ctx, renewed)).To(Succeed())
		stalled(ctx, shop, "SecretNotFound", `Secret "shop-tls" does not exist (spec.workload.tls.secretName): `+
			`create it with the key "tls.crt", `+
			`or correct the reference. Meanwhile the last good one stays in use. Secret "shop-tls" does not exist `+
			`(spec.workload.tls.secretName): create it with the key "tls.key", or correct the reference. Meanwhile the last good one stays in use`)
		Expect(fileOf(ctx, shop, render.FileCertificate)).To(Equal(second))
		Expect(portsOf(ctx, shop)).To(ConsistOf(int32(443)))
		Expect(deploymentOf(ctx, shop).Generation).To(Equal(generation), "a new pod")
		staysSettled(ctx, op, shop)
	})

	It("of the webhook tell of their end when it is near, also without an exposure", func(ctx context.Context) {
		secret, _ := pair()
		const fortnight = 14 * 24 * time.Hour
		until := func(left time.Duration) map[string][]byte {
			crt, key := certificate.Between(GinkgoTB(), time.Now().Add(-6*fortnight), time.Now().Add(left))
			return map[string][]byte{corev1.TLSCertKey: []byte(crt), corev1.TLSPrivateKeyKey: []byte(key)}
		}
		resolved := func(ctx context.Context) *metav1.Condition {
			return condition(ctx, shop, v1alpha1.ConditionCredentialsResolved)
		}
		secret.Data = until(fortnight + 12*time.Second)
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		shop.Spec.Workload.TLS = &v1alpha1.WorkloadTLS{SecretName: "shop-tls"}
		created(ctx, shop)
		Eventually(resolved).WithArguments(ctx).Should(conditionIs("True", "Resolved"))
		Eventually(resolved).WithArguments(ctx).Should(conditionIs("True", "ResolvedWithWarnings",
			`Secret "shop-tls", key "tls.crt" (spec.workload.tls.secretName) ends at `), "no event tells of it")
		staysSettled(ctx, op, shop)

		secret.Data = until(-time.Hour)
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		Eventually(resolved).WithArguments(ctx).Should(conditionIs("True", "ResolvedWithWarnings", "expired at "))

		By("in one condition, if there is an exposure")
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Exposure = ingressOf("shop.example.org") })
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionExposed).Should(conditionIs("Unknown", "Pending"))
		Expect(condition(ctx, shop, v1alpha1.ConditionExposed).Message).NotTo(ContainSubstring("shop-tls"))
		Expect(resolved(ctx)).To(conditionIs("True", "ResolvedWithWarnings", "expired at "))
		staysSettled(ctx, op, shop)
	})

	It("of the webhook that are yet to come leave a running connector as it is, but for its keys", func(ctx context.Context) {
		created(ctx, shop)
		becomesReady(ctx, shop)
		before := deploymentOf(ctx, shop).Spec.Template
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Workload.TLS = &v1alpha1.WorkloadTLS{SecretName: "shop-tls"}
		})
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionReady).Should(
			conditionIs("False", "SecretNotFound", "goes on with plain HTTP"))
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}},
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(And(
			ContainSubstring("Hidden0SecretKey9OA"), Not(ContainSubstring("Hidden0SecretKey0OA"))))
		Expect(portsOf(ctx, shop)).To(ConsistOf(int32(80)))
		Expect(addressOf(ctx, shop)).To(HavePrefix("http://"))
		Expect(deploymentOf(ctx, shop).Spec.Template).To(Equal(before))
		staysSettled(ctx, op, shop)

		secret, first := pair()
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		Eventually(portsOf).WithArguments(ctx, shop).Should(ConsistOf(int32(443)))
		Eventually(func() corev1.PodTemplateSpec { return deploymentOf(ctx, shop).Spec.Template }).ShouldNot(Equal(before))
		becomesReady(ctx, shop)
		Expect(fileOf(ctx, shop, render.FileCertificate)).To(Equal(first))
		Expect(addressOf(ctx, shop)).To(HavePrefix("https://"))
		Expect(condition(ctx, shop, v1alpha1.ConditionUpdatePending).Reason).To(BeEmpty())
	})

	It("of authorities come from a ConfigMap, too", func(ctx context.Context) {
		first, _ := newCertificate()
		bundle := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "company-ca"}, Data: map[string]string{"bundle.crt": string(first)},
		}
		Expect(k8s.Create(ctx, bundle)).To(Succeed())
		shop.Spec.Sink.HTTP.URL = "https://bot.chat.svc/events"
		shop.Spec.Sink.HTTP.TLS = &v1alpha1.SinkTLS{CAConfigMapKeyRef: &v1alpha1.ConfigMapKeyRef{Name: "company-ca", Key: "bundle.crt"}}
		created(ctx, shop)
		becomesReady(ctx, shop)
		Expect(fileOf(ctx, shop, "sink-ca.crt")).To(Equal(string(first)))
		generation := deploymentOf(ctx, shop).Generation

		second, _ := newCertificate()
		bundle.Data, bundle.BinaryData = nil, map[string][]byte{"bundle.crt": second}
		Expect(k8s.Update(ctx, bundle)).To(Succeed())
		Eventually(fileOf).WithArguments(ctx, shop, "sink-ca.crt").Should(Equal(string(second)))
		bundle.BinaryData = nil
		Expect(k8s.Update(ctx, bundle)).To(Succeed())
		stalled(ctx, shop, "ConfigMapKeyNotFound", `ConfigMap "company-ca" has no key "bundle.crt" (spec.sink.http.tls.caConfigMapKeyRef): `+
			`add the key, or correct the reference. Meanwhile the last good one stays in use`)
		Expect(fileOf(ctx, shop, "sink-ca.crt")).To(Equal(string(second)))
		staysSettled(ctx, op, shop)

		bundle.Data = map[string]string{"bundle.crt": string(first)}
		Expect(k8s.Update(ctx, bundle)).To(Succeed())
		becomesReady(ctx, shop)
		Expect(fileOf(ctx, shop, "sink-ca.crt")).To(Equal(string(first)))
		Expect(deploymentOf(ctx, shop).Generation).To(Equal(generation), "a new pod")
		Expect(op.log.lines("ERROR")).To(BeEmpty())
	})
})
