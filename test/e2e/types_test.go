//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/test/kit/issuer"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

var _ = Describe("A channel of another type than Zalo's", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	It("keeps every promise to Messenger", func(ctx context.Context) {
		keepsPromises(ctx, newChannelOf(ctx, traffic.FacebookMessenger, func(c *declaration) {
			c.Spec.WithFacebookMessenger(v1alpha1ac.FacebookMessenger().
				WithSignature(v1alpha1ac.MessengerSignature().WithSecretKeyRefs(signingKeys()...)).
				WithVerifyTokenSecretKeyRef(keyOf("shop-zalo", "verify-token")))
		}))
	}, SpecTimeout(5*time.Minute))

	It("keeps every promise to the Zalo Bot platform", func(ctx context.Context) {
		keepsPromises(ctx, newChannelOf(ctx, traffic.ZaloBot, func(c *declaration) {
			c.Spec.WithZaloBot(v1alpha1ac.ZaloBot().WithSecretToken(v1alpha1ac.SecretToken().WithSecretKeyRefs(signingKeys()...)))
		}))
	}, SpecTimeout(5*time.Minute))

	It("keeps every promise to Azure, whose keys come from its own documents", func(ctx context.Context) {
		tokens, err := issuer.New(ctx, cluster(ctx, "host-address"))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(tokens.Close)
		dialect := traffic.AzureBot(tokens)
		c := newChannelOf(ctx, dialect, func(c *declaration) {
			c.Spec.WithAzureBot(v1alpha1ac.AzureBot().WithAppID(traffic.BotID).
				WithToken(v1alpha1ac.AzureToken().WithMetadataURL(tokens.MetadataURL())))
		})
		c.current.Secret = dialect.Secret()
		Eventually(c.post).WithContext(ctx).WithArguments(c.current).Should(Equal(http.StatusOK), "the keys are fetched")
		platform := c.load(ctx)
		Expect(tokens.Rotate(2)).To(Succeed())
		next := traffic.Keys{APIKey: c.next.APIKey, Secret: dialect.Secret()}
		start := time.Now()
		c.until(ctx, "a token of a new key works", start, http.StatusOK, next)
		platform.Use(next)
		flows(platform)
		c.survivesKill(ctx, platform)
	}, SpecTimeout(5*time.Minute))
})

// newChannelOf is newChannel of another type, whose member is set.
func newChannelOf(ctx context.Context, d traffic.Dialect, set func(*declaration)) *channel {
	GinkgoHelper()
	c := newChannel(ctx, func(c *declaration) {
		c.Spec.WithType(v1alpha1.ChannelType(d.Type)).ZaloOA = nil
		set(c)
	})
	c.dialect = d
	return c
}

// signingKeys are those of the Secret that writeKeys makes.
func signingKeys() []*v1alpha1ac.SecretKeyRefApplyConfiguration {
	return []*v1alpha1ac.SecretKeyRefApplyConfiguration{keyOf("shop-zalo", "current"), keyOf("shop-zalo", "next")}
}

// keepsPromises rotates all keys under load, without a refused call, and then kills the container.
func keepsPromises(ctx context.Context, c *channel) {
	GinkgoHelper()
	platform := c.load(ctx)
	c.rotate(ctx, platform, ", of "+c.dialect.Type)
	c.survivesKill(ctx, platform)
}

// survivesKill judges the load so far, kills the container, and judges the whole.
func (c *channel) survivesKill(ctx context.Context, platform *traffic.Platform) {
	GinkgoHelper()
	Expect(platform.Calls()).NotTo(ContainElement(HaveField("Failed()", true)))
	kill(ctx, c.pod(ctx))
	Eventually(c.pods).WithContext(ctx).Should(ConsistOf(restarted("Error")))
	c.survives(ctx, platform, c.dialect.Type+", no listener: a killed container")
}
