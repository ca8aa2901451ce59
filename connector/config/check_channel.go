package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	eventPattern = regexp.MustCompile(`^[A-Za-z0-9_.*-]+$`)
	// urlPath is what RFC 3986 allows in a path without escapes, so that a path has one spelling only.
	urlPath = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@/-]+$`)
)

func (c *Checker) channel(at string, ch *Channel) {
	switch {
	case !c.Required(at+".name", ch.Name):
	case !printable(ch.Name):
		c.Problemf(at+".name", "must hold no white space and no control characters")
	case len(ch.Name) > maxChannelName:
		c.Problemf(at+".name", "want at most %d bytes, not %d", maxChannelName, len(ch.Name))
	}
	c.union(at, c.types.Channels, ch.Type, ch.Settings)
	c.webhook(at+".webhook", &ch.Webhook, named(c.types.Channels, ch.Type))
	c.union(at+".sink", c.types.Sinks, ch.Sink.Type, ch.Sink.Settings)
	c.delivery(at+".delivery", ch.Delivery)
}

// maxEventAge checks the age that calls may have. The default is the window, which inbox has checked.
func (c *Checker) maxEventAge(at string, ch Channel, window Duration) {
	t := named(c.types.Channels, ch.Type)
	if age := *ch.Webhook.MaxEventAge; age != 0 && age != window && age < t.Window() {
		c.Problemf(at, "want at least %s, because %s, or 0s to judge no age", brief(t.Window()), t.retries())
	}
}

func (c *Checker) webhook(at string, w *Webhook, t Type) {
	switch {
	case w.Path == "" && t.Name == "": // the type is unknown, and with it the default
	case w.Path == "":
		c.Problemf(at+".path", "required")
	case w.Path == "/":
		c.Problemf(at+".path", "pages of the types of channels take \"/\": write another path")
	case c.pagesAt(w.Path).Name != "":
		c.Problemf(at+".path", "pages of type %s begin with %q: write another path", c.pagesAt(w.Path).Name, c.pagesAt(w.Path).PublicPrefix)
	case strings.TrimSuffix(w.Path, "/") == "/healthz":
		c.Problemf(at+".path", "load balancers check /healthz: write another path")
	case !urlPath.MatchString(w.Path) || path.Clean(w.Path) != strings.TrimSuffix(w.Path, "/"):
		c.Problemf(at+".path", "want a plain URL path such as %q, without a query, a fragment or escapes", cmp.Or(t.DefaultPath, "/webhook"))
	}
	if len(w.APIKeys) == 0 {
		c.Problemf(at+".apiKeys", "want at least one key")
	}
	names := map[string]string{}
	for i := range w.APIKeys {
		key := fmt.Sprintf("%s.apiKeys[%d]", at, i)
		c.Required(key+".name", w.APIKeys[i].Name)
		c.Unique(key+".name", w.APIKeys[i].Name, names)
		c.apiKey(key, &w.APIKeys[i])
	}
	if w.MaxBodySize < 1 || w.MaxBodySize > maxBodySize {
		c.Problemf(at+".maxBodySize", "want 1 byte to 64Mi")
	}
	if len(w.Events.Include) == 0 {
		c.Problemf(at+".events.include", "want at least one pattern, \"*\" for every event")
	}
	c.patterns(at+".events.include", w.Events.Include)
	c.patterns(at+".events.exclude", w.Events.Exclude)
}

// IsPublic reports whether a path may be that of a public page.
func (t Type) IsPublic(path string) bool {
	return t.PublicPrefix != "" && strings.HasPrefix(path, t.PublicPrefix)
}

// pagesAt returns the type of whose pages a path may be, the zero Type if there is none.
func (c *Checker) pagesAt(path string) Type {
	return find(c.types.Channels, func(t Type) bool { return t.IsPublic(path) })
}

// apiKey checks the key and that it is the only one with its digest.
func (c *Checker) apiKey(at string, k *APIKey) {
	switch {
	case !oneSet(k.SHA256 != "", k.Value != "", k.File != "", k.Missing):
		c.Problemf(at, "set exactly one of sha256, value, file and missing")
		return
	case k.SHA256 == "":
		if !c.Key(at, &k.Secret) {
			return
		}
	default:
		if raw, err := hex.DecodeString(k.SHA256); err != nil || len(raw) != sha256.Size {
			c.Problemf(at+".sha256", "want the SHA-256 of the key as 64 hex digits")
			return
		}
	}
	digest, stays := k.Digest(), claim{at: at, secret: &k.Secret}
	if first, again := c.keys[digest]; again {
		var goes claim
		goes, stays = c.yields(first, stays)
		c.Unfitf(goes.at, goes.secret, "is the same API key as %s: write each key once, since a call finds its channel by it",
			stays.at).Reason = ReasonAPIKeyTwice
	}
	c.keys[digest] = stays
}

// urlChanges are the characters that change in the query of a URL.
const urlChanges = "+&%;#"

// strengths judges the API keys that are still in use: that two keys are the same says more than that both are short.
func (c *Checker) strengths(channels []Channel) {
	for i := range channels {
		for j := range channels[i].Webhook.APIKeys {
			c.strong(fmt.Sprintf("channels[%d].webhook.apiKeys[%d]", i, j), &channels[i].Webhook.APIKeys[j].Secret)
		}
	}
}

// strong judges an API key by its text, if that is known.
func (c *Checker) strong(at string, k *Secret) {
	key := k.Reveal()
	switch length := utf8.RuneCountInString(key); {
	case key == "":
	case tooShort(k):
		c.Unfitf(at, k, "is shorter than %d characters, so that it can be guessed: make one with \"openssl rand -hex 32\"",
			minAPIKey).Reason = ReasonTooShort
	case length < goodAPIKey:
		c.Warnf(at, "is shorter than %d characters: make one with \"openssl rand -hex 32\"", goodAPIKey).Reason = ReasonShort
	}
	if strings.ContainsAny(key, urlChanges) {
		c.Warnf(at, "holds one of %s, which a URL changes: paste it percent-encoded into the platform's console, or every call is refused; "+
			"better, take a key of letters and digits", strings.Join(strings.Split(urlChanges, ""), " ")).Reason = ReasonURLChanges
	}
}

// tooShort reports whether an API key, whose text is known, can be guessed.
func tooShort(k *Secret) bool {
	return k.Reveal() != "" && utf8.RuneCountInString(k.Reveal()) < minAPIKey
}

func (c *Checker) patterns(at string, patterns []string) {
	for i, p := range patterns {
		if !eventPattern.MatchString(p) {
			c.Problemf(fmt.Sprintf("%s[%d]", at, i), "want a pattern of event names: write for example \"user_send_*\"")
		}
	}
}

func (c *Checker) delivery(at string, d Delivery) {
	c.OneOf(at+".ordering", d.Ordering, PerConversation, Unordered)
	c.Between(at+".concurrency", d.Concurrency, 1, maxConcurrency)
	c.Positive(at+".retry.initialBackoff", d.Retry.InitialBackoff)
	if d.Retry.MaxBackoff < d.Retry.InitialBackoff {
		c.Problemf(at+".retry.maxBackoff", "must not be shorter than initialBackoff")
	}
	c.Positive(at+".retry.maxAge", d.Retry.MaxAge)
	c.Positive(at+".deadLetterRetention", d.DeadLetterRetention)
}
