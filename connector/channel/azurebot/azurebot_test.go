package azurebot

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/azuretest"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name, appID = "chat/shop", "6b1c8f0e-abcd-4000-8000-000000000001"

// botURL is the serviceUrl of the sample.
const botURL = "https://directline.example.test/"

// arrived is when calls arrive: a whole second, so that claims hold it exactly.
var arrived = time.Date(2026, 3, 18, 9, 31, 40, 0, time.UTC)

var first, second = azuretest.NewKey("first"), azuretest.NewKey("second")

func sample(tb testing.TB) []byte {
	tb.Helper()
	body, err := os.ReadFile("testdata/azbot_activity.json")
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// process opens channels as a process does.
type process struct {
	workers *channel.Workers
	metrics *telemetry.Metrics
}

func start(tb testing.TB) *process {
	tb.Helper()
	p := &process{channel.NewWorkers(tb.Context()), telemetry.New(prometheus.NewRegistry())}
	tb.Cleanup(p.workers.Close)
	return p
}

// open puts a version with one channel into use.
func (p *process) open(s Settings) *Channel {
	version := p.workers.Version()
	b := s.Open(name, channel.Environment{Version: version, Log: logr.Discard(), Metrics: p.metrics}).(*Channel)
	version.Use()
	return b
}

// settings are those of a bot whose keys a server has.
func settings(azure *azuretest.Azure, mode channel.SignatureMode, tenants ...string) Settings {
	return Settings{AppID: appID, UserID: UserHashed, Token: Token{Mode: mode, MetadataURL: azure.URL(), Tenants: tenants}}
}

// ready opens a channel, and waits for its keys.
func ready(tb testing.TB, mode channel.SignatureMode, tenants ...string) *Channel {
	tb.Helper()
	azure := azuretest.Start(first)
	tb.Cleanup(azure.Close)
	b := start(tb).open(settings(azure, mode, tenants...))
	poll.Until(tb, "keys", func() bool { return mode == channel.SignatureOff || b.hasKeys() })
	return b
}

func claims(changes map[string]any) map[string]any {
	return azuretest.Claims(arrived, appID, botURL, changes)
}

func with(values ...string) http.Header { return http.Header{"Authorization": values} }

func bearing(changes map[string]any) http.Header {
	return with("Bearer " + first.Sign(claims(changes)))
}

func reason(refusal *channel.Refusal) channel.Reason {
	if refusal == nil {
		return ""
	}
	return refusal.Reason
}

const missing, wrong = channel.ReasonSignatureMissing, channel.ReasonSignatureWrong

// The tenants that are listed, and one that is not.
const (
	tenant      = "0f0f0f0f-abcd-4000-8000-00000000000a"
	tenantUpper = "0F0F0F0F-ABCD-4000-8000-00000000000A"
	otherTenant = "0f0f0f0f-abcd-4000-8000-00000000000b"
)

// evil is another serviceUrl.
const evil = "https://evil.example.test/"

func entra(issuer, of string) map[string]any {
	return map[string]any{"iss": issuer, "tid": of, "serviceurl": nil, "aud": "api://" + appID}
}

// TestCallsAreJudged holds every row in each mode: what Enforce refuses is counted by Audit, and Off looks at nothing.
func TestCallsAreJudged(t *testing.T) {
	enforce, audit, off := ready(t, channel.SignatureEnforce, tenant), ready(t, channel.SignatureAudit, tenant), ready(t, channel.SignatureOff)
	body := string(sample(t))
	good, hs256 := first.Sign(claims(nil)), first.SignBy(jose.HS256, first.Private.N.Bytes(), claims(nil))
	none := azuretest.Forge(map[string]any{"alg": "none", "kid": "first"}, claims(nil), nil)
	elsewhere := entra("https://sts.windows.net/"+tenant+"/", tenant)
	elsewhere["serviceurl"] = evil
	for row, tt := range map[string]struct {
		header http.Header
		body   string
		want   channel.Reason
	}{
		"good":                               {header: bearing(nil)},
		"api:// and the app":                 {header: bearing(map[string]any{"aud": "api://" + appID})},
		"api://botid- and the app":           {header: bearing(map[string]any{"aud": "api://botid-" + appID})},
		"the app in upper case":              {header: bearing(map[string]any{"aud": strings.ToUpper(appID)})},
		"one audience of several":            {header: bearing(map[string]any{"aud": []string{"x", "api://" + appID}})},
		"another app":                        {header: bearing(map[string]any{"aud": "00000000-0000-4000-8000-000000000000"}), want: wrong},
		"an audience that holds the app":     {header: bearing(map[string]any{"aud": "api://x/" + appID}), want: wrong},
		"no audience":                        {header: bearing(map[string]any{"aud": nil}), want: wrong},
		"an empty list of audiences":         {header: bearing(map[string]any{"aud": []string{}}), want: wrong},
		"no header":                          {header: http.Header{}, want: missing},
		"an empty header":                    {header: with(""), want: wrong},
		"two headers":                        {header: with("Bearer "+good, "Bearer "+good), want: wrong},
		"no scheme":                          {header: with(good), want: wrong},
		"another scheme":                     {header: with("Basic " + good), want: wrong},
		"a scheme in lower case":             {header: with("bearer " + good)},
		"a scheme alone":                     {header: with("Bearer "), want: wrong},
		"two parts":                          {header: with("Bearer a.b"), want: wrong},
		"garbage in three parts":             {header: with("Bearer a.b.c"), want: wrong},
		"expired":                            {header: bearing(map[string]any{"exp": arrived.Add(-time.Hour).Unix()}), want: wrong},
		"from the future":                    {header: bearing(map[string]any{"nbf": arrived.Add(time.Hour).Unix()}), want: wrong},
		"another issuer":                     {header: bearing(map[string]any{"iss": "https://api.botframework.us"}), want: wrong},
		"an unknown key":                     {header: with("Bearer " + second.Sign(claims(nil))), want: wrong},
		"HS256":                              {header: with("Bearer " + hs256), want: wrong},
		"none":                               {header: with("Bearer " + none), want: wrong},
		"another serviceUrl":                 {header: bearing(map[string]any{"serviceurl": evil}), want: wrong},
		"another serviceUrl in camel case":   {header: bearing(map[string]any{"serviceUrl": evil}), want: wrong},
		"serviceUrl in camel case":           {header: bearing(map[string]any{"serviceurl": nil, "serviceUrl": botURL})},
		"no serviceUrl claim":                {header: bearing(map[string]any{"serviceurl": nil})},
		"a tampered serviceUrl":              {bearing(nil), strings.Replace(body, botURL, evil, 1), wrong},
		"no serviceUrl in the body":          {bearing(nil), strings.Replace(body, `"serviceUrl":"`+botURL+`",`, "", 1), wrong},
		"a serviceUrl that is no text":       {bearing(nil), strings.Replace(body, `"`+botURL+`"`, "{}", 1), wrong},
		"a second serviceUrl in other case":  {bearing(nil), strings.Replace(body, `{"id"`, `{"ServiceUrl":"x","id"`, 1), wrong},
		"a second channelId in other case":   {bearing(nil), strings.Replace(body, `{"id"`, `{"CHANNELID":"email","id"`, 1), wrong},
		"a channelId that is no text":        {bearing(nil), strings.Replace(body, `"webchat"`, "[]", 1), wrong},
		"an escaped serviceUrl":              {bearing(nil), strings.Replace(body, botURL, strings.ReplaceAll(botURL, "/", `\/`), 1), ""},
		"Entra, version 1":                   {header: bearing(entra("https://sts.windows.net/"+tenant+"/", tenant))},
		"Entra, version 2":                   {header: bearing(entra("https://login.microsoftonline.com/"+tenant+"/v2.0", tenant))},
		"Entra, a tenant in upper case":      {header: bearing(entra("https://sts.windows.net/"+tenantUpper+"/", tenantUpper))},
		"Entra, another tenant":              {header: bearing(entra("https://sts.windows.net/"+otherTenant+"/", otherTenant)), want: wrong},
		"Entra, a tenant unlike its issuer":  {header: bearing(entra("https://sts.windows.net/"+otherTenant+"/", tenant)), want: wrong},
		"Entra, an issuer unlike its tenant": {header: bearing(entra("https://sts.windows.net/"+tenant+"/", otherTenant)), want: wrong},
		"Entra, no tenant":                   {header: bearing(map[string]any{"iss": "https://sts.windows.net/" + tenant + "/"}), want: wrong},
		"Entra, an issuer without its end":   {header: bearing(entra("https://sts.windows.net/"+tenant, tenant)), want: wrong},
		"Entra, another serviceUrl":          {header: bearing(elsewhere), want: wrong},
	} {
		if tt.body == "" {
			tt.body = body
		}
		for range 2 { // the second time from the cache
			reading, refusal := enforce.Read(arrived, tt.header, []byte(tt.body))
			if reason(refusal) != tt.want || refusal != nil && refusal.Status != http.StatusUnauthorized {
				t.Errorf("%s: %v, want %q", row, refusal, tt.want)
			}
			if tt.want == "" && (!reading.Verified || reading.SignedBy != enforce.signer) {
				t.Errorf("%s: verified %v by %x", row, reading.Verified, reading.SignedBy)
			}
		}
		if reading, refusal := audit.Read(arrived, tt.header, []byte(tt.body)); refusal != nil || reading.AuditFailure != tt.want ||
			reading.Verified != (tt.want == "") {
			t.Errorf("%s under Audit: %v, %+v", row, refusal, reading)
		}
		if reading, refusal := off.Read(arrived, tt.header, []byte(tt.body)); refusal != nil || reading.AuditFailure != "" || reading.Verified {
			t.Errorf("%s under Off: %v, %+v", row, refusal, reading)
		}
		if refusal := enforce.Precheck(tt.header); refusal != nil && reason(refusal) != tt.want {
			t.Errorf("%s: the precheck refuses with %v", row, refusal)
		}
	}
}

// TestOrderOfAnswers: a probe before all, a malformed body before the token, and nothing is refused that cannot be
// judged.
func TestOrderOfAnswers(t *testing.T) {
	azure := azuretest.Start(first)
	t.Cleanup(azure.Close)
	azure.Break(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	awaitingKeys, judging := start(t).open(settings(azure, channel.SignatureEnforce)), ready(t, channel.SignatureEnforce)
	for _, body := range []string{"", " ", "{}", "{ }"} {
		if reading, refusal := awaitingKeys.Read(arrived, nil, []byte(body)); refusal != nil || len(reading.Calls) > 0 {
			t.Errorf("probe %q: %v, %v", body, reading, refusal)
		}
	}
	for _, body := range []string{
		"[]", "{", `{"a":1}{}`, "\xff", `{"type":"a","type":"b"}`, `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`,
	} {
		for _, b := range []*Channel{awaitingKeys, judging} {
			_, refusal := b.Read(arrived, nil, []byte(body))
			if reason(refusal) != channel.ReasonMalformed || refusal.Status != http.StatusBadRequest {
				t.Errorf("%q: %v", body, refusal)
			}
		}
	}
	for _, header := range []http.Header{{}, with("garbage"), bearing(nil)} {
		_, refusal := awaitingKeys.Read(arrived, header, sample(t))
		if reason(refusal) != ReasonAwaitingKeys || refusal.Status != http.StatusServiceUnavailable || awaitingKeys.Precheck(header) != nil {
			t.Errorf("without keys: %v, precheck %v", refusal, awaitingKeys.Precheck(header))
		}
	}
	off := (&Settings{Token: Token{Mode: channel.SignatureOff}}).Open(name, channel.Environment{}).(*Channel)
	if !awaitingKeys.Awaiting() || judging.Awaiting() || off.Awaiting() {
		t.Errorf("awaiting keys: %t, %t, Off %t", awaitingKeys.Awaiting(), judging.Awaiting(), off.Awaiting())
	}
	if judging.Precheck(http.Header{}) == nil || judging.Precheck(with("Bearer garbage")) == nil {
		t.Error("the precheck lets a malformed header pass")
	}
	audit := start(t).open(settings(azure, channel.SignatureAudit))
	if reading, refusal := audit.Read(arrived, bearing(nil), sample(t)); refusal != nil || reading.AuditFailure != ReasonAwaitingKeys {
		t.Errorf("Audit without keys: %v, %v", reading, refusal)
	}
}

// TestEndorsements: a key may speak for some channels only.
func TestEndorsements(t *testing.T) {
	azure := azuretest.Start(first.With(map[string]any{"endorsements": []string{"msteams"}}))
	t.Cleanup(azure.Close)
	b := start(t).open(settings(azure, channel.SignatureEnforce))
	poll.Until(t, "keys", b.hasKeys)
	for from, want := range map[string]channel.Reason{
		`"webchat"`: wrong, `"msteams"`: "", `null`: "", `{}`: wrong, `"MSTeams"`: wrong,
	} {
		body := strings.Replace(string(sample(t)), `"webchat"`, from, 1)
		if _, refusal := b.Read(arrived, bearing(nil), []byte(body)); reason(refusal) != want {
			t.Errorf("%s: %v, want %q", from, refusal, want)
		}
	}
}

// TestAReloadKeepsTheKeys: a version that asks for the same document has its keys from the first call on, and so have
// other channels. One with other authorities trusts none of them.
func TestAReloadKeepsTheKeys(t *testing.T) {
	azure := azuretest.Start(first)
	t.Cleanup(azure.Close)
	p := start(t)
	s := settings(azure, channel.SignatureEnforce)
	poll.Until(t, "keys", p.open(s).hasKeys)
	azure.Break(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	for range 3 {
		b := p.open(s)
		if _, refusal := b.Read(arrived, bearing(nil), sample(t)); refusal != nil {
			t.Fatalf("after a reload: %v", refusal)
		}
	}
	if n := azure.Fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	s.Token.ca = []byte("other")
	if _, refusal := p.open(s).Read(arrived, bearing(nil), sample(t)); reason(refusal) != ReasonAwaitingKeys {
		t.Errorf("with other authorities: %v", refusal)
	}
}

// TestCloudsAreApart: each cloud has its own issuers and documents, and the keys of Entra are not those of Bot Framework.
func TestCloudsAreApart(t *testing.T) {
	got := map[Cloud][]string{}
	for _, cloud := range []Cloud{"", CloudPublic, CloudUSGovernment, CloudChina} {
		got[cloud] = Type.Calls(&Settings{Token: Token{Mode: channel.SignatureEnforce, Cloud: cloud, Tenants: []string{tenant}}})
	}
	const bot, entraID = "/v1/.well-known/openidconfiguration", "/common/v2.0/.well-known/openid-configuration"
	public := []string{"https://login.botframework.com" + bot, "https://login.microsoftonline.com" + entraID}
	want := map[Cloud][]string{
		"": public, CloudPublic: public,
		CloudUSGovernment: {"https://login.botframework.azure.us" + bot, "https://login.microsoftonline.us" + entraID},
		CloudChina:        {"https://login.botframework.azure.cn" + bot, "https://login.partner.microsoftonline.cn" + entraID},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if urls := Type.Calls(&Settings{Token: Token{Mode: channel.SignatureOff}}); urls != nil {
		t.Errorf("Off calls %v", urls)
	}
	both := &Settings{AppID: appID, Token: Token{Mode: channel.SignatureEnforce, Tenants: []string{tenant}}}
	b := both.Open(name, channel.Environment{}).(*Channel)
	if b.authorities[0].Keys == b.authorities[1].Keys {
		t.Error("Bot Framework and Entra share their keys")
	}
}

// TestManyCallsAtOnce is for the race detector: calls while versions change.
func TestManyCallsAtOnce(t *testing.T) {
	azure := azuretest.Start(first)
	t.Cleanup(azure.Close)
	p, s, body := start(t), settings(azure, channel.SignatureEnforce, tenant), sample(t)
	b := p.open(s)
	poll.Until(t, "keys", b.hasKeys)
	var calls sync.WaitGroup
	for i := range 4 {
		calls.Go(func() {
			for n := range 100 {
				if _, refusal := b.Read(arrived, bearing(map[string]any{"n": fmt.Sprint(i, n%5)}), body); refusal != nil {
					t.Error(refusal)
				}
			}
		})
	}
	for range 20 {
		p.open(s)
	}
	calls.Wait()
}

func TestSigning(t *testing.T) {
	one := Settings{AppID: appID, Token: Token{Mode: channel.SignatureEnforce}}
	signing := one.Signing()
	if len(signing.Keys) != 1 || signing.Keys[0].Digest != one.signer() || signing.Keys[0].Source == "" {
		t.Errorf("%+v", signing)
	}
	for _, other := range []Settings{
		{AppID: otherTenant, Token: Token{Mode: channel.SignatureEnforce}},
		{AppID: appID, Token: Token{Mode: channel.SignatureEnforce, Cloud: CloudChina}},
	} {
		if other.signer() == one.signer() {
			t.Errorf("%+v has the signer of another bot", other)
		}
	}
	one.Token.Mode = channel.SignatureOff
	if signing := one.Signing(); len(signing.Keys) != 0 || signing.Mode != channel.SignatureOff {
		t.Errorf("Off: %+v", signing)
	}
}
