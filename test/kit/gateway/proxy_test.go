package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// push is the path that is routed.
const push = "/webhook/xpbot/api/zalo/push"

func each(t *testing.T, test func(t *testing.T, kind Kind)) {
	for _, kind := range []Kind{Nginx(), HAProxy()} {
		t.Run(kind.Program, func(t *testing.T) {
			if _, err := kind.Find(); err != nil {
				t.Skip("not installed; it is by: go -C localcluster run ./cmd/setup ci")
			}
			test(t, kind)
		})
	}
}

func newProxy(t *testing.T, kind Kind) *Proxy {
	t.Helper()
	proxy, err := NewProxy(kind, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			log, err := proxy.Log()
			t.Log(log, err)
		}
	})
	return proxy
}

func serve(t *testing.T, proxy *Proxy, sites ...Site) {
	t.Helper()
	if err := proxy.Serve(t.Context(), sites); err != nil {
		t.Fatal(err)
	}
}

// answer makes a call and returns the answer's status and body.
func answer(t *testing.T, client *http.Client, method, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+certificate.Name+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(raw)
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.RequestURI, r.Header.Get("Xp-Api-Key"), r.Host, string(body)}, " "))
}

func backend(t *testing.T) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(server.Close)
	return server
}

// site routes the push path alone.
func site(serial int64, backend *httptest.Server) (Site, error) {
	cert, key, err := certificate.Make(serial)
	return Site{
		Host: certificate.Name, Certificate: cert, Key: key, Routes: []Route{{push, backend.Listener.Addr().String()}},
	}, err
}

// TestProxyKeepsTheKeyToItself: the key reaches the connector, and stands in no log, neither of a call that is answered
// nor of one that is refused or fails. The recipes are those of docs/proxies.md.
func TestProxyKeepsTheKeyToItself(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		server := backend(t)
		site, err := site(1, server)
		if err != nil {
			t.Fatal(err)
		}
		proxy := newProxy(t, kind)
		serve(t, proxy, site)
		client, key := Client(proxy.Address, site.Certificate), example.Key(32)
		query := "?param.header.xp-api-key=" + key

		want := "POST " + push + " " + key + " " + certificate.Name + " {}"
		if status, body := answer(t, client, http.MethodPost, push+query); status != http.StatusOK || body != want {
			t.Errorf("%d %q, want 200 %q", status, body, want)
		}
		if status, _ := answer(t, client, http.MethodPost, "/elsewhere"+query); status != http.StatusNotFound {
			t.Errorf("a path that is not routed: %d", status)
		}
		server.Close()
		if status, _ := answer(t, client, http.MethodPost, push+query); status < 500 {
			t.Errorf("a connector that is down: %d", status)
		}
		log := ""
		poll.Until(t, "the log of each call", func() bool {
			log, err = proxy.Log()
			return err == nil && strings.Count(log, push) == 2 && strings.Contains(log, "/elsewhere")
		})
		if strings.Contains(log, key) || strings.Contains(log, "param.header") {
			t.Error("the key is in the log")
		}
	})
}

// TestProxyIsReloaded: a new certificate and new routes are in use soon, and a settled proxy is left alone.
func TestProxyIsReloaded(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		server := backend(t)
		proxy := newProxy(t, kind)
		serve(t, proxy)
		life := proxy.program.Life()
		for serial := range int64(3) {
			site, err := site(serial, server)
			if err != nil {
				t.Fatal(err)
			}
			serve(t, proxy, site)
			client := Client(proxy.Address, site.Certificate)
			poll.Until(t, "the certificate", func() bool {
				got, err := client.Get("https://" + certificate.Name + push)
				return err == nil && got.Body.Close() == nil && got.StatusCode == http.StatusOK
			})
			serve(t, proxy, site)
		}
		serve(t, proxy)
		poll.Until(t, "the routes are gone", func() bool {
			got, err := Client(proxy.Address, "").Get("https://" + certificate.Name + push)
			if err == nil {
				_ = got.Body.Close()
			}
			return err != nil
		})
		if proxy.program.Life() != life || life.Ended() {
			t.Error("it was started again")
		}
	})
}

// TestProxyRefusesNonsense: a configuration that the program refuses is an error, and the one before serves on.
func TestProxyRefusesNonsense(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		server := backend(t)
		good, err := site(1, server)
		if err != nil {
			t.Fatal(err)
		}
		proxy := newProxy(t, kind)
		serve(t, proxy, good)
		bad := good
		bad.Certificate = "no certificate"
		if err := proxy.Serve(t.Context(), []Site{bad}); err == nil || !strings.Contains(err.Error(), "refuses its configuration") {
			t.Errorf("got %v", err)
		}
		if status, _ := answer(t, Client(proxy.Address, good.Certificate), http.MethodGet, push); status != http.StatusOK {
			t.Errorf("%d", status)
		}
	})
}

// TestRecipesAreTheDocumented compares the proxies' configurations with docs/proxies.md, line by line.
func TestRecipesAreTheDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, configuration := range map[string]string{"nginx": nginx, "haproxy": haproxy} {
		block := regexp.MustCompile("(?s)```" + name + "\n(.*?)```").FindStringSubmatch(string(page))
		if block == nil {
			t.Fatalf("docs/proxies.md has no recipe for %s", name)
		}
		followed := 0
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if !regexp.MustCompile(`xp_api_key|path_as_sent|path\.header|^"~|^log_format|^'|log-format|http-request`).MatchString(line) ||
				strings.HasPrefix(line, "proxy_pass") {
				continue
			}
			followed++
			if !strings.Contains(configuration, line) {
				t.Errorf("%s: the tests do not use %s", name, line)
			}
		}
		if followed < 4 {
			t.Errorf("%s: only %d lines were compared", name, followed)
		}
	}
}
