//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

var _ = Describe("A Helm release with connectors", func() {
	const release = "chat"

	It("serves after one install, is tested, upgraded and rolled back, and leaves what docs/helm.md says", func(ctx context.Context) {
		removeOperator(ctx)
		c, declared := prepareChannel(ctx)
		c.writeKeys(ctx)
		second := newConnector(c.Namespace, c.bot.URL())
		second.Spec.Webhook.APIKeys = nil // it gets one of its own
		one := map[string]any{"name": c.Name, "spec": declared.Spec}
		other := map[string]any{"name": "second", "spec": second.Spec}
		connectors := func() []string { return namesOf(ctx, c.Namespace, &v1alpha1.ChannelConnectorList{}) }

		By("installing it")
		DeferCleanup(func(ctx context.Context) {
			helm(ctx, c.Namespace, "uninstall", release, "--ignore-not-found", "--wait", "--timeout=3m")
			kubectl(ctx, "delete", "crd", "channelconnectors.xbot.a4b.vn", "--ignore-not-found")
		})
		apply := func(verb string, connectors ...any) {
			values := filepath.Join(GinkgoT().TempDir(), "values.yaml")
			writeYAML(values, map[string]any{"connectors": connectors})
			helm(ctx, c.Namespace, slices.Concat([]string{verb, release, "--wait", "--timeout=3m", "--values", values}, chart(version))...)
		}
		apply("install", one, other)
		Expect(c.condition(ctx, v1alpha1.ConditionReady)).To(HaveField("Status", metav1.ConditionTrue), "Helm has waited")
		c.takesTheExample(ctx)
		helm(ctx, c.Namespace, "test", release)

		By("upgrading it to one connector")
		apply("upgrade", one)
		Expect(connectors()).To(ConsistOf(c.Name))
		Expect(c.condition(ctx, v1alpha1.ConditionReady)).To(HaveField("Status", metav1.ConditionTrue))

		By("rolling it back")
		helm(ctx, c.Namespace, "rollback", release, "1", "--wait", "--timeout=3m")
		Expect(connectors()).To(ConsistOf(c.Name, "second"))
		helm(ctx, c.Namespace, "test", release)

		By("uninstalling it")
		helm(ctx, c.Namespace, "uninstall", release, "--wait", "--timeout=3m")
		Eventually(connectors).Should(BeEmpty())
		Eventually(c.pods).WithContext(ctx).Should(BeEmpty())
		Expect(namesOf(ctx, c.Namespace, &corev1.PersistentVolumeClaimList{})).To(
			ConsistOf(children.ConnectorName(c.Name), children.ConnectorName("second")))
		Expect(namesOf(ctx, c.Namespace, &corev1.SecretList{})).To(ContainElements("shop-zalo", "shop-xbot", children.APIKeyName("second")))
	}, SpecTimeout(10*time.Minute))
})

// namesOf returns the names of the objects of a kind in a namespace.
func namesOf(ctx context.Context, namespace string, list client.ObjectList) (names []string) {
	GinkgoHelper()
	Expect(k8s.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	Expect(meta.EachListItem(list, func(object runtime.Object) error {
		accessor, err := meta.Accessor(object)
		if err == nil {
			names = append(names, accessor.GetName())
		}
		return err
	})).To(Succeed())
	return names
}
