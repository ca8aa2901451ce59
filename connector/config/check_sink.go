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
		h.needs(header, h.Headers[i].Reveal())
		c.unique(header+".name", textproto.CanonicalMIMEHeaderKey(h.Headers[i].Name), names)
	}
	if h.TLS != nil {
		c.sinkTLS(at+".tls", h)
	}
	if h.SigningSecret != nil && c.secret(at+".signingSecret", h.SigningSecret) {
		encoded := strings.TrimPrefix(h.SigningSecret.Reveal(), "whsec_")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) < 24 || len(raw) > 64 {
			c.unfitf(at+".signingSecret", h.SigningSecret, "want the base64 of 24 to 64 bytes, with or without \"whsec_\" before it")
		}
	}
	if h.SigningSecret != nil {
		h.needs(at+".signingSecret", h.SigningSecret.Reveal())
	}
}

// needs notes the field of a credential that the sink must not be called without.
func (h *HTTPSink) needs(field, credential string) {
	if credential == "" {
		h.lacks = append(h.lacks, field)
	}
}

// sinkURL never quotes the URL: whoever writes credentials into it should not
// find them in a log.
func (c *checker) sinkURL(at string, h *HTTPSink) {
	switch {
	case !oneSet(h.URL != "", h.URLFile != ""):
		c.addf(at+".url", "set exactly one of url and urlFile")
	case h.URLFile != "":
		file := Secret{File: h.URLFile}
		c.secretFile(at+".urlFile", &file)
		h.URLFile, h.fromFile = file.File, file.Reveal()
		if h.fromFile != "" && c.judgeSinkURL(at, h, c.lackf) {
			h.fromFile = ""
		}
		h.needs(at+".urlFile", h.fromFile)
	default:
		c.judgeSinkURL(at, h, c.addf)
	}
}

// judgeSinkURL says what is wrong with the URL, if anything, and reports whether
// it did.
func (c *checker) judgeSinkURL(at string, h *HTTPSink, say func(path, format string, args ...any)) bool {
	field := at + ".url"
	if h.URLFile != "" {
		field = at + ".urlFile"
	}
	switch u, err := ParseSinkURL(h.Target()); {
	case err != nil:
		say(field, "%v", err)
	case h.TLS != nil && u.Scheme != schemeHTTPS:
		say(at+".tls", "needs an https URL")
	default:
		return false
	}
	return true
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
		c.unfitf(at, &h.Secret, "the value must hold no line breaks and no control characters")
	}
}
