package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// headerName is a token of RFC 9110.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// reservedHeaders are set by the HTTP client, or say how the body is framed.
var reservedHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Content-Type": true, "Connection": true,
	"Transfer-Encoding": true, "Trailer": true, "Te": true, "Upgrade": true,
}

func (c *checker) httpSink(at string, h *HTTPSink) {
	c.sinkURL(at, h)
	c.positive(at+".timeout", h.Timeout)
	if h.Proxy != "" && h.Proxy != ProxyNone {
		c.proxy(at+".proxy", h.Proxy)
	}
	c.oneOf(at+".localAddresses", h.LocalAddresses, LocalAllow, LocalRefuse)
	names := map[string]string{}
	for i := range h.Headers {
		header := fmt.Sprintf("%s.headers[%d]", at, i)
		c.header(header, &h.Headers[i])
		c.unique(header+".name", textproto.CanonicalMIMEHeaderKey(h.Headers[i].Name), names)
	}
	if h.TLS != nil {
		c.sinkTLS(at+".tls", h.TLS)
	}
	if h.SigningSecret != nil && c.secret(at+".signingSecret", h.SigningSecret) {
		encoded := strings.TrimPrefix(h.SigningSecret.Reveal(), "whsec_")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) < 24 || len(raw) > 64 {
			c.addf(at+".signingSecret", "want the base64 of 24 to 64 bytes, with or without \"whsec_\" before it")
		}
	}
}

// sinkURL never quotes the URL: whoever writes credentials into it should not
// find them in a log.
func (c *checker) sinkURL(at string, h *HTTPSink) {
	field := at + ".url"
	switch {
	case (h.URL == "") == (h.URLFile == ""):
		c.addf(field, "set exactly one of url and urlFile")
		return
	case h.URLFile != "":
		field = at + ".urlFile"
		file := Secret{File: h.URLFile}
		if !c.secretFile(field, &file) {
			return
		}
		h.URLFile, h.fromFile = file.File, file.Reveal()
	}
	u, err := ParseSinkURL(h.Target())
	if err != nil {
		c.addf(field, "%v", err)
	}
	if h.TLS != nil && u != nil && u.Scheme != schemeHTTPS {
		c.addf(at+".tls", "needs an https URL")
	}
}

// ParseSinkURL returns the URL of a sink. The error says what is wrong with it
// and does not quote it: it may hold credentials. The URL is nil if it is none.
func ParseSinkURL(text string) (*url.URL, error) {
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

func (c *checker) proxy(at, text string) {
	u, err := ParseProxy(text)
	switch {
	case err != nil:
		c.addf(at, "%v", err)
	case u.User != nil:
		c.addf(at, "must hold no credentials: a proxy that asks for some is set in the environment, as HTTPS_PROXY or HTTP_PROXY")
	}
}

func (c *checker) header(at string, h *Header) {
	name := textproto.CanonicalMIMEHeaderKey(h.Name)
	switch {
	case !c.required(at+".name", h.Name):
	case !headerName.MatchString(h.Name):
		c.addf(at+".name", `want the name of a header, such as "Authorization", without its value`)
	case reservedHeaders[name], strings.HasPrefix(name, "Ce-"), strings.HasPrefix(name, "Webhook-"):
		c.addf(at+".name", "the connector sets this header itself")
	}
	if c.secret(at, &h.Secret) && strings.ContainsFunc(h.Reveal(), func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
		c.addf(at, "the value must hold no line breaks and no control characters")
	}
}
