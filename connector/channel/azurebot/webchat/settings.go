package webchat

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// PathPrefix begins the paths of web chat, so that no webhook takes one.
const PathPrefix = "/partner/xpbot/api/webchat/"

// Path is xBot's own.
const Path = PathPrefix + "initForClient"

// DefaultURL is Direct Line's in Azure's public cloud.
const DefaultURL = "https://directline.botframework.com"

// What messages call the keys, and where people find them.
const (
	secretName, secretOrigin   = "Direct Line secret", "the page of the Direct Line channel in the Azure portal" //nolint:gosec // a name
	partnerName, partnerOrigin = "partner key", "the partner, who sends it as x-api-key"
)

// The lengths of a key that we choose ourselves, in characters: a shorter one is refused, or warned of.
const minKey, goodKey = 16, 32

// maxURL, maxOrigin, maxPartnerKeys and maxOrigins bound the section.
const maxURL, maxOrigin, maxPartnerKeys, maxOrigins = 2048, 256, 8, 32

// origin is one as browsers write it: in lower case, and without a slash at its end.
var origin = regexp.MustCompile(`^https?://([a-z0-9_-]+([.][a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$`)

// Settings let the servers of web pages open a web chat for their visitors: POST
// /partner/xpbot/api/webchat/initForClient makes a Direct Line token.
type Settings struct {
	// DirectLineSecret is either of the two secret keys of the bot's Direct Line channel in Azure. While it is missing,
	// a call for a new token is answered 503. Required.
	DirectLineSecret config.Secret `yaml:"directLineSecret,omitempty"`
	// PartnerKeys let the servers of web pages in: a call needs one of them in its header x-api-key, beside an API key
	// of the channel. List the old and the new one during a rotation. 1 to 8 keys, each of at least 16 characters; a key
	// of fewer than 32 causes a warning. Required.
	PartnerKeys []PartnerKey `yaml:"partnerKeys,omitempty"`
	// UserIDSecret makes the Direct Line user ids from those of the pages, so that nobody can guess them. Set it to the
	// Direct Line secret's old value before that is replaced, or to one of your own from the start, and users keep their
	// ids. Default: the Direct Line secret.
	UserIDSecret *config.Secret `yaml:"userIDSecret,omitempty"`
	// TrustedOrigins are the origins of the pages that may host the chat, such as "https://shop.example". Direct Line
	// binds them to each token. At most 32. Default: those of the Direct Line channel in the Azure portal.
	TrustedOrigins []string `yaml:"trustedOrigins,omitempty"`
	// URL is that of Direct Line, without /v3/directline: another cloud's or region's. Default:
	// "https://directline.botframework.com".
	URL string `yaml:"url,omitempty"`
}

// PartnerKey is one key. Exactly one of value, file and missing is set.
type PartnerKey struct {
	// Name tells keys apart in messages. Unique within the list. Required.
	Name          string `yaml:"name,omitempty"`
	config.Secret `yaml:",inline"`
}

// Check says what is wrong with the section, which stands in a field of the checker's section, and reads the secrets.
func (s *Settings) Check(c *config.Checker, field string) {
	used := map[[sha256.Size]byte]string{}
	if secret := field + ".directLineSecret"; c.SigningKey(secret, &s.DirectLineSecret, secretName, secretOrigin) {
		used[s.DirectLineSecret.Digest()] = "the " + secretName + " in " + c.Path(secret)
	}
	if s.UserIDSecret != nil && c.Key(field+".userIDSecret", s.UserIDSecret) {
		checkStrength(c, field+".userIDSecret", s.UserIDSecret)
	}
	s.checkPartnerKeys(c, field+".partnerKeys", used)
	s.checkOrigins(c, field+".trustedOrigins")
	if s.URL != "" {
		checkURL(c, field+".url", s.URL)
	}
}

// checkPartnerKeys reads the partner keys. Used are the secrets that none of them may be.
func (s *Settings) checkPartnerKeys(c *config.Checker, field string, used map[[sha256.Size]byte]string) {
	if len(s.PartnerKeys) == 0 || len(s.PartnerKeys) > maxPartnerKeys {
		c.Problemf(field, "want 1 to %d keys, not %d", maxPartnerKeys, len(s.PartnerKeys))
	}
	names := map[string]string{}
	for i := range s.PartnerKeys {
		key, at := &s.PartnerKeys[i], fmt.Sprintf("%s[%d]", field, i)
		c.Required(at+".name", key.Name)
		c.Unique(at+".name", key.Name, names)
		if !c.SigningKey(at, &key.Secret, partnerName, partnerOrigin) {
			continue
		}
		switch first, again := used[key.Digest()]; {
		case again:
			c.Unfitf(at, &key.Secret, "is the same as %s: write each key once, and make a partner key with \"openssl rand -hex 32\"", first)
		case checkStrength(c, at, &key.Secret):
			used[key.Digest()] = "the " + partnerName + " in " + c.Path(at)
		}
	}
}

// checkStrength takes a key that can be guessed out of use, and reports whether it did not.
func checkStrength(c *config.Checker, field string, s *config.Secret) bool {
	switch length := utf8.RuneCountInString(s.Reveal()); {
	case length < minKey:
		c.Unfitf(field, s, "is shorter than %d characters, so that it can be guessed: make one with \"openssl rand -hex 32\"", minKey)
		return false
	case length < goodKey:
		c.Warnf(field, "is shorter than %d characters: make one with \"openssl rand -hex 32\"", goodKey).Reason = config.ReasonShort
	}
	return true
}

func (s *Settings) checkOrigins(c *config.Checker, field string) {
	if len(s.TrustedOrigins) > maxOrigins {
		c.Problemf(field, "want at most %d, not %d", maxOrigins, len(s.TrustedOrigins))
	}
	used := map[string]string{}
	for i, text := range s.TrustedOrigins {
		at := fmt.Sprintf("%s[%d]", field, i)
		c.Unique(at, text, used)
		if u, err := url.Parse(text); err != nil || len(text) > maxOrigin || !origin.MatchString(text) || !validPort(u) {
			c.Problemf(at, "want an origin as browsers send it, such as \"https://shop.example\" or \"http://localhost:3000\": "+
				"scheme, host in lower case and perhaps a port, with nothing after it")
		}
	}
}

// checkURL never quotes the URL: it may hold credentials, which belong in no log.
func checkURL(c *config.Checker, field, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || len(text) > maxURL:
		c.Problemf(field, "want an absolute URL such as %q", DefaultURL)
	case u.User != nil:
		c.Problemf(field, "must hold no credentials: the secret goes into directLineSecret")
	case strings.ContainsAny(text, "?#"):
		c.Problemf(field, "must hold no query and no fragment: the connector appends /v3/directline and the rest")
	case !validPort(u):
		c.Problemf(field, "want a port from 1 to 65535")
	case u.Scheme == "http":
		c.Warnf(field, "http: the %s and the tokens are sent in clear: write an https URL", secretName)
	}
}

// validPort reports whether the port of a URL, if it has one, exists.
func validPort(u *url.URL) bool {
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16)
	return err == nil && port > 0
}
