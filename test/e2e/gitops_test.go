//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/health"
)

// definition is the CustomResourceDefinition, to be applied without an operator.
const definition = "config/crd/bases/xbot.a4b.vn_channelconnectors.yaml"

// repeatable are ways to install an operator that may be repeated.
var repeatable = []struct {
	way, namespace string
	begin          func(context.Context) (repeat func(context.Context))
}{
	{way: "helm upgrade", namespace: operatorNamespace, begin: func(context.Context) func(context.Context) {
		return func(ctx context.Context) { installOperator(ctx, version) }
	}},
	{way: "kubectl apply -k", namespace: "xbot-system", begin: func(ctx context.Context) func(context.Context) {
		removeOperator(ctx)
		overlay := writeOverlay()
		DeferCleanup(func(ctx context.Context) { kubectl(ctx, "delete", "-k", overlay, "--wait") })
		return func(ctx context.Context) {
			kubectl(ctx, "apply", "-k", overlay)
			kubectl(ctx, "rollout", "status", "deployment", "--namespace", "xbot-system", "--timeout=2m")
			Expect(kubectl(ctx, "diff", "-k", overlay)).To(BeEmpty())
		}
	}},
}

var _ = Describe("What is applied again", func() {
	for _, r := range repeatable {
		It("changes nothing, with an operator by "+r.way, func(ctx context.Context) {
			install := r.begin(ctx)
			install(ctx)
			var all []string // the options of kubectl apply and kubectl diff, each with a file
			namespaces, channels := []string{r.namespace}, []*channel{}
			for _, option := range []string{"--server-side=false", "--server-side"} {
				c, manifest := writeChannel(ctx)
				kubectl(ctx, "apply", option, "-f", manifest)
				all, namespaces, channels = append(all, option+" -f "+manifest), append(namespaces, c.Namespace), append(channels, c)
			}
			for _, c := range channels {
				c.becomesReady(ctx)
			}
			since := time.Now()
			for _, c := range channels { // the first look at its traffic
				c.tells(ctx, v1alpha1.ConditionReceiving, metav1.ConditionFalse, "NoCallYet", since)
			}
			before := settled(ctx, namespaces)

			install(ctx)
			for _, options := range all {
				kubectl(ctx, append([]string{"apply"}, strings.Fields(options)...)...)
				Expect(kubectl(ctx, append([]string{"diff"}, strings.Fields(options)...)...)).To(BeEmpty())
			}
			changed := func() string { return cmp.Diff(before, versions(ctx, namespaces)) }
			Consistently(changed).WithTimeout(3 * time.Second).Should(BeEmpty())
		}, SpecTimeout(5*time.Minute))
	}
})

// writeChannel writes a channel and its Secrets into a file, as a repository has them.
func writeChannel(ctx context.Context, change ...func(*declaration)) (c *channel, manifest string) {
	GinkgoHelper()
	c, declared := prepareChannel(ctx)
	for _, f := range change {
		f(declared)
	}
	zalo, xbot := c.secrets()
	manifest = filepath.Join(GinkgoT().TempDir(), "shop.yaml")
	writeYAML(manifest, declared, zalo, xbot)
	return c, manifest
}

// versions lists the resourceVersions of declared objects and of those that follow from them, in some namespaces and
// the whole cluster. Helm keeps its releases in Secrets.
func versions(ctx context.Context, namespaces []string) string {
	GinkgoHelper()
	const each = `--output=jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`
	all := kubectl(ctx, "get", "customresourcedefinitions,clusterroles,clusterrolebindings", each)
	for _, namespace := range namespaces {
		all += "\n" + kubectl(ctx, "get", "channelconnectors,configmaps,deployments,replicasets,pods,services,serviceaccounts,"+
			"persistentvolumeclaims,roles,rolebindings,poddisruptionbudgets,networkpolicies", "--namespace", namespace, each)
		all += "\n" + kubectl(ctx, "get", "secrets", "--field-selector=type!=helm.sh/release.v1", "--namespace", namespace, each)
	}
	return all
}

// settled returns the versions once they no longer change.
func settled(ctx context.Context, namespaces []string) (last string) {
	GinkgoHelper()
	Eventually(func() bool {
		before := last
		last = versions(ctx, namespaces)
		return last == before
	}).WithPolling(time.Second).Should(BeTrue())
	return last
}

var _ = Describe("A channel becomes Ready in whatever order things come", func() {
	It("itself before its Secrets", func(ctx context.Context) {
		installOperator(ctx, version)
		c, declared := prepareChannel(ctx)
		Expect(k8s.Apply(ctx, declared, client.FieldOwner("kubectl"))).To(Succeed())
		Eventually(c.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionStalled).Should(HaveField("Reason", "SecretNotFound"))
		c.writeKeys(ctx)
		c.becomesReady(ctx)
	}, SpecTimeout(5*time.Minute))

	It("the definition and itself before the operator", func(ctx context.Context) {
		removeOperator(ctx)
		applyDefinition(ctx, definition)
		c := declareChannel(ctx)
		Expect(healthOf(ctx, c)).To(Equal(progressing), "nobody has looked at it")
		installOperator(ctx, version, "--set", "crds.enabled=false")
		c.becomesReady(ctx)
	}, SpecTimeout(5*time.Minute))

	It("the operator before the definition, which is then deleted and made again", func(ctx context.Context) {
		removeOperator(ctx)
		installOperator(ctx, version, "--set", "crds.enabled=false", "--wait=false")
		Eventually(operatorLog).WithContext(ctx).
			Should(ContainElement(ContainSubstring("no CustomResourceDefinition of the ChannelConnector: apply")))
		applyDefinition(ctx, definition)
		c, manifest := writeChannel(ctx)
		kubectl(ctx, "apply", "-f", manifest)
		c.becomesReady(ctx)
		kubectl(ctx, "delete", "-f", definition)
		Eventually(c.pods).WithContext(ctx).Should(BeEmpty())
		applyDefinition(ctx, definition)
		kubectl(ctx, "apply", "-f", manifest)
		c.becomesReady(ctx)
		c.takesTheExample(ctx)
	}, SpecTimeout(5*time.Minute))

	It("its namespace deleted and made again", func(ctx context.Context) {
		installOperator(ctx, version)
		c, manifest := writeChannel(ctx)
		kubectl(ctx, "apply", "-f", manifest)
		c.becomesReady(ctx)
		kubectl(ctx, "delete", "namespace", c.Namespace)
		Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Namespace}})).To(Succeed())
		kubectl(ctx, "apply", "-f", manifest)
		c.becomesReady(ctx)
		c.takesTheExample(ctx)
	}, SpecTimeout(5*time.Minute))
})

// applyDefinition applies a definition without Helm, waits until it is served, and removes it after the spec.
func applyDefinition(ctx context.Context, definition string) {
	GinkgoHelper()
	kubectl(ctx, "apply", "-f", definition)
	Eventually(k8s.List).WithContext(ctx).WithArguments(&v1alpha1.ChannelConnectorList{}).Should(Succeed())
	DeferCleanup(func(ctx context.Context) { kubectl(ctx, "delete", "--ignore-not-found", "-f", definition) })
}

// healths are the judgements of Argo CD, Flux and kubectl on a channel.
type healths struct {
	ArgoCD, Flux string
	Waits        bool
}

var (
	progressing = healths{ArgoCD: "Progressing", Flux: "InProgress", Waits: true}
	ready       = healths{ArgoCD: "Healthy", Flux: "Current"}
	stalled     = healths{ArgoCD: "Degraded", Flux: "Failed", Waits: true}
)

func healthOf(ctx context.Context, c *channel) (healths, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ChannelConnector"))
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(c.ChannelConnector), object); err != nil {
		return healths{}, err
	}
	argo, err := health.ArgoCD(object)
	if err != nil {
		return healths{}, err
	}
	flux, err := health.Flux(object)
	waited := tryKubectl(ctx, "wait", "--for=condition=Ready", "chc/"+c.Name, "--namespace", c.Namespace, "--timeout=0")
	return healths{ArgoCD: argo.Status, Flux: flux.Status, Waits: !strings.Contains(waited, "condition met")}, err
}

var _ = Describe("Argo CD, Flux and kubectl wait", func() {
	It("agree on a channel from its beginning to its end", func(ctx context.Context) {
		installOperator(ctx, version)
		c := declareChannel(ctx, ephemeral, func(c *declaration) {
			c.Spec.WithWorkload(v1alpha1ac.Workload().WithNodeSelector(map[string]v1alpha1.LabelValue{"e2e": "nowhere"}))
		})
		now := func() (healths, error) { return healthOf(ctx, c) }
		Eventually(c.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionReconciling).Should(HaveField("Reason", "Unschedulable"))
		Expect(now()).To(Equal(progressing))

		c.patch(ctx, `{"spec":{"workload":{"nodeSelector":null}}}`)
		Eventually(now).Should(Equal(ready))

		kubectl(ctx, "delete", "secret", "shop-zalo", "--namespace", c.Namespace)
		Eventually(now).Should(Equal(stalled))

		c.patch(ctx, `{"metadata":{"finalizers":["e2e.test/hold"]}}`)
		Expect(k8s.Delete(ctx, c.ChannelConnector)).To(Succeed())
		Expect(now()).To(Equal(healths{ArgoCD: "Progressing", Flux: "Terminating", Waits: true}))
		c.patch(ctx, `{"metadata":{"finalizers":null}}`)
		Eventually(func() error {
			return k8s.Get(ctx, client.ObjectKeyFromObject(c.ChannelConnector), c.ChannelConnector)
		}).Should(MatchError(apierrors.IsNotFound, "not found"))
	}, SpecTimeout(5*time.Minute))

	It("take the check as docs/gitops.md adds it to what Argo CD has", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		const key = "resource.customizations.health.xbot.a4b.vn_ChannelConnector"
		file := "config/argocd/resource_customizations/xbot.a4b.vn/ChannelConnector/health.lua"
		kubectl(ctx, "create", "configmap", "argocd-cm", "--namespace", namespace, "--from-literal=url=https://argocd.example.com")
		patch := filepath.Join(GinkgoT().TempDir(), "argocd-cm.yaml")
		Expect(os.WriteFile(patch, []byte(kubectl(ctx, "create", "configmap", "argocd-cm", "--namespace", namespace,
			"--dry-run=client", "--output=yaml", "--from-file="+key+"="+file)), 0o600)).To(Succeed())
		kubectl(ctx, "apply", "--server-side", "--field-manager=channel-connector", "-f", patch)
		configMap := &corev1.ConfigMap{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "argocd-cm"}, configMap)).To(Succeed())
		Expect(configMap.Data).To(HaveLen(2))
	}, SpecTimeout(time.Minute))
})
