package channel_test

import (
	"fmt"
	"net/http"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// Pager is a chat platform that posts one message in each call, and signs none.
var Pager = channel.Type{
	Type: config.Type{
		Name: "Pager", Platform: "Pager", DefaultPath: "/pager", RetryFor: time.Hour,
		New: func() config.Section { return &PagerSettings{Source: "/pager"} },
	},
	AnswerIn: 3 * time.Second,
}

// PagerSettings are the section "pager".
type PagerSettings struct {
	// Source is the CloudEvents source of the events. Default: "/pager".
	Source string `yaml:"source,omitempty"`
}

// Check says what is wrong with the section.
func (s *PagerSettings) Check(c *config.Checker) { c.Required("source", s.Source) }

// Signing says that nothing is signed.
func (*PagerSettings) Signing() channel.Signing {
	return channel.Signing{Mode: channel.SignatureOff}
}

// Open makes the channel.
func (s *PagerSettings) Open(name string, _ channel.Environment) channel.Channel {
	return &pager{name, s.Source}
}

type pager struct{ name, source string }

// Public returns no pages.
func (*pager) Public() []channel.Page { return nil }

// Read takes the whole body for one message.
func (p *pager) Read(at time.Time, _ http.Header, body []byte) (channel.Reading, *channel.Refusal) {
	if len(body) == 0 {
		return channel.Reading{}, &channel.Refusal{Status: http.StatusBadRequest, Reason: channel.ReasonMalformed, Message: "there is no message"}
	}
	return channel.Reading{Calls: []channel.Call{{
		Name: "paged", KnownName: "paged",
		Event: event.Event{
			ID: digest.Of([]byte(Pager.Name), body), Channel: p.name, Source: p.source, Type: "com.example.pager.paged",
			Conversation: "everyone", Time: at, ContentType: "text/plain", Body: body,
		},
	}}}, nil
}

// Answer is a text.
func (*pager) Answer(status int, message string) channel.Answer {
	return channel.Answer{Status: status, ContentType: "text/plain", Body: []byte(message)}
}

// A type is added by one line in package types:
//
//	var Channels = []channel.Type{zalo.Type, pager.Type}
//
// This is what the connector then does with it.
func Example() {
	const file = `apiVersion: connector.xbot.a4b.vn/v1alpha1
kind: ConnectorConfig
inbox: {embedded: {path: inbox}}
channels:
- name: chat/duty
  type: Pager
  pager: {source: /pager/duty}
  webhook: {apiKeys: [{name: main, value: an-api-key-of-0123456789abcdef-characters}]}
  sink: {http: {url: "http://bot.example/events"}}
`
	known := types.Config()
	known.Channels = append(known.Channels, Pager.Type)
	loaded, err := config.LoadFrom("/connector.yaml", known, func(string) ([]byte, error) { return []byte(file), nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	duty := loaded.Channels[0]
	pager := duty.Settings.(channel.Settings).Open(duty.Name, channel.Environment{})
	reading, _ := pager.Read(time.Unix(1, 0), nil, []byte("the lift is stuck"))
	paged := reading.Calls[0].Event
	fmt.Println(duty.Webhook.Path, paged.Channel, paged.Source, string(paged.Body))
	_, refusal := pager.Read(time.Unix(2, 0), nil, nil)
	fmt.Println(refusal.Status, string(pager.Answer(refusal.Status, refusal.Message).Body))
	// Output:
	// /pager chat/duty /pager/duty the lift is stuck
	// 400 there is no message
}
