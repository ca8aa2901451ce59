//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// apiServer is the daemon of the control plane.
const apiServer = "kube-apiserver"

var _ = Describe("A crash under load", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	It("of the container loses and inverts nothing", func(ctx context.Context) {
		for name, inbox := range map[string]func(*declaration){"Persistent": func(*declaration) {}, "Ephemeral": ephemeral} {
			By("with an inbox that is " + name)
			c := newChannel(ctx, inbox)
			platform := c.load(ctx)
			kill(ctx, c.pod(ctx))
			Eventually(c.pods).WithContext(ctx).Should(ConsistOf(restarted("Error")))
			c.survives(ctx, platform, name+", no listener: a killed container")
		}
	}, SpecTimeout(5*time.Minute))

	It("of the container for want of memory loses and inverts nothing", func(ctx context.Context) {
		// Buffered bodies keep within the limit, unless one body may be larger than it.
		c := newChannel(ctx, func(c *declaration) {
			c.Spec.WithWebhook(c.Spec.Webhook.WithMaxBodySize(resource.MustParse("64Mi")))
			c.Spec.WithWorkload(v1alpha1ac.Workload().WithResources(v1alpha1ac.Resources().
				WithLimits(corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("40Mi")})))
		})
		platform := c.load(ctx)
		burst, end := context.WithCancel(ctx)
		defer end()
		url := c.url(ctx)
		for range 64 {
			go postLarge(burst, url, c.current.APIKey)
		}
		Eventually(c.pods).WithContext(ctx).Should(ConsistOf(restarted("OOMKilled")))
		end()
		c.survives(ctx, platform, "Persistent, no listener: a container out of memory")
	}, SpecTimeout(5*time.Minute))

	It("of the operator is not noticed, and what was changed meanwhile is done afterwards", func(ctx context.Context) {
		c := newChannel(ctx)
		platform := c.load(ctx)
		kubectl(ctx, "delete", "pods", "--selector=app.kubernetes.io/name=channel-connector-operator",
			"--namespace", operatorNamespace, "--grace-period=0", "--force")
		c.rotate(ctx, platform, ", after the operator was killed")
		undisturbed(c, platform)
	}, SpecTimeout(5*time.Minute))

	It("of the API server is not noticed for a minute", Serial, func(ctx context.Context) {
		c := newChannel(ctx)
		platform := c.load(ctx)
		cluster(ctx, "stop-daemon", controlPlane, apiServer)
		away := time.Now()
		restore := sync.OnceFunc(func() {
			cluster(context.WithoutCancel(ctx), "start-daemon", controlPlane, apiServer)
			Eventually(func() error { return k8s.List(ctx, &corev1.NodeList{}) }).Should(Succeed())
		})
		DeferCleanup(restore)
		Eventually(time.Since).WithArguments(away).WithPolling(time.Second).Should(BeNumerically(">", time.Minute))
		flows(platform)
		restore()
		c.becomesReady(ctx)
		c.rotate(ctx, platform, ", after the API server was away")
		undisturbed(c, platform)
	}, SpecTimeout(10*time.Minute))

	It("of the node loses and inverts nothing: the inbox comes back with its events", Serial, func(ctx context.Context) {
		const second = "node2"
		if err := k8s.Get(ctx, client.ObjectKey{Name: second}, &corev1.Node{}); err != nil {
			cluster(ctx, "add-node")
			loadImages(ctx, version)
		}
		c := newChannel(ctx, quickRetries, func(c *declaration) {
			c.Spec.WithWorkload(v1alpha1ac.Workload().WithNodeSelector(map[string]v1alpha1.LabelValue{corev1.LabelHostname: second}))
		})
		platform := c.load(ctx)
		c.bot.Answer(http.StatusServiceUnavailable) // events accepted from now on are in the inbox alone
		flows(platform)
		boot := sync.OnceFunc(func() { cluster(context.WithoutCancel(ctx), "boot-node", second) })
		DeferCleanup(boot)
		cluster(ctx, "halt-node", second)
		c.bot.Answer(http.StatusOK)
		boot()
		c.survives(ctx, platform, "Persistent, no listener: a rebooted node")
	}, SpecTimeout(10*time.Minute))
})

// undisturbed ends a load of which no call failed, and no event was lost, inverted or repeated.
func undisturbed(c *channel, platform *traffic.Platform) {
	GinkgoHelper()
	verdict := c.settles(platform)
	Expect(platform.Calls()).NotTo(ContainElement(HaveField("Failed()", true)))
	Expect(verdict.Inverted).To(BeEmpty(), verdict.String())
	Expect(verdict.Repeated).To(BeEmpty(), verdict.String())
}

// survives waits until the channel serves again, and judges the acknowledged events.
func (c *channel) survives(ctx context.Context, platform *traffic.Platform, outage string) {
	GinkgoHelper()
	flows(platform)
	c.becomesReady(ctx)
	verdict := c.settles(platform)
	Expect(verdict.Inverted).To(BeEmpty(), verdict.String())
	Expect(len(verdict.Repeated)).To(BeNumerically("<=", conversations), "more than the attempts under way: %v", verdict)
	measured(outage, "", traffic.Outage(platform.Calls()))
}

// restarted matches a pod whose container ended for a reason and was started again.
func restarted(reason string) OmegaMatcher {
	return HaveField("Status.ContainerStatuses", ConsistOf(And(
		HaveField("RestartCount", BeNumerically(">", 0)),
		HaveField("LastTerminationState.Terminated.Reason", reason),
	)))
}

// kill kills a pod's container.
func kill(ctx context.Context, pod corev1.Pod) {
	GinkgoHelper()
	Expect(pod.Status.ContainerStatuses).To(HaveLen(1))
	cluster(ctx, "kill-container", pod.Spec.NodeName, pod.Status.ContainerStatuses[0].ContainerID)
}

// postLarge posts bodies of the largest size, with a wrong signature, until ctx ends.
func postLarge(ctx context.Context, url, apiKey string) {
	body := bytes.Repeat([]byte(" "), 1<<20)
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Xp-Api-Key", apiKey)
		req.Header.Set(zalo.SignatureHeader, "mac="+strings.Repeat("a", 64)) // the body of an unsigned call is not read
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}
}
