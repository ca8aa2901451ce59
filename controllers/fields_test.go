package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// A change of a field reaches either the configuration, which the running pod takes, or the pod template, which
// replaces the pod.
const (
	rolls   = true
	staysUp = false
)

var _ = Describe("A change of the spec", Ordered, ContinueOnFailure, func() {
	var (
		namespace string
		op        *operator
		entries   int
		changed   []*v1alpha1.ChannelConnector
	)
	BeforeAll(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		newSinkSecrets(ctx, namespace)
		op = startOperator(namespace)
	})

	DescribeTable("of", func(ctx context.Context, roll bool, reaches string, change func(*v1alpha1.ChannelConnectorSpec)) {
		entries++
		shop := newConnector(namespace, fmt.Sprintf("shop-%d", entries))
		shop.Spec.Sink.HTTP.URL = "https://bot.chat.svc/events"
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		before := deploymentOf(ctx, shop)
		Expect(configOf(ctx, shop)+templateOf(before)).NotTo(ContainSubstring(reaches), "the spec would show nothing")

		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { change(&c.Spec) })
		Eventually(func() string { return configOf(ctx, shop) + templateOf(deploymentOf(ctx, shop)) }).Should(ContainSubstring(reaches))
		Eventually(observedGeneration).WithArguments(ctx, shop).Should(Equal(shop.Generation))
		if roll {
			Expect(templateOf(deploymentOf(ctx, shop))).NotTo(Equal(templateOf(before)))
			Expect(readyCondition(ctx, shop).Reason).To(Equal("RollingOut"))
		} else {
			Expect(deploymentOf(ctx, shop).Spec).To(Equal(before.Spec))
		}
		becomesReady(ctx, shop)
		if !roll {
			Eventually(readiness).WithArguments(namespace, shop.Name).Should(onceReady, "it never stopped to be Ready")
		}
		changed = append(changed, shop)
	},
		Entry("zaloOA.appID", staysUp, `appID: "42"`, func(s *v1alpha1.ChannelConnectorSpec) { s.ZaloOA.AppID = "42" }),
		Entry("zaloOA.signature.mode", staysUp, "mode: Audit", func(s *v1alpha1.ChannelConnectorSpec) {
			s.ZaloOA.Signature.Mode = v1alpha1.SignatureAudit
		}),
		Entry("zaloOA.signature.secretKeyRefs", staysUp, "Hidden0SecretKey1OA", func(s *v1alpha1.ChannelConnectorSpec) {
			s.ZaloOA.Signature.SecretKeyRefs = append(s.ZaloOA.Signature.SecretKeyRefs, v1alpha1.SecretKeyRef{Name: "shop-zalo", Key: "next"})
		}),
		Entry("zaloOA.officialAccounts", staysUp, "Shop Hà Nội", func(s *v1alpha1.ChannelConnectorSpec) {
			s.ZaloOA.OfficialAccounts = []v1alpha1.OfficialAccount{{ID: "3662729599332560487", DisplayName: "Shop Hà Nội"}}
		}),
		Entry("zaloOA.domainVerification", staysUp, "AbCdEf", func(s *v1alpha1.ChannelConnectorSpec) {
			s.ZaloOA.DomainVerification = &v1alpha1.DomainVerification{Codes: []string{"AbCdEf"}}
		}),
		Entry("webhook.path", staysUp, "path: /another", func(s *v1alpha1.ChannelConnectorSpec) { s.Webhook.Path = "/another" }),
		Entry("webhook.apiKeys", staysUp, "name: second", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Webhook.APIKeys = append(s.Webhook.APIKeys,
				v1alpha1.APIKey{Name: "second", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "shop-xbot", Key: "next"}})
		}),
		Entry("webhook.maxBodySize", staysUp, `maxBodySize: "2097152"`,
			func(s *v1alpha1.ChannelConnectorSpec) { s.Webhook.MaxBodySize = resource.MustParse("2Mi") }),
		Entry("webhook.maxHeaderSize", rolls, `maxHeaderSize: "16384"`,
			func(s *v1alpha1.ChannelConnectorSpec) { s.Webhook.MaxHeaderSize = resource.MustParse("16Ki") }),
		Entry("webhook.maxHeaderLines", rolls, "maxHeaderLines: 200", func(s *v1alpha1.ChannelConnectorSpec) { s.Webhook.MaxHeaderLines = 200 }),
		Entry("webhook.maxConnections", rolls, "maxConnections: 512", func(s *v1alpha1.ChannelConnectorSpec) { s.Webhook.MaxConnections = 512 }),
		Entry("webhook.events.include", staysUp, "user_send_*", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Webhook.Events.Include = []string{"user_send_*"}
		}),
		Entry("webhook.events.exclude", staysUp, "oa_send_*", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Webhook.Events.Exclude = []string{"oa_send_*"}
		}),
		Entry("inbox.deduplicationWindow", rolls, "deduplicationWindow: 48h0m0s", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Inbox.DeduplicationWindow = &metav1.Duration{Duration: 48 * time.Hour}
		}),
		Entry("sink.http.url", staysUp, "other.chat.svc", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Sink.HTTP.URL = "http://other.chat.svc/events"
		}),
		Entry("sink.http.timeout", staysUp, "timeout: 7s", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Sink.HTTP.Timeout = metav1.Duration{Duration: 7 * time.Second}
		}),
		Entry("sink.http.headers", staysUp, "Bearer hidden", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Sink.HTTP.Headers = []v1alpha1.Header{{Name: "Authorization", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "bot", Key: "authorization"}}}
		}),
		Entry("sink.http.tls.caSecretKeyRef", staysUp, "sink-ca.crt", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Sink.HTTP.TLS = &v1alpha1.SinkTLS{CASecretKeyRef: &v1alpha1.SecretKeyRef{Name: "bot-tls", Key: "tls.crt"}}
		}),
		Entry("sink.http.tls.clientCertificateSecretRef", staysUp, "sink-client.key", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Sink.HTTP.TLS = &v1alpha1.SinkTLS{ClientCertificateSecretRef: &v1alpha1.SecretRef{Name: "bot-tls"}}
		}),
		Entry("sink.http.signingSecretKeyRef", staysUp, "whsec_", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Sink.HTTP.SigningSecretKeyRef = &v1alpha1.SecretKeyRef{Name: "bot", Key: "signing"}
		}),
		Entry("delivery.paused", staysUp, "paused: true", func(s *v1alpha1.ChannelConnectorSpec) { s.Delivery.Paused = true }),
		Entry("delivery.ordering", staysUp, "ordering: Unordered", func(s *v1alpha1.ChannelConnectorSpec) { s.Delivery.Ordering = "Unordered" }),
		Entry("delivery.concurrency", staysUp, "concurrency: 65", func(s *v1alpha1.ChannelConnectorSpec) { s.Delivery.Concurrency = 65 }),
		Entry("delivery.retry.initialBackoff", staysUp, "initialBackoff: 2s", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Delivery.Retry.InitialBackoff = metav1.Duration{Duration: 2 * time.Second}
		}),
		Entry("delivery.retry.maxBackoff", staysUp, "maxBackoff: 6m0s", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Delivery.Retry.MaxBackoff = metav1.Duration{Duration: 6 * time.Minute}
		}),
		Entry("delivery.retry.maxAge", staysUp, "maxAge: 25h0m0s", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Delivery.Retry.MaxAge = metav1.Duration{Duration: 25 * time.Hour}
		}),
		Entry("delivery.deadLetterRetention", staysUp, "deadLetterRetention: 24h0m0s", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Delivery.DeadLetterRetention = metav1.Duration{Duration: 24 * time.Hour}
		}),
		Entry("workload.resources.requests", rolls, `"cpu":"75m"`, func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.Resources = &v1alpha1.Resources{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("75m")}}
		}),
		Entry("workload.resources.limits", rolls, `"memory":"1Gi"`, func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.Resources = &v1alpha1.Resources{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1024Mi")}}
		}),
		Entry("workload.nodeSelector", rolls, "kubernetes.io/arch", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.NodeSelector = map[string]v1alpha1.LabelValue{"kubernetes.io/arch": "amd64"}
		}),
		Entry("workload.tolerations", rolls, "tolerations", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.Tolerations = []corev1.Toleration{{Key: "chat", Operator: corev1.TolerationOpExists}}
		}),
		Entry("workload.affinity", rolls, "podAntiAffinity", func(s *v1alpha1.ChannelConnectorSpec) { s.Workload.Affinity = apart() }),
		Entry("workload.topologySpreadConstraints", rolls, "topologySpreadConstraints", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: "topology.kubernetes.io/zone", WhenUnsatisfiable: corev1.ScheduleAnyway,
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "chat"}},
			}}
		}),
		Entry("workload.podLabels", rolls, `"team":"chat"`, func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.PodLabels = map[string]v1alpha1.LabelValue{"team": "chat", marks.LabelManagedBy: "not-me"}
		}),
		Entry("workload.podAnnotations", rolls, "prometheus.io/scrape", func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.PodAnnotations = map[string]v1alpha1.AnnotationValue{"prometheus.io/scrape": "true", "example.com/empty": ""}
		}),
		Entry("workload.serviceAccountName", rolls, `"serviceAccountName":"shop"`,
			func(s *v1alpha1.ChannelConnectorSpec) { s.Workload.ServiceAccountName = "shop" }),
		Entry("workload.imagePullSecrets", rolls, `"imagePullSecrets":[{"name":"registry"}]`, func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.ImagePullSecrets = []v1alpha1.SecretRef{{Name: "registry"}}
		}),
		Entry("workload.priorityClassName", rolls, "business-critical",
			func(s *v1alpha1.ChannelConnectorSpec) { s.Workload.PriorityClassName = "business-critical" }),
		Entry("workload.terminationGracePeriodSeconds", rolls, `"terminationGracePeriodSeconds":90`, func(s *v1alpha1.ChannelConnectorSpec) {
			s.Workload.TerminationGracePeriodSeconds = 90
		}),
		Entry("workload.logLevel", staysUp, "level: warn", func(s *v1alpha1.ChannelConnectorSpec) { s.Workload.LogLevel = v1alpha1.LogWarn }),
	)

	It("of any field leaves nothing to do", func(ctx context.Context) {
		staysSettled(ctx, op, changed...)
	})
})

// apart keeps pods on nodes of their own.
func apart() *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: corev1.PodAffinityTerm{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "chat"}},
			NamespaceSelector: &metav1.LabelSelector{},
		}}},
	}}
}

// configOf is everything in the Secret with a resource's configuration; empty while there is none.
func configOf(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	secret := &corev1.Secret{}
	if k8s.Get(ctx, childKey(c), secret) != nil {
		return ""
	}
	whole := string(secret.Data[render.FileName])
	for _, name := range slices.Sorted(maps.Keys(secret.Data)) {
		whole += "\n" + name
	}
	return whole
}

// templateOf is a Deployment's pod template in JSON.
func templateOf(d *appsv1.Deployment) string {
	GinkgoHelper()
	encoded, err := json.Marshal(d.Spec.Template)
	Expect(err).NotTo(HaveOccurred())
	return string(encoded)
}

func observedGeneration(ctx context.Context, c *v1alpha1.ChannelConnector) (int64, error) {
	live := &v1alpha1.ChannelConnector{}
	err := k8s.Get(ctx, client.ObjectKeyFromObject(c), live)
	return live.Status.ObservedGeneration, err
}
