package httpsink

import (
	"crypto/tls"
	"fmt"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/sink/each"
)

// Type posts events to a URL.
var Type = config.Type{Name: "HTTP", New: func() config.Section {
	return &Settings{Timeout: config.Duration(10 * time.Second), LocalAddresses: LocalAllow}
}}

var _ sink.Settings = (*Settings)(nil)

// Settings is a URL. Each event is posted to it as a CloudEvent in binary mode: the body is the platform's, byte for
// byte, and the attributes are "ce-" headers.
type Settings struct {
	// URL is where events are posted: absolute, http or https, without credentials. Exactly one of url and urlFile is
	// set.
	URL string `yaml:"url,omitempty"`
	// URLFile is the path of a file that holds the URL instead, for a URL that is itself a secret. Messages, logs and
	// status show only the scheme and host of either.
	URLFile string `yaml:"urlFile,omitempty" file:"path"`
	// Timeout bounds one attempt, from dialling to the answer's headers. Default: 10s.
	Timeout config.Duration `yaml:"timeout,omitempty"`
	// Proxy is the URL of a proxy (http, https, socks5 or socks5h), without credentials, or "none". Default:
	// HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment, where an unusable URL is an error.
	Proxy string `yaml:"proxy,omitempty"`
	// LocalAddresses is "Allow" or "Refuse". "Refuse" lets no attempt dial a loopback, link-local, unspecified or
	// multicast address, or a cloud's metadata service, whatever the name. It also applies to a proxy of this file, but
	// not to one of the environment. Default: "Allow".
	LocalAddresses LocalAddresses `yaml:"localAddresses,omitempty"`
	// Headers are added to every request, for example Authorization.
	Headers []Header `yaml:"headers,omitempty"`
	// TLS says whom an https URL trusts, and with which certificate the sink is called.
	TLS *TLS `yaml:"tls,omitempty"`
	// SigningSecret signs every request by the Standard Webhooks specification: "whsec_" and the base64 of 24 to 64
	// bytes, or those bytes as base64.
	SigningSecret *config.Secret `yaml:"signingSecret,omitempty"`

	// fromFile is the URL of urlFile.
	fromFile string
	// lacks: a credential is missing.
	lacks bool
}

// Lacks reports whether a credential is missing; see sink.Settings.
func (s *Settings) Lacks() bool { return s.lacks }

// Target returns the URL, which Load has read from its file if need be.
func (s *Settings) Target() string {
	if s.URLFile != "" {
		return s.fromFile
	}
	return s.URL
}

// ProxyNone is the proxy setting that ignores the environment.
const ProxyNone = "none"

// LocalAddresses says whether a sink may be on the connector's own machine.
type LocalAddresses string

const (
	// LocalAllow dials every address.
	LocalAllow LocalAddresses = "Allow"
	// LocalRefuse fails an attempt that would dial a local address.
	LocalRefuse LocalAddresses = "Refuse"
)

// Header is one request header. Exactly one of value and file is set.
type Header struct {
	// Name is the header's name. Headers that the connector sets itself are refused. Required.
	Name          string `yaml:"name,omitempty"`
	config.Secret `yaml:",inline"`
}

// TLS names PEM files.
type TLS struct {
	// CAFile is a bundle of certificate authorities to trust instead of the system's, at most 512 KiB.
	CAFile string `yaml:"caFile,omitempty" file:"path"`
	// CertFile is a client certificate chain, at most 64 KiB; set together with keyFile.
	CertFile string `yaml:"certFile,omitempty" file:"path"`
	// KeyFile is the client certificate's private key.
	KeyFile string `yaml:"keyFile,omitempty" file:"path"`

	client *tls.Config
	// contents are those of the files above.
	contents [][]byte
}

// Client returns a copy of the TLS configuration that Load has made of the files; nil, for the defaults, if t is nil.
func (t *TLS) Client() *tls.Config {
	if t == nil {
		return nil
	}
	return t.client.Clone()
}

// Open makes the sink; see sink.Settings.
func (s *Settings) Open(e sink.Environment) (sink.Sink, error) {
	opened, err := New(*s, e, time.Now)
	if err != nil {
		return nil, err
	}
	return each.Sink(opened), nil
}

// Digest identifies the settings and the contents of their files; see sink.Settings.
func (s *Settings) Digest() string {
	parts := [][]byte{[]byte(s.Target()), fmt.Append(nil, s.Timeout), []byte(s.Proxy), []byte(s.LocalAddresses)}
	for _, header := range s.Headers {
		parts = append(parts, []byte("header"), []byte(header.Name), []byte(header.Reveal()))
	}
	if s.SigningSecret != nil {
		parts = append(parts, []byte("signing"), []byte(s.SigningSecret.Reveal()))
	}
	if t := s.TLS; t != nil {
		parts = append(append(parts, []byte("tls"), []byte(t.CAFile), []byte(t.CertFile), []byte(t.KeyFile)), t.contents...)
	}
	return fmt.Sprintf("%x", digest.Of(parts...))
}
