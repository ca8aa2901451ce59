package httpsink

import (
	"errors"
	"strings"
	"testing"
)

func TestParseProxy(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"http":              {"http://proxy.example:3128", "http://proxy.example:3128"},
		"https":             {"https://proxy.example", "https://proxy.example"},
		"socks":             {"socks5://10.0.0.1:1080", "socks5://10.0.0.1:1080"},
		"socks with names":  {"socks5h://proxy", "socks5h://proxy"},
		"host and port":     {"proxy.example:3128", "http://proxy.example:3128"},
		"host":              {"proxy", "http://proxy"},
		"address":           {"[::1]:3128", "http://[::1]:3128"},
		"slash":             {"http://proxy:3128/", "http://proxy:3128/"},
		"credentials":       {"http://me:secret@proxy:3128", "http://me:secret@proxy:3128"},
		"upper case":        {"HTTP://proxy:3128", "http://proxy:3128"},
		"nothing":           {"", ""},
		"no host":           {"http://", ""},
		"no host, but port": {"http://:3128", ""},
		"another scheme":    {"ftp://proxy:3128", ""},
		"port in words":     {"http://proxy:many", ""},
		"the last port":     {"http://proxy:65535", "http://proxy:65535"},
		"an empty port":     {"http://proxy:", "http://proxy:"},
		"port 0":            {"http://proxy:0", ""},
		"a large port":      {"[::1]:65536", ""},
		"a larger port":     {"socks5://proxy:18446744073709551617", ""},
		"broken brackets":   {"http://[::1", ""},
		"a path":            {"http://proxy:3128/path", ""},
		"a query":           {"http://proxy:3128?a=b", ""},
		"a fragment":        {"http://proxy:3128#a", ""},
		"a space":           {"http://proxy .example", ""},
		"line break":        {"http://proxy\n:3128", ""},
		"quotes":            {`"http://proxy:3128"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseProxy(tt.text)
			switch {
			case tt.want == "" && err == nil:
				t.Errorf("%q is read as %s", tt.text, got)
			case tt.want != "" && (err != nil || got.String() != tt.want):
				t.Errorf("%q is read as %v, %v; want %s", tt.text, got, err, tt.want)
			}
		})
	}
}

// FuzzParseProxy: what is accepted names a host, and an error quotes nothing.
func FuzzParseProxy(f *testing.F) {
	for _, seed := range []string{"http://proxy:3128", "proxy", "socks5h://a:b@[::1]:1", "://", "http://%zz", "HTTP_PROXY=http://a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseProxy(text)
		if err != nil {
			if !errors.Is(err, errProxy) && !errors.Is(err, errPort) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if u.Hostname() == "" || strings.ContainsAny(u.Host, " \t\r\n") {
			t.Errorf("%q is read as the host %q", text, u.Host)
		}
	})
}
