package chart_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

// The release with connectors, and its namespace.
const (
	release   = "channels"
	namespace = "channels"
)

// connectors is the value of that name: a connector for each name, with a patch of its spec.
func connectors(patchByName map[string]string) string {
	GinkgoHelper()
	type connector struct {
		Name string `json:"name"`
		Spec any    `json:"spec"`
	}
	var all []connector
	for name, patch := range patchByName {
		all = append(all, connector{name, schematest.Resource(patch).Object["spec"]})
	}
	content, err := json.Marshal(all)
	Expect(err).NotTo(HaveOccurred())
	return "--set-json=connectors=" + string(content)
}

// runHook runs what the release's Job runs, with the Job's rights.
func runHook(ctx context.Context) *gexec.Session {
	GinkgoHelper()
	return k8s.Run(operator, namespace, jobOf(objects(ctx, release, namespace)).Spec.Template.Spec)
}

// rollOut says of a connector's Deployment what a cluster's own controllers say when its pod is available.
func rollOut(ctx context.Context, name string) error {
	deployment := &appsv1.Deployment{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: children.ConnectorName(name)}, deployment); err != nil {
		return err
	}
	n := *deployment.Spec.Replicas
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
	}
	return k8s.Status().Update(ctx, deployment)
}

// expectApplied runs the hook to its end, while a connector's pod comes up.
func expectApplied(ctx context.Context, name string) {
	GinkgoHelper()
	hook := runHook(ctx)
	Eventually(ctx, func(g Gomega) {
		g.Expect(rollOut(ctx, name)).To(Succeed())
		g.Expect(hook).To(gexec.Exit(0))
	}).WithTimeout(installation.Soon).Should(Succeed())
}

// refused runs the hook to its failure and returns what it says.
func refused(ctx context.Context) string {
	GinkgoHelper()
	hook := runHook(ctx)
	Eventually(ctx, hook).WithTimeout(installation.Soon).Should(gexec.Exit(1))
	return string(hook.Err.Contents())
}

func connectorNames(ctx context.Context) []string {
	GinkgoHelper()
	all := &v1alpha1.ChannelConnectorList{}
	Expect(k8s.List(ctx, all, client.InNamespace(namespace))).To(Succeed())
	var names []string
	for i := range all.Items {
		names = append(names, all.Items[i].Name)
	}
	return names
}

var _ = Describe("The value connectors", Ordered, func() {
	BeforeAll(func(ctx context.Context) {
		k8s.MakeNamespace(ctx, namespace)
		k8s.MakeSecret(ctx, namespace)
		helm(ctx, "install", release, chart, "--namespace="+namespace, "--no-hooks", values("namespaced"),
			"--set=watchNamespaces={"+namespace+"}", "--set=authorPolicy.enabled=true", connectors(map[string]string{"shop": ""}))
		all := objects(ctx, release, namespace)
		expectPodsTaken(ctx, all, namespace)
		k8s.RunOperator(operator, namespace, deploymentOf(all))
	})

	upgrade := func(ctx context.Context, more ...string) {
		GinkgoHelper()
		helm(ctx, append([]string{"upgrade", release, chart, "--namespace=" + namespace, "--no-hooks", "--reset-then-reuse-values"}, more...)...)
	}

	It("are Ready after the installation, and the release's own", func(ctx context.Context) {
		expectApplied(ctx, "shop")
		connector, source := &v1alpha1.ChannelConnector{}, &corev1.ConfigMap{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "shop"}, connector)).To(Succeed())
		Expect(connector.Labels).To(HaveKeyWithValue("app.kubernetes.io/instance", release))
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "channels-channel-connector-connectors"}, source)).To(Succeed())
		Expect(connector.OwnerReferences).To(ConsistOf(And(HaveField("UID", source.UID), HaveField("Kind", "ConfigMap"))))
	})

	It("are the Job's, whom the policy of authors exempts, and nobody else's with the Job's rights", func(ctx context.Context) {
		account := "channels-channel-connector-connectors"
		others := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "others"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "others"}},
		}
		Expect(k8s.Create(ctx, others)).To(Succeed())
		declares := func(account string) error {
			config := rest.CopyConfig(k8s.Config)
			config.Impersonate.UserName = "system:serviceaccount:" + namespace + ":" + account
			as, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
			Expect(err).NotTo(HaveOccurred())
			probe := schematest.Resource("")
			probe.SetNamespace(namespace)
			probe.SetName("probe")
			return as.Create(ctx, probe, client.DryRunAll)
		}
		Eventually(declares).WithArguments("others").Should(MatchError(ContainSubstring("its author needs the right to get all Secrets there")))
		Expect(declares(account)).To(Succeed())
	})

	It("are not written when nothing has changed", func(ctx context.Context) {
		before, after := &v1alpha1.ChannelConnector{}, &v1alpha1.ChannelConnector{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "shop"}, before)).To(Succeed())
		expectApplied(ctx, "shop")
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "shop"}, after)).To(Succeed())
		Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("follow an upgrade: one is changed, one goes, one comes", func(ctx context.Context) {
		upgrade(ctx, connectors(map[string]string{"store": "delivery: {concurrency: 7}"}))
		expectApplied(ctx, "store")
		Eventually(ctx, connectorNames).Should(ConsistOf("store"))
		store := &v1alpha1.ChannelConnector{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "store"}, store)).To(Succeed())
		Expect(store.Spec.Delivery.Concurrency).To(BeEquivalentTo(7))

		upgrade(ctx, connectors(map[string]string{"store": "delivery: {concurrency: 8}"}))
		expectApplied(ctx, "store")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(store), store)).To(Succeed())
		Expect(store.Spec.Delivery.Concurrency).To(BeEquivalentTo(8))
	})

	It("come back with a rollback", func(ctx context.Context) {
		helm(ctx, "rollback", release, "1", "--namespace="+namespace, "--no-hooks")
		expectApplied(ctx, "shop")
		Eventually(ctx, connectorNames).Should(ConsistOf("shop"))
	})

	It("are applied without their OA secret key, which Zalo's console shows only then", func(ctx context.Context) {
		upgrade(ctx, connectors(map[string]string{
			"shop": "zaloOA: {signature: {secretKeyRefs: [{name: absent, key: oa-secret-key}]}}",
		}))
		expectApplied(ctx, "shop")
		shop := &v1alpha1.ChannelConnector{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "shop"}, shop)).To(Succeed())
		Expect(meta.FindStatusCondition(shop.Status.Conditions, v1alpha1.ConditionReady)).To(HaveField("Reason", "AwaitingOASecretKey"))
	})

	It("say what is missing when they do not become Ready", func(ctx context.Context) {
		upgrade(ctx, "--set=connectorsTimeout=3s", connectors(map[string]string{
			"shop": "webhook: {apiKeys: [{name: first, secretKeyRef: {name: absent, key: xp-api-key}}]}",
		}))
		// On a busy machine the operator may look only after the hook gave up.
		Eventually(ctx, refused).WithTimeout(installation.Soon).Should(And(
			ContainSubstring("not Ready after 3s"), ContainSubstring(`ChannelConnector "shop"`), ContainSubstring(`Secret "absent" does not exist`)))
	})

	It("are refused at once when they break a rule that no values can be judged by", func(ctx context.Context) {
		upgrade(ctx, "--set=connectorsTimeout=1h", connectors(map[string]string{"shop": "inbox: {deduplicationWindow: 1m}"}))
		Expect(refused(ctx)).To(And(ContainSubstring("shop.yaml: "), ContainSubstring("write a duration from 2h to 720h")))
	})

	It("are given up, long before the time is over, when they change what cannot be changed", func(ctx context.Context) {
		upgrade(ctx, "--set=connectorsTimeout=1h", connectors(map[string]string{"shop": "inbox: {embedded: {size: 512Mi}}"}))
		Expect(refused(ctx)).
			To(And(ContainSubstring(`ChannelConnector "shop"`),
				ContainSubstring("inbox.embedded.size: can only grow, because volumes do not shrink")))
	})

	It("take over nothing that another manager applied", func(ctx context.Context) {
		mine := schematest.Resource()
		mine.SetNamespace(namespace)
		mine.SetName("mine")
		Expect(k8s.Create(ctx, mine)).To(Succeed())
		upgrade(ctx, connectors(map[string]string{"mine": "delivery: {concurrency: 7}"}))
		Expect(refused(ctx)).To(ContainSubstring(
			`ChannelConnector "mine" exists and is not from the ConfigMap "channels-channel-connector-connectors": delete it, ` +
				`or give yours another name`))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(mine), mine)).To(Succeed())
		Expect(mine.GetOwnerReferences()).To(BeEmpty())
	})

	It("go with the ConfigMap that owns them, and leave the inbox and the API key", func(ctx context.Context) {
		helm(ctx, "uninstall", release, "--namespace="+namespace)
		err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "channels-channel-connector-connectors"}, &corev1.ConfigMap{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		for _, kept := range []client.Object{&corev1.PersistentVolumeClaim{}, &corev1.Secret{}} {
			name := children.ConnectorName("shop")
			if _, secret := kept.(*corev1.Secret); secret {
				name = children.APIKeyName("shop")
			}
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, kept)).To(Succeed())
			Expect(kept.GetOwnerReferences()).To(BeEmpty())
		}
	})
})

var _ = DescribeTable("The resources that a file of values makes are what the API server takes", func(ctx context.Context, name string) {
	all := installation.Objects(helm(ctx, "template", release, chart, "--namespace=chat", oldest, values(name)))
	found := 0
	for _, source := range installation.Of(all, "ConfigMap") {
		var data corev1.ConfigMap
		installation.Convert(source, &data)
		for _, document := range data.Data {
			_, err := schema.Decode(ctx, []byte(document))
			Expect(err).NotTo(HaveOccurred())
			found++
		}
	}
	Expect(found).To(BeNumerically(">", 0))
},
	Entry("with all that is optional", "full"),
	Entry("for two namespaces", "two-namespaces"),
)
