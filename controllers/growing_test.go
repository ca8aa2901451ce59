package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// There is no storage driver either in these specs, which play one.

var _ = Describe("A larger inbox", func() {
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		class     *storagev1.StorageClass
		op        *operator
		template  string
	)
	begin := func(ctx context.Context, expands bool) {
		GinkgoHelper()
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		class = newStorageClass(ctx, namespace, expands)
		op = startOperator(namespace)
		shop = newConnector(namespace, "shop")
		shop.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{StorageClassName: class.Name}
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
	}
	bound := func(ctx context.Context) {
		GinkgoHelper()
		driver(ctx, shop, func(c *corev1.PersistentVolumeClaim) {
			c.Status.Phase, c.Status.Capacity = corev1.ClaimBound, storage("1792Mi")
		})
		settle(op)
		template = podTemplate(ctx, shop)
		newPod(ctx, shop)
	}
	grow := func(ctx context.Context, size string) {
		GinkgoHelper()
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Inbox.Embedded.Size = resource.MustParse(size) })
	}
	growing := func(ctx context.Context) string {
		c := condition(ctx, shop, v1alpha1.ConditionInboxGrowing)
		return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
	}
	stays := func(ctx context.Context) {
		GinkgoHelper()
		becomesReady(ctx, shop)
		staysSettled(ctx, op, shop)
		Expect(podTemplate(ctx, shop)).To(Equal(template), "the pod is replaced")
	}

	It("grows with its volume, and the pod stays", func(ctx context.Context) {
		begin(ctx, true)
		bound(ctx)
		Expect(inboxSize(ctx, shop)).To(Equal("1073741824"))
		asked := ofClaims(op.written())
		grow(ctx, "2Gi")
		Eventually(requested).WithArguments(ctx, shop).Should(Equal("3328Mi"))
		Eventually(growing).WithArguments(ctx).Should(And(
			HavePrefix("True VolumeTooSmall: The inbox has 1Gi of the declared 2Gi"), ContainSubstring("3328Mi")))
		stays(ctx)
		Expect(ofClaims(op.written())).To(Equal(asked+1), "%v", op.written())
		Expect(inboxSize(ctx, shop)).To(Equal("1073741824"))

		By("Resizing, and a second rise meanwhile")
		driver(ctx, shop, drives(corev1.PersistentVolumeClaimResizing, "the disk is being enlarged"))
		Eventually(growing).WithArguments(ctx).Should(And(HavePrefix("True VolumeResizing"), ContainSubstring("the disk is being enlarged")))
		grow(ctx, "3Gi")
		Eventually(requested).WithArguments(ctx, shop).Should(Equal("4864Mi"))

		By("the driver's trouble")
		driver(ctx, shop, drives(corev1.PersistentVolumeClaimControllerResizeError, "rpc error: the cloud has no disks left"))
		Eventually(growing).WithArguments(ctx).Should(And(HavePrefix("True ResizeFailed"), ContainSubstring("the cloud has no disks left")))
		driver(ctx, shop, drives(corev1.PersistentVolumeClaimFileSystemResizePending, "Waiting for user to (re-)start a pod"))
		Eventually(growing).WithArguments(ctx).Should(And(HavePrefix("True FileSystemResizePending"),
			ContainSubstring("Waiting for user to (re-)start a pod"), ContainSubstring("delete the pod")))
		stays(ctx)
		Expect(inboxSize(ctx, shop)).To(Equal("1073741824"))

		By("half of it, in odd units")
		driver(ctx, shop, func(c *corev1.PersistentVolumeClaim) { c.Status.Capacity = storage("3489660928000m") })
		Eventually(inboxSize).WithArguments(ctx, shop).Should(Equal("2147483648"))
		Eventually(growing).WithArguments(ctx).Should(ContainSubstring("The inbox has 2Gi of the declared 3Gi"))

		By("all of it")
		driver(ctx, shop, func(c *corev1.PersistentVolumeClaim) { c.Status.Capacity, c.Status.Conditions = storage("4864Mi"), nil })
		Eventually(inboxSize).WithArguments(ctx, shop).Should(Equal("3221225472"))
		Eventually(growing).WithArguments(ctx).Should(Equal(" : "))
		stays(ctx)
	})

	It("is refused by a StorageClass that cannot expand, said so, and the rest goes on", func(ctx context.Context) {
		begin(ctx, false)
		bound(ctx)
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Inbox.Embedded.Size, c.Spec.Workload.PodLabels = resource.MustParse("2Gi"), map[string]v1alpha1.LabelValue{"team": "chat"}
		})
		Eventually(growing).WithArguments(ctx).Should(And(
			HavePrefix("True ResizeRefused: The inbox has 1Gi of the declared 2Gi"),
			ContainSubstring("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize")))
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(HaveField("Spec.Template.Labels", HaveKeyWithValue("team", "chat")))
		becomesReady(ctx, shop)
		Expect(requested(ctx, shop)).To(Equal("1792Mi"))
		Expect(inboxSize(ctx, shop)).To(Equal("1073741824"))
		patched(ctx, child(ctx, shop, &corev1.PersistentVolumeClaim{}), `{"metadata":{"labels":{"app.kubernetes.io/part-of":null}}}`)
		Eventually(func() map[string]string {
			return child(ctx, shop, &corev1.PersistentVolumeClaim{}).GetLabels()
		}).Should(HaveKey(marks.LabelPartOf), "its drift is put back")
		warned, err := events(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(warned).To(ContainElement(And(HaveField("Reason", "ResizeRefused"), HaveField("Type", "Warning"))))

		By("the class that is mended")
		class.AllowVolumeExpansion = new(true)
		Expect(k8s.Update(ctx, class)).To(Succeed())
		op.stop()
		op = startOperator(namespace) // which asks at once, not after its pause
		Eventually(requested).WithArguments(ctx, shop).Should(Equal("3328Mi"))
		Eventually(growing).WithArguments(ctx).Should(HavePrefix("True VolumeTooSmall"))
		template = podTemplate(ctx, shop)
		stays(ctx)
	})

	It("is refused by a quota, in its words, without haste", func(ctx context.Context) {
		begin(ctx, true)
		bound(ctx)
		quota := &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "storage"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsStorage: resource.MustParse("2Gi")}},
		}
		Expect(k8s.Create(ctx, quota)).To(Succeed())
		quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{
			corev1.ResourceRequestsStorage: resource.MustParse("1792Mi"),
		}}
		Expect(k8s.Status().Update(ctx, quota)).To(Succeed()) // nobody else counts
		grow(ctx, "2Gi")
		Eventually(growing).WithArguments(ctx).Should(And(HavePrefix("True ResizeRefused"), ContainSubstring("exceeded quota: storage")))
		becomesReady(ctx, shop)
		asked := ofClaims(op.written())
		for range 20 {
			op.forcePass(ctx, shop)
		}
		Expect(ofClaims(op.written())).To(BeNumerically("<=", asked+1), "%v", op.written())
		Expect(k8s.Delete(ctx, quota)).To(Succeed())
		Eventually(requested).WithArguments(ctx, shop).Should(Equal("3328Mi"))
	})

	It("waits for a claim that is not bound, and follows its own once it is", func(ctx context.Context) {
		begin(ctx, true)
		template = podTemplate(ctx, shop)
		grow(ctx, "2Gi")
		Eventually(growing).WithArguments(ctx).Should(HavePrefix("True VolumeNotBound: The inbox has 1Gi of the declared 2Gi"))
		stays(ctx)
		Expect(inboxSize(ctx, shop)).To(Equal("1073741824"))
		driver(ctx, shop, func(c *corev1.PersistentVolumeClaim) {
			c.Status.Phase, c.Status.Capacity = corev1.ClaimBound, storage("1792Mi")
		})
		Eventually(requested).WithArguments(ctx, shop).Should(Equal("3328Mi"))
	})

	It("adopts the smaller claim of an earlier resource, which grows", func(ctx context.Context) {
		begin(ctx, true)
		bound(ctx)
		Expect(k8s.Delete(ctx, shop)).To(Succeed())
		op.knowsDeleted(ctx, shop)
		shop = newConnector(namespace, "shop")
		shop.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{StorageClassName: class.Name, Size: resource.MustParse("2Gi")}
		created(ctx, shop)
		Eventually(requested).WithArguments(ctx, shop).Should(Equal("3328Mi"))
		Eventually(inboxSize).WithArguments(ctx, shop).Should(Equal("1073741824"))
		driver(ctx, shop, func(c *corev1.PersistentVolumeClaim) { c.Status.Capacity = storage("4Gi") })
		Eventually(inboxSize).WithArguments(ctx, shop).Should(Equal("2147483648"))
	})

	It("is bounded by what the claim's status says, whoever writes it", func(ctx context.Context) {
		begin(ctx, true)
		bound(ctx)
		for capacity, want := range map[string]string{
			"0": "67108864", "1": "67108864", "1E": "1073741824", "900M": "420478976", "1792Mi": "1073741824",
		} {
			driver(ctx, shop, func(c *corev1.PersistentVolumeClaim) { c.Status.Capacity = storage(capacity) })
			Eventually(inboxSize).WithArguments(ctx, shop).Should(Equal(want), capacity)
		}
		stays(ctx)

		By("a claim that is made larger by hand")
		claim := child(ctx, shop, &corev1.PersistentVolumeClaim{})
		patched(ctx, claim, `{"spec":{"resources":{"requests":{"storage":"8Gi"}}}}`)
		driver(ctx, shop, func(c *corev1.PersistentVolumeClaim) { c.Status.Capacity = storage("8Gi") })
		stays(ctx)
		Expect(requested(ctx, shop)).To(Equal("8Gi"))
		Expect(inboxSize(ctx, shop)).To(Equal("1073741824"))
	})

	It("of an Ephemeral one comes with a new pod, and no pod is told more than its volume has", func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace)
		shop = newConnector(namespace, "shop")
		shop.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{Storage: v1alpha1.StorageEphemeral}
		created(ctx, shop)
		becomesReady(ctx, shop)
		old := newPod(ctx, shop)
		grow(ctx, "2Gi")
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(HaveField("Spec.Template.Spec.Volumes",
			ContainElement(HaveField("EmptyDir.SizeLimit", HaveValue(Equal(resource.MustParse("3328Mi")))))))
		Eventually(growing).WithArguments(ctx).Should(HavePrefix("True RollingOut: The inbox has 1Gi of the declared 2Gi"))
		newPod(ctx, shop)
		becomesReady(ctx, shop)
		Expect(inboxSize(ctx, shop)).To(Equal("1073741824"))
		Expect(k8s.Delete(ctx, old, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(inboxSize).WithArguments(ctx, shop).Should(Equal("2147483648"))
		Eventually(growing).WithArguments(ctx).Should(Equal(" : "))
	})
})

// newStorageClass makes a class of the spec's own.
func newStorageClass(ctx context.Context, name string, expands bool) *storagev1.StorageClass {
	GinkgoHelper()
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "example.com/played", AllowVolumeExpansion: &expands,
	}
	Expect(k8s.Create(ctx, class)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { _ = k8s.Delete(ctx, class) })
	return class
}

func storage(size string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
}

// driver writes the status of a resource's claim, as a storage driver does.
func driver(ctx context.Context, c *v1alpha1.ChannelConnector, change func(*corev1.PersistentVolumeClaim)) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		claim := &corev1.PersistentVolumeClaim{}
		if err := k8s.Get(ctx, childKey(c), claim); err != nil {
			return err
		}
		change(claim)
		return k8s.Status().Update(ctx, claim)
	})).To(Succeed())
}

// drives is the only condition of a claim.
func drives(kind corev1.PersistentVolumeClaimConditionType, message string) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) {
		c.Status.Conditions = []corev1.PersistentVolumeClaimCondition{{Type: kind, Status: corev1.ConditionTrue, Message: message}}
	}
}

// requested is the storage that a resource's claim requests.
func requested(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	claim := &corev1.PersistentVolumeClaim{}
	if err := k8s.Get(ctx, childKey(c), claim); err != nil {
		return err.Error()
	}
	return claim.Spec.Resources.Requests.Storage().String()
}

// inboxSize is the bound in a connector's configuration.
func inboxSize(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	secret := &corev1.Secret{}
	if err := k8s.Get(ctx, childKey(c), secret); err != nil {
		return err.Error()
	}
	_, after, _ := strings.Cut(string(secret.Data["v1alpha1.yaml"]), "maxSize: \"")
	size, _, _ := strings.Cut(after, "\"")
	return size
}

// ofClaims is how many of these writes are of claims.
func ofClaims(written []string) (n int) {
	for _, text := range written {
		if strings.Contains(text, "persistentvolumeclaims") {
			n++
		}
	}
	return n
}

// podTemplate is that of a resource's Deployment.
func podTemplate(ctx context.Context, c *v1alpha1.ChannelConnector) string {
	GinkgoHelper()
	text, err := json.Marshal(child(ctx, c, &appsv1.Deployment{}).Spec.Template)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}
