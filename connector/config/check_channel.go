package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	digits           = regexp.MustCompile(`^[0-9]+$`)
	verificationCode = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	eventPattern     = regexp.MustCompile(`^[A-Za-z0-9_.*-]+$`)
	// urlPath is what RFC 3986 allows in a path without escapes, so that a path
	// has one spelling only.
	urlPath = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@/-]+$`)
)

func (c *checker) channel(at string, ch *Channel) {
	switch {
	case !c.required(at+".name", ch.Name):
	case !printable(ch.Name):
		c.addf(at+".name", "must hold no white space and no control characters")
	case len(ch.Name) > maxChannelName:
		c.addf(at+".name", "want at most %d bytes, not %d", maxChannelName, len(ch.Name))
	}
	c.oneOf(at+".type", ch.Type, ChannelZaloOA)
	if ch.Type == ChannelZaloOA && ch.Webhook.Path == "" {
		ch.Webhook.Path = DefaultPathZaloOA
	}
	if ch.ZaloOA != nil {
		c.zaloOA(at+".zaloOA", ch.ZaloOA)
	} else if ch.Type == ChannelZaloOA {
		c.addf(at+".zaloOA", "required for type ZaloOA")
	}
	c.webhook(at+".webhook", &ch.Webhook)
	c.oneOf(at+".sink.type", ch.Sink.Type, SinkHTTP)
	if ch.Sink.HTTP != nil {
		c.httpSink(at+".sink.http", ch.Sink.HTTP)
	} else if ch.Sink.Type == SinkHTTP {
		c.addf(at+".sink.http", "required for type HTTP")
	}
	c.delivery(at+".delivery", ch.Delivery)
}

func (c *checker) zaloOA(at string, z *ZaloOA) {
	if c.required(at+".appID", z.AppID) && !digits.MatchString(z.AppID) {
		c.addf(at+".appID", "want decimal digits only")
	}
	c.oneOf(at+".signature.mode", z.Signature.Mode, SignatureEnforce, SignatureAudit, SignatureOff)
	if weak := weakModes[z.Signature.Mode]; weak != "" {
		c.warnf(at+".signature.mode", "%s: %s", z.Signature.Mode, weak)
	}
	keys := len(z.Signature.SecretKeys)
	c.oaSecrets(at+".signature.secretKeys", z.Signature.SecretKeys)
	ids := map[string]string{}
	for i, account := range z.OfficialAccounts {
		path := fmt.Sprintf("%s.officialAccounts[%d]", at, i)
		c.required(path+".id", account.ID)
		c.unique(path+".id", account.ID, ids)
		c.oaSecrets(path+".secretKeys", account.SecretKeys)
		keys += len(account.SecretKeys)
	}
	if keys == 0 && z.Signature.Mode != SignatureOff {
		c.addf(at+".signature.secretKeys", "want at least one key, here or in officialAccounts, or mode \"Off\"; "+
			"before Zalo's console shows the first one, name a file that does not exist yet")
	}
	for i, code := range z.DomainVerification.Codes {
		if !verificationCode.MatchString(code) {
			c.addf(fmt.Sprintf("%s.domainVerification.codes[%d]", at, i), "want letters, digits, - and _ only")
		}
	}
}

// weakModes are what the modes let in that verify less than they could.
var weakModes = map[SignatureMode]string{
	SignatureAudit: "calls with a wrong signature or none are let in and counted; whoever has an API key can send events",
	SignatureOff:   "no signature is looked at; whoever has an API key can send events",
}

// oaSecrets reads OA secret keys.
func (c *checker) oaSecrets(at string, keys []Secret) {
	for i := range keys {
		key := fmt.Sprintf("%s[%d]", at, i)
		if !c.key(key, &keys[i]) {
			continue
		}
		c.secrets = append(c.secrets, claim{key, &keys[i]})
		if utf8.RuneCountInString(keys[i].Reveal()) < goodOASecret {
			c.warnf(key, "shorter than %d characters: make sure that the OA secret key is complete", goodOASecret)
		}
	}
}

// maxEventAge fills in the default, which is the window.
func (c *checker) maxEventAge(at string, w *Webhook, window Duration) {
	switch age := w.MaxEventAge; {
	case age == nil:
		w.MaxEventAge = &window
	case *age != 0 && *age < MinDeduplicationWindow:
		c.addf(at, "want at least 2h, because Zalo retries for 1 h 50 min, or 0s to judge no age")
	}
}

func (c *checker) webhook(at string, w *Webhook) {
	switch {
	case w.Path == "": // the type, which has the default, is not known
	case w.Path == "/" || strings.HasPrefix(w.Path, "/zalo_verifier"):
		c.addf(at+".path", `the domain verification takes "/" and "/zalo_verifier…"`)
	case strings.TrimSuffix(w.Path, "/") == "/healthz":
		c.addf(at+".path", "load balancers check /healthz: write another path")
	case !urlPath.MatchString(w.Path) || path.Clean(w.Path) != strings.TrimSuffix(w.Path, "/"):
		c.addf(at+".path", "want a plain URL path such as %q, without a query, a fragment or escapes", DefaultPathZaloOA)
	}
	if len(w.APIKeys) == 0 {
		c.addf(at+".apiKeys", "want at least one key")
	}
	names := map[string]string{}
	for i := range w.APIKeys {
		key := fmt.Sprintf("%s.apiKeys[%d]", at, i)
		c.required(key+".name", w.APIKeys[i].Name)
		c.unique(key+".name", w.APIKeys[i].Name, names)
		c.apiKey(key, &w.APIKeys[i])
	}
	if w.MaxBodySize < 1 || w.MaxBodySize > maxBodySize {
		c.addf(at+".maxBodySize", "want 1 byte to 64Mi")
	}
	if len(w.Events.Include) == 0 {
		c.addf(at+".events.include", "want at least one pattern, \"*\" for every event")
	}
	c.patterns(at+".events.include", w.Events.Include)
	c.patterns(at+".events.exclude", w.Events.Exclude)
}

// apiKey checks the key and that it is the only one with its digest.
func (c *checker) apiKey(at string, k *APIKey) {
	switch {
	case !oneSet(k.SHA256 != "", k.Value != "", k.File != "", k.Missing):
		c.addf(at, "set exactly one of sha256, value, file and missing")
		return
	case k.SHA256 == "":
		if !c.key(at, &k.Secret) || !c.strong(at, &k.Secret) {
			return
		}
	default:
		if raw, err := hex.DecodeString(k.SHA256); err != nil || len(raw) != sha256.Size {
			c.addf(at+".sha256", "want the SHA-256 of the key as 64 hex digits")
			return
		}
	}
	digest, stays := k.Digest(), claim{at, &k.Secret}
	if first, again := c.keys[digest]; again {
		var goes claim
		goes, stays = c.yields(first, stays)
		c.unfitf(goes.at, goes.secret, "the same key as %s: a call finds its channel by the key, so each key is used once", stays.at)
	}
	c.keys[digest] = stays
}

// urlChanges are the characters that a URL's query does not keep as they are.
const urlChanges = "+&%;#"

// strong judges an API key that is known as such, and reports whether it can be
// used.
func (c *checker) strong(at string, k *Secret) bool {
	key := k.Reveal()
	switch length := utf8.RuneCountInString(key); {
	case length < minAPIKey:
		c.unfitf(at, k, "shorter than %d characters, so that it can be guessed: make one with \"openssl rand -hex 32\"", minAPIKey)
		return false
	case length < goodAPIKey:
		c.warnf(at, "shorter than %d characters: make one with \"openssl rand -hex 32\"", goodAPIKey)
	}
	if strings.ContainsAny(key, urlChanges) {
		c.warnf(at, "holds one of %s, which a URL changes: paste it percent-encoded into the platform's console, or every call is refused; "+
			"better, take a key of letters and digits", strings.Join(strings.Split(urlChanges, ""), " "))
	}
	return true
}

func (c *checker) patterns(at string, patterns []string) {
	for i, p := range patterns {
		if !eventPattern.MatchString(p) {
			c.addf(fmt.Sprintf("%s[%d]", at, i), "want a pattern of event names: write for example \"user_send_*\"")
		}
	}
}

func (c *checker) delivery(at string, d Delivery) {
	c.oneOf(at+".ordering", d.Ordering, PerConversation, Unordered)
	c.between(at+".concurrency", d.Concurrency, maxConcurrency)
	c.positive(at+".retry.initialBackoff", d.Retry.InitialBackoff)
	if d.Retry.MaxBackoff < d.Retry.InitialBackoff {
		c.addf(at+".retry.maxBackoff", "must not be shorter than initialBackoff")
	}
	c.positive(at+".retry.maxAge", d.Retry.MaxAge)
	c.positive(at+".deadLetterRetention", d.DeadLetterRetention)
}
