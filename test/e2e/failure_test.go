//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"
)

// namespacePrefix begins the names of the namespaces that the suite makes.
const namespacePrefix = "e2e-"

// A spec that failed shows what there is before it is cleaned up: in the namespaces
// that the suite made, and in the one of config/default.
var _ = JustAfterEach(func(ctx context.Context) {
	if !CurrentSpecReport().Failed() {
		return
	}
	list := &corev1.NamespaceList{}
	if err := k8s.List(ctx, list); err != nil {
		fmt.Fprintln(GinkgoWriter, err)
	}
	for i := range list.Items {
		if name := list.Items[i].Name; strings.HasPrefix(name, namespacePrefix) || name == kustomizeNamespace {
			describe(ctx, name)
		}
	}
}, NodeTimeout(2*time.Minute))

// describe shows what is in a namespace, what happened there, and what its pods
// logged, before their last crash, too.
func describe(ctx context.Context, namespace string) {
	show := func(args ...string) {
		args = append(args, "--namespace", namespace)
		fmt.Fprintf(GinkgoWriter, "$ kubectl %s\n%s\n", strings.Join(args, " "), tryKubectl(ctx, args...))
	}
	show("describe", "deployments,pods,pvc,jobs")
	show("describe", "chc")
	show("get", "events", "--sort-by=.lastTimestamp")
	for pod := range strings.Lines(tryKubectl(ctx, "get", "pods", "--output=name", "--namespace", namespace)) {
		show("logs", strings.TrimSpace(pod), "--all-containers", "--tail=300")
		show("logs", strings.TrimSpace(pod), "--all-containers", "--tail=50", "--previous")
	}
}
