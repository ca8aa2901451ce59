package webhook

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// The names under which a call carries its API key.
const (
	keyParameter = "param.header.xp-api-key"
	keyHeader    = "xp-api-key"
)

// canonicalKeyHeader is the key under which http.Header holds it.
var canonicalKeyHeader = http.CanonicalHeaderKey(keyHeader)

// Channel is what the webhook needs to know of one configured channel.
type Channel struct {
	// Name becomes Event.Channel.
	Name string
	// Path is the URL path, without escapes; channels may share one.
	Path string
	// Keys are the SHA-256 digests of the accepted API keys. No two channels may share a key.
	Keys [][sha256.Size]byte
	// SigningKeys are the SHA-256 digests of the keys that calls are verified with.
	SigningKeys [][sha256.Size]byte
	// Enforces reports whether a call without a right signature is refused.
	Enforces bool
	// MaxBodySize is the largest body accepted, in bytes.
	MaxBodySize int64
	// MaxEventAge is how old the timestamp of a verified call may be; 0: no age is judged.
	MaxEventAge time.Duration
	// Events selects the events to store, by the platform's name.
	Events config.EventFilter
	// AnswerIn is how long after its arrival a call is answered at the latest. Default: answerWithin.
	AnswerIn time.Duration
	// Type knows the platform's protocol.
	Type channel.Channel
}

// Routes are the channels of one version of the configuration. They are immutable.
type Routes struct {
	names map[string]*route
	paths map[string]bool
	byKey map[[sha256.Size]byte]*route
	pages map[string]func(*http.Request) channel.Answer
}

// route is one channel, made ready for calls.
type route struct {
	Channel
	// precheck is nil for a type that cannot refuse by a header.
	precheck func(http.Header) *channel.Refusal
	// handshake answers a GET of the channel's path; nil if the type has no such page.
	handshake func(*http.Request) channel.Answer
	// endpoints are by their paths.
	endpoints   map[string]*channel.Endpoint
	shape       *shape
	events      filter
	share       share
	auditFailed throttle
	stale       throttle
	// traffic and metrics outlive the route: see Handler.Use.
	traffic *traffic
	metrics *telemetry.Channel
}

// NewRoutes makes channels ready for calls. How long a call takes to find its channel does not depend on their number.
func NewRoutes(channels []Channel) *Routes {
	routes := &Routes{
		names: make(map[string]*route),
		paths: make(map[string]bool),
		byKey: make(map[[sha256.Size]byte]*route),
		pages: make(map[string]func(*http.Request) channel.Answer),
	}
	tags := make([]channel.MetaTag, 0, len(channels))
	for _, c := range channels {
		r := newRoute(c, len(channels) == 1)
		routes.names[c.Name], routes.paths[r.Path] = r, true
		for path := range r.endpoints {
			routes.paths[path] = true
		}
		for _, key := range c.Keys {
			routes.byKey[key] = r
		}
		tags = append(tags, routes.publish(r)...)
	}
	if len(tags) > 0 {
		page := frontPage(tags)
		routes.pages["/"] = func(*http.Request) channel.Answer { return page }
	}
	return routes
}

func newRoute(c Channel, alone bool) *route {
	c.Path, c.AnswerIn = oneSlashLess(c.Path), cmp.Or(c.AnswerIn, answerWithin)
	r := &route{Channel: c, shape: &shape{of: c.Type.Answer}, events: newFilter(c.Events), share: share{alone: alone}, traffic: &traffic{}}
	if p, ok := c.Type.(channel.Prechecker); ok {
		r.precheck = p.Precheck
	}
	if s, ok := c.Type.(channel.EndpointServer); ok {
		r.endpoints = make(map[string]*channel.Endpoint)
		for _, endpoint := range s.Endpoints() {
			r.endpoints[endpoint.Path] = &endpoint
		}
	}
	return r
}

// publish takes in the pages of a channel. It returns the meta tags of the page "/".
func (r *Routes) publish(of *route) (tags []channel.MetaTag) {
	for _, page := range of.Type.Public() {
		tags = append(tags, page.MetaTags...)
		switch {
		case page.Serve == nil:
		case page.Path == "":
			of.handshake = page.Serve
		default:
			r.pages[page.Path] = page.Serve
		}
	}
	return tags
}

// frontPage is the page on "/", with the meta tags of every channel.
func frontPage(tags []channel.MetaTag) channel.Answer {
	lines := make([]string, 0, len(tags))
	for _, tag := range tags {
		lines = append(lines,
			fmt.Sprintf("    <meta name=\"%s\" content=\"%s\" />\n", html.EscapeString(tag.Name), html.EscapeString(tag.Content)))
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	return channel.Answer{
		Status: http.StatusOK, ContentType: "text/html; charset=utf-8",
		Body: []byte("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n" + strings.Join(lines, "") + "</head>\n<body></body>\n</html>\n"),
	}
}

// spelling is the path of a URL as it was sent: escapes are not undone, since a path in one spelling only can be told
// by a front proxy's rules. One slash at the end makes no difference.
func spelling(u *url.URL) string { return oneSlashLess(u.EscapedPath()) }

func oneSlashLess(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// has reports whether the channel is called on a path.
func (r *route) has(path string) bool {
	return r.Path == path || r.endpoints[path] != nil
}

// authenticate returns the channel whose key a call on a path carries, and the key's digest; nil if it carries none or
// one of a channel without that path. A look-up by digest tells an attacker nothing, since digests of guesses are not
// near each other; the comparison takes constant time over all active keys.
func (r *Routes) authenticate(call *http.Request, path string) (found *route, digest [sha256.Size]byte) {
	key := apiKey(call)
	if key == "" {
		return nil, digest
	}
	var buffer [128]byte // keeps keys of the usual size off the heap
	digest = sha256.Sum256(append(buffer[:0], key...))
	found = r.byKey[digest]
	if found == nil || !found.has(path) {
		return nil, digest
	}
	matches := 0
	for i := range found.Keys {
		matches |= subtle.ConstantTimeCompare(found.Keys[i][:], digest[:])
	}
	if matches != 1 {
		found = nil
	}
	return found, digest
}

// apiKey returns the key of the query if it has one, else that of the header. Given several times, the first counts.
func apiKey(call *http.Request) string {
	if key := queryParameter(call.URL.RawQuery, keyParameter); key != "" {
		return key
	}
	if values := call.Header[canonicalKeyHeader]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// queryParameter is url.ParseQuery(query).Get(name) without building the whole map.
func queryParameter(query, name string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		rawName, rawValue, _ := strings.Cut(pair, "=")
		if rawName != name {
			if rawName, _ = url.QueryUnescape(rawName); rawName != name {
				continue
			}
		}
		if strings.Contains(pair, ";") {
			continue
		}
		if value, err := url.QueryUnescape(rawValue); err == nil {
			return value
		}
	}
	return ""
}
