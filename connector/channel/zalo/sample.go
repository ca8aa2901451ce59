package zalo

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// userSendText makes events in the shape of user_send_text.
var userSendText = &channel.Sample{
	Fields: []channel.SampleField{
		{Name: "app-id", Usage: "the Zalo app's id", Required: true},
		{Name: "oa-id", Usage: "the Official Account's id", Default: "1000000000000000001"},
		{Name: "user-id", Usage: "the user's id", Default: "2000000000000000002"},
		{Name: "text", Usage: "the text of the message", Default: "Xin chào", MayBeEmpty: true},
		{Name: "event", Usage: "the event's name", Default: "user_send_text"},
	},
	ContentType: contentType,
	Body:        sampleBody,
	Sign:        signSample,
}

// sampleBody writes the event in Zalo's wire format: compact, unescaped, in the order of xBot's published example, with
// a message id of its own.
func sampleBody(values map[string]string, now time.Time) ([]byte, error) {
	type party struct {
		ID string `json:"id"`
	}
	type content struct {
		Text  string `json:"text"`
		MsgID string `json:"msg_id"`
	}
	return channel.Compact(struct {
		EventName string  `json:"event_name"`
		AppID     string  `json:"app_id"`
		Sender    party   `json:"sender"`
		Recipient party   `json:"recipient"`
		Message   content `json:"message"`
		Timestamp string  `json:"timestamp"`
	}{
		values["event"], values["app-id"], party{values["user-id"]}, party{values["oa-id"]},
		content{values["text"], rand.Text()}, strconv.FormatInt(now.UnixMilli(), 10),
	})
}

// signSample signs a body with an OA secret key. The members that the signature covers once more are those that a call
// is verified with.
func signSample(header http.Header, body []byte, secret string) error {
	m, err := layout.Scan(body)
	if err == nil && (len(m.Text(appID)) == 0 || len(m.Text(timestamp)) == 0) {
		err = errors.New("it is without app_id or timestamp")
	}
	if err != nil {
		return fmt.Errorf("the body cannot be signed: %w: leave the secret out to post it unsigned", err)
	}
	header.Set(SignatureHeader, Sign(string(m.Text(appID)), body, string(m.Text(timestamp)), secret))
	return nil
}
