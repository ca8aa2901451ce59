package azurebot

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// activity makes activities in the shape of xBot's published example.
var activity = &channel.Sample{
	Fields: []channel.SampleField{
		{Name: "channel-id", Usage: "the Bot Framework channel", Default: "webchat"},
		{Name: "conversation-id", Usage: "the conversation's id", Default: "sample-conversation"},
		{Name: "user-id", Usage: "the user's id", Default: "sample-user"},
		{Name: "text", Usage: "the text of the message", Default: "Xin chào", MayBeEmpty: true},
		{Name: "activity-type", Usage: "the activity's type", Default: message},
		{Name: "service-url", Usage: "where the bot answers; a token may be for one only", Default: "https://directline.botframework.com/"},
	},
	ContentType: contentType,
	Body:        sampleBody,
	Sign:        signSample,
}

func sampleBody(values map[string]string, now time.Time) ([]byte, error) {
	type party struct {
		ID string `json:"id"`
	}
	return channel.Compact(struct {
		ID           string `json:"id"`
		From         party  `json:"from"`
		Text         string `json:"text"`
		Type         string `json:"type"`
		ChannelID    string `json:"channelId"`
		Recipient    party  `json:"recipient"`
		Timestamp    string `json:"timestamp"`
		ServiceURL   string `json:"serviceUrl"`
		Conversation party  `json:"conversation"`
	}{
		values["conversation-id"] + "|" + rand.Text(), party{values["user-id"]}, values["text"], values["activity-type"], values["channel-id"],
		party{"sample-bot"}, now.UTC().Format("2006-01-02T15:04:05.0000000Z07:00"), values["service-url"], party{values["conversation-id"]},
	})
}

// signSample sends the secret, which is a token: nobody but Azure can sign one.
func signSample(header http.Header, _ []byte, secret string) error {
	if strings.Count(secret, ".") != 2 {
		return errors.New("the secret is no token: give a JSON Web Token that Azure issued for the bot, or leave the secret out")
	}
	header.Set(tokenHeader, "Bearer "+secret)
	return nil
}
