package status_test

import (
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/status/statustest"
)

// bot is a ZaloBot that registers its webhook.
const bot = `type: ZaloBot, zaloOA: null, exposure: {ingress: {host: hooks.example.com}}, zaloBot: {register: true,
  secretToken: {secretKeyRefs: [{name: bot, key: secret}]}, botTokenSecretKeyRef: {name: bot, key: token}}`

// TestWebhookRegistered: the condition says how far the registration is, and stands while nothing can be said.
func TestWebhookRegistered(t *testing.T) {
	const credential = `Secret "bot", key "token" (spec.zaloBot.botTokenSecretKeyRef)`
	o, before := observed(t), ""
	o.Connector = connectortest.New(t, bot)
	for _, c := range []struct {
		registration *status.Registration
		want         string
	}{
		{nil, ""},
		{&status.Registration{}, "False Pending: Zalo Bot is told where to call once the Secrets can be read"},
		{&status.Registration{Reason: status.ReasonPending, Detail: "it rains"}, "False Pending: Zalo Bot is told where to call once it rains"},
		{&status.Registration{Reason: status.ReasonRegistering}, "False Registering: "},
		{
			&status.Registration{Reason: status.ReasonRegistrationFailed, Detail: "HTTP 502 at 10:01:07"},
			"False RegistrationFailed: HTTP 502 at 10:01:07. It is",
		},
		{
			&status.Registration{Reason: status.ReasonRegistrationFailed, Detail: "HTTP 502 at 11:02:08"},
			"False RegistrationFailed: HTTP 502 at 10:01:07. It is",
		},
		{
			&status.Registration{Reason: status.ReasonCredentialRefused, Credential: credential, Detail: "HTTP 401"},
			"False CredentialRefused: Zalo Bot does not take the credential of " + credential + ": HTTP 401",
		},
		{
			&status.Registration{Reason: status.ReasonCredentialTaken, Credential: credential, Detail: "shop"},
			`False CredentialTaken: ChannelConnector "shop", which is older, names ` + credential,
		},
		{&status.Registration{Reason: status.ReasonRegistered, Fingerprint: "f"}, "True Registered: Zalo Bot was told"},
		{&status.Registration{Fingerprint: "f"}, "True Registered: Zalo Bot was told"},
		{nil, ""},
	} {
		o.Registration = c.registration
		s := status.Compute(o)
		got := conditions(s)[v1alpha1.ConditionWebhookRegistered]
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("after %q: got %q, want %q", before, got, c.want)
		}
		if c.registration != nil && s.RegisteredWebhook != c.registration.Fingerprint || c.registration == nil && s.RegisteredWebhook != "" {
			t.Errorf("%q remembers %q", got, s.RegisteredWebhook)
		}
		o.Connector.Status = s
		for _, wrong := range statustest.Check(o.Connector) {
			t.Error(wrong)
		}
		before = got
	}
}
