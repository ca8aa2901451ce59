package controllers_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// changeDefinition changes the schema of spec.workload in the cluster until restore is called, or the spec ends.
func changeDefinition(ctx context.Context, change func(workload *apiextensionsv1.JSONSchemaProps)) (restore func(context.Context)) {
	GinkgoHelper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	Expect(k8s.Get(ctx, client.ObjectKey{Name: "channelconnectors.xbot.a4b.vn"}, live)).To(Succeed())
	write := func(ctx context.Context, spec any) {
		GinkgoHelper()
		patch, err := json.Marshal(map[string]any{"spec": spec})
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Patch(ctx, live.DeepCopy(), client.RawPatch(types.MergePatchType, patch))).To(Succeed())
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, definition)).To(Succeed())
	spec := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	workload := spec.Properties["workload"]
	change(&workload)
	spec.Properties["workload"] = workload
	write(ctx, definition.Spec)
	restore = func(ctx context.Context) { write(ctx, live.Object["spec"]) }
	DeferCleanup(restore)
	return restore
}

// publishedSchema is what the API server tells of the definition.
func publishedSchema(ctx context.Context) (string, error) {
	server, err := discovery.NewDiscoveryClientForConfig(cluster)
	if err != nil {
		return "", err
	}
	content, err := server.RESTClient().Get().AbsPath("/openapi/v3/apis/" + v1alpha1.GroupVersion.String()).DoRaw(ctx)
	return string(content), err
}

var _ = Describe("A CustomResourceDefinition that is older than the operator", func() {
	It("is told of in a condition, an event and the log, until it is mended", func(ctx context.Context) {
		const namespace = "outdated" // without a history, whose watch ends with the definition
		Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		newSecrets(ctx, namespace)
		mend := changeDefinition(ctx, func(workload *apiextensionsv1.JSONSchemaProps) {
			delete(workload.Properties, "priorityClassName")
			grace := workload.Properties["terminationGracePeriodSeconds"]
			grace.Default = nil
			workload.Properties["terminationGracePeriodSeconds"] = grace
		})
		Eventually(publishedSchema).WithArguments(ctx).ShouldNot(ContainSubstring("priorityClassName"))

		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionDefinitionOutdated).Should(And(
			HaveField("Status", metav1.ConditionTrue), HaveField("Reason", "FieldsMissing"),
			HaveField("Message",
				ContainSubstring("it lacks spec.workload.priorityClassName, the default of spec.workload.terminationGracePeriodSeconds. "))))
		becomesReady(ctx, shop)
		Eventually(events).WithArguments(ctx, namespace).Should(ContainElement(And(
			HaveField("Reason", "DefinitionOutdated"), HaveField("Note", And(ContainSubstring("crds.enabled"), ContainSubstring("config/crd"))))))
		Expect(op.log.lines("spec.workload.priorityClassName")).To(ContainElement(ContainSubstring("level=ERROR")))

		mend(ctx)
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionDefinitionOutdated).Should(HaveField("Status", BeEmpty()))
	})
})
