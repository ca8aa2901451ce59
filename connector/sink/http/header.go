package httpsink

import (
	"errors"
	"maps"
	"net/http"
	"strconv"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/event"
)

// The names of headers have net/http's canonical form, so that none is rewritten for each event.
const (
	headerContentType  = "Content-Type"
	headerSpecVersion  = "Ce-Specversion"
	headerID           = "Ce-Id"
	headerSource       = "Ce-Source"
	headerType         = "Ce-Type"
	headerSubject      = "Ce-Subject"
	headerTime         = "Ce-Time"
	headerPartitionKey = "Ce-Partitionkey"
	headerChannel      = "Ce-Channel"

	headerConnection = "Connection"

	headerWebhookID        = "Webhook-Id"
	headerWebhookTimestamp = "Webhook-Timestamp"
	headerWebhookSignature = "Webhook-Signature"
)

// timeFormat is RFC 3339 with the milliseconds that platforms state.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// templateHeader builds the header that every request clones. It also holds the names of an event's headers, without
// values and so not sent: a clone is far cheaper than insertions. All requests share the values and never change them.
func templateHeader(configured []Header) http.Header {
	header := http.Header{
		"User-Agent":      {"xbot-channel-connector"},
		headerSpecVersion: {"1.0"},
		// An empty value is not sent, but lets the transport repeat a post whose reused connection is closed. Otherwise
		// every restart of a sink would cost each idle connection a failed attempt and its backoff.
		"Idempotency-Key": {},

		headerID: nil, headerSource: nil, headerType: nil, headerSubject: nil,
		headerTime: nil, headerPartitionKey: nil, headerChannel: nil, headerContentType: nil,
	}
	for _, h := range configured {
		header.Set(h.Name, h.Reveal())
	}
	return header
}

// eventHeader returns the headers of one event. It leaves out absent values, since CloudEvents knows no empty
// attribute.
func (s *Sink) eventHeader(e event.Event) http.Header {
	header := maps.Clone(s.header)
	attributes := [...]struct{ name, value string }{
		{headerID, e.ID.String()},
		{headerSource, e.Source},
		{headerType, e.Type},
		{headerSubject, e.Subject},
		{headerTime, e.Time.UTC().Format(timeFormat)},
		{headerPartitionKey, e.Conversation},
		{headerChannel, e.Channel},
	}
	values := make([]string, len(attributes)+1)
	if e.ContentType != "" {
		values[len(attributes)] = e.ContentType
		header[headerContentType] = values[len(attributes):]
	}
	for i, a := range attributes {
		if a.value != "" {
			values[i] = EncodeAttribute(a.value)
			header[a.name] = values[i : i+1 : i+1]
		}
	}
	return header
}

func newSigner(secret *config.Secret) (*standardwebhooks.Webhook, error) {
	if secret == nil {
		return nil, nil
	}
	signer, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		return nil, errors.New("sink signingSecret is no base64: write \"whsec_\" and the base64 of 24 to 64 bytes")
	}
	return signer, nil
}

// sign adds the Standard Webhooks headers. The timestamp is that of the attempt: receivers refuse one that is minutes
// old, and retries last longer.
func (s *Sink) sign(header http.Header, e event.Event) error {
	id, now := e.ID.String(), s.now()
	signature, err := s.signer.Sign(id, now, e.Body)
	if err != nil {
		return err
	}
	header[headerWebhookID] = []string{id}
	header[headerWebhookTimestamp] = []string{strconv.FormatInt(now.Unix(), 10)}
	header[headerWebhookSignature] = []string{signature}
	return nil
}
