//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/gateway"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

const (
	// publicHost is the host of every public address, which is also in the certificates.
	publicHost = certificate.Name
	// verificationCode proves the domain.
	verificationCode = "AbCdEf"
	// tlsSecret is the Secret with the certificate of the public host.
	tlsSecret = "hooks-tls"
)

var _ = Describe("A channel with a public address", func() {
	BeforeEach(func(ctx context.Context) {
		installGatewayAPI(ctx)
		installOperator(ctx, version)
	})

	It("is verified by Zalo's console, takes events through nginx and an HTTPRoute, and nothing else is reached", func(ctx context.Context) {
		edge := newEdge(ctx, gateway.Nginx())
		gateways := edge.listen(ctx)
		p := expose(ctx, edge, httpRoute(gateways))
		Expect(kubectl(ctx, "get", "chc", p.Name, "--namespace", p.Namespace)).To(ContainSubstring(p.Status.WebhookURL))
		p.verifiesTheDomain(ctx)
		p.isSavedAndTested(ctx)
		platform := p.talks(ctx)
		edge.rotate(ctx, gateways, p)
		flows(platform)
		p.hidesTheRest(ctx)

		By("declaring another channel with the same host and path")
		other, declared := prepareChannel(ctx)
		declared.Spec.WithExposure(httpRoute(gateways))
		other.writeKeys(ctx)
		Expect(k8s.Apply(ctx, declared, client.FieldOwner("kubectl"))).To(Succeed())
		Eventually(other.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionExposed).Should(And(
			HaveField("Status", metav1.ConditionFalse), HaveField("Reason", "PathTaken"),
			HaveField("Message", ContainSubstring("%q of namespace %q", p.Name, p.Namespace))))
		Expect(other.Status.WebhookURL).To(BeEmpty())
		flows(platform)
		p.deliversInOrder(platform)
		Expect(other.bot.Arrivals()).To(BeEmpty())

		By("giving the address up: it is the other channel's, which has other keys")
		p.patch(ctx, `{"spec":{"exposure":null}}`)
		Eventually(other.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionExposed).Should(HaveField("Status", metav1.ConditionTrue))
		Eventually(p.statusOf).WithContext(ctx).WithArguments(http.MethodPost, p.url, "{}").Should(Equal(http.StatusUnauthorized))
		other.patch(ctx, `{"spec":{"exposure":null}}`)
		Eventually(p.statusOf).WithContext(ctx).WithArguments(http.MethodPost, p.url, "{}").Should(Equal(http.StatusNotFound))
		Eventually(func(g Gomega) {
			g.Expect(p.condition(ctx, v1alpha1.ConditionExposed)).To(BeZero())
			g.Expect(p.Status.WebhookURL).To(BeEmpty())
		}).WithContext(ctx).Should(Succeed())
		p.staysSecret()
	}, SpecTimeout(12*time.Minute))

	It("takes events through HAProxy and an Ingress", func(ctx context.Context) {
		edge := newEdge(ctx, gateway.HAProxy())
		p := expose(ctx, edge, nil)
		p.verifiesTheDomain(ctx)
		p.isSavedAndTested(ctx)
		platform := p.talks(ctx)
		edge.rotate(ctx, client.ObjectKey{Namespace: p.Namespace, Name: tlsSecret}, p)
		flows(platform)
		p.hidesTheRest(ctx)
		p.deliversInOrder(platform)

		By("taking the address away")
		p.patch(ctx, `{"spec":{"exposure":null}}`)
		Eventually(p.statusOf).WithContext(ctx).WithArguments(http.MethodGet, p.url, "").ShouldNot(Equal(http.StatusOK))
		p.staysSecret()
	}, SpecTimeout(12*time.Minute))
})

// installGatewayAPI installs the kinds of the Gateway API for a spec.
func installGatewayAPI(ctx context.Context) {
	GinkgoHelper()
	definitions, err := gateway.Definitions(ctx)
	Expect(err).NotTo(HaveOccurred())
	files := "--filename=" + strings.Join(definitions, ",")
	kubectl(ctx, "apply", "--server-side", files)
	DeferCleanup(func(ctx context.Context) { kubectl(ctx, "delete", "--wait", files) })
	kubectl(ctx, "wait", "--for=condition=Established", "--timeout=1m", files)
}

// edge is a proxy on the host, and the controller that feeds it.
type edge struct {
	*gateway.Controller
	k8s client.Client
	// certificates are those of the public host, now and after their rotation, and keys their keys.
	certificates, keys [2]string
}

// newEdge starts both for a spec, which is skipped if the machine has no such proxy.
func newEdge(ctx context.Context, kind gateway.Kind) *edge {
	GinkgoHelper()
	if _, err := kind.Find(); err != nil {
		Skip(kind.Program + " is not installed; it is by: go -C localcluster run ./cmd/setup ci")
	}
	proxy, err := gateway.NewProxy(kind, GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(proxy.Stop)
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	scheme, err := gateway.NewScheme()
	Expect(err).NotTo(HaveOccurred())
	e := &edge{Controller: &gateway.Controller{Class: namespacePrefix + kind.Program, Proxy: proxy}}
	e.k8s, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	for i := range e.certificates {
		e.certificates[i], e.keys[i], err = certificate.Make(int64(i) + 1)
		Expect(err).NotTo(HaveOccurred())
	}

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- e.Run(running, config) }()
	DeferCleanup(func() {
		stop()
		Expect(<-ended).To(Succeed())
	})
	return e
}

// listen makes the classes and the Gateway, and returns the Gateway's name, which its Secret has, too.
func (e *edge) listen(ctx context.Context) client.ObjectKey {
	GinkgoHelper()
	name := client.ObjectKey{Namespace: newNamespace(ctx), Name: "public"}
	Expect(e.k8s.Create(ctx, gateway.TLSSecret(name.Namespace, name.Name, e.certificates[0], e.keys[0]))).To(Succeed())
	for _, object := range e.Objects(name.Namespace, name.Name, publicHost) {
		Expect(e.k8s.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(e.k8s.Delete(ctx, object))).To(Succeed()) })
	}
	return name
}

// rotate replaces the certificate while calls come, and waits until new connections get the new one.
func (e *edge) rotate(ctx context.Context, secret client.ObjectKey, p *public) {
	GinkgoHelper()
	By("rotating the certificate")
	Expect(e.k8s.Update(ctx, gateway.TLSSecret(secret.Namespace, secret.Name, e.certificates[1], e.keys[1]))).To(Succeed())
	p.client = gateway.Client(e.Proxy.Address, e.certificates[1])
	Eventually(p.statusOf).WithContext(ctx).WithArguments(http.MethodGet, p.url, "").Should(Equal(http.StatusOK))
}

// httpRoute exposes a channel through a Gateway.
func httpRoute(through client.ObjectKey) *v1alpha1ac.ExposureApplyConfiguration {
	return v1alpha1ac.Exposure().WithHTTPRoute(v1alpha1ac.HTTPRouteExposure().WithHostnames(publicHost).
		WithParentRefs(v1alpha1ac.ParentRef().WithNamespace(through.Namespace).WithName(through.Name)))
}

// public is a channel with its public address.
type public struct {
	*channel
	edge *edge
	// url is what a user pastes into Zalo's console.
	url    string
	client *http.Client
}

// expose declares a channel as a user does in his first hour: without an API key, because the operator makes one, and
// without the OA secret key, which Zalo has not shown yet. Without an exposure it is an Ingress.
func expose(ctx context.Context, e *edge, how *v1alpha1ac.ExposureApplyConfiguration) *public {
	GinkgoHelper()
	c, declared := prepareChannel(ctx)
	if how == nil {
		Expect(e.k8s.Create(ctx, gateway.TLSSecret(c.Namespace, tlsSecret, e.certificates[0], e.keys[0]))).To(Succeed())
		how = v1alpha1ac.Exposure().WithIngress(v1alpha1ac.IngressExposure().
			WithClassName(e.Class).WithHost(publicHost).WithTLSSecretName(tlsSecret))
	}
	declared.Spec.Webhook = nil
	declared.Spec.ZaloOA.WithDomainVerification(v1alpha1ac.DomainVerification().WithCodes(verificationCode))
	declared.Spec.WithExposure(how)
	Expect(k8s.Apply(ctx, declared, client.FieldOwner("kubectl"))).To(Succeed())

	Eventually(c.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionExposed).Should(HaveField("Status", metav1.ConditionTrue))
	Eventually(c.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionWorkloadAvailable).
		Should(HaveField("Status", metav1.ConditionTrue))
	Expect(c.Status.WebhookURL).To(Equal("https://" + publicHost + zalo.DefaultPath + "?param.header.xp-api-key=<key>"))
	secret := &corev1.Secret{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: children.APIKeyName(c.Name)}, secret)).To(Succeed())
	c.current.APIKey = string(secret.Data["xp-api-key"])
	return &public{
		channel: c, edge: e, url: strings.Replace(c.Status.WebhookURL, "<key>", c.current.APIKey, 1),
		client: gateway.Client(e.Proxy.Address, e.certificates[0]),
	}
}

// asks makes a call of the public address.
func (p *public) asks(ctx context.Context, method, url, body string, sign func(*http.Request)) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if sign != nil {
		sign(req)
	}
	got, err := p.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = got.Body.Close() }()
	raw, err := io.ReadAll(got.Body)
	return got.StatusCode, string(raw), err
}

// statusOf is the status of the answer to an unsigned call, 0 if there is none.
func (p *public) statusOf(ctx context.Context, method, url, body string) int {
	status, _, err := p.asks(ctx, method, url, body, nil)
	if err != nil {
		fmt.Fprintln(GinkgoWriter, err)
	}
	return status
}

// at is a URL of the public host.
func at(path string) string { return "https://" + publicHost + path }

// verifiesTheDomain looks for the file and the meta tag.
func (p *public) verifiesTheDomain(ctx context.Context) {
	GinkgoHelper()
	By("verifying the domain")
	for _, path := range []string{"/zalo_verifier" + verificationCode + ".html", "/"} {
		// A gateway takes a moment from accepting a route to serving it.
		Eventually(p.statusOf).WithContext(ctx).WithArguments(http.MethodGet, at(path), "").Should(Equal(http.StatusOK), path)
		_, page, err := p.asks(ctx, http.MethodGet, at(path), "", nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(page).To(And(ContainSubstring("zalo-platform-site-verification"), ContainSubstring(verificationCode)))
	}
}

// isSavedAndTested goes the console's way: the URL is checked, the OA secret key is shown, and the test button pressed.
func (p *public) isSavedAndTested(ctx context.Context) {
	GinkgoHelper()
	By("saving the URL")
	Expect(p.statusOf(ctx, http.MethodPost, p.url, "{}")).To(Equal(http.StatusOK))
	Expect(p.statusOf(ctx, http.MethodPost, p.url, "")).To(Equal(http.StatusOK))
	Expect(p.statusOf(ctx, http.MethodGet, p.url, "")).To(Equal(http.StatusOK))
	Expect(p.statusOf(ctx, http.MethodPost, p.url+"x", "{}")).To(Equal(http.StatusUnauthorized))
	Expect(p.test(ctx)).To(Equal(http.StatusServiceUnavailable), "nothing can be verified yet")

	By("showing the OA secret key, and pressing the test button")
	secret, _ := p.secrets()
	Expect(k8s.Apply(ctx, secret, client.FieldOwner("kubectl"))).To(Succeed())
	Eventually(p.test).WithContext(ctx).Should(Equal(http.StatusOK))
	p.becomesReady(ctx)
	Expect(p.bot.Arrivals()).To(BeEmpty(), "a test is no event")
}

// test sends the console's sample, which is signed, and returns the answer's status.
func (p *public) test(ctx context.Context) int {
	now := time.Now()
	body := strings.Replace(string(traffic.ZaloOA.Write(first, now, smallText)), first.String(), "This is message id", 1)
	status, _, err := p.asks(ctx, http.MethodPost, p.url, body, func(r *http.Request) {
		r.Header.Set(zalo.SignatureHeader,
			zalo.Sign(example.AppID, []byte(body), strconv.FormatInt(now.UnixMilli(), 10), p.current.Secret))
	})
	if err != nil {
		fmt.Fprintln(GinkgoWriter, err)
	}
	return status
}

// talks lets the platform call the pasted URL until the spec ends.
func (p *public) talks(ctx context.Context) *traffic.Platform {
	GinkgoHelper()
	By("sending events")
	platform := &traffic.Platform{
		URL: p.url, Conversations: conversations, Pause: 50 * time.Millisecond, Text: smallText, Fresh: 7,
		Dial: gateway.Dial(p.edge.Proxy.Address), TLS: gateway.Trust(p.edge.certificates[0] + p.edge.certificates[1]),
	}
	platform.Start(context.WithoutCancel(ctx), traffic.Keys{Secret: p.current.Secret})
	DeferCleanup(platform.Stop)
	flows(platform)
	return platform
}

// deliversInOrder stops the traffic and checks that the bot has it all, each conversation in its order.
func (p *public) deliversInOrder(platform *traffic.Platform) {
	GinkgoHelper()
	verdict := p.settles(platform)
	Expect(verdict.Lost).To(BeEmpty())
	Expect(verdict.Inverted).To(BeEmpty())
	Expect(verdict.Repeated).To(BeEmpty())
}

// hidesTheRest asks for what is not routed. The answer is the proxy's: the connector's own would be JSON.
func (p *public) hidesTheRest(ctx context.Context) {
	GinkgoHelper()
	By("asking for what is not routed")
	for _, path := range []string{
		"/metrics", "/healthz", "/readyz", "/report", "/webhook", zalo.DefaultPath + "/x", "/zalo_verifierOther.html",
	} {
		status, answer, err := p.asks(ctx, http.MethodGet, at(path), "", nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(Equal(http.StatusNotFound), path)
		Expect(answer).NotTo(ContainSubstring(`"status"`), path)
	}
}

// staysSecret checks that the proxy has logged the calls, and no key.
func (p *public) staysSecret() {
	GinkgoHelper()
	log, err := p.edge.Proxy.Log()
	Expect(err).NotTo(HaveOccurred())
	Expect(log).To(ContainSubstring(zalo.DefaultPath))
	Expect(strings.Contains(log, p.current.APIKey)).To(BeFalse(), "the API key is in the proxy's log")
}
