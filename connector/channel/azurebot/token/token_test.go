package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/azuretest"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const appID, serviceURL = "6b1c8f0e-0000-4000-8000-000000000001", "https://smba.example.test/"

// now is the time of every call: a whole second, so that claims hold it exactly.
var now = time.Unix(1800000000, 0)

// The keys are made once, since that takes a while.
var first, second, stranger = azuretest.NewKey("first"), azuretest.NewKey("second"), azuretest.NewKey("first")

// quick fetches as soon as it is asked, and hardly ever by itself.
var quick = Pace{Every: time.Hour, Fresh: 0, FirstRetry: time.Millisecond, LastRetry: 10 * time.Millisecond}

func start(t *testing.T, keys ...*azuretest.Key) *azuretest.Azure {
	t.Helper()
	azure := azuretest.Start(keys...)
	t.Cleanup(azure.Close)
	return azure
}

// run returns the keys of a document, which are fetched until the test ends.
func run(t *testing.T, d Document, p Pace) *Keys {
	t.Helper()
	k := New(d, p, logr.Discard(), telemetry.New(prometheus.NewRegistry()))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return k
}

// fetched is run, once the keys are there.
func fetched(t *testing.T, azure *azuretest.Azure, p Pace) *Keys {
	t.Helper()
	k := run(t, Document{URL: azure.URL()}, p)
	until(t, "keys", k.Present)
	return k
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	poll.Until(t, what, holds)
}

// verify verifies as the one authority.
func verify(k *Keys, raw string) (*Claims, error) {
	return Verify(now, raw, []Authority{{k, func(c *Claims) bool { return c.Issuer == azuretest.Issuer }}})
}

func claims(changes map[string]any) map[string]any {
	return azuretest.Claims(now, appID, serviceURL, changes)
}

func TestTokensAreJudged(t *testing.T) {
	azure := start(t, first)
	k := fetched(t, azure, UsualPace)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&first.Private.PublicKey)})
	good := first.Sign(claims(nil))
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	embedded := map[string]any{"alg": "RS256", "kid": "first", "jwk": jose.JSONWebKey{Key: &stranger.Private.PublicKey}, "jku": azure.URL(), "x5u": azure.URL()}
	for name, tt := range map[string]struct {
		raw  string
		want error
	}{
		"good":                         {good, nil},
		"audiences in a list":          {first.Sign(claims(map[string]any{"aud": []string{"other", appID}})), nil},
		"expired within the skew":      {first.Sign(claims(map[string]any{"exp": now.Add(time.Second - skew).Unix()})), nil},
		"expired":                      {first.Sign(claims(map[string]any{"exp": now.Add(-skew).Unix()})), ErrExpired},
		"never expires":                {first.Sign(claims(map[string]any{"exp": nil})), ErrExpired},
		"from the future within skew":  {first.Sign(claims(map[string]any{"nbf": now.Add(skew).Unix()})), nil},
		"from the future":              {first.Sign(claims(map[string]any{"nbf": now.Add(skew + time.Second).Unix()})), ErrFuture},
		"without a begin":              {first.Sign(claims(map[string]any{"nbf": nil})), nil},
		"issued tomorrow":              {first.Sign(claims(map[string]any{"iat": now.Add(24 * time.Hour).Unix()})), nil},
		"another issuer":               {first.Sign(claims(map[string]any{"iss": "https://api.botframework.example"})), ErrIssuer},
		"no issuer":                    {first.Sign(claims(map[string]any{"iss": nil})), ErrIssuer},
		"an issuer that is no text":    {first.Sign(claims(map[string]any{"iss": 1})), ErrMalformed},
		"an expiry that is no number":  {first.Sign(claims(map[string]any{"exp": "tomorrow"})), ErrMalformed},
		"too many audiences":           {first.Sign(claims(map[string]any{"aud": make([]string, maxAudiences+1)})), ErrMalformed},
		"another key of the same name": {stranger.Sign(claims(nil)), ErrSignature},
		"unknown key":                  {second.Sign(claims(nil)), ErrKey},
		"no key named":                 {(&azuretest.Key{}).SignBy(jose.RS256, first.Private, claims(nil)), ErrMalformed},
		"HS256 with the public key":    {first.SignBy(jose.HS256, public, claims(nil)), ErrMalformed},
		"PS256":                        {first.SignBy(jose.PS256, first.Private, claims(nil)), ErrMalformed},
		"RS512":                        {first.SignBy(jose.RS512, first.Private, claims(nil)), ErrMalformed},
		"ES256":                        {first.SignBy(jose.ES256, curve, claims(nil)), ErrMalformed},
		"none":                         {azuretest.Forge(map[string]any{"alg": "none", "kid": "first"}, claims(nil), nil), ErrMalformed},
		"None":                         {azuretest.Forge(map[string]any{"alg": "None", "kid": "first"}, claims(nil), nil), ErrMalformed},
		"no algorithm":                 {azuretest.Forge(map[string]any{"kid": "first"}, claims(nil), nil), ErrMalformed},
		"a key in its header":          {azuretest.Forge(embedded, claims(nil), sign(t, stranger, embedded)), ErrSignature},
		"a critical header":            {azuretest.Forge(map[string]any{"alg": "RS256", "kid": "first", "crit": []string{"x"}, "x": 1}, claims(nil), nil), ErrSignature},
		"no signature":                 {head + "." + payload + ".", ErrSignature},
		"two parts":                    {head + "." + payload, ErrMalformed},
		"four parts":                   {good + "." + signature, ErrMalformed},
		"another payload":              {head + "." + payload[:len(payload)-4] + "AAAA." + signature, ErrMalformed},
		"no text":                      {"", ErrMalformed},
		"JSON serialisation":           {fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, head, payload, signature), ErrMalformed},
		"too large":                    {first.Sign(claims(map[string]any{"x": strings.Repeat("a", MaxSize)})), ErrMalformed},
		"a claim given twice":          {twice(t), ErrMalformed},
		"a line break":                 {head + "." + payload + "." + signature + "\n", ErrMalformed},
	} {
		_, err := verify(k, tt.raw)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// sign signs a forged token as its header says.
func sign(t *testing.T, with *azuretest.Key, header map[string]any) []byte {
	t.Helper()
	input := strings.TrimSuffix(azuretest.Forge(header, claims(nil), nil), ".")
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, with.Private, 5, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// twice returns a token with a member that is given twice, well signed.
func twice(t *testing.T) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: first.Private}, (&jose.SignerOptions{}).WithHeader("kid", "first"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(fmt.Appendf(nil, `{"iss":"x","iss":%q,"aud":%q,"exp":%d}`, azuretest.Issuer, appID, now.Add(time.Hour).Unix()))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// TestACachedTokenExpires: what was verified once is judged by the clock of each call.
func TestACachedTokenExpires(t *testing.T) {
	k := fetched(t, start(t, first), UsualPace)
	raw := first.Sign(claims(nil))
	all := []Authority{{k, func(*Claims) bool { return true }}}
	for _, tt := range []struct {
		at   time.Time
		want error
	}{
		{now, nil}, {now.Add(time.Hour + skew - 1), nil}, {now.Add(time.Hour + skew), ErrExpired}, {now.Add(-time.Hour), ErrFuture}, {now, nil},
	} {
		if _, err := Verify(tt.at, raw, all); !errors.Is(err, tt.want) {
			t.Errorf("at %s: %v, want %v", tt.at, err, tt.want)
		}
	}
	if k.known.find(digest(raw)) == nil {
		t.Error("the token is not cached")
	}
	if _, err := Verify(now, raw, []Authority{{k, func(*Claims) bool { return false }}}); !errors.Is(err, ErrIssuer) {
		t.Errorf("a cached token of an issuer that is not trusted: %v", err)
	}
}

// TestKeysRotate: an unknown key is fetched at once, and meanwhile the platform is asked to send the call again. A key
// that leaves the document takes its tokens with it.
func TestKeysRotate(t *testing.T) {
	azure := start(t, first)
	k := fetched(t, azure, quick)
	old, next := first.Sign(claims(nil)), second.Sign(claims(nil))
	if _, err := verify(k, old); err != nil {
		t.Fatal(err)
	}
	azure.Publish(first, second)
	if _, err := verify(k, next); !errors.Is(err, ErrAwaiting) {
		t.Fatalf("a key that is not fetched yet: %v", err)
	}
	until(t, "the next key", func() bool { _, err := verify(k, next); return err == nil })
	if _, err := verify(k, old); err != nil {
		t.Errorf("a key that stays: %v", err)
	}
	azure.Publish(second)
	k.fetchEarly()
	until(t, "the old key's end", func() bool { _, err := verify(k, old); return err != nil })
	azure.Publish(stranger, second) // the name comes back with another key
	k.fetchEarly()
	until(t, "another key of the old name", func() bool { _, err := verify(k, old); return errors.Is(err, ErrSignature) })
}

// TestMadeUpKeysFetchNothing: while the keys are fresh, tokens with unknown ones are refused and cause no fetch.
func TestMadeUpKeysFetchNothing(t *testing.T) {
	azure := start(t, first)
	k := fetched(t, azure, Pace{Every: time.Hour, Fresh: time.Hour, FirstRetry: time.Millisecond, LastRetry: time.Millisecond})
	for i := range 100 {
		if _, err := verify(k, (&azuretest.Key{ID: fmt.Sprint(i)}).SignBy(jose.RS256, second.Private, claims(nil))); !errors.Is(err, ErrKey) {
			t.Fatal(err)
		}
	}
	if n := azure.Fetches.Load(); n != 1 || len(k.wanted) != 0 {
		t.Errorf("%d fetches, %d wanted", n, len(k.wanted))
	}
}

// TestTheLastKeysStay: whatever becomes of the document, the last good keys verify, and nothing else does.
func TestTheLastKeysStay(t *testing.T) {
	azure := start(t, first)
	k := fetched(t, azure, quick)
	for name, broken := range map[string]http.HandlerFunc{
		"fails":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"garbage": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"empty":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) },
		"no keys": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":"x","jwks_uri":%q,"keys":[]}`, azure.URL())
		},
		"too large": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", maxDocument), `{}`) },
		"redirects": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a file": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"issuer":"x","jwks_uri":"file:///etc/passwd"}`)
		},
		"relative": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"issuer":"x","jwks_uri":"/keys"}`) },
		"many keys": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":"x","jwks_uri":%q,"keys":[%s{}]}`, azure.URL(), strings.Repeat("{},", maxKeys))
		},
	} {
		azure.Break(broken)
		before := failures(t, k)
		k.fetchEarly()
		until(t, name, func() bool { return failures(t, k) > before })
		if _, err := verify(k, first.Sign(claims(map[string]any{"name": name}))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := verify(k, second.Sign(claims(nil))); !errors.Is(err, ErrAwaiting) {
			t.Errorf("%s: an unknown key: %v", name, err)
		}
	}
	azure.Break(nil)
	azure.Publish(second)
	until(t, "the mended document", func() bool { _, err := verify(k, second.Sign(claims(nil))); return err == nil })
}

func failures(t *testing.T, k *Keys) float64 { t.Helper(); return counted(t, k, "failed") }

func counted(t *testing.T, k *Keys, result string) float64 {
	t.Helper()
	var read dto.Metric
	if err := k.metrics.TokenFetches.WithLabelValues(k.label(), result).Write(&read); err != nil {
		t.Fatal(err)
	}
	return read.GetCounter().GetValue()
}

// TestNoKeysAtStart: before the first fetch no token is verified, and none is called wrong.
func TestNoKeysAtStart(t *testing.T) {
	azure := start(t, first)
	azure.Break(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	k := run(t, Document{URL: azure.URL()}, quick)
	until(t, "failures", func() bool { return failures(t, k) > 2 })
	if _, err := verify(k, first.Sign(claims(nil))); !errors.Is(err, ErrAwaiting) || k.Present() || k.Issuer() != "" {
		t.Errorf("%v", err)
	}
	azure.Break(nil)
	until(t, "keys", func() bool { _, err := verify(k, first.Sign(claims(nil))); return err == nil })
	if k.Issuer() != azuretest.Issuer || counted(t, k, "fetched") != 1 {
		t.Errorf("issuer %q, %v fetches", k.Issuer(), counted(t, k, "fetched"))
	}
}

// TestAHangingDocument: the end of the process does not wait for one, nor do calls.
func TestAHangingDocument(t *testing.T) {
	azure := start(t, first)
	asked := make(chan struct{}, 100)
	azure.Break(func(_ http.ResponseWriter, r *http.Request) { asked <- struct{}{}; <-r.Context().Done() })
	k := run(t, Document{URL: azure.URL()}, quick)
	<-asked
	if _, err := verify(k, first.Sign(claims(nil))); !errors.Is(err, ErrAwaiting) {
		t.Error(err)
	}
}

// TestOnlyGoodKeysAreUsed: a weak key, a key for something else and one of another kind verify nothing.
func TestOnlyGoodKeysAreUsed(t *testing.T) {
	weak := azuretest.NewKeyOf("weak", 1024)
	azure := start(t, second.With(map[string]any{"use": "enc"}), weak, stranger.With(map[string]any{"alg": "RS512"}),
		stranger.With(map[string]any{"kid": "third", "kty": "EC"}), stranger.With(map[string]any{"kid": "even", "e": "AQAA"}),
		stranger.With(map[string]any{"kid": ""}), first.With(map[string]any{"use": nil, "x5c": []string{"garbage"}, "x5t": "garbage"}))
	k := fetched(t, azure, UsualPace)
	if n := len(k.current.Load().byID); n != 1 {
		t.Errorf("%d keys", n)
	}
	if _, err := verify(k, first.Sign(claims(nil))); err != nil {
		t.Error(err)
	}
}

// TestAKeySpeaksForItsOwn: for its channels and its tenant.
func TestAKeySpeaksForItsOwn(t *testing.T) {
	const tenant, other = "9188040d-6c67-4c5b-b112-36a304b66dad", "00000000-0000-4000-8000-000000000002"
	azure := start(t, first.With(map[string]any{"endorsements": []string{"msteams", "webchat"}}),
		second.With(map[string]any{"issuer": "https://login.microsoftonline.com/" + tenant + "/v2.0"}))
	k := fetched(t, azure, UsualPace)
	c, err := verify(k, first.Sign(claims(nil)))
	if err != nil || !c.Endorses("webchat") || c.Endorses("email") {
		t.Errorf("%v, %v", c, err)
	}
	if c, err := verify(k, second.Sign(claims(map[string]any{"tid": tenant}))); err != nil || !c.Endorses("email") {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := verify(k, second.Sign(claims(map[string]any{"tid": other}))); !errors.Is(err, ErrIssuer) {
		t.Error(err)
	}
}

// TestAuthoritiesAreApart: a key of one document verifies no token of the other's issuer.
func TestAuthoritiesAreApart(t *testing.T) {
	one, other := fetched(t, start(t, first), UsualPace), fetched(t, start(t, second), UsualPace)
	of := func(issuer string) func(*Claims) bool { return func(c *Claims) bool { return c.Issuer == issuer } }
	all := []Authority{{one, of("one")}, {other, of("other")}}
	for range 2 { // the second time from the cache
		for _, tt := range []struct {
			key    *azuretest.Key
			issuer string
			want   error
		}{{first, "one", nil}, {second, "other", nil}, {first, "other", ErrKey}, {second, "one", ErrKey}, {stranger, "one", ErrSignature}} {
			if _, err := Verify(now, tt.key.Sign(claims(map[string]any{"iss": tt.issuer})), all); !errors.Is(err, tt.want) {
				t.Errorf("%s of %s: %v, want %v", tt.key.ID, tt.issuer, err, tt.want)
			}
		}
	}
}

// TestTLSIsVerified: with the authorities that are named, and no others.
func TestTLSIsVerified(t *testing.T) {
	azure := azuretest.StartTLS(first)
	t.Cleanup(azure.Close)
	until(t, "keys", run(t, Document{azure.URL(), azure.Authorities()}, quick).Present)
	for _, pool := range []*x509.CertPool{nil, x509.NewCertPool()} {
		k := run(t, Document{azure.URL(), pool}, quick)
		until(t, "failures", func() bool { return failures(t, k) > 2 })
		if k.Present() {
			t.Error("an unknown authority is trusted")
		}
	}
}

// TestHTTPSStaysHTTPS: a document that came by https cannot send us to http.
func TestHTTPSStaysHTTPS(t *testing.T) {
	plain, azure := start(t, first), azuretest.StartTLS(first)
	t.Cleanup(azure.Close)
	azure.Break(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":"x","jwks_uri":%q}`, plain.URL())
	})
	k := run(t, Document{azure.URL(), azure.Authorities()}, quick)
	until(t, "failures", func() bool { return failures(t, k) > 2 })
	if plain.Fetches.Load() != 0 || k.Present() {
		t.Error("keys were fetched by plain HTTP")
	}
}

// TestTheCacheIsBounded: in number and bytes, and what is used stays longer.
func TestTheCacheIsBounded(t *testing.T) {
	var c cache
	used := digest("used")
	c.add(used, &Claims{})
	for i := range 10 * maxTokens {
		c.add(digest(fmt.Sprint(i)), &Claims{Issuer: strings.Repeat("a", i%1000)})
		if c.find(used) == nil {
			t.Fatalf("after %d tokens the one in use is gone", i)
		}
		if n := len(c.young) + len(c.old); n > 2*maxTokens || c.bytes > maxTokenBytes {
			t.Fatalf("%d tokens, %d bytes", n, c.bytes)
		}
	}
	if c.find(digest("1")) != nil {
		t.Error("an old token is still there")
	}
}

// TestManyCallsWhileKeysChange is for the race detector.
func TestManyCallsWhileKeysChange(t *testing.T) {
	azure := start(t, first)
	k := fetched(t, azure, quick)
	raw := first.Sign(claims(nil))
	var calls sync.WaitGroup
	for i := range 4 {
		calls.Go(func() {
			unknown := (&azuretest.Key{ID: fmt.Sprint(i)}).SignBy(jose.RS256, second.Private, claims(nil))
			for range 200 {
				if _, err := verify(k, raw); err != nil {
					t.Error(err)
				}
				if _, err := verify(k, unknown); !errors.Is(err, ErrAwaiting) {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
}

func TestRetriesDouble(t *testing.T) {
	for failed, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute} {
		for range 100 {
			if wait := UsualPace.retry(failed); wait < most/2 || wait > most {
				t.Errorf("after %d failures %s, want %s to %s", failed, wait, most/2, most)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	good := first.Sign(claims(nil))
	f.Add(good)
	f.Add("a.b.c")
	f.Add(azuretest.Forge(map[string]any{"alg": "none"}, maps.Clone(claims(nil)), nil))
	k := New(Document{}, UsualPace, logr.Discard(), nil)
	k.use(&set{issuer: azuretest.Issuer, byID: map[string]*key{"first": {public: &first.Private.PublicKey}}, asOf: time.Now()})
	signed := good[:strings.LastIndexByte(good, '.')]
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := verify(k, raw); err == nil && !strings.HasPrefix(raw, signed) {
			t.Errorf("%q is verified", raw)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB","endorsements":["msteams"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if id, one := parseKey(raw); one != nil && (id == "" || one.public.N.BitLen() < minRSA || one.public.N.BitLen() > maxRSA) {
			t.Errorf("%q is a key", raw)
		}
	})
}
