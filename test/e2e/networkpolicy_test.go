//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

var _ = Describe("NetworkPolicies that are enforced", func() {
	BeforeEach(func(ctx context.Context) {
		cluster(ctx, "enforce-policies")
		DeferCleanup(func(ctx context.Context) { cluster(ctx, "ignore-policies") })
		// All that the operator must be allowed is the API server: the rest is the chart's.
		installOperator(ctx, version, "--set", "networkPolicy.enabled=true",
			"--set-json", `networkPolicy.egress=[{"ports":[{"port":6443}],"to":[{"ipBlock":{"cidr":"10.99.0.2/32"}}]}]`)
		DeferCleanup(func(ctx context.Context) { installOperator(ctx, version) })
	})

	It("let in and out who is named, the operator, DNS and the sink", func(ctx context.Context) {
		gateway, stranger, shop := newChannel(ctx), newChannel(ctx), newChannel(ctx)
		webhook := fmt.Sprintf("http://%s-connector.%s.svc/healthz", shop.Name, shop.Namespace)
		metrics := func(ctx context.Context) string { return "http://" + shop.pod(ctx).Status.PodIP + ":9090/metrics" }

		By("no policy: everyone reaches everyone")
		for _, url := range []string{webhook, metrics(ctx)} {
			Eventually(stranger.reaches).WithContext(ctx).WithArguments(url).Should(BeTrue())
		}
		Expect(shop.reaches(ctx, stranger.bot.URL())).To(BeTrue())

		By("a policy for one caller and the specs, which call from the nodes' network")
		from := fmt.Sprintf(`[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":%q}}},{"ipBlock":{"cidr":"10.99.0.0/16"}}]`,
			gateway.Namespace)
		shop.patch(ctx, fmt.Sprintf(`{"spec":{"workload":{"networkPolicy":{"webhookFrom":%s,"metricsFrom":%s}}}}`, from, from))
		for _, url := range []string{webhook, metrics(ctx)} {
			Eventually(stranger.reaches).WithContext(ctx).WithArguments(url).Should(BeFalse())
			Expect(gateway.reaches(ctx, url)).To(BeTrue())
		}
		Expect(shop.reaches(ctx, stranger.bot.URL())).To(BeFalse(), "another address than the sink's")
		shop.takesTheExample(ctx)
		called := time.Now()
		shop.tells(ctx, v1alpha1.ConditionReceiving, "True", "CallsReceived", called) // the operator still reads the report
		Expect(shop.condition(ctx, v1alpha1.ConditionReady)).To(HaveField("Status", BeEquivalentTo("True")))

		By("a sink that is a Service, whose port is not its pods'")
		inCluster := fmt.Sprintf("http://%s-connector.%s.svc/healthz", stranger.Name, stranger.Namespace)
		Expect(shop.reaches(ctx, inCluster)).To(BeFalse())
		shop.patch(ctx, fmt.Sprintf(`{"spec":{"sink":{"http":{"url":%q}}}}`, inCluster))
		Eventually(shop.reaches).WithContext(ctx).WithArguments(inCluster).Should(BeTrue())
		Expect(shop.reaches(ctx, shop.bot.URL())).To(BeFalse(), "the sink that was")

		By("no policy any more")
		shop.patch(ctx, `{"spec":{"workload":{"networkPolicy":null}}}`)
		Eventually(stranger.reaches).WithContext(ctx).WithArguments(webhook).Should(BeTrue())
		Expect(shop.post(ctx, shop.current)).To(Equal(http.StatusOK))
	}, SpecTimeout(15*time.Minute))
})

// answered is the line that connector send prints of an answer.
var answered = regexp.MustCompile(`(?m)^[1-5][0-9]{2} `)

// reaches posts nothing to a URL from the channel's pod, and reports whether it was answered, whatever the answer. The
// network drops what a NetworkPolicy does not let through.
func (c *channel) reaches(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return answered.MatchString(tryKubectl(ctx, "exec", "--namespace", c.Namespace, "deployment/"+c.Name+"-connector", "--",
		"connector", "send", "--file=/dev/null", "--without-api-key", "--url="+url))
}
