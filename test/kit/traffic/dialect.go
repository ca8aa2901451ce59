package traffic

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/issuer"
	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// Dialect is how a platform writes its messages, and shows that they are its own. The id of each message is its String.
type Dialect struct {
	// Type is the type of channel that understands it.
	Type string
	// Path is where the platform calls by default.
	Path string
	// Write returns the body of a message that was sent at a time.
	Write func(m Message, at time.Time, text string) []byte
	// Sign adds to a call's header what is made of the secret that the platform shares with the channel.
	Sign func(header http.Header, body []byte, secret string)
	// Secret makes a secret.
	Secret func() string
	// Section is the type's section of a connector's file, in YAML: it takes calls that are signed with any of the secrets.
	Section func(secrets ...string) string
}

// Dialects are those of all types. The first is ZaloOA.
func Dialects(tokens *issuer.Issuer) []Dialect {
	return []Dialect{ZaloOA, AzureBot(tokens), FacebookMessenger, ZaloBot}
}

// random is a secret of 32 hex digits.
func random() string { return example.Key(16) }

// keyList lists secrets in YAML.
func keyList(secrets []string) string {
	list := make([]string, len(secrets))
	for i, secret := range secrets {
		list[i] = fmt.Sprintf("{value: %q}", secret)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// userID is that of the user whom a conversation is with.
func userID(m Message) int { return 6142494823000000000 + m.Conversation }

// ZaloOA writes messages of the example's app.
var ZaloOA = Dialect{
	Type: "ZaloOA", Path: zalo.DefaultPath,
	Write: func(m Message, at time.Time, text string) []byte {
		return fmt.Appendf(nil, `{"event_name":"user_send_text","app_id":"%s","sender":{"id":"%d"},`+
			`"recipient":{"id":"3662729599332560487"},"message":{"text":"%s","msg_id":"%v"},"timestamp":"%d"}`,
			example.AppID, userID(m), text, m, at.UnixMilli())
	},
	Sign: func(header http.Header, body []byte, secret string) {
		// The time ends the body.
		const digits, after = 13, len(`"}`)
		timestamp := body[len(body)-digits-after : len(body)-after]
		header.Set(zalo.SignatureHeader, zalo.Sign(example.AppID, body, string(timestamp), secret))
	},
	Secret: random,
	Section: func(secrets ...string) string {
		return fmt.Sprintf(`{appID: %q, signature: {secretKeys: %s}}`, example.AppID, keyList(secrets))
	},
}

// FacebookMessenger writes calls of one message. The secret is the app's.
var FacebookMessenger = Dialect{
	Type: "FacebookMessenger", Path: "/webhook/xpbot/api/messenger/push",
	Write: func(m Message, at time.Time, text string) []byte {
		return fmt.Appendf(nil, `{"object":"page","entry":[{"id":"102030405060708","time":%[1]d,"messaging":[{"sender":{"id":"%[2]d"},`+
			`"recipient":{"id":"102030405060708"},"timestamp":%[1]d,"message":{"mid":"%[3]v","text":"%[4]s"}}]}]}`,
			at.UnixMilli(), userID(m), m, text)
	},
	Sign: func(header http.Header, body []byte, secret string) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	},
	Secret: random,
	Section: func(secrets ...string) string {
		return fmt.Sprintf(`{signature: {secretKeys: %s}, verifyTokenSecret: {value: verify-token-of-the-tests}}`, keyList(secrets))
	},
}

// ZaloBot writes messages of a private chat. The secret is the secret token.
var ZaloBot = Dialect{
	Type: "ZaloBot", Path: "/webhook/xpbot/api/zalobot/push",
	Write: func(m Message, at time.Time, text string) []byte {
		user := strconv.FormatInt(int64(userID(m)), 16)
		return fmt.Appendf(nil, `{"event_name":"message.text.received","message":{"date":%d,"chat":{"chat_type":"PRIVATE","id":"%[2]s"},`+
			`"from":{"id":"%[2]s","name":"Người Dùng Thử"},"message_id":"%[3]v","text":"%[4]s"}}`, at.UnixMilli(), user, m, text)
	},
	Sign:   func(header http.Header, _ []byte, secret string) { header.Set("X-Bot-Api-Secret-Token", secret) },
	Secret: random,
	Section: func(secrets ...string) string {
		return fmt.Sprintf(`{secretToken: {secretKeys: %s}}`, keyList(secrets))
	},
}

// BotID is the app id of the bot of Azure.
const BotID = "5f0c2f6e-7a3b-4c58-9d0e-1b2a3c4d5e6f"

// tokenLife is longer than any test.
const tokenLife = 2 * time.Hour

// AzureBot writes activities of Direct Line. A secret is a token, which needs none in the channel.
func AzureBot(tokens *issuer.Issuer) Dialect {
	return Dialect{
		Type: "AzureBot", Path: "/webhook/xpbot/api/azbot/push",
		Write: func(m Message, at time.Time, text string) []byte {
			return fmt.Appendf(nil, `{"type":"message","id":"%[1]v","timestamp":"%[2]s","channelId":"directline",`+
				`"serviceUrl":"https://directline.botframework.com/","conversation":{"id":"conversation-%[3]d"},`+
				`"from":{"id":"dl_%[3]d@example.com"},"recipient":{"id":"shop_bot@handle"},"text":"%[4]s"}`,
				m, at.UTC().Format("2006-01-02T15:04:05.0000000Z"), userID(m), text)
		},
		Sign:   func(header http.Header, _ []byte, secret string) { header.Set("Authorization", "Bearer "+secret) },
		Secret: func() string { return must.Get(tokens.Token(BotID, tokenLife)) },
		Section: func(...string) string {
			return fmt.Sprintf(`{appID: %q, token: {metadataURL: %q}}`, BotID, tokens.MetadataURL())
		},
	}
}
