package zalo

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
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
	SecretName: "OA secret key",
	Body:       sampleBody,
	Sign:       signSample,
}

type party struct {
	ID string `json:"id"`
}

// sampleBody writes the event in Zalo's wire format: compact, unescaped, in the order
// of xBot's published example, with a message id of its own.
func sampleBody(values map[string]string, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	compact := json.NewEncoder(&b)
	compact.SetEscapeHTML(false)
	type content struct {
		Text  string `json:"text"`
		MsgID string `json:"msg_id"`
	}
	err := compact.Encode(struct {
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
	return bytes.TrimSpace(b.Bytes()), err
}

// signSample signs a body with an OA secret key.
func signSample(header http.Header, body []byte, secret string) error {
	appID, timestamp, err := signedMembers(body)
	if err != nil {
		return err
	}
	header.Set(SignatureHeader, Sign(appID, body, timestamp, secret))
	return nil
}

// signedMembers returns the members of a body that its signature covers once
// more, as text: strings without their quotes, numbers with all their digits.
func signedMembers(body []byte) (appID, timestamp string, err error) {
	var members struct {
		AppID     any `json:"app_id"`
		Timestamp any `json:"timestamp"`
	}
	digits := json.NewDecoder(bytes.NewReader(body))
	digits.UseNumber()
	if err := digits.Decode(&members); err != nil {
		return "", "", fmt.Errorf("the body cannot be signed, since it is no JSON object (%w): leave the secret out to post it unsigned", err)
	}
	if members.AppID == nil || members.Timestamp == nil {
		return "", "", errors.New("the body cannot be signed without app_id and timestamp: leave the secret out to post it unsigned")
	}
	return fmt.Sprint(members.AppID), fmt.Sprint(members.Timestamp), nil
}
