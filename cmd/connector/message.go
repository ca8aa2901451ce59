package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// message is what a Zalo event is built from.
type message struct{ appID, oaID, userID, text, eventName string }

type party struct {
	ID string `json:"id"`
}

// body writes the event in Zalo's wire format: compact, unescaped, in the order
// of xBot's published example, with a message id of its own.
func (m message) body(now time.Time) ([]byte, error) {
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
		m.eventName, m.appID, party{m.userID}, party{m.oaID},
		content{m.text, rand.Text()}, strconv.FormatInt(now.UnixMilli(), 10),
	})
	return bytes.TrimSpace(b.Bytes()), err
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
