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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
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
	embedded := map[string]any{
		"alg": "RS256", "kid": "first", "jwk": jose.JSONWebKey{Key: &stranger.Private.PublicKey}, "jku": azure.URL(), "x5u": azure.URL(),
	}
	critical := map[string]any{"alg": "RS256", "kid": "first", "crit": []string{"x"}, "x": 1}
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
		"a critical header":            {azuretest.Forge(critical, claims(nil), sign(t, first, critical)), ErrSignature},
		"no signature":                 {head + "." + payload + ".", ErrSignature},
		"two parts":                    {head + "." + payload, ErrMalformed},
		"four parts":                   {good + "." + signature, ErrMalformed},
		"another payload":              {head + "." + payload[:len(payload)-4] + "AAAA." + signature, ErrMalformed},
		"no text":                      {"", ErrMalformed},
		"JSON serialisation":           {fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, head, payload, signature), ErrMalformed},
		"too large":                    {first.Sign(claims(map[string]any{"x": strings.Repeat("a", MaxSize)})), ErrMalformed},
		"a claim given twice":          {twice(t), ErrMalformed},
		"a line break":                 {head + "." + payload + "." + signature + "\n", ErrMalformed},
		"a line break within":          {head + "." + payload + "." + signature[:9] + "\r\n" + signature[9:], ErrMalformed},
		"a space within":               {head + "." + payload + "." + signature[:9] + " " + signature[9:], ErrMalformed},
		"a broad space within":         {head + "." + payload + "." + signature[:9] + "\u00a0" + signature[9:], ErrMalformed},
		"another last letter":          {head + "." + payload + "." + respelled(signature), ErrMalformed},
	} {
		_, err := verify(k, tt.raw)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// respelled is other base64 of the same bytes, of which the last letter holds two bits.
func respelled(signature string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(signature) - 1
	return signature[:last] + letters[strings.IndexByte(letters, signature[last])^1:][:1]
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
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: first.Private},
		(&jose.SignerOptions{}).WithHeader("kid", "first"))
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
