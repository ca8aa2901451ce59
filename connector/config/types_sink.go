package config

import (
	"crypto/tls"
	"time"
)

// Sink is where events go. Exactly the member named by type is set.
type Sink struct {
	// Type is the kind of sink: "HTTP". Default: "HTTP".
	Type string `yaml:"type,omitempty"`
	// Settings is the section of the type.
	Settings Section `yaml:"-"`
}

// HTTPSink posts each event as a CloudEvent in binary mode: the body is the
// platform's, byte for byte, the attributes are "ce-" headers.
type HTTPSink struct {
	// URL is where events are posted: absolute, http or https, without
	// credentials. Exactly one of url and urlFile is set.
	URL string `yaml:"url,omitempty"`
	// URLFile is a file that holds the URL instead, for a URL that is itself a
	// secret. Of either, messages, logs and status show scheme and host only.
	URLFile string `yaml:"urlFile,omitempty" file:"path"`
	// Timeout bounds one attempt, from dialling to the answer's headers.
	// Default: 10s.
	Timeout Duration `yaml:"timeout,omitempty"`
	// Proxy is the URL of a proxy (http, https, socks5 or socks5h), without
	// credentials, or "none". Default: what the environment's HTTP_PROXY,
	// HTTPS_PROXY and NO_PROXY say, in which an unusable URL is an error.
	Proxy string `yaml:"proxy,omitempty"`
	// LocalAddresses is "Allow" or "Refuse". Refused are loopback, link-local,
	// unspecified and multicast addresses, and those of clouds' metadata
	// services, at the moment of dialling, whatever the name was. It applies to
	// a proxy of this file as well, not to one of the environment. Default:
	// "Allow".
	LocalAddresses LocalAddresses `yaml:"localAddresses,omitempty"`
	// Headers are added to every request, for example Authorization.
	Headers []Header `yaml:"headers,omitempty"`
	// TLS adjusts how an https URL is trusted.
	TLS *SinkTLS `yaml:"tls,omitempty"`
	// SigningSecret signs every request by the Standard Webhooks specification:
	// "whsec_" and the base64 of 24 to 64 bytes, or those bytes as base64.
	SigningSecret *Secret `yaml:"signingSecret,omitempty"`

	// fromFile is the URL of urlFile.
	fromFile string
	// lacks are the fields of the credentials that are missing.
	lacks []string
}

// NewHTTPSink returns the section with its defaults.
func NewHTTPSink() *HTTPSink {
	return &HTTPSink{Timeout: Duration(10 * time.Second), LocalAddresses: LocalAllow}
}

// Lacks returns the fields of the credentials that are missing. While there are any,
// nothing may be sent.
func (h *HTTPSink) Lacks() []string { return h.lacks }

// Target returns the URL, after Load has read it from its file if need be.
func (h *HTTPSink) Target() string {
	if h.URLFile != "" {
		return h.fromFile
	}
	return h.URL
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
	// Name is the header's name; those that the connector sets itself are
	// refused. Required.
	Name   string `yaml:"name,omitempty"`
	Secret `yaml:",inline"`
}

// SinkTLS names PEM files.
type SinkTLS struct {
	// CAFile is a bundle of certificate authorities to trust instead of the
	// system's, at most 512 KiB.
	CAFile string `yaml:"caFile,omitempty" file:"path"`
	// CertFile is a client certificate chain, at most 64 KiB; set together with
	// keyFile.
	CertFile string `yaml:"certFile,omitempty" file:"path"`
	// KeyFile is the client certificate's private key.
	KeyFile string `yaml:"keyFile,omitempty" file:"path"`

	client *tls.Config
	// contents are those of the files above.
	contents [][]byte
}

// Client returns a copy of the client side's TLS configuration, made of the
// files as Load has read and checked them; nil, which stands for the defaults,
// when s is nil.
func (s *SinkTLS) Client() *tls.Config {
	if s == nil {
		return nil
	}
	return s.client.Clone()
}
