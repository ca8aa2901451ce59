package credentials

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// registers is a ZaloBot in a rotation of each key.
const registers = `type: ZaloBot, zaloOA: null, exposure: {ingress: {host: hooks.example.com}},
  webhook: {apiKeys: [{name: new, secretKeyRef: {name: shop-xbot, key: new}}, {name: old, secretKeyRef: {name: shop-xbot, key: old}}]},
  zaloBot: {register: true, botTokenSecretKeyRef: {name: bot, key: token},
    secretToken: {secretKeyRefs: [{name: bot, key: secret}, {name: bot, key: old}]}}`

// TestRegistering: the platform is told the first value that can be used. One that may come in a moment is waited for.
func TestRegistering(t *testing.T) {
	all := secrets{
		"shop-xbot": {"new": apiKey1, "old": apiKey2},
		"bot":       {"token": "12:HiddenToken", "secret": "Hidden0Secret0Token0", "old": "Hidden0Secret0Token1"},
	}
	const named = `Secret "bot", key "token" (spec.zaloBot.botTokenSecretKeyRef)`
	whole := Registering{
		Credential: "12:HiddenToken", Ref: v1alpha1.SecretKeyRef{Name: "bot", Key: "token"}, Named: named,
		APIKey: apiKey1, Secret: "Hidden0Secret0Token0",
	}
	with := func(change func(*Registering)) *Registering {
		changed := whole
		change(&changed)
		return &changed
	}
	inUse := &render.InUse{APIKeys: map[string]string{"shop-xbot/new": "00"}, Values: map[string]string{"bot/token": "never"}}
	for name, c := range map[string]struct {
		there  secrets
		has    *render.InUse
		unread string
		want   *Registering
	}{
		"all there":               {all, nil, "", &whole},
		"the first key never was": {all.without("shop-xbot", "new"), &render.InUse{}, "", with(func(r *Registering) { r.APIKey = apiKey2 })},
		"the first token is unfit": {
			all.with("bot", "secret", "short"), &render.InUse{}, "", with(func(r *Registering) { r.Secret = "Hidden0Secret0Token1" }),
		},
		"the first key is gone now": {all.without("shop-xbot", "new"), inUse, "", with(func(r *Registering) { r.APIKey, r.Unsure = "", true })},
		"no key": {
			all.without("shop-xbot", ""), &render.InUse{}, "", with(func(r *Registering) { r.APIKey, r.Missing = "", true }),
		},
		"no bot token":              {all.without("bot", "token"), inUse, "", with(func(r *Registering) { r.Credential, r.Missing = "", true })},
		"a Secret that is not read": {all, inUse, "shop-xbot", with(func(r *Registering) { r.APIKey, r.Unsure = "", true })},
	} {
		t.Run(name, func(t *testing.T) {
			from := c.there.source(new([]string))
			resolved, err := Resolve(t.Context(), Input{
				Connector: connectortest.New(t, registers), Now: time.Now(),
				From: func(ctx context.Context, o render.Object) (map[string][]byte, error) {
					if o.Name == c.unread {
						return nil, errors.New("away")
					}
					return from(ctx, o)
				},
				InUse: func(context.Context) (*render.InUse, error) { return c.has, nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, resolved.Registering); diff != "" {
				t.Errorf("registering (-want +got):\n%s", diff)
			}
			for field, value := range resolved.Credentials.Values {
				if value.Text == whole.Credential || value.Source == "bot/token" {
					t.Errorf("%s has the bot token, which no pod may get", field)
				}
			}
		})
	}
}

// TestNothingIsRegisteredUnlessDeclared: a bot token is not even looked for without register.
func TestNothingIsRegisteredUnlessDeclared(t *testing.T) {
	c := connectortest.New(t, registers, `zaloBot: {register: false}`)
	resolved, err := Resolve(t.Context(), Input{Connector: c, From: secrets{
		"shop-xbot": {"new": apiKey1, "old": apiKey2}, "bot": {"secret": "Hidden0Secret0Token0", "old": "Hidden0Secret0Token1"},
	}.source(new([]string))})
	if err != nil || resolved.Registering != nil || len(resolved.Findings) > 0 {
		t.Errorf("got %+v %v", resolved, err)
	}
	objects, own := Named(connectortest.New(t, registers))
	token := v1alpha1.SecretKeyRef{Name: "bot", Key: "token"}
	if n := len(objects); n != 2 {
		t.Errorf("%d objects are watched: %v", n, objects)
	}
	found := false
	for _, key := range own {
		found = found || key == token
	}
	if !found {
		t.Errorf("a shared bot token would not be noticed: %v", own)
	}
}
