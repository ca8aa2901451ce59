package controllers_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// gadget is a kind of child that a cluster may lack. A resource wants one unless it brings a ServiceAccount of its own.
// This is all that is written for a kind of child.
var gadget = children.Kind{
	Name: "Gadget", Optional: true, Merge: [][]string{{"path"}},
	New:   func() client.Object { return newGadget() },
	Prune: func(children.Input) bool { return true },
	Want: func(in children.Input) runtime.ApplyConfiguration {
		if in.Connector.Spec.Workload.ServiceAccountName != "" {
			return nil
		}
		g, c := newGadget(), in.Connector
		g.SetNamespace(c.Namespace)
		g.SetName(children.ConnectorName(c.Name))
		g.SetLabels(children.Labels(c.Name))
		g.SetAnnotations(map[string]string{marks.AnnotationConnector: c.Name})
		g.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(c, v1alpha1.GroupVersion.WithKind("ChannelConnector"))})
		g.Object["spec"] = map[string]any{
			"parts": []any{map[string]any{"path": "/a", "size": int64(1)}, map[string]any{"path": "/b", "size": int64(2)}},
		}
		return client.ApplyConfigurationFromUnstructured(g)
	},
}

func newGadget() *unstructured.Unstructured {
	g := &unstructured.Unstructured{Object: map[string]any{}}
	g.SetAPIVersion("kinds.test/v1")
	g.SetKind("Gadget")
	return g
}

// sizesOf returns the sizes of a gadget's parts by their paths.
func sizesOf(ctx context.Context, c *v1alpha1.ChannelConnector) (map[string]int64, error) {
	g := newGadget()
	if err := k8s.Get(ctx, childKey(c), g); err != nil {
		return nil, err
	}
	parts, _, err := unstructured.NestedSlice(g.Object, "spec", "parts")
	sizes := map[string]int64{}
	for _, part := range parts {
		path, _, _ := unstructured.NestedString(part.(map[string]any), "path")
		sizes[path], _, _ = unstructured.NestedInt64(part.(map[string]any), "size")
	}
	return sizes, err
}

var _ = Describe("A kind of child that the cluster lacks", func() {
	It("is left out, and is looked after for as long as the cluster serves it", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace, func(s *setup) { s.Kinds = append(slices.Clone(children.Kinds), gadget) })
		shop := created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, shop)
		staysSettled(ctx, op, shop)
		Expect(k8s.Get(ctx, childKey(shop), newGadget())).To(Satisfy(meta.IsNoMatchError))

		definition := envtest.CRDInstallOptions{Paths: []string{"testdata/gadgets.yaml"}, ErrorIfPathMissing: true}
		_, err := envtest.InstallCRDs(cluster, definition)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(envtest.UninstallCRDs(cluster, definition)).To(Succeed()) })
		DeferCleanup(op.stop)
		Eventually(sizesOf).WithArguments(ctx, shop).Should(Equal(map[string]int64{"/a": 1, "/b": 2}))
		staysSettled(ctx, op, shop)

		// The operator hears of each change, and finds a part by its path.
		g := newGadget()
		g.SetNamespace(shop.Namespace)
		g.SetName(childKey(shop).Name)
		patched(ctx, g, `{"spec":{"parts":[{"path":"/theirs","size":3},{"path":"/b","size":2},{"path":"/a","size":7}]}}`)
		Eventually(sizesOf).WithArguments(ctx, shop).Should(Equal(map[string]int64{"/a": 1, "/b": 2, "/theirs": 3}))
		Expect(k8s.Delete(ctx, g)).To(Succeed())
		Eventually(sizesOf).WithArguments(ctx, shop).Should(Equal(map[string]int64{"/a": 1, "/b": 2}))

		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Workload.ServiceAccountName = "mine" })
		Eventually(k8s.Get).WithArguments(ctx, childKey(shop), newGadget()).Should(Satisfy(apierrors.IsNotFound))
		Expect(k8s.Get(ctx, childKey(shop), newGadget())).To(Satisfy(apierrors.IsNotFound))

		// Without the kind nothing is in the way of the other children.
		Expect(envtest.UninstallCRDs(cluster, definition)).To(Succeed())
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Workload.ServiceAccountName = "" })
		Eventually(observedGeneration).WithArguments(ctx, shop).Should(Equal(shop.Generation))
		becomesReady(ctx, shop)
	})
})
