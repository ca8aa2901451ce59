package zalobot

import (
	"crypto/rand"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// textMessage makes events in the shape of message.text.received.
var textMessage = &channel.Sample{
	Fields: []channel.SampleField{
		{Name: "user-id", Usage: "the user's id", Default: "6ede9afa66b88fe6d6a9"},
		{Name: "chat-id", Usage: "the chat's id", Default: "6ede9afa66b88fe6d6a9"},
		{Name: "chat-type", Usage: "PRIVATE or GROUP", Default: "PRIVATE"},
		{Name: "text", Usage: "the text of the message", Default: "Xin chào", MayBeEmpty: true},
		{Name: "event", Usage: "the event's name", Default: "message.text.received"},
	},
	ContentType: contentType,
	Body:        sampleBody,
	Sign: func(header http.Header, _ []byte, secret string) error {
		header.Set(SecretTokenHeader, secret)
		return nil
	},
}

// sampleBody writes a bare event in the platform's wire format, with a message id of its own.
func sampleBody(values map[string]string, now time.Time) ([]byte, error) {
	type from struct {
		ID    string `json:"id"`
		Name  string `json:"display_name"`
		IsBot bool   `json:"is_bot"`
	}
	type chat struct {
		ID   string `json:"id"`
		Type string `json:"chat_type"`
	}
	type content struct {
		From      from   `json:"from"`
		Chat      chat   `json:"chat"`
		Text      string `json:"text"`
		MessageID string `json:"message_id"`
		Date      int64  `json:"date"`
	}
	return channel.Compact(struct {
		EventName string  `json:"event_name"`
		Message   content `json:"message"`
	}{values["event"], content{
		from{ID: values["user-id"], Name: "An"}, chat{values["chat-id"], values["chat-type"]}, values["text"], rand.Text(), now.UnixMilli(),
	}})
}
