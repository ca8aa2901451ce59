//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// channel is a ChannelConnector in a namespace of its own, with its Secrets and bot.
type channel struct {
	*v1alpha1.ChannelConnector
	// current and next are both accepted.
	current, next traffic.Keys
	bot           *traffic.Bot
	// dialect is that of the channel's platform.
	dialect traffic.Dialect
	// posts is the number of calls that post has made.
	posts int
}

// declaration is a ChannelConnector as a user writes it.
type declaration = v1alpha1ac.ChannelConnectorApplyConfiguration

// newNamespace makes a namespace that takes hardened pods only, and removes it with all that is in it after the spec.
// The volumes that earlier ones left are offered again, of which the cluster has a handful.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	cluster(ctx, "renew-volumes")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: namespacePrefix, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(k8s.Delete(ctx, namespace)).To(Succeed()) })
	return namespace.Name
}

// newChannel declares a channel and waits until it is Ready.
func newChannel(ctx context.Context, change ...func(*declaration)) *channel {
	GinkgoHelper()
	c := declareChannel(ctx, change...)
	c.becomesReady(ctx)
	return c
}

// declareChannel makes a channel, its Secrets and its bot.
func declareChannel(ctx context.Context, change ...func(*declaration)) *channel {
	GinkgoHelper()
	c, declared := prepareChannel(ctx)
	for _, f := range change {
		f(declared)
	}
	c.writeKeys(ctx)
	Expect(k8s.Apply(ctx, declared, client.FieldOwner("kubectl"))).To(Succeed())
	return c
}

// prepareChannel makes a channel's namespace, its bot and its resource, which it does not apply yet.
func prepareChannel(ctx context.Context) (*channel, *declaration) {
	GinkgoHelper()
	bot, err := traffic.NewBot(ctx, cluster(ctx, "host-address"))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(bot.Close)
	declared := newConnector(newNamespace(ctx), bot.URL())
	c := &channel{
		ChannelConnector: &v1alpha1.ChannelConnector{}, current: newKeys(), next: newKeys(), bot: bot, dialect: traffic.ZaloOA,
	}
	c.Namespace, c.Name = *declared.Namespace, *declared.Name
	return c, declared
}

func newKeys() traffic.Keys {
	return traffic.Keys{APIKey: example.Key(32), Secret: example.Key(16)}
}

// newConnector is a ChannelConnector that takes two keys of each kind.
func newConnector(namespace, sink string) *declaration {
	return v1alpha1ac.ChannelConnector("shop", namespace).WithSpec(v1alpha1ac.ChannelConnectorSpec().
		WithType(v1alpha1.ChannelZaloOA).
		WithZaloOA(v1alpha1ac.ZaloOA().WithAppID(example.AppID).WithSignature(v1alpha1ac.Signature().
			WithSecretKeyRefs(keyOf("shop-zalo", "current"), keyOf("shop-zalo", "next")))).
		WithWebhook(v1alpha1ac.Webhook().WithAPIKeys(
			v1alpha1ac.APIKey().WithName("current").WithSecretKeyRef(keyOf("shop-xbot", "current")),
			v1alpha1ac.APIKey().WithName("next").WithSecretKeyRef(keyOf("shop-xbot", "next")))).
		WithSink(v1alpha1ac.Sink().WithHTTP(v1alpha1ac.HTTPSink().WithURL(sink))))
}

// keyOf names a key of a Secret.
func keyOf(secret, key string) *v1alpha1ac.SecretKeyRefApplyConfiguration {
	return v1alpha1ac.SecretKeyRef().WithName(secret).WithKey(key)
}

// secrets are the Secrets that the channel names.
func (c *channel) secrets() (zalo, xbot *corev1ac.SecretApplyConfiguration) {
	secret := func(name, current, next string) *corev1ac.SecretApplyConfiguration {
		return corev1ac.Secret(name, c.Namespace).WithStringData(map[string]string{
			"current": current, "next": next, "verify-token": "verify-token-of-the-specs",
		})
	}
	return secret("shop-zalo", c.current.Secret, c.next.Secret), secret("shop-xbot", c.current.APIKey, c.next.APIKey)
}

// writeKeys applies the channel's Secrets.
func (c *channel) writeKeys(ctx context.Context) {
	GinkgoHelper()
	zalo, xbot := c.secrets()
	for _, secret := range []*corev1ac.SecretApplyConfiguration{zalo, xbot} {
		Expect(k8s.Apply(ctx, secret, client.FieldOwner("kubectl"))).To(Succeed())
	}
}

// condition returns one of the channel's conditions, an empty one if there is none.
func (c *channel) condition(ctx context.Context, kind string) (metav1.Condition, error) {
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(c.ChannelConnector), c.ChannelConnector); err != nil {
		return metav1.Condition{}, err
	}
	if found := meta.FindStatusCondition(c.Status.Conditions, kind); found != nil && found.ObservedGeneration == c.Generation {
		return *found, nil
	}
	return metav1.Condition{}, nil
}

func (c *channel) becomesReady(ctx context.Context) {
	GinkgoHelper()
	Eventually(c.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionReady).Should(HaveField("Status", metav1.ConditionTrue))
}

// patch changes the declaration.
func (c *channel) patch(ctx context.Context, change string) {
	GinkgoHelper()
	Expect(k8s.Patch(ctx, c.ChannelConnector, client.RawPatch("application/merge-patch+json", []byte(change)))).To(Succeed())
}

// allPods are the channel's.
func (c *channel) allPods(ctx context.Context) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := k8s.List(ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels(children.Selector(c.Name)))
	return list.Items, err
}

// pods are the channel's that are not on their way out.
func (c *channel) pods(ctx context.Context) (stay []corev1.Pod, err error) {
	all, err := c.allPods(ctx)
	for i := range all {
		if all[i].DeletionTimestamp == nil {
			stay = append(stay, all[i])
		}
	}
	return stay, err
}

// pod is the only one.
func (c *channel) pod(ctx context.Context) corev1.Pod {
	GinkgoHelper()
	pods, err := c.pods(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(pods).To(HaveLen(1))
	return pods[0]
}

// address is the webhook's URL, by the Service's address.
func (c *channel) address(ctx context.Context) (string, error) {
	service := &corev1.Service{}
	err := k8s.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: children.ConnectorName(c.Name)}, service)
	return "http://" + service.Spec.ClusterIP + c.dialect.Path, err
}

func (c *channel) url(ctx context.Context) string {
	GinkgoHelper()
	url, err := c.address(ctx)
	Expect(err).NotTo(HaveOccurred())
	return url
}

// conversations talk at the same time in every load.
const conversations = 20

// smallText is that of most messages.
var smallText = strings.Repeat("a", 100)

// load lets the platform call the channel until the spec ends, or Stop.
func (c *channel) load(ctx context.Context) *traffic.Platform {
	GinkgoHelper()
	return c.loadOf(ctx, smallText)
}

// loadOf is a load of messages with a text.
func (c *channel) loadOf(ctx context.Context, text string) *traffic.Platform {
	GinkgoHelper()
	platform := &traffic.Platform{
		URL: c.url(ctx), Dialect: c.dialect, Conversations: conversations, Pause: 50 * time.Millisecond, Text: text,
	}
	platform.Start(context.WithoutCancel(ctx), c.current)
	DeferCleanup(platform.Stop)
	flows(platform)
	return platform
}

// flows waits until three further calls of every conversation are answered 200.
func flows(platform *traffic.Platform) {
	GinkgoHelper()
	before := platform.Acknowledged()
	for conversation := range before {
		Eventually(func() int { return platform.Acknowledged()[conversation] }).Should(BeNumerically(">", before[conversation]+2))
	}
}

// settles stops the load and waits until every acknowledged event was taken.
func (c *channel) settles(platform *traffic.Platform) traffic.Verdict {
	GinkgoHelper()
	platform.Stop()
	judge := func() traffic.Verdict { return traffic.Judge(platform.Acknowledged(), c.bot.Arrivals()) }
	Eventually(judge).Should(HaveField("Lost", BeEmpty()))
	return judge()
}

// post makes one call and returns the answer's status, 0 for none.
func (c *channel) post(ctx context.Context, keys traffic.Keys) int {
	const apart = 1 << 20 // from the load's conversations
	c.posts++
	url, err := c.address(ctx)
	if err != nil {
		fmt.Fprintln(GinkgoWriter, err)
		return 0
	}
	call := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	status, err := c.dialect.Post(ctx, call, url, keys, traffic.Message{Conversation: apart, N: c.posts}, smallText)
	if err != nil {
		fmt.Fprintln(GinkgoWriter, err)
	}
	return status
}
