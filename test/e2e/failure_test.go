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

// Before a failed spec is cleaned up, the state of the namespaces is shown: of those that the suite made, and of
// config/default's.
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

// describe shows the objects and events of a namespace, and its pods' logs, also from before their last crash.
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
