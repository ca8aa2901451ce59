package messenger

import (
	"crypto/rand"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// textMessage makes calls with one text message to a Page.
var textMessage = &channel.Sample{
	Fields: []channel.SampleField{
		{Name: "page-id", Usage: "the Page's id", Default: "100000000000001"},
		{Name: "user-id", Usage: "the user's id, as the Page sees it", Default: "2000000000000002"},
		{Name: "text", Usage: "the text of the message", Default: "Xin chào", MayBeEmpty: true},
	},
	ContentType: contentType,
	Body:        sampleBody,
	Sign: func(header http.Header, body []byte, secret string) error {
		header.Set(SignatureHeader, Sign(body, secret))
		return nil
	},
}

// sampleBody writes the call in Meta's wire format, with a message id of its own.
func sampleBody(values map[string]string, now time.Time) ([]byte, error) {
	type party struct {
		ID string `json:"id"`
	}
	type content struct {
		MID  string `json:"mid"`
		Text string `json:"text"`
	}
	type item struct {
		Sender    party   `json:"sender"`
		Recipient party   `json:"recipient"`
		Timestamp int64   `json:"timestamp"`
		Message   content `json:"message"`
	}
	type entry struct {
		ID        string `json:"id"`
		Time      int64  `json:"time"`
		Messaging []item `json:"messaging"`
	}
	type call struct {
		Object string  `json:"object"`
		Entry  []entry `json:"entry"`
	}
	page, sent := values["page-id"], now.UnixMilli()
	return channel.Compact(call{pageObject, []entry{{page, sent, []item{
		{party{values["user-id"]}, party{page}, sent, content{"m_" + rand.Text(), values["text"]}},
	}}}})
}
