package httpsink

import (
	"fmt"
	"net/url"

	"golang.org/x/net/http/httpproxy"
)

// chooseProxy returns the proxy on the way to target; nil is none. A cluster routes outgoing calls by variables of the
// environment, and exempts inner ones by NO_PROXY. Loopback never takes a proxy of theirs.
//
// net/http goes straight to the sink if a variable is unusable. That defeats the variable, so here it is an error.
func chooseProxy(setting string, target *url.URL) (*url.URL, error) {
	switch setting {
	case ProxyNone:
		return nil, nil
	case "":
		return proxyOfEnvironment(target)
	}
	proxy, err := ParseProxy(setting)
	if err != nil {
		return nil, fmt.Errorf("sink proxy: %w", err)
	}
	return proxy, nil
}

func proxyOfEnvironment(target *url.URL) (*url.URL, error) {
	env := httpproxy.FromEnvironment()
	variable, value := "HTTP_PROXY", env.HTTPProxy
	if target.Scheme == "https" {
		variable, value = "HTTPS_PROXY", env.HTTPSProxy
	}
	if value == "" || exempt(env.NoProxy, target) {
		return nil, nil
	}
	proxy, err := ParseProxy(value)
	if err != nil {
		return nil, fmt.Errorf("the environment variable %s is no usable proxy for %s: %w; "+
			"correct it, or set proxy in the sink's configuration (%q for none)", variable, target.Host, err, ProxyNone)
	}
	return proxy, nil
}

// exempt reports whether target takes no proxy, whatever the proxy is.
func exempt(noProxy string, target *url.URL) bool {
	const placeholder = "http://proxy.invalid"
	every := httpproxy.Config{HTTPProxy: placeholder, HTTPSProxy: placeholder, NoProxy: noProxy}
	proxy, err := every.ProxyFunc()(target)
	return err == nil && proxy == nil
}
