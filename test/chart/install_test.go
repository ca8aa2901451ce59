package chart_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/config/crd"
	"xbot.a4b.vn/channel-connector/test/kit/installation"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// expectPodsTaken checks every pod of a release, hooks included, against the Pod Security of its namespace.
func expectPodsTaken(ctx context.Context, all []*unstructured.Unstructured, namespace string) {
	GinkgoHelper()
	pods := 0
	for _, object := range all {
		var spec corev1.PodSpec
		switch object.GetKind() {
		case "Deployment":
			spec = deploymentOf(all).Spec.Template.Spec
		case "Job":
			spec = jobOf(all).Spec.Template.Spec
		case "Pod":
			pod := &corev1.Pod{}
			installation.Convert(object, pod)
			spec = pod.Spec
		default:
			continue
		}
		k8s.ExpectPodTaken(ctx, namespace, spec)
		pods++
	}
	Expect(pods).To(BeNumerically(">=", 2), "the operator's and that of helm test")
}

// deploymentOf is the operator's. Helm writes a namespace into few objects.
func deploymentOf(all []*unstructured.Unstructured) *appsv1.Deployment {
	GinkgoHelper()
	deployment := &appsv1.Deployment{}
	installation.Convert(installation.Only(all, "Deployment"), deployment)
	return deployment
}

func jobOf(all []*unstructured.Unstructured) *batchv1.Job {
	GinkgoHelper()
	job := &batchv1.Job{}
	installation.Convert(installation.Only(all, "Job"), job)
	return job
}

// olderChart copies the chart with another definition, and returns the copy's path.
func olderChart() string {
	GinkgoHelper()
	older := GinkgoT().TempDir()
	Expect(os.CopyFS(older, os.DirFS(filepath.Join(installation.Root, chart)))).To(Succeed())
	file := filepath.Join(older, "files", "xbot.a4b.vn_channelconnectors.yaml")
	definition, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	Expect(string(definition)).To(ContainSubstring("    - chc\n"))
	Expect(os.WriteFile(file, bytes.Replace(definition, []byte("    - chc\n"), []byte("    - older\n"), 1), 0o600)).To(Succeed())
	return older
}

// readDefinition returns the definition in the cluster.
func readDefinition(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	definition := &unstructured.Unstructured{}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	Expect(k8s.Get(ctx, client.ObjectKey{Name: "channelconnectors.xbot.a4b.vn"}, definition)).To(Succeed())
	return definition
}

// shortNames are those of the definition in the cluster.
func shortNames(ctx context.Context) []string {
	GinkgoHelper()
	names, _, err := unstructured.NestedStringSlice(readDefinition(ctx).Object, "spec", "names", "shortNames")
	Expect(err).NotTo(HaveOccurred())
	return names
}

var _ = Describe("The chart", Ordered, func() {
	It("installs an operator for the cluster, with rights that are enough", func(ctx context.Context) {
		k8s.MakeNamespace(ctx, "elsewhere")
		all := objects(ctx, "cluster", "xbot-system")
		expectPodsTaken(ctx, all, "xbot-system")
		k8s.ExpectRightsEnough(ctx, k8s.RunOperator(operator, "xbot-system", deploymentOf(all)), "elsewhere")
	})

	It("installs an operator for a namespace, with rights that are enough and nothing of the cluster's", func(ctx context.Context) {
		k8s.MakeNamespace(ctx, "chat")
		helm(ctx, "install", "own", chart, "--namespace=chat", "--no-hooks", values("namespaced"))
		all := objects(ctx, "own", "chat")
		for _, object := range all {
			mapping, err := k8s.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
			Expect(err).NotTo(HaveOccurred())
			Expect(mapping.Scope.Name()).To(BeEquivalentTo("namespace"), "%s %s", object.GetKind(), object.GetName())
			Expect(object.GetNamespace()).To(BeElementOf("", "chat"), "%s %s", object.GetKind(), object.GetName())
		}
		expectPodsTaken(ctx, all, "chat")
		k8s.ExpectRightsEnough(ctx, k8s.RunOperator(operator, "chat", deploymentOf(all)), "chat")
	})

	It("installs an operator for two namespaces, of which it makes one", func(ctx context.Context) {
		helm(ctx, "install", "two", chart, "--namespace=chat", "--no-hooks", values("two-namespaces"), "--set=crds.enabled=false")
		all := objects(ctx, "two", "chat")
		made := &corev1.Namespace{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "chat-staging"}, made)).To(Succeed())
		Expect(made.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
		k8s.ExpectRightsEnough(ctx, k8s.RunOperator(operator, "chat", deploymentOf(all)), "chat-staging")
		helm(ctx, "uninstall", "two", "--namespace=chat")
		Expect(k8s.Get(ctx, client.ObjectKey{Name: "chat-staging"}, made)).To(Succeed())
		Expect(made.DeletionTimestamp).To(BeNil())
	})

	It("installs further releases, in one namespace and of one name, that work side by side", func(ctx context.Context) {
		k8s.MakeNamespace(ctx, "shared")
		var operators []*gexec.Session
		for _, name := range []string{"cluster", "second"} {
			watched := "watched-by-" + name
			helm(ctx, "install", name, chart, "--namespace=shared", "--no-hooks", "--set=crds.enabled=false",
				"--set=watchNamespaces={"+watched+"}", "--set=namespaces.create=true")
			operators = append(operators, k8s.RunOperator(operator, "shared", deploymentOf(objects(ctx, name, "shared"))))
		}
		Eventually(ctx, func(g Gomega) {
			leases := &coordinationv1.LeaseList{}
			g.Expect(k8s.List(ctx, leases, client.InNamespace("shared"))).To(Succeed())
			g.Expect(leases.Items).To(HaveLen(len(operators)))
			g.Expect(leases.Items).To(HaveEach(HaveField("Spec.HolderIdentity", HaveValue(Not(BeEmpty())))))
		}).WithTimeout(installation.Soon).Should(Succeed())
		k8s.ExpectRightsEnough(ctx, operators[0], "watched-by-cluster")
		k8s.ExpectRightsEnough(ctx, operators[1], "watched-by-second")
	})

	It("keeps the definition current, with the resources that there are", func(ctx context.Context) {
		upgrade := func(chart string) { helm(ctx, "upgrade", "cluster", chart, "--namespace=xbot-system", "--no-hooks") }
		upgrade(olderChart())
		Expect(shortNames(ctx)).To(ConsistOf("older"))
		upgrade(chart)
		Expect(shortNames(ctx)).To(ConsistOf("chc"))
		helm(ctx, "rollback", "cluster", "--namespace=xbot-system", "--no-hooks")
		Expect(shortNames(ctx)).To(ConsistOf("older"))
		upgrade(chart)
		applied := client.ObjectKey{Namespace: "elsewhere", Name: schematest.Resource().GetName()}
		Expect(k8s.Get(ctx, applied, &v1alpha1.ChannelConnector{})).To(Succeed())
	})

	It("owns the definition: only Helm mends an outdated one without a conflict", func(ctx context.Context) {
		owned := readDefinition(ctx)
		Expect(owned.GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "Helm"))
		Expect(owned.GetAnnotations()).To(And(HaveKeyWithValue("meta.helm.sh/release-name", "cluster"),
			HaveKeyWithValue("meta.helm.sh/release-namespace", "xbot-system")))
		helm(ctx, "upgrade", "cluster", olderChart(), "--namespace=xbot-system", "--no-hooks")
		shipped := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(crd.ChannelConnectors, &shipped.Object)).To(Succeed())
		err := k8s.Apply(ctx, client.ApplyConfigurationFromUnstructured(shipped), client.FieldOwner("kubectl"))
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		helm(ctx, "upgrade", "--install", "cluster", chart, "--namespace=xbot-system", "--no-hooks")
		Expect(shortNames(ctx)).To(ConsistOf("chc"))
	})

	It("has a test that finds the operator ready", func(ctx context.Context) {
		all := objects(ctx, "cluster", "xbot-system")
		address := reserved.Address(GinkgoTB())
		k8s.Run(operator, "xbot-system", deploymentOf(all).Spec.Template.Spec, "--leader-election-namespace=xbot-system",
			"--metrics-bind-address=0", "--health-probe-bind-address="+address)
		probe := &corev1.Pod{}
		installation.Convert(installation.Only(all, "Pod"), probe)
		var arguments []string
		for _, argument := range probe.Spec.Containers[0].Args {
			arguments = append(arguments, strings.Replace(argument, "cluster-channel-connector-operator.xbot-system.svc:8081", address, 1))
		}
		Eventually(ctx, func() error { return exec.CommandContext(ctx, connector, arguments...).Run() }).
			WithTimeout(installation.Soon).Should(Succeed())
	})

	It("leaves the definition, and what was applied by hand, when it goes", func(ctx context.Context) {
		helm(ctx, "uninstall", "cluster", "--namespace=xbot-system")
		applied := client.ObjectKey{Namespace: "elsewhere", Name: schematest.Resource().GetName()}
		Expect(k8s.Get(ctx, applied, &v1alpha1.ChannelConnector{})).To(Succeed())
		err := k8s.Get(ctx, client.ObjectKey{Namespace: "xbot-system", Name: "cluster-channel-connector-operator"}, &appsv1.Deployment{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})

	It("comes back to the definition that it left", func(ctx context.Context) {
		helm(ctx, "install", "cluster", chart, "--namespace=xbot-system", "--no-hooks")
	})
})
