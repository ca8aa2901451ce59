package config

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"xbot.a4b.vn/channel-connector/connector/digest"
)

// headerName is a token of RFC 9110.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// reservedHeaders are set by the HTTP client, or say how the body is framed.
var reservedHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Content-Type": true, "Connection": true,
	"Transfer-Encoding": true, "Trailer": true, "Te": true, "Upgrade": true,
}

// Check says what is wrong with the section.
func (h *HTTPSink) Check(c *Checker) {
	h.checkURL(c)
	c.Positive("timeout", h.Timeout)
	if h.Proxy != "" && h.Proxy != ProxyNone {
		checkProxy(c, h.Proxy)
	}
	c.OneOf("localAddresses", h.LocalAddresses, LocalAllow, LocalRefuse)
	names := map[string]string{}
	for i := range h.Headers {
		field := fmt.Sprintf("headers[%d]", i)
		h.Headers[i].check(c, field)
		h.needs(field, h.Headers[i].Reveal())
		c.Unique(field+".name", textproto.CanonicalMIMEHeaderKey(h.Headers[i].Name), names)
	}
	if h.TLS != nil {
		h.loadTLS(c)
	}
	if h.SigningSecret == nil {
		return
	}
	if c.Secret("signingSecret", h.SigningSecret) && !isSigningSecret(h.SigningSecret.Reveal()) {
		c.Unfitf("signingSecret", h.SigningSecret, "is no signing secret: write \"whsec_\" and the base64 of 24 to 64 bytes")
	}
	h.needs("signingSecret", h.SigningSecret.Reveal())
}

// isSigningSecret reports whether a text is the base64 of 24 to 64 bytes, with or without
// "whsec_" before it, as the Standard Webhooks specification asks.
func isSigningSecret(text string) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	return err == nil && len(raw) >= 24 && len(raw) <= 64
}

// needs notes the field of a credential that the sink must not be called without.
func (h *HTTPSink) needs(field, credential string) {
	if credential == "" {
		h.lacks = append(h.lacks, field)
	}
}

// checkURL never quotes the URL: whoever writes credentials into it should not
// find them in a log.
func (h *HTTPSink) checkURL(c *Checker) {
	switch {
	case !oneSet(h.URL != "", h.URLFile != ""):
		c.Problemf("url", "set exactly one of url and urlFile")
	case h.URLFile != "":
		text := c.File("urlFile", h.URLFile)
		switch u, err := parseSinkURL(text); {
		case text == "": // said already
		case err != nil:
			c.Lackf("urlFile", "is no URL of a sink: %v", err)
		case h.TLS != nil && u.Scheme != schemeHTTPS:
			c.Lackf("urlFile", "is no https URL, which %s needs: write an https URL, or leave tls out", c.Path("tls"))
		default:
			h.fromFile = text
		}
		h.needs("urlFile", h.fromFile)
	default:
		if u, err := parseSinkURL(h.URL); err != nil {
			c.Problemf("url", "%v", err)
		} else if h.TLS != nil && u.Scheme != schemeHTTPS {
			c.Problemf("tls", "needs an https URL")
		}
	}
}

// parseSinkURL returns the URL of a sink. The error says what is wrong with it
// and does not quote it: it may hold credentials. The URL is nil if it is none.
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

func checkProxy(c *Checker, text string) {
	u, err := ParseProxy(text)
	switch {
	case err != nil:
		c.Problemf("proxy", "%v", err)
	case u.User != nil:
		c.Problemf("proxy", "must hold no credentials: a proxy that asks for some is set in the environment, as HTTPS_PROXY or HTTP_PROXY")
	}
}

func (h *Header) check(c *Checker, field string) {
	name := textproto.CanonicalMIMEHeaderKey(h.Name)
	switch {
	case !c.Required(field+".name", h.Name):
	case !headerName.MatchString(h.Name):
		c.Problemf(field+".name", `want the name of a header, such as "Authorization", without its value`)
	case reservedHeaders[name], strings.HasPrefix(name, "Ce-"), strings.HasPrefix(name, "Webhook-"):
		c.Problemf(field+".name", "the connector sets this header itself")
	}
	if c.Secret(field, &h.Secret) && !isText(h.Reveal(), func(r rune) bool { return r == '\t' || !unicode.IsControl(r) }) {
		c.Unfitf(field, &h.Secret, "holds line breaks or control characters, or is no text: put the value on one line")
	}
}

// loadTLS loads the files of the section into its configuration.
func (h *HTTPSink) loadTLS(c *Checker) {
	t := h.TLS
	t.client = &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		if t.client.RootCAs = c.Authorities("tls.caFile", t.CAFile); t.client.RootCAs == nil {
			h.lacks = append(h.lacks, "tls.caFile")
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
			h.lacks = append(h.lacks, "tls.certFile")
		}
	}
	for _, name := range []string{t.CAFile, t.CertFile, t.KeyFile} {
		t.contents = append(t.contents, c.Loaded(name))
	}
}

// Digest identifies what the sink is made of, the contents of its files
// included: sinks with the same digest may share their connections.
func (h *HTTPSink) Digest() string {
	parts := [][]byte{[]byte(h.Target()), fmt.Append(nil, h.Timeout), []byte(h.Proxy), []byte(h.LocalAddresses)}
	for _, header := range h.Headers {
		parts = append(parts, []byte("header"), []byte(header.Name), []byte(header.Reveal()))
	}
	if h.SigningSecret != nil {
		parts = append(parts, []byte("signing"), []byte(h.SigningSecret.Reveal()))
	}
	if t := h.TLS; t != nil {
		parts = append(append(parts, []byte("tls"), []byte(t.CAFile), []byte(t.CertFile), []byte(t.KeyFile)), t.contents...)
	}
	sum := digest.Of(parts...)
	return hex.EncodeToString(sum[:])
}
