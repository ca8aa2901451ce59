package config

import (
	"crypto/sha256"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// A key of 16 random characters from hex is 64 bits, which nobody guesses over a
	// network; below, one is no key. 32 are 128 bits, as usual for a key.
	minAPIKey, goodAPIKey = 16, 32
	// minReportToken is as for an API key.
	minReportToken = 16
	// goodOASecret is below what Zalo gives out. A shorter one is taken, since it
	// is the platform's choice.
	goodOASecret = 16
	// minInboxSize leaves the store room for its log and for compaction.
	minInboxSize = Size(64 << 20)
	// maxBodySize is far above any event and keeps a call's memory bounded.
	maxBodySize = Size(64 << 20)
	// The bounds on numbers catch slips of the keyboard.
	maxConcurrency        = 10_000
	maxProcessConcurrency = 100_000
	// The bounds on connections leave places beside the verified ones, and stay
	// within what a process may have open.
	minConnections, maxConnections = 16, 1_000_000
	// The bounds on headers let Zalo and the usual proxies in, and keep a
	// stranger's cost small.
	minHeaderSize, maxHeaderSize   = Size(1 << 10), Size(64 << 10)
	minHeaderLines, maxHeaderLines = 10, 1000
	// maxChannelName fits "<namespace>/<name>" of Kubernetes, in bytes.
	maxChannelName = 320
)

// checker checks one decoded version. On its way it reads the files that the
// version names, makes paths absolute and fills in the defaults that depend on
// a type.
type checker struct {
	*report
	files *files
	dir   string
	// keys are the API keys by digest, secrets the OA secret keys.
	keys    map[[sha256.Size]byte]claim
	secrets []claim
	// inUse is what this version takes from its files, and before what the one in use
	// took.
	inUse, before materials
	absences      *absences
}

func (c *checker) config(cfg *Config) {
	c.keys = make(map[[sha256.Size]byte]claim, len(cfg.Channels))
	c.inUse = materials{keyFiles: map[string]string{}, certificates: map[string][]byte{}}
	c.oneOf("apiVersion", cfg.APIVersion, APIVersion)
	c.oneOf("kind", cfg.Kind, Kind)
	c.server(&cfg.Server)
	c.listeners(cfg)
	c.reportToken(cfg.Report.Token)
	c.oneOf("log.level", cfg.Log.Level, LogDebug, LogInfo, LogWarn, LogError)
	c.inbox(&cfg.Inbox)
	c.admin(&cfg.Admin, cfg.Inbox)
	c.between("dispatch.maxConcurrency", cfg.Dispatch.MaxConcurrency, maxProcessConcurrency)
	c.stop(cfg.Stop)
	names := make(map[string]string, len(cfg.Channels))
	for i := range cfg.Channels {
		at := fmt.Sprintf("channels[%d]", i)
		c.channel(at, &cfg.Channels[i])
		c.maxEventAge(at+".webhook.maxEventAge", &cfg.Channels[i].Webhook, cfg.Inbox.DeduplicationWindow)
		c.unique(at+".name", cfg.Channels[i].Name, names)
	}
	c.buffers(cfg)
	c.apart()
}

func (c *checker) server(s *Server) {
	if s.MaxConnections != 0 && (s.MaxConnections < minConnections || s.MaxConnections > maxConnections) {
		c.addf("server.maxConnections", "want %d to %d, not %d", minConnections, maxConnections, s.MaxConnections)
	}
	if s.MaxHeaderSize < minHeaderSize || s.MaxHeaderSize > maxHeaderSize {
		c.addf("server.maxHeaderSize", "want 1Ki to 64Ki")
	}
	if s.MaxHeaderLines < minHeaderLines || s.MaxHeaderLines > maxHeaderLines {
		c.addf("server.maxHeaderLines", "want %d to %d, not %d", minHeaderLines, maxHeaderLines, s.MaxHeaderLines)
	}
	c.between("server.maxInFlight", s.MaxInFlight, maxProcessConcurrency)
	if s.TLS == nil {
		return
	}
	named := c.required("server.tls.certFile", s.TLS.CertFile)
	if c.required("server.tls.keyFile", s.TLS.KeyFile) && named {
		if s.TLS.certificate = c.pair("server.tls", &s.TLS.CertFile, &s.TLS.KeyFile); s.TLS.certificate == nil {
			c.problems, c.lacks = append(c.problems, c.lacks...), nil // nothing can be served without it
		}
	}
}

// listeners checks the addresses.
func (c *checker) listeners(cfg *Config) {
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
			c.addf(l.path, "%q is no address: write for example \":8080\" or \"127.0.0.1:8080\"", l.address)
			continue
		}
		if number != 0 { // 0 takes a free port each time
			c.unique(l.path, l.address, used)
		}
		if ip := net.ParseIP(host); l.path == fieldAdminAddress && host != "localhost" && !ip.IsLoopback() {
			c.addf(l.path, "%q is not a loopback host, and the admin API asks for no password: write for example \"127.0.0.1:9091\"", host)
		}
	}
}

// reportToken reads the token of the report.
func (c *checker) reportToken(token *Secret) {
	const at = "report.token"
	if token == nil || !c.key(at, token) {
		return
	}
	if utf8.RuneCountInString(token.Reveal()) < minReportToken {
		c.unfitf(at, token, "shorter than %d characters, so that it can be guessed: make one with \"openssl rand -hex 32\"", minReportToken)
	}
}

func (c *checker) inbox(in *Inbox) {
	c.oneOf("inbox.type", in.Type, InboxEmbedded)
	if in.DeduplicationWindow < MinDeduplicationWindow {
		c.addf("inbox.deduplicationWindow", "want at least 2h: Zalo retries for 1 h 50 min")
	}
	if in.Embedded == nil {
		c.addf("inbox.embedded.path", "required")
		return
	}
	if c.required("inbox.embedded.path", in.Embedded.Path) {
		in.Embedded.Path = c.absolute(in.Embedded.Path)
	}
	if in.Embedded.MaxSize < minInboxSize {
		c.addf("inbox.embedded.maxSize", "want at least 64Mi")
	}
}

func (c *checker) stop(s Stop) {
	if s.DrainDelay < 0 {
		c.addf("stop.drainDelay", "must not be negative")
	}
	if s.GracePeriod <= s.DrainDelay {
		c.addf("stop.gracePeriod", "must be longer than drainDelay (%v)", time.Duration(s.DrainDelay))
	}
	c.oneOf("stop.pending", s.Pending, PendingKeep, PendingDeliver)
}

// buffers checks that a single call of any channel finds room.
func (c *checker) buffers(cfg *Config) {
	var largest Size
	for _, ch := range cfg.Channels {
		largest = max(largest, ch.Webhook.MaxBodySize)
	}
	if cfg.Server.MaxBufferedBytes < max(largest, 1) {
		c.addf("server.maxBufferedBytes", "want at least the largest webhook.maxBodySize, %d bytes", max(largest, 1))
	}
}

// required reports whether value is set, and a problem if it is not.
func (c *checker) required(path, value string) bool {
	if value == "" {
		c.addf(path, "required")
	}
	return value != ""
}

// oneOf checks a value of a fixed list.
func (c *checker) oneOf(path string, value any, allowed ...any) {
	if slices.Contains(allowed, value) {
		return
	}
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = strconv.Quote(fmt.Sprint(a))
	}
	c.addf(path, "want %s", strings.Join(quoted, " or "))
}

// between checks a number from 1 to highest.
func (c *checker) between(path string, value, highest int) {
	if value < 1 || value > highest {
		c.addf(path, "want 1 to %d, not %d", highest, value)
	}
}

func (c *checker) positive(path string, d Duration) {
	if d <= 0 {
		c.addf(path, "must be longer than 0s")
	}
}

// unique checks that value was not used before; used maps values to paths.
func (c *checker) unique(path, value string, used map[string]string) {
	if first, again := used[value]; again && value != "" {
		c.addf(path, "the same as %s: it must be unique", first)
		return
	}
	used[value] = path
}

// printable reports whether s has neither white space nor control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// absolute resolves a path of the file.
func (c *checker) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.dir, path)
}
