package channel

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// Sample makes calls as the platform does, so that people can try a channel out.
type Sample struct {
	// Fields are what an event is built from.
	Fields []SampleField
	// ContentType is the media type of a call's body.
	ContentType string
	// Body returns a new event with the values of the fields, which are by their names.
	Body func(values map[string]string, now time.Time) ([]byte, error)
	// Sign adds the signature of a body to the header of its call. The error says why the body cannot be signed, and
	// quotes nothing of it.
	Sign func(header http.Header, body []byte, secret string) error
}

// SampleField is one value that an event is built from.
type SampleField struct {
	// Name is in lower case with hyphens: "app-id".
	Name, Usage, Default string
	// Required: no event is made without it.
	Required bool
	// MayBeEmpty: the empty text is a value too.
	MayBeEmpty bool
}

// Compact writes JSON as platforms do: without white space, and with no escapes but those that JSON needs.
func Compact(value any) ([]byte, error) {
	var b bytes.Buffer
	compact := json.NewEncoder(&b)
	compact.SetEscapeHTML(false)
	err := compact.Encode(value)
	return bytes.TrimSpace(b.Bytes()), err
}
