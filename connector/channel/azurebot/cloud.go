package azurebot

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/token"
	"xbot.a4b.vn/channel-connector/connector/digest"
)

// Cloud is one of Azure's.
type Cloud string

const (
	// CloudPublic is Azure's public cloud.
	CloudPublic Cloud = "Public"
	// CloudUSGovernment is Azure Government.
	CloudUSGovernment Cloud = "USGovernment"
	// CloudChina is Azure operated by 21Vianet.
	CloudChina Cloud = "China"
)

// endpoints are what differs from cloud to cloud.
type endpoints struct {
	// issuer is Bot Framework, and metadata leads to its keys.
	issuer, metadata string
	// entraIssuers are Entra ID, with a tenant in place of "*", and entraMetadata leads to its keys.
	entraIssuers  []string
	entraMetadata string
}

// sts issues the tokens of Entra's first version in the public cloud and in Azure Government.
const sts = "https://sts.windows.net/*/"

const discovery = "/common/v2.0/.well-known/openid-configuration"

var clouds = map[Cloud]endpoints{
	CloudPublic: {
		"https://api.botframework.com", "https://login.botframework.com/v1/.well-known/openidconfiguration",
		[]string{sts, "https://login.microsoftonline.com/*/v2.0"}, "https://login.microsoftonline.com" + discovery,
	},
	CloudUSGovernment: {
		"https://api.botframework.us", "https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
		[]string{sts, "https://login.microsoftonline.us/*/v2.0"}, "https://login.microsoftonline.us" + discovery,
	},
	CloudChina: {
		"https://api.botframework.azure.cn", "https://login.botframework.azure.cn/v1/.well-known/openidconfiguration",
		[]string{"https://sts.chinacloudapi.cn/*/", "https://login.partner.microsoftonline.cn/*/v2.0", "https://login.chinacloudapi.cn/*/v2.0"},
		"https://login.partner.microsoftonline.cn" + discovery,
	},
}

// endpoints are those of the cloud. A document of one's own vouches for every issuer: it names the one of Bot Framework,
// and the tenants are those of any cloud.
func (t *Token) endpoints() endpoints {
	if t.MetadataURL == "" {
		cloud := t.Cloud
		if cloud == "" {
			cloud = CloudPublic
		}
		return clouds[cloud]
	}
	own := endpoints{metadata: t.MetadataURL, entraMetadata: t.MetadataURL}
	for _, cloud := range clouds {
		own.entraIssuers = append(own.entraIssuers, cloud.entraIssuers...)
	}
	return own
}

// documents are the URLs of the metadata documents.
func (t *Token) documents() []string {
	e := t.endpoints()
	if len(t.Tenants) == 0 || e.metadata == e.entraMetadata {
		return []string{e.metadata}
	}
	return []string{e.metadata, e.entraMetadata}
}

// authorities are Bot Framework and, if there are tenants, Entra ID. Keys returns the keys of a document, which are
// shared by all with the same key.
func (t *Token) authorities(keys func(d token.Document, key string) *token.Keys) []token.Authority {
	of := func(url string) *token.Keys {
		ca := digest.Of(t.ca)
		return keys(token.Document{URL: url, Authorities: t.pool}, typeName+"/"+url+"/"+hex.EncodeToString(ca[:]))
	}
	e := t.endpoints()
	bot := of(e.metadata)
	framework := token.Authority{Keys: bot, Issues: func(c *token.Claims) bool {
		return c.Issuer != "" && (c.Issuer == e.issuer || c.Issuer == bot.Issuer())
	}}
	if len(t.Tenants) == 0 {
		return []token.Authority{framework}
	}
	return []token.Authority{framework, {Keys: of(e.entraMetadata), Issues: func(c *token.Claims) bool {
		return slices.ContainsFunc(t.Tenants, func(tenant string) bool { return strings.EqualFold(tenant, c.Tenant) }) &&
			slices.ContainsFunc(e.entraIssuers, func(issuer string) bool {
				return strings.EqualFold(strings.Replace(issuer, "*", c.Tenant, 1), c.Issuer)
			})
	}}}
}

// signer tells the authorities of one bot apart from others.
func (s *Settings) signer() [sha256.Size]byte {
	documents := []byte(strings.Join(s.Token.documents(), " "))
	return digest.Of([]byte(typeName), []byte(strings.ToLower(s.AppID)), documents)
}
