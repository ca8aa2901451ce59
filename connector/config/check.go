package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// minAPIKey is the length of the shortest API key, in characters: 16 random hex digits are 64 bits, too many to
	// guess over a network.
	minAPIKey = 16
	// goodAPIKey is the length below which an API key causes a warning: 32 random hex digits are 128 bits, as usual for
	// a key.
	goodAPIKey = 32
	// minReportToken is as for an API key.
	minReportToken = 16
	// maxBodySize is far above any event and keeps a call's memory bounded.
	maxBodySize = Size(64 << 20)
	// The bounds on numbers catch slips of the keyboard.
	maxConcurrency        = 10_000
	maxProcessConcurrency = 100_000
	// The bounds on connections leave places for connections that are not verified, and stay within the limits of a
	// process.
	minConnections, maxConnections = 16, 1_000_000
	// The bounds on headers admit platforms behind the usual proxies, and keep the cost of a stranger small.
	minHeaderSize, maxHeaderSize   = Size(1 << 10), Size(64 << 10)
	minHeaderLines, maxHeaderLines = 10, 1000
	// maxChannelName fits "<namespace>/<name>" of Kubernetes, in bytes.
	maxChannelName = 320
)

func (c *Checker) config(cfg *Config) {
	c.OneOf("apiVersion", cfg.APIVersion, APIVersion)
	c.OneOf("kind", cfg.Kind, Kind)
	c.server(&cfg.Server)
	c.listeners(cfg)
	c.reportToken(cfg.Report.Token)
	c.OneOf("log.level", cfg.Log.Level, "debug", "info", "warn", "error")
	c.inbox(cfg)
	c.admin(cfg.Admin)
	c.Between("dispatch.maxConcurrency", cfg.Dispatch.MaxConcurrency, 1, maxProcessConcurrency)
	c.stop(cfg.Stop)
	names := make(map[string]string, len(cfg.Channels))
	for i := range cfg.Channels {
		at := fmt.Sprintf("channels[%d]", i)
		c.channel(at, &cfg.Channels[i])
		c.maxEventAge(at+".webhook.maxEventAge", cfg.Channels[i], cfg.Inbox.DeduplicationWindow)
		c.Unique(at+".name", cfg.Channels[i].Name, names)
	}
	c.buffers(cfg)
	c.apart()
	c.strengths(cfg.Channels)
}

func (c *Checker) server(s *Server) {
	if s.MaxConnections != 0 {
		c.Between("server.maxConnections", s.MaxConnections, minConnections, maxConnections)
	}
	if s.MaxHeaderSize < minHeaderSize || s.MaxHeaderSize > maxHeaderSize {
		c.Problemf("server.maxHeaderSize", "want 1Ki to 64Ki")
	}
	c.Between("server.maxHeaderLines", s.MaxHeaderLines, minHeaderLines, maxHeaderLines)
	c.Between("server.maxInFlight", s.MaxInFlight, 1, maxProcessConcurrency)
	if s.TLS == nil {
		return
	}
	named := c.Required("server.tls.certFile", s.TLS.CertFile)
	if c.Required("server.tls.keyFile", s.TLS.KeyFile) && named {
		s.TLS.certificate = c.Pair("server.tls.certFile", s.TLS.CertFile, "server.tls.keyFile", s.TLS.KeyFile)
		if s.TLS.certificate == nil && !c.trial {
			c.problems, c.lacks = append(c.problems, c.lacks...), nil // nothing can be served without it
		}
	}
}

// listeners checks the addresses.
func (c *Checker) listeners(cfg *Config) {
	used := map[string]string{}
	for _, l := range []struct{ path, address string }{
		{"server.address", cfg.Server.Address},
		{"metrics.address", cfg.Metrics.Address},
		{fieldAdminAddress, cfg.Admin.Address},
	} {
		if l.path == fieldAdminAddress && l.address == "" {
			continue // a socket
		}
		host, port, err := net.SplitHostPort(l.address)
		number, notNumber := strconv.ParseUint(port, 10, 16)
		if err != nil || notNumber != nil || !printable(host) {
			c.Problemf(l.path, "%q is no address: write for example \":8080\" or \"127.0.0.1:8080\"", l.address)
			continue
		}
		if number != 0 { // 0 takes a free port each time
			c.Unique(l.path, l.address, used)
		}
		if ip := net.ParseIP(host); l.path == fieldAdminAddress && host != "localhost" && !ip.IsLoopback() {
			c.Problemf(l.path, "%q is not a loopback host, and the admin API asks for no password: write for example \"127.0.0.1:9091\"", host)
		}
	}
}

// reportToken reads the token of the report.
func (c *Checker) reportToken(token *Secret) {
	const at = "report.token"
	if token == nil || !c.Key(at, token) {
		return
	}
	if utf8.RuneCountInString(token.Reveal()) < minReportToken {
		c.Unfitf(at, token, "is shorter than %d characters, so that it can be guessed: make one with \"openssl rand -hex 32\"", minReportToken)
	}
}

// inbox checks the inbox, which must remember events for longer than any platform resends them.
func (c *Checker) inbox(cfg *Config) {
	c.union("inbox", c.types.Inboxes, cfg.Inbox.Type, cfg.Inbox.Settings)
	const window = "inbox.deduplicationWindow"
	var longest Type
	for _, ch := range cfg.Channels {
		if t := named(c.types.Channels, ch.Type); t.RetryFor > longest.RetryFor {
			longest = t
		}
	}
	if cfg.Inbox.DeduplicationWindow < longest.Window() {
		c.Problemf(window, "want at least %s: %s", brief(longest.Window()), longest.retries())
		return
	}
	c.Positive(window, cfg.Inbox.DeduplicationWindow)
}

func (c *Checker) stop(s Stop) {
	if s.DrainDelay < 0 {
		c.Problemf("stop.drainDelay", "must not be negative")
	}
	if s.GracePeriod <= s.DrainDelay {
		c.Problemf("stop.gracePeriod", "must be longer than drainDelay (%v)", time.Duration(s.DrainDelay))
	}
	c.OneOf("stop.pending", s.Pending, PendingKeep, PendingDeliver)
}

// buffers checks that there is room for the largest call of each channel.
func (c *Checker) buffers(cfg *Config) {
	var largest Size
	for _, ch := range cfg.Channels {
		largest = max(largest, ch.Webhook.MaxBodySize)
	}
	if cfg.Server.MaxBufferedBytes < max(largest, 1) {
		c.Problemf("server.maxBufferedBytes", "want at least the largest webhook.maxBodySize, %d bytes", max(largest, 1))
	}
}

// printable reports whether s has neither white space nor control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}
