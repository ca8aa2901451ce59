package controllers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// ahead is a clock that a spec puts forward.
type ahead struct {
	clock.RealClock

	by atomic.Int64
}

// Now is the time plus what it was put forward.
func (a *ahead) Now() time.Time { return time.Now().Add(time.Duration(a.by.Load())) }

// Since is the time since then.
func (a *ahead) Since(t time.Time) time.Duration { return a.Now().Sub(t) }

// put puts the clock forward.
func (a *ahead) put(by time.Duration) { a.by.Add(int64(by)) }

var _ = Describe("A key that is taken away", func() {
	const (
		leaked = "Hidden0API0Key0000-of-32-characters"
		oaKey  = "Hidden0SecretKey0OA"
		// grace is a little more than what a key is accepted after it is gone.
		grace = 31 * time.Second
	)
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
		watch     *ahead
	)
	with := func(s *setup) { s.Clock = watch }
	accepts := func(ctx context.Context) bool { return strings.Contains(configOf(ctx, shop), sha(leaked)) }
	verifies := func(ctx context.Context) bool { return strings.Contains(configOf(ctx, shop), oaKey) }
	secret := func(name string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	expiring := func(ctx context.Context) []v1alpha1.ExpiringKey {
		c := &v1alpha1.ChannelConnector{}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(shop), c)).To(Succeed())
		return c.Status.ExpiringKeys
	}
	BeforeEach(func(ctx context.Context) {
		namespace, watch = newNamespace(ctx), &ahead{}
		newSecrets(ctx, namespace)
		newSinkSecrets(ctx, namespace)
		op = startOperator(namespace, with)
		shop = newConnector(namespace, "shop")
		shop.Spec.Sink.HTTP.Headers = []v1alpha1.Header{
			{Name: "Authorization", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "bot", Key: "authorization"}},
		}
		shop.Spec.Webhook.APIKeys = append(shop.Spec.Webhook.APIKeys, v1alpha1.APIKey{
			Name: "second", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "shop-xbot", Key: "next"},
		})
		created(ctx, shop)
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)
		Expect(accepts(ctx)).To(BeTrue())
	})

	It("with its Secret is out after the grace, which a restarted operator goes on counting", func(ctx context.Context) {
		deleted := time.Now()
		Expect(k8s.Delete(ctx, secret("shop-xbot"))).To(Succeed())
		Eventually(expiring).WithArguments(ctx).Should(HaveLen(2))
		first := expiring(ctx)
		Expect(first[0].AcceptedUntil.Time).
			To(And(BeTemporally(">", deleted.Add(28*time.Second)), BeTemporally("<=", time.Now().Add(30*time.Second))))
		Expect(condition(ctx, shop, v1alpha1.ConditionCredentialsResolved).Message).To(ContainSubstring(
			"it is accepted until " + first[0].AcceptedUntil.UTC().Format(time.RFC3339)))
		Expect(accepts(ctx)).To(BeTrue())

		op.stop()
		watch.put(15 * time.Second)
		op = startOperator(namespace, with)
		op.forcePass(ctx, shop)
		Expect(expiring(ctx)).To(Equal(first))
		Expect(accepts(ctx)).To(BeTrue())

		watch.put(grace - 15*time.Second)
		op.forcePass(ctx, shop)
		Eventually(accepts).WithArguments(ctx).Should(BeFalse())
		Eventually(expiring).WithArguments(ctx).Should(BeEmpty())
		Expect(condition(ctx, shop, v1alpha1.ConditionCredentialsResolved).Message).To(ContainSubstring("calls with it get 401"))
		settle(op)
		Expect(accepts(ctx)).To(BeFalse())
	})

	It("with its entry is out even while another credential is broken", func(ctx context.Context) {
		patched(ctx, secret("bot"), `{"stringData":{"authorization":"two\nlines"}}`)
		Eventually(configOf).WithArguments(ctx, shop).ShouldNot(ContainSubstring("Bearer hidden"))
		patched(ctx, secret("shop-xbot"), `{"data":{"xp-api-key":null}}`)
		Eventually(expiring).WithArguments(ctx).Should(HaveLen(1))
		watch.put(grace)
		op.forcePass(ctx, shop)
		Eventually(accepts).WithArguments(ctx).Should(BeFalse())
	})

	DescribeTable("by another value in its place is out at once:", func(ctx context.Context, value string) {
		patched(ctx, secret("shop-xbot"), `{"stringData":{"xp-api-key":"`+value+`"}}`)
		Eventually(accepts).WithArguments(ctx).Should(BeFalse())
		patched(ctx, secret("shop-zalo"), `{"stringData":{"oa-secret-key":"a b"}}`)
		Eventually(verifies).WithArguments(ctx).Should(BeFalse())
		Expect(expiring(ctx)).To(BeEmpty())
	},
		Entry("malformed", "two words of a key that is long enough"),
		Entry("too short", "short"),
		Entry("the key beside it", "Hidden0API0Key0001-of-32-characters"),
		Entry("a new one", "Hidden0API0Key0002-of-32-characters"),
	)

	It("from the spec is out at once, even while another credential is broken", func(ctx context.Context) {
		patched(ctx, secret("bot"), `{"stringData":{"authorization":"two\nlines"}}`)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "SecretKeyMalformed"))
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Webhook.APIKeys = c.Spec.Webhook.APIKeys[1:] })
		Eventually(accepts).WithArguments(ctx).Should(BeFalse())
	})

	It("and put back within the grace changes nothing", func(ctx context.Context) {
		before, version := configOf(ctx, shop), child(ctx, shop, &corev1.Secret{}).ResourceVersion
		Expect(k8s.Delete(ctx, secret("shop-xbot"))).To(Succeed())
		Expect(k8s.Delete(ctx, secret("shop-zalo"))).To(Succeed())
		Eventually(expiring).WithArguments(ctx).Should(HaveLen(3))
		newSecrets(ctx, namespace)
		becomesReady(ctx, shop)
		Expect(expiring(ctx)).To(BeEmpty())
		Expect(configOf(ctx, shop)).To(Equal(before))
		Expect(child(ctx, shop, &corev1.Secret{}).ResourceVersion).To(Equal(version))
	})

	It("is not taken for gone while the API server does not hand its Secret out", func(ctx context.Context) {
		op.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/secrets/shop-xbot") {
				return turnAway(req, http.StatusInternalServerError, metav1.StatusReasonInternalError, ""), nil
			}
			return next.RoundTrip(req)
		})
		watch.put(time.Hour)
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring(`appID: "42"`), "the rest goes on")
		watch.put(time.Hour)
		op.forcePass(ctx, shop)
		Expect(accepts(ctx)).To(BeTrue())
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionCredentialsResolved).Should(HaveField("Reason", "SecretUnreadable"))
		Expect(readyCondition(ctx, shop)).
			To(And(HaveField("Reason", "ApplyFailed"), HaveField("Message", ContainSubstring(`read Secret "shop-xbot"`))))

		By("and a leaked one of another Secret is out nevertheless")
		patched(ctx, secret("shop-zalo"), `{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		Eventually(verifies).WithArguments(ctx).Should(BeFalse())
		op.inject(nil)
		becomesReady(ctx, shop)
	})

	It("is out after the grace even where the status cannot be written", func(ctx context.Context) {
		op.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if isWrite(req) && strings.HasSuffix(req.URL.Path, "/status") {
				return turnAway(req, http.StatusForbidden, metav1.StatusReasonForbidden, ""), nil
			}
			return next.RoundTrip(req)
		})
		Expect(k8s.Delete(ctx, secret("shop-xbot"))).To(Succeed())
		for range 3 {
			op.forcePass(ctx, shop)
			Expect(accepts(ctx)).To(BeTrue())
			watch.put(grace / 3)
		}
		op.forcePass(ctx, shop)
		Eventually(accepts).WithArguments(ctx).Should(BeFalse())
	})
})

// sha is what a configuration holds of an API key.
func sha(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
