package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

var _ = Describe("A settled resource causes no write", func() {
	var (
		namespace string
		all       []*v1alpha1.ChannelConnector
		op        *operator
	)
	// Three of them: the smallest, one with a generated API key, and one that declares everything.
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		newSinkSecrets(ctx, namespace)
		generated := newConnector(namespace, "generated")
		generated.Spec.Webhook.APIKeys = nil
		all = []*v1alpha1.ChannelConnector{newConnector(namespace, "smallest"), generated, fullConnector(namespace, "full")}
		op = startOperator(namespace)
		for _, c := range all {
			created(ctx, c)
			becomesReady(ctx, c)
			newPod(ctx, c)
		}
	})

	It("in 100 forced reconciliations", func(ctx context.Context) {
		writes := settle(op)
		before := op.passes.total()
		for n := range 100 {
			op.forcePass(ctx, all[n%len(all)])
		}
		Expect(op.passes.total()).To(BeNumerically(">=", before+100))
		Expect(op.writes.Load()).To(Equal(writes), "%v", op.written())
	})

	It("when Secrets and children are written by others who change nothing that is wanted", func(ctx context.Context) {
		writes := settle(op)
		for _, c := range all {
			for _, object := range childKinds() {
				if k8s.Get(ctx, childKey(c), object) == nil {
					annotated(ctx, object, map[string]string{"example.com/seen-by": "another"})
				}
			}
			annotated(ctx, c.DeepCopy(), map[string]string{"example.com/seen-by": "another"})
		}
		for _, name := range []string{"shop-zalo", "shop-xbot", "bot"} {
			annotated(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}},
				map[string]string{"example.com/seen-by": "another"})
		}
		for _, c := range all {
			becomesReady(ctx, c)
		}
		Expect(settle(op)).To(Equal(writes), "%v", op.written())
	})

	It("after a restart of the operator, with resyncs of its caches", func(ctx context.Context) {
		settle(op)
		op.stop()
		op = startOperator(namespace, func(s *setup) {
			s.manage = func(o *ctrl.Options) { o.Cache.SyncPeriod = new(2 * time.Second) }
		})
		Eventually(op.passes.total).Should(BeNumerically(">=", 2*len(all)))
		Expect(op.writes.Load()).To(BeZero(), "%v", op.written())
	})

	It("once a rotation was told to its pods", func(ctx context.Context) {
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}},
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		for _, c := range all {
			Eventually(touchesOf).WithArguments(ctx, c).Should(ConsistOf(HaveSuffix("-3")))
		}
		staysSettled(ctx, op, all...)
	})
})

// fullConnector declares everything that there is to declare, before it is created.
func fullConnector(namespace, name string) *v1alpha1.ChannelConnector {
	c := newConnector(namespace, name)
	c.Spec.ZaloOA.OfficialAccounts = []v1alpha1.OfficialAccount{{ID: "3662729599332560487", DisplayName: "Shop Hà Nội"}}
	c.Spec.ZaloOA.DomainVerification = &v1alpha1.DomainVerification{Codes: []string{"AbCdEf"}}
	c.Spec.Webhook.Events = v1alpha1.EventFilter{Include: []string{"*"}, Exclude: []string{"oa_send_*"}}
	c.Spec.Webhook.MaxBodySize = resource.MustParse("1024Ki")
	c.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{Size: resource.MustParse("1024Mi"), StorageClassName: "fast"}
	c.Spec.Sink.HTTP = &v1alpha1.HTTPSink{
		URL:     "https://bot.chat.svc/events",
		Headers: []v1alpha1.Header{{Name: "Authorization", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "bot", Key: "authorization"}}},
		TLS: &v1alpha1.SinkTLS{
			CASecretKeyRef:             &v1alpha1.SecretKeyRef{Name: "bot-tls", Key: "tls.crt"},
			ClientCertificateSecretRef: &v1alpha1.SecretRef{Name: "bot-tls"},
		},
		SigningSecretKeyRef: &v1alpha1.SecretKeyRef{Name: "bot", Key: "signing"},
	}
	c.Spec.Exposure = &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{
		Host: "full.example.com", ClassName: "nginx", TLSSecretName: "bot-tls",
		Annotations: map[string]v1alpha1.AnnotationValue{"example.com/issuer": "public"},
	}}
	c.Spec.Workload = v1alpha1.Workload{
		Resources: &v1alpha1.Resources{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.1"), corev1.ResourceMemory: resource.MustParse("131072Ki")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000m"), corev1.ResourceMemory: resource.MustParse("1024Mi")},
		},
		NodeSelector: map[string]v1alpha1.LabelValue{"kubernetes.io/arch": "amd64", "example.com/empty": ""},
		Tolerations: []corev1.Toleration{
			{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
			{Key: "chat", Value: "yes", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(0))},
		},
		Affinity: apart(),
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: "topology.kubernetes.io/zone", WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{},
		}},
		PodLabels:                     map[string]v1alpha1.LabelValue{"team": "chat", "example.com/empty": ""},
		PodAnnotations:                map[string]v1alpha1.AnnotationValue{"prometheus.io/scrape": "true", "example.com/empty": ""},
		ServiceAccountName:            "shop",
		ImagePullSecrets:              []v1alpha1.SecretRef{{Name: "registry"}, {Name: "another"}},
		TerminationGracePeriodSeconds: 60,
	}
	return c
}

// touchesOf returns what a resource's pods were told.
func touchesOf(ctx context.Context, c *v1alpha1.ChannelConnector) ([]string, error) {
	pods := &corev1.PodList{}
	err := k8s.List(ctx, pods, client.InNamespace(c.Namespace), client.MatchingLabels(deploymentOf(ctx, c).Spec.Selector.MatchLabels))
	var touches []string
	for i := range pods.Items {
		touches = append(touches, pods.Items[i].Annotations["xbot.a4b.vn/config-touched"])
	}
	return touches, err
}
