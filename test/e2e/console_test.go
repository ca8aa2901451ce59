//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

var _ = Describe("Zalo's console", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	It("verifies a URL before it shows the OA secret key, with which the first event is taken", func(ctx context.Context) {
		c := awaitOASecretKey(ctx)
		before := c.pod(ctx)

		By("calling the URL, unsigned, when a user saves it")
		for _, body := range []string{"{}", ""} {
			Expect(c.ask(ctx, http.MethodPost, c.current.APIKey, body)).To(HaveHTTPStatus(http.StatusOK))
		}
		Expect(c.ask(ctx, http.MethodGet, c.current.APIKey, "")).To(HaveHTTPStatus(http.StatusOK))
		Expect(c.ask(ctx, http.MethodPost, c.next.APIKey+"x", "{}")).To(HaveHTTPStatus(http.StatusUnauthorized))

		By("sending an event that nobody can verify yet")
		event := c.event(ctx)
		Expect(event(ctx, c.current)).
			To(And(HaveHTTPStatus(http.StatusServiceUnavailable), HaveHTTPHeaderWithValue("Retry-After", Not(BeEmpty()))))
		Expect(c.bot.Arrivals()).To(BeEmpty())

		By("showing the key, of which a user makes the Secret")
		zalo, _ := c.secrets()
		made := time.Now()
		Expect(k8s.Apply(ctx, zalo, client.FieldOwner("kubectl"))).To(Succeed())
		took := c.taken(ctx, event, made)
		measured("the first OA secret key works", "under 2s", took)
		AddReportEntry("from the Secret to the first event taken", took)

		Eventually(c.bot.Arrivals).Should(ConsistOf(And(HaveField("Message", first), HaveField("Taken", true))))
		c.becomesReady(ctx)
		Expect(c.condition(ctx, v1alpha1.ConditionReconciling)).To(BeZero())
		after := c.pod(ctx)
		Expect(after.UID).To(Equal(before.UID))
		Expect(after.Status.ContainerStatuses).To(HaveEach(HaveField("RestartCount", BeZero())))
		forged := traffic.Keys{APIKey: c.current.APIKey, Secret: newKeys().Secret}
		Expect(event(ctx, forged)).To(HaveHTTPStatus(http.StatusUnauthorized))
	}, SpecTimeout(5*time.Minute))
})

// first is the spec's event.
var first = traffic.Message{N: 1}

// awaitOASecretKey declares a channel that verifies signatures from the start, with its API key alone, and waits until
// its connector serves and the resource says what to do.
func awaitOASecretKey(ctx context.Context) *channel {
	GinkgoHelper()
	c, declared := prepareChannel(ctx)
	declared.Spec.ZaloOA.Signature.WithMode(v1alpha1.SignatureEnforce)
	_, xbot := c.secrets()
	Expect(k8s.Apply(ctx, xbot, client.FieldOwner("kubectl"))).To(Succeed())
	Expect(k8s.Apply(ctx, declared, client.FieldOwner("kubectl"))).To(Succeed())
	is := func(kind string, status metav1.ConditionStatus, reason string) {
		GinkgoHelper()
		Eventually(c.condition).WithContext(ctx).WithArguments(kind).Should(And(HaveField("Status", status), HaveField("Reason", reason)))
	}
	is(v1alpha1.ConditionWorkloadAvailable, metav1.ConditionTrue, "Available")
	is(v1alpha1.ConditionCredentialsResolved, metav1.ConditionFalse, "AwaitingOASecretKey")
	is(v1alpha1.ConditionReady, metav1.ConditionFalse, "AwaitingOASecretKey")
	is(v1alpha1.ConditionReconciling, metav1.ConditionTrue, "AwaitingOASecretKey")
	Expect(c.condition(ctx, v1alpha1.ConditionStalled)).To(BeZero())
	Expect(c.condition(ctx, v1alpha1.ConditionReady)).To(HaveField("Message",
		ContainSubstring("http://%s-connector.%s.svc%s?param.header.xp-api-key=", c.Name, c.Namespace, zalo.DefaultPath)))
	return c
}

// ask calls the URL as it is pasted into Zalo's console.
func (c *channel) ask(ctx context.Context, method, apiKey, body string) (*http.Response, error) {
	target := c.url(ctx) + "?" + url.Values{"param.header.xp-api-key": {apiKey}}.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	return call(req)
}

// event returns a function that sends the first event. It sends the same bytes each time, as Zalo's retries do.
func (c *channel) event(ctx context.Context) func(context.Context, traffic.Keys) (*http.Response, error) {
	GinkgoHelper()
	target, at := c.url(ctx), time.Now()
	return func(ctx context.Context, keys traffic.Keys) (*http.Response, error) {
		req, err := traffic.ZaloOA.NewRequest(ctx, target, keys, first, at, smallText)
		if err != nil {
			return nil, err
		}
		return call(req)
	}
}

// call makes a call on a connection of its own.
func call(req *http.Request) (*http.Response, error) {
	req.Close = true
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return answer, answer.Body.Close()
}

// taken sends the event until it is accepted, and returns the time since a moment. Until then it is answered 503 and
// never refused.
func (c *channel) taken(ctx context.Context, event func(context.Context, traffic.Keys) (*http.Response, error),
	since time.Time) time.Duration {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		answer, err := event(ctx, c.current)
		g.Expect(err).NotTo(HaveOccurred())
		if answer.StatusCode != http.StatusServiceUnavailable && answer.StatusCode != http.StatusOK {
			StopTrying(fmt.Sprintf("the event was answered %d", answer.StatusCode)).Now()
		}
		g.Expect(answer).To(HaveHTTPStatus(http.StatusOK))
	}).WithContext(ctx).WithPolling(20 * time.Millisecond).Should(Succeed())
	return time.Since(since)
}
