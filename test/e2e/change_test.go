//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// changes happen to a serving connector; after each it serves again.
var changes = []struct {
	name string
	// rolls reports whether a new pod may come before the old one goes.
	rolls bool
	make  func(context.Context, *channel)
}{
	{name: "another pod template", rolls: true, make: func(ctx context.Context, c *channel) {
		c.patch(ctx, fmt.Sprintf(`{"spec":{"workload":{"podLabels":{"e2e":"at-%d"}}}}`, time.Now().UnixNano()))
		c.becomesReady(ctx)
	}},
	{name: "another image", rolls: true, make: func(ctx context.Context, c *channel) {
		installOperator(ctx, nextVersion)
		c.becomesReady(ctx)
		Eventually(c.pods).WithContext(ctx).Should(runs(nextVersion))
		installOperator(ctx, version)
		Eventually(c.pods).WithContext(ctx).Should(runs(version))
		c.becomesReady(ctx)
	}},
	{name: "a deleted pod", make: func(ctx context.Context, c *channel) {
		before := c.pod(ctx)
		kubectl(ctx, "delete", "pod", before.Name, "--namespace", c.Namespace)
		Eventually(c.pods).WithContext(ctx).Should(HaveExactElements(Not(HaveField("UID", before.UID))))
		c.becomesReady(ctx)
	}},
	{name: "a drained node", make: func(ctx context.Context, c *channel) {
		node := c.pod(ctx).Spec.NodeName
		// A drain also waits for the pods of earlier specs, and retries every 5 s.
		Eventually(tryKubectl).WithContext(ctx).
			WithArguments("get", "pods", "--all-namespaces", "--selector=app.kubernetes.io/name=channel-connector", "--output=name").
			Should(Equal("pod/" + c.pod(ctx).Name))
		DeferCleanup(func(ctx context.Context) { kubectl(ctx, "uncordon", node) })
		kubectl(ctx, "drain", node, "--pod-selector=app.kubernetes.io/name=channel-connector",
			"--delete-emptydir-data", "--ignore-daemonsets")
		kubectl(ctx, "uncordon", node)
		c.becomesReady(ctx)
	}},
	{name: "no replicas for a moment", make: func(ctx context.Context, c *channel) {
		kubectl(ctx, "scale", "chc", c.Name, "--replicas=0", "--namespace", c.Namespace)
		Eventually(c.pods).WithContext(ctx).Should(BeEmpty())
		kubectl(ctx, "scale", "chc", c.Name, "--replicas=1", "--namespace", c.Namespace)
		c.becomesReady(ctx)
	}},
}

// runs matches the channel's pods if there is just one, of a version of the image.
func runs(version string) OmegaMatcher {
	return ConsistOf(HaveField("Spec.Containers", ConsistOf(HaveField("Image", connectorImage+":"+version))))
}

var _ = Describe("A change under load", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	for _, change := range changes {
		It("loses and inverts nothing with a Persistent inbox: "+change.name, func(ctx context.Context) {
			c := newChannel(ctx)
			platform := c.load(ctx)
			change.make(ctx, c)
			flows(platform)
			verdict := c.settles(platform)
			Expect(verdict.Inverted).To(BeEmpty(), verdict.String())
			Expect(len(verdict.Repeated)).To(BeNumerically("<=", 2*conversations), "more than the attempts under way at two ends: %v", verdict)
			measured("Persistent, no listener: "+change.name, "p95 under 5s", traffic.Outage(platform.Calls()))
		}, SpecTimeout(5*time.Minute))

		// While one pod leaves and the next one serves, each has an inbox, and the order of a conversation may invert.
		// Before and after that it holds.
		It("loses nothing with an Ephemeral inbox, and inverts only while its pod is replaced: "+change.name, func(ctx context.Context) {
			c := newChannel(ctx, ephemeral)
			platform := c.load(ctx)
			begun := platform.Acknowledged()
			change.make(ctx, c)
			Eventually(c.allPods).WithContext(ctx).Should(HaveLen(1))
			ended := platform.Acknowledged()
			flows(platform)
			verdict := c.settles(platform)
			calls := platform.Calls()
			if change.rolls {
				Expect(calls).NotTo(ContainElement(HaveField("Failed()", true)))
			}
			Expect(verdict.InvertedOutside(begun, ended)).To(BeEmpty(), verdict.String())
			counted("Ephemeral, while its pod is replaced: "+change.name, verdict.String())
			measured("Ephemeral, no listener: "+change.name, "", traffic.Outage(calls))
		}, SpecTimeout(5*time.Minute))
	}
})

// ephemeral gives a channel an inbox that goes with its pod.
func ephemeral(c *declaration) {
	c.Spec.WithInbox(v1alpha1ac.Inbox().WithEmbedded(v1alpha1ac.EmbeddedInbox().
		WithStorage(v1alpha1.StorageEphemeral).WithSize(resource.MustParse("64Mi"))))
}
