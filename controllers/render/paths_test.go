package render_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// TestPaths: the pages are those that the connector's own type serves, whatever the resource's secrets.
func TestPaths(t *testing.T) {
	unknown := &v1alpha1.ChannelConnector{}
	unknown.Spec.Webhook.Path = "/pager"
	for name, c := range map[string]struct {
		of   *v1alpha1.ChannelConnector
		want []string
	}{
		"the type's path": {connectortest.New(t), []string{"/webhook/xpbot/api/zalo/push"}},
		"pages":           {connectortest.Full(t), []string{"/zalo/push", "/zalo_verifierAbCdEf.html", "/", "/zalo_verifier1_2-3.html"}},
		"without secrets": {
			connectortest.New(t, `zaloOA: {signature: {mode: "Off", secretKeyRefs: null}, domainVerification: {codes: [a]}}`),
			[]string{"/webhook/xpbot/api/zalo/push", "/zalo_verifiera.html", "/"},
		},
		"a bot": {
			connectortest.New(t, `type: AzureBot, zaloOA: null, azureBot: {token: {mode: "Off"}}`), []string{"/webhook/xpbot/api/azbot/push"},
		},
		"a bot with a web chat": {
			connectortest.New(t, `type: AzureBot, zaloOA: null, azureBot: {token: {mode: "Off"}, webChat: {
  directLineSecretKeyRef: {name: a, key: b}, partnerKeys: [{name: web, secretKeyRef: {name: a, key: c}}]}}`),
			[]string{"/webhook/xpbot/api/azbot/push", "/partner/xpbot/api/webchat/initForClient"},
		},
		"an unknown type": {unknown, []string{"/pager"}},
	} {
		if diff := cmp.Diff(c.want, render.Paths(c.of)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
