package httpsink

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// setProxies sets the variables of the environment that name proxies, and no others.
func setProxies(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, name := range []string{
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "ALL_PROXY", "REQUEST_METHOD",
	} {
		t.Setenv(name, variables[name])
	}
}

func TestChooseProxy(t *testing.T) {
	tests := map[string]struct {
		environment      map[string]string
		setting, target  string
		want, complaints string // complaints: parts of the error, separated by |
	}{
		"none in the environment": {nil, "", "https://bot.example", "", ""},
		"for https":               {map[string]string{"HTTPS_PROXY": "proxy:3128"}, "", "https://bot.example", "http://proxy:3128", ""},
		"in lower case": {
			map[string]string{"https_proxy": "http://proxy:3128"}, "", "https://bot.example", "http://proxy:3128", "",
		},
		"for the other scheme": {map[string]string{"HTTPS_PROXY": "proxy:3128"}, "", "http://bot.example", "", ""},
		"for http":             {map[string]string{"HTTP_PROXY": "socks5://proxy"}, "", "http://bot.example", "socks5://proxy", ""},
		"exempt": {
			map[string]string{"HTTPS_PROXY": "proxy:3128", "NO_PROXY": ".svc,10.0.0.0/8"}, "", "https://bot.chat.svc", "", "",
		},
		"exempt address": {
			map[string]string{"HTTPS_PROXY": "proxy:3128", "NO_PROXY": ".svc,10.0.0.0/8"}, "", "https://10.1.2.3/", "", "",
		},
		"loopback":                {map[string]string{"HTTP_PROXY": "proxy:3128"}, "", "http://127.0.0.1:8080", "", ""},
		"no in the configuration": {map[string]string{"HTTPS_PROXY": "proxy:3128"}, "none", "https://bot.example", "", ""},
		"one in the configuration": {
			map[string]string{"HTTPS_PROXY": "proxy:3128"}, "https://other", "https://bot.example", "https://other", "",
		},
		"the configuration's, no port": {map[string]string{"NO_PROXY": "*"}, "http://other", "https://bot.example", "http://other", ""},
		"unusable": {
			map[string]string{"HTTPS_PROXY": "htp://me:secret@proxy"}, "", "https://bot.example", "", `HTTPS_PROXY|bot.example|"none"`,
		},
		"unusable for http": {map[string]string{"http_proxy": "http://[secret"}, "", "http://bot.example", "", "HTTP_PROXY"},
		"unusable, but not used": {
			map[string]string{"HTTPS_PROXY": "http://[secret", "NO_PROXY": "bot.example"}, "", "https://bot.example", "", "",
		},
		"unusable, but set over": {map[string]string{"HTTPS_PROXY": "http://[secret"}, "none", "https://bot.example", "", ""},
		"unusable, other scheme": {map[string]string{"HTTP_PROXY": "http://[secret"}, "", "https://bot.example", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			setProxies(t, tt.environment)
			target, err := url.Parse(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			got, err := chooseProxy(tt.setting, target)
			text := ""
			if got != nil {
				text = got.String()
			}
			if text != tt.want || (err != nil) != (tt.complaints != "") {
				t.Fatalf("got %q, %v; want %q", text, err, tt.want)
			}
			if err == nil {
				return
			}
			for part := range strings.SplitSeq(tt.complaints, "|") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q quotes the variable", err)
			}
		})
	}
}

// proxyTo starts a proxy of CONNECT and of plain requests that takes every request to one address, and counts them.
func proxyTo(t *testing.T, address string) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	server := listen(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		far, err := net.Dial("tcp", address)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if r.Method == http.MethodConnect {
			_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
		} else {
			_ = r.WriteProxy(far)
		}
		go func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
		_ = near.Close()
	})
	return server, &requests
}

// TestSendThroughAProxy: the proxy is the setting's, whatever the environment says, for both schemes.
func TestSendThroughAProxy(t *testing.T) {
	plain := listen(t, func(http.ResponseWriter, *http.Request) {})
	secured := listenTLS(t, 0)
	for name, tt := range map[string]struct {
		c       Settings
		address string
	}{
		"http":  {Settings{URL: plain.URL}, plain.Listener.Addr().String()},
		"https": {load(t, secured.URL, "caFile: "+secured.certFile), secured.Listener.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, requests := proxyTo(t, tt.address)
			setProxies(t, map[string]string{"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"})
			tt.c.Proxy = proxy.URL
			s := newSink(t, tt.c)
			expectClass(t, s.Send(t.Context(), exampleEvent(t)), "")
			if requests.Load() != 1 {
				t.Errorf("%d requests came to the proxy", requests.Load())
			}
			s.Close()
		})
	}
}

// TestRefusalsOfAProxyAreNamed: what a proxy says is told from what the sink says, with the proxy's name and its
// status, and without its credentials.
func TestRefusalsOfAProxyAreNamed(t *testing.T) {
	refusing := listen(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	host := refusing.Listener.Addr().String()
	nobody := reserved.Address(t)
	tests := map[string]struct {
		environment map[string]string
		url         string
		want        sink.Failed
	}{
		"CONNECT": {
			map[string]string{"HTTPS_PROXY": "http://me:secret@" + host}, "https://bot.example/?token=abc",
			sink.Failed{Class: "proxy", Reason: "proxy " + host + " refused the connection: HTTP 407"},
		},
		"plain": {
			map[string]string{"HTTP_PROXY": "http://me:secret@" + host}, "http://bot.example/?token=abc",
			sink.Failed{Class: "status", Reason: "HTTP 407: the proxy asks for credentials"},
		},
		"nobody there": {
			map[string]string{"HTTPS_PROXY": "http://" + nobody}, "https://bot.example/?token=abc",
			sink.Failed{Class: "connection", Reason: "bot.example through proxy " + nobody + ": dial: connect: connection refused"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			setProxies(t, tt.environment)
			err := newSink(t, Settings{URL: tt.url}).Send(t.Context(), exampleEvent(t))
			if diff := cmp.Diff(error(&tt.want), err); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewRefusesAnUnusableProxy(t *testing.T) {
	setProxies(t, map[string]string{"HTTPS_PROXY": "htp://me:secret@proxy"})
	if _, err := New(Settings{URL: "https://bot.example"}, sink.Environment{Concurrency: 1}, nil); err == nil {
		t.Error("the sink would be reached without the proxy")
	}
}
