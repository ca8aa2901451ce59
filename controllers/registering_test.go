package controllers_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

const botPath = "/webhook/xpbot/api/zalobot/push"

// botPlatform plays the Zalo Bot platform.
type botPlatform struct {
	*httptest.Server

	mu sync.Mutex
	// calls are what was asked for: the path, the URL and the secret token.
	calls []string
	// status and body answer each call; 0 is success.
	status int
	body   string
}

func newBotPlatform() *botPlatform {
	p := &botPlatform{}
	p.Server = httptest.NewServer(p)
	DeferCleanup(p.Close)
	return p
}

// ServeHTTP answers setWebhook.
func (p *botPlatform) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	var asked struct {
		URL         string `json:"url"`
		SecretToken string `json:"secret_token"`
	}
	_ = json.NewDecoder(call.Body).Decode(&asked)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call.URL.Path+" "+asked.URL+" "+asked.SecretToken)
	if p.status != 0 {
		w.WriteHeader(p.status)
		_, _ = io.WriteString(w, p.body)
		return
	}
	_, _ = io.WriteString(w, `{"ok":true,"result":{"url":"","updated_at":1749538250568}}`)
}

func (p *botPlatform) answers(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

func (p *botPlatform) called() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.calls...)
}

// asked is a call as the platform gets it.
func asked(bot, apiKey, secret string) string {
	return "/bot" + bot + "/setWebhook https://" + hooks + botPath + "?param.header.xp-api-key=" + apiKey + " " + secret
}

const (
	bot0, bot1       = "1234:Hidden-Bot_Token0", "1234:Hidden-Bot_Token1"
	apiKey0, apiKey1 = "Hidden0API0Key0000-of-32-characters", "Hidden0API0Key0001-of-32-characters"
	token0, token1   = "Hidden0Secret0Token0", "Hidden0Secret0Token1"
)

// newBot is a ZaloBot that registers its webhook, before it is created, with its Secrets.
func newBot(ctx context.Context, namespace, name string) *v1alpha1.ChannelConnector {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-bot"}, StringData: map[string]string{
		"bot-token": bot0, "secret-token": token0, "next": token1,
	}}
	Expect(k8s.Create(ctx, secret)).To(Succeed())
	c := newConnector(namespace, name)
	c.Spec.Type, c.Spec.ZaloOA = v1alpha1.ChannelZaloBot, nil
	c.Spec.ZaloBot = &v1alpha1.ZaloBot{
		SecretToken:          v1alpha1.SecretToken{SecretKeyRefs: []v1alpha1.SecretKeyRef{{Name: name + "-bot", Key: "secret-token"}}},
		BotTokenSecretKeyRef: &v1alpha1.SecretKeyRef{Name: name + "-bot", Key: "bot-token"},
		Register:             true,
	}
	c.Spec.Exposure = ingressOf(hooks)
	return c
}

var _ = Describe("The webhook of a platform without a console", func() {
	var (
		namespace string
		platform  *botPlatform
		op        *operator
		bot       *v1alpha1.ChannelConnector
	)
	at := func(s *setup) { s.PlatformAPIs = map[string]string{"ZaloBot": platform.URL} }
	BeforeEach(func(ctx context.Context) {
		namespace, platform = newNamespace(ctx), newBotPlatform()
		newSecrets(ctx, namespace)
		op = startOperator(namespace, at)
		bot = newBot(ctx, namespace, "bot")
	})
	registered := func(ctx context.Context) func() *metav1.Condition {
		return func() *metav1.Condition { return condition(ctx, bot, v1alpha1.ConditionWebhookRegistered) }
	}
	// starts lets the resource be served and reached.
	starts := func(ctx context.Context) {
		GinkgoHelper()
		created(ctx, bot)
		becomesReady(ctx, bot)
		hasAddress(ctx, bot)
	}
	secret := func(ctx context.Context, data string) {
		GinkgoHelper()
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bot-bot"}}, `{"stringData":{`+data+`}}`)
	}

	It("is registered once it is reached, again if anything changes, and never otherwise", func(ctx context.Context) {
		created(ctx, bot)
		becomesReady(ctx, bot)
		Eventually(registered(ctx)).Should(conditionIs("False", "Pending", "Exposed says"))
		Expect(platform.called()).To(BeEmpty())
		hasAddress(ctx, bot)
		Eventually(registered(ctx)).Should(conditionIs("True", "Registered", "first API key", "secret token"))
		Expect(platform.called()).To(Equal([]string{asked(bot0, apiKey0, token0)}))
		Eventually(eventsWith(ctx, namespace, "WebhookRegistered")).Should(HaveLen(1))
		staysSettled(ctx, op, bot)

		By("a restart of the operator")
		op.stop()
		op = startOperator(namespace, at)
		Eventually(op.passes.total).Should(BeNumerically(">", 0))
		settle(op)
		Expect(op.writes.Load()).To(BeZero(), "%v", op.written())
		Expect(platform.called()).To(HaveLen(1))

		By("another bot token, secret token and API key")
		secret(ctx, `"bot-token":"`+bot1+`"`)
		Eventually(platform.called).Should(Equal([]string{asked(bot0, apiKey0, token0), asked(bot1, apiKey0, token0)}))
		updated(ctx, bot, func(c *v1alpha1.ChannelConnector) {
			c.Spec.ZaloBot.SecretToken.SecretKeyRefs = append([]v1alpha1.SecretKeyRef{{Name: "bot-bot", Key: "next"}},
				c.Spec.ZaloBot.SecretToken.SecretKeyRefs...)
		})
		becomesReady(ctx, bot)
		Eventually(platform.called).Should(And(HaveLen(3), ContainElement(asked(bot1, apiKey0, token1))))
		updated(ctx, bot, func(c *v1alpha1.ChannelConnector) {
			c.Spec.Webhook.APIKeys = append([]v1alpha1.APIKey{{Name: "second", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "shop-xbot", Key: "next"}}},
				c.Spec.Webhook.APIKeys...)
		})
		becomesReady(ctx, bot)
		Eventually(platform.called).Should(And(HaveLen(4), ContainElement(asked(bot1, apiKey1, token1))))
		Eventually(registered(ctx)).Should(beTrue)
		staysSettled(ctx, op, bot)
		Expect(platform.called()).To(HaveLen(4))

		By("keeping the bot token to itself")
		config := &corev1.Secret{}
		Expect(k8s.Get(ctx, childKey(bot), config)).To(Succeed())
		for name, content := range config.Data {
			Expect(string(content)).NotTo(ContainSubstring("Hidden-Bot"), name)
		}
		Expect(op.log.lines("Hidden")).To(BeEmpty())
	})

	It("says why the platform refuses, and registers it as soon as the Secret is right", func(ctx context.Context) {
		platform.answers(http.StatusOK, `{"ok":false,"error_code":401,"description":"Unauthorized `+bot0+`"}`)
		starts(ctx)
		Eventually(registered(ctx)).Should(conditionIs("False", "CredentialRefused", `Secret "bot-bot", key "bot-token"`, "error 401"))
		Expect(registered(ctx)().Message).NotTo(ContainSubstring("Hidden"))
		Expect(readyCondition(ctx, bot)).To(beTrue, "Ready does not depend on it")
		Eventually(eventsWith(ctx, namespace, "CredentialRefused")).Should(HaveLen(1))
		staysSettled(ctx, op, bot)
		Expect(platform.called()).To(HaveLen(1))
		platform.answers(0, "")
		secret(ctx, `"bot-token":"`+bot1+`"`)
		Eventually(registered(ctx)).Should(beTrue)
		Expect(platform.called()).To(HaveLen(2))
	})

	It("is tried again after a failure", func(ctx context.Context) {
		platform.answers(http.StatusBadGateway, "")
		starts(ctx)
		Eventually(registered(ctx)).Should(conditionIs("False", "RegistrationFailed", "HTTP 502", "tried again"))
		platform.answers(0, "")
		Eventually(registered(ctx)).Should(beTrue)
		Eventually(eventsWith(ctx, namespace, "RegistrationFailed")).Should(HaveLen(1))
		staysSettled(ctx, op, bot)
		Expect(platform.called()).To(HaveLen(2))
	})

	It("stays as it is without the bot token, which is asked for by name", func(ctx context.Context) {
		starts(ctx)
		Eventually(registered(ctx)).Should(beTrue)
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bot-bot"}}, `{"data":{"bot-token":null}}`)
		Eventually(condition).WithArguments(ctx, bot, v1alpha1.ConditionCredentialsResolved).
			Should(conditionIs("False", "SecretKeyNotFound", `Secret "bot-bot" has no key "bot-token" (spec.zaloBot.botTokenSecretKeyRef)`,
				"stays as it is registered"))
		Eventually(registered(ctx)).Should(conditionIs("False", "Pending", "CredentialsResolved"))
		staysSettled(ctx, op, bot)
		secret(ctx, `"bot-token":"`+bot0+`"`)
		Eventually(registered(ctx)).Should(beTrue)
		becomesReady(ctx, bot)
		Expect(platform.called()).To(HaveLen(1), "nothing else is registered than before")
	})

	It("is left alone without register, and looks at no bot token then", func(ctx context.Context) {
		bot.Spec.ZaloBot.Register = false
		bot.Spec.ZaloBot.BotTokenSecretKeyRef.Name = "none"
		other := newConnector(namespace, "shop")
		other.Spec.Exposure = ingressOf("shop.example.com")
		created(ctx, other)
		starts(ctx)
		becomesReady(ctx, other)
		hasAddress(ctx, other)
		for _, c := range []*v1alpha1.ChannelConnector{bot, other} {
			Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionExposed).Should(beTrue)
			Expect(condition(ctx, c, v1alpha1.ConditionWebhookRegistered).Type).To(BeEmpty())
		}
		staysSettled(ctx, op, bot, other)
		Expect(platform.called()).To(BeEmpty())

		By("and after it was")
		updated(ctx, bot, func(c *v1alpha1.ChannelConnector) {
			c.Spec.ZaloBot.Register, c.Spec.ZaloBot.BotTokenSecretKeyRef.Name = true, "bot-bot"
		})
		Eventually(registered(ctx)).Should(beTrue)
		updated(ctx, bot, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloBot.Register = false })
		Eventually(func() string { return registered(ctx)().Type }).Should(BeEmpty())
		live := bot.DeepCopy()
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(bot), live)).To(Succeed())
		Expect(live.Status.RegisteredWebhook).To(BeEmpty())
		staysSettled(ctx, op, bot)
		Expect(platform.called()).To(HaveLen(1))

		By("and once more, since the webhook may have been deleted meanwhile")
		updated(ctx, bot, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloBot.Register = true })
		Eventually(registered(ctx)).Should(beTrue)
		Expect(platform.called()).To(HaveLen(2))
	})

	It("is the oldest one's of those that name a bot", func(ctx context.Context) {
		starts(ctx)
		Eventually(registered(ctx)).Should(beTrue)
		second := newBot(ctx, namespace, "second")
		second.Spec.ZaloBot.BotTokenSecretKeyRef.Name = "bot-bot"
		second.Spec.Exposure = ingressOf("second.example.com")
		aSecondPasses(bot.CreationTimestamp)
		created(ctx, second)
		becomesReady(ctx, second)
		hasAddress(ctx, second)
		Eventually(condition).WithArguments(ctx, second, v1alpha1.ConditionWebhookRegistered).
			Should(conditionIs("False", "CredentialTaken", `ChannelConnector "bot"`, `Secret "bot-bot", key "bot-token"`))
		staysSettled(ctx, op, bot, second)
		Expect(platform.called()).To(HaveLen(1))
		Expect(k8s.Delete(ctx, bot)).To(Succeed())
		Eventually(condition).WithArguments(ctx, second, v1alpha1.ConditionWebhookRegistered).Should(beTrue)
		Expect(platform.called()).To(ContainElement(And(ContainSubstring("second.example.com"), HavePrefix("/bot"+bot0))))
	})

	It("follows no redirect", func(ctx context.Context) {
		elsewhere := newBotPlatform()
		platform.Config.Handler = http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect)
		starts(ctx)
		Eventually(registered(ctx)).Should(conditionIs("False", "RegistrationFailed", "redirect"))
		Expect(elsewhere.called()).To(BeEmpty())
		Expect(strings.Contains(registered(ctx)().Message, elsewhere.URL)).To(BeFalse())
	})
})
