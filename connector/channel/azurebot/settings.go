package azurebot

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/webchat"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// DefaultPath is xBot's public push path.
const DefaultPath = "/webhook/xpbot/api/azbot/push"

// typeName is the type's, and part of every event's id.
const typeName = "AzureBot"

// Type is a bot of Azure Bot Service, which gives up on a call after 15 s and does not send it again.
var Type = channel.Type{
	Type: config.Type{
		Name:     typeName,
		Platform: "Azure Bot Service",
		New: func() config.Section {
			return &Settings{Token: Token{Mode: channel.SignatureEnforce}, UserID: UserHashed}
		},
		DefaultPath:  DefaultPath,
		PublicPrefix: webchat.PathPrefix,
	},
	AnswerIn: channel.MaxAnswerIn,
	Words: channel.Words{ //nolint:gosec // words about secrets, and no secret
		SecretName: "Azure signing key",
		Field:      "token",
		NeverVerified: "The tokens are for another bot, of another cloud, or of a tenant that is not listed: compare appID with the " +
			"Microsoft App ID of the bot in the Azure portal, then token.cloud and token.tenants",
		NoLonger: "the bot has another Microsoft App ID, or another service calls: compare appID with the bot in the Azure portal",
	},
	Echoes: []string{"typing"},
	Sample: activity,
	Calls:  func(section config.Section) []string { return section.(*Settings).calls() },
}

var _ channel.Settings = (*Settings)(nil)

// Settings is a bot of Azure Bot Service.
type Settings struct {
	// AppID is the bot's Microsoft App ID, a GUID: tokens are for this app. Required unless token.mode is "Off".
	AppID string `yaml:"appID,omitempty"`
	// Token says how calls are verified.
	Token Token `yaml:"token,omitempty"`
	// UserID is "Hashed" or "Clear": how the subject of an event names the user, whose id is personal data, often a mail
	// address. "Hashed" is the same pseudonym for all events of a user in this channel. The body is never changed.
	// Default: "Hashed".
	UserID UserID `yaml:"userID,omitempty"`
	// WebChat opens web chats for the visitors of web pages. Default: none.
	WebChat *webchat.Settings `yaml:"webChat,omitempty"`
}

// UserID says how events name the user.
type UserID string

const (
	// UserHashed is a pseudonym.
	UserHashed UserID = "Hashed"
	// UserClear is the platform's id.
	UserClear UserID = "Clear"
)

// Token is the verification of the bearer token in the header Authorization.
type Token struct {
	// Mode is "Enforce", "Audit" or "Off". Default: "Enforce". While no key has been fetched, "Enforce" answers
	// activities 503.
	Mode channel.SignatureMode `yaml:"mode,omitempty"`
	// Cloud is "Public", "USGovernment" or "China". Default: "Public".
	Cloud Cloud `yaml:"cloud,omitempty"`
	// MetadataURL is an OpenID metadata document to use instead of the cloud's: absolute, http or https, without
	// credentials and query. Its keys are trusted for the issuer that it names, and for tenants. Excludes cloud.
	MetadataURL string `yaml:"metadataURL,omitempty"`
	// CAFile is a bundle of certificate authorities to trust, for these documents, instead of the system's.
	CAFile string `yaml:"caFile,omitempty" file:"path"`
	// Tenants are ids of Entra tenants, GUIDs. Tokens that one of them issued for the bot are taken beside those of Bot
	// Framework. Every app of such a tenant may get one. Default: none.
	Tenants []string `yaml:"tenants,omitempty"`

	// ca is the content of caFile, and pool has its authorities.
	ca   []byte
	pool *x509.CertPool
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Check says what is wrong with the section, and reads the authorities.
func (s *Settings) Check(c *config.Checker) {
	switch {
	case s.AppID == "" && s.Token.Mode != channel.SignatureOff:
		c.Problemf("appID", "required unless token.mode is \"Off\": without it no token can be verified")
	case s.AppID != "" && !guid.MatchString(s.AppID):
		c.Problemf("appID", "want the bot's Microsoft App ID, a GUID")
	}
	c.OneOf("userID", s.UserID, UserHashed, UserClear)
	s.Token.check(c)
	if s.WebChat != nil {
		s.WebChat.Check(c, "webChat")
	}
}

// calls are the URLs that the channel calls by itself.
func (s *Settings) calls() (urls []string) {
	if s.Token.Mode != channel.SignatureOff {
		urls = s.Token.documents()
	}
	if s.WebChat != nil {
		urls = append(urls, cmp.Or(s.WebChat.URL, webchat.DefaultURL))
	}
	return urls
}

func (t *Token) check(c *config.Checker) {
	t.Mode.Check(c, "token.mode")
	if t.Cloud != "" {
		c.OneOf("token.cloud", t.Cloud, CloudPublic, CloudUSGovernment, CloudChina)
	}
	if t.MetadataURL != "" {
		t.checkMetadataURL(c)
	}
	used := map[string]string{}
	for i, tenant := range t.Tenants {
		field := fmt.Sprintf("token.tenants[%d]", i)
		c.Unique(field, strings.ToLower(tenant), used)
		if !guid.MatchString(tenant) {
			c.Problemf(field, "want the id of an Entra tenant, a GUID")
		}
	}
	if t.CAFile == "" {
		return
	}
	if t.pool = c.Authorities("token.caFile", t.CAFile); t.pool == nil {
		t.pool = x509.NewCertPool() // trusts nobody: the system's authorities are not asked for
	}
	t.ca = append([]byte("ca:"), c.Loaded(t.CAFile)...)
}

func (t *Token) checkMetadataURL(c *config.Checker) {
	const field = "token.metadataURL"
	if t.Cloud != "" {
		c.Problemf(field, "set either cloud or metadataURL")
	}
	u, err := url.Parse(t.MetadataURL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsAny(t.MetadataURL, "?#"):
		c.Problemf(field, "want an absolute http or https URL without credentials, query and fragment")
	case u.Scheme == "http":
		c.Warnf(field, "http: whoever can change the answer on its way can let any call in")
	}
}

// Signing says how calls are verified. One key stands for all that the issuers publish.
func (s *Settings) Signing() channel.Signing {
	signing := channel.Signing{Mode: s.Token.Mode}
	if s.Token.Mode != channel.SignatureOff {
		signing.Keys = []channel.SigningKey{{Source: "token: the keys of " + strings.Join(s.Token.documents(), " and "), Digest: s.signer()}}
	}
	return signing
}
