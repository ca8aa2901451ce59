package httpsink

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// headerName is a token of RFC 9110.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// reservedHeaders are set by the HTTP client, or say how the body is framed.
var reservedHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Content-Type": true, "Connection": true,
	"Transfer-Encoding": true, "Trailer": true, "Te": true, "Upgrade": true,
}

// Check says what is wrong with the section.
func (s *Settings) Check(c *config.Checker) {
	s.checkURL(c)
	c.Positive("timeout", s.Timeout)
	if s.Proxy != "" && s.Proxy != ProxyNone {
		checkProxy(c, s.Proxy)
	}
	c.OneOf("localAddresses", s.LocalAddresses, LocalAllow, LocalRefuse)
	names := map[string]string{}
	for i := range s.Headers {
		field := fmt.Sprintf("headers[%d]", i)
		s.Headers[i].check(c, field)
		s.lacks = s.lacks || s.Headers[i].Reveal() == ""
		c.Unique(field+".name", textproto.CanonicalMIMEHeaderKey(s.Headers[i].Name), names)
	}
	if s.TLS != nil {
		s.loadTLS(c)
	}
	if s.SigningSecret == nil {
		return
	}
	if c.Secret("signingSecret", s.SigningSecret) && !isSigningSecret(s.SigningSecret.Reveal()) {
		c.Unfitf("signingSecret", s.SigningSecret, "is no signing secret: write \"whsec_\" and the base64 of 24 to 64 bytes")
	}
	s.lacks = s.lacks || s.SigningSecret.Reveal() == ""
}

// isSigningSecret reports whether a text is the base64 of 24 to 64 bytes, with or without "whsec_" before it, as the
// Standard Webhooks specification asks.
func isSigningSecret(text string) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	return err == nil && len(raw) >= 24 && len(raw) <= 64
}

// checkURL never quotes the URL: it may hold credentials, which belong in no log.
func (s *Settings) checkURL(c *config.Checker) {
	switch {
	case (s.URL != "") == (s.URLFile != ""):
		c.Problemf("url", "set exactly one of url and urlFile")
	case s.URLFile != "":
		text := c.File("urlFile", s.URLFile)
		switch u, err := parseSinkURL(text); {
		case text == "": // said already
		case err != nil:
			c.Lackf("urlFile", "is no URL of a sink: %v", err)
		case s.TLS != nil && u.Scheme != schemeHTTPS:
			c.Lackf("urlFile", "is no https URL, which %s needs: write an https URL, or leave tls out", c.Path("tls"))
		default:
			s.fromFile = text
		}
		s.lacks = s.fromFile == ""
	default:
		if u, err := parseSinkURL(s.URL); err != nil {
			c.Problemf("url", "%v", err)
		} else if s.TLS != nil && u.Scheme != schemeHTTPS {
			c.Problemf("tls", "needs an https URL")
		}
	}
}

// parseSinkURL returns the URL of a sink. The error says what is wrong with it and does not quote it: it may hold
// credentials. The URL is nil if it is none.
func parseSinkURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != schemeHTTPS) || u.Hostname() == "":
		return nil, errors.New(`want an absolute URL such as "http://bot.chat.svc/events"`)
	case u.User != nil:
		return u, errors.New("must hold no credentials: use headers, for example Authorization")
	case strings.Contains(text, "#"):
		return u, errors.New("must hold no fragment (#)")
	case !validPort(u):
		return u, errPort
	}
	return u, nil
}

func checkProxy(c *config.Checker, text string) {
	u, err := ParseProxy(text)
	switch {
	case err != nil:
		c.Problemf("proxy", "%v", err)
	case u.User != nil:
		c.Problemf("proxy", "must hold no credentials: a proxy that asks for some is set in the environment, as HTTPS_PROXY or HTTP_PROXY")
	}
}

func (h *Header) check(c *config.Checker, field string) {
	name := textproto.CanonicalMIMEHeaderKey(h.Name)
	switch {
	case !c.Required(field+".name", h.Name):
	case !headerName.MatchString(h.Name):
		c.Problemf(field+".name", `want the name of a header, such as "Authorization", without its value`)
	case reservedHeaders[name], strings.HasPrefix(name, "Ce-"), strings.HasPrefix(name, "Webhook-"):
		c.Problemf(field+".name", "the connector sets this header itself")
	}
	if c.Secret(field, &h.Secret) && !config.IsText(h.Reveal(), func(r rune) bool { return r == '\t' || !unicode.IsControl(r) }) {
		c.Unfitf(field, &h.Secret, "holds line breaks or control characters, or is no text: put the value on one line")
	}
}

// loadTLS loads the files of the section into its configuration.
func (s *Settings) loadTLS(c *config.Checker) {
	t := s.TLS
	t.client = &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		if t.client.RootCAs = c.Authorities("tls.caFile", t.CAFile); t.client.RootCAs == nil {
			s.lacks = true
		}
	}
	switch {
	case t.CertFile == "" && t.KeyFile == "":
	case t.CertFile == "" || t.KeyFile == "":
		c.Problemf("tls", "set certFile and keyFile together")
	default:
		if pair := c.Pair("tls.certFile", t.CertFile, "tls.keyFile", t.KeyFile); pair != nil {
			t.client.Certificates = []tls.Certificate{*pair}
		} else {
			s.lacks = true
		}
	}
	for _, name := range []string{t.CAFile, t.CertFile, t.KeyFile} {
		t.contents = append(t.contents, c.Loaded(name))
	}
}

// schemeHTTPS is that of a URL with TLS.
const schemeHTTPS = "https"

// proxySchemes are those that net/http knows for proxies.
var proxySchemes = []string{"http", schemeHTTPS, "socks5", "socks5h"}

var (
	errPort  = errors.New("want a port from 1 to 65535")
	errProxy = errors.New(`want the URL of a proxy such as "http://proxy.example:3128": http, https, socks5 or socks5h, a host and a port`)
)

// ParseProxy reads the URL of a proxy as curl and Go do: a host and port alone stand for http. Go ignores a proxy that
// it cannot read; ParseProxy returns an error. It does not quote the text, which may hold a password.
func ParseProxy(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains(proxySchemes, u.Scheme) || strings.ContainsFunc(u.Host, isSpaceOrControl) {
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

// validPort reports whether a connection can be made to the port of a URL. No port stands for the scheme's.
func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

func isSpaceOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
