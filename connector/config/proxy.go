package config

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// schemeHTTPS is that of a URL with TLS.
const schemeHTTPS = "https"

// proxySchemes are those that net/http knows for proxies.
var proxySchemes = []string{"http", schemeHTTPS, "socks5", "socks5h"}

var (
	errPort  = errors.New("want a port from 1 to 65535")
	errProxy = errors.New(`want the URL of a proxy such as "http://proxy.example:3128": http, https, socks5 or socks5h, a host and a port`)
)

// ParseProxy reads the URL of a proxy as curl and Go do: a host and port alone
// stand for http. Where Go goes without a proxy that it cannot read, ParseProxy
// returns an error, which does not quote the text: it may hold a password.
func ParseProxy(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains(proxySchemes, u.Scheme) || !printable(u.Host) {
		return nil, errProxy
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || strings.Contains(text, "#") {
		return nil, errProxy
	}
	if !validPort(u) {
		return nil, errPort
	}
	return u, nil
}

// validPort reports whether a connection can be made to the URL's port. Without
// one it is the scheme's.
func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}
