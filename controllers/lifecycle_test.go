package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("A new resource", func() {
	It("gets its children, becomes Ready when its pod does, and then causes no write", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		newSecrets(ctx, namespace)
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))

		for _, child := range []client.Object{&corev1.Secret{}, &corev1.ServiceAccount{}, &corev1.PersistentVolumeClaim{}, &corev1.Service{}, &appsv1.Deployment{}} {
			Eventually(k8s.Get).WithArguments(ctx, client.ObjectKey{Namespace: namespace, Name: "shop-connector"}, child).Should(Succeed())
		}
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "Starting"))
		Expect(op.writes.Load()).To(BeNumerically("<=", 5+1+1), "%v", op.written())

		rolledOut(ctx, namespace, "shop-connector")
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Status", BeEquivalentTo("True")))
		settled := op.writes.Load()
		Consistently(op.writes.Load, "2s").Should(Equal(settled), "%v", op.written())
	})
})
