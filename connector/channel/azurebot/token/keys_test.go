package token

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/azuretest"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

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

// TestEarlyFetchesAreBounded: a rotation soon after the last fetch is served at once, and callers with made-up keys cannot
// make us fetch for ever.
func TestEarlyFetchesAreBounded(t *testing.T) {
	azure := start(t, first)
	k := fetched(t, azure, Pace{Every: time.Hour, Early: time.Hour, FirstRetry: time.Millisecond, LastRetry: time.Millisecond})
	azure.Publish(first, second)
	next := second.Sign(claims(nil))
	until(t, "the next key", func() bool { _, err := verify(k, next); return err == nil })
	unknown := (&azuretest.Key{ID: "made up"}).SignBy(jose.RS256, second.Private, claims(nil))
	until(t, "the end of early fetches", func() bool { _, err := verify(k, unknown); return errors.Is(err, ErrKey) })
	if n := azure.Fetches.Load(); n != 1+earlyBurst {
		t.Errorf("%d fetches, want the first and %d more", n, earlyBurst)
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

// TestFailuresAreToldBriefly: whatever the document's server says, a line of the log is short.
func TestFailuresAreToldBriefly(t *testing.T) {
	azure := start(t, first)
	long := strings.Repeat("x", 10<<10)
	for name, answer := range map[string]http.HandlerFunc{
		"an address": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":"x","jwks_uri":"http://%s.example/"}`, long)
		},
		"a header": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(conn, long, "\r\n\r\n")
			_ = conn.Close()
		},
	} {
		var mu sync.Mutex
		longest, lines := 0, 0
		log := funcr.New(func(_, line string) {
			mu.Lock()
			defer mu.Unlock()
			longest, lines = max(longest, len(line)), lines+1
		}, funcr.Options{})
		azure.Break(answer)
		k := New(Document{URL: azure.URL()}, quick, log, telemetry.New(prometheus.NewRegistry()))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { k.Run(ctx) })
		until(t, name, func() bool { mu.Lock(); defer mu.Unlock(); return lines > 0 })
		stop()
		running.Wait()
		if longest > 1<<10 {
			t.Errorf("%s: a line of %d bytes", name, longest)
		}
	}
}

// TestAKeyThatCannotBeUsed: arithmetic with the numbers of a hostile document fails, and breaks nothing.
func TestAKeyThatCannotBeUsed(t *testing.T) {
	even := new(big.Int).SetBit(first.Private.N, 0, 0) // n of RSA is odd
	number := base64.RawURLEncoding.EncodeToString
	azure := start(t, first.With(map[string]any{"kid": "even", "n": number(even.Bytes())}),
		first.With(map[string]any{"kid": "large", "e": number([]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})}), second)
	k := fetched(t, azure, UsualPace)
	for _, id := range []string{"even", "large"} {
		if _, err := verify(k, (&azuretest.Key{ID: id}).SignBy(jose.RS256, first.Private, claims(nil))); err == nil {
			t.Errorf("%s verifies", id)
		}
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
	for failed, most := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute,
	} {
		for range 100 {
			if wait := UsualPace.retry(failed); wait < most/2 || wait > most {
				t.Errorf("after %d failures %s, want %s to %s", failed, wait, most/2, most)
			}
		}
	}
}
