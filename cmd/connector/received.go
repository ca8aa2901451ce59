package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fatih/color"

	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
)

// The attributes of CloudEvents that this command knows by name.
const (
	specVersion = "specversion"
	eventType   = "type"
)

// receivedEvent is a CloudEvent: its decoded attributes by their names in lower case, and its body.
type receivedEvent struct {
	attributes map[string]string
	body       []byte
}

// receive reads a CloudEvent in binary mode.
func receive(header http.Header, body []byte) (receivedEvent, error) {
	e := receivedEvent{map[string]string{}, body}
	for name, values := range header {
		if attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			e.attributes[attribute] = httpsink.DecodeAttribute(values[0])
		}
	}
	for _, required := range []string{specVersion, "id", "source", eventType} {
		if e.attributes[required] == "" {
			return e, errors.New("no CloudEvent in binary mode: the header ce-" + required + " is missing")
		}
	}
	if contentType := header.Get("Content-Type"); contentType != "" {
		e.attributes["datacontenttype"] = contentType
	}
	return e, nil
}

// printJSON writes e as one line in the JSON format of CloudEvents.
func printJSON(w io.Writer, e receivedEvent) error {
	members := make(map[string]any, len(e.attributes)+1)
	for name, value := range e.attributes {
		members[name] = value
	}
	if json.Valid(e.body) {
		members["data"] = json.RawMessage(e.body)
	} else {
		members["data_base64"] = e.body
	}
	return writeLine(w, members)
}

// writeLine writes v as one line of JSON.
func writeLine(w io.Writer, v any) error {
	line := json.NewEncoder(w)
	line.SetEscapeHTML(false)
	return line.Encode(v)
}

// printText writes e for a person.
func printText(w io.Writer, e receivedEvent) error {
	title, label := color.New(color.FgGreen, color.Bold), color.New(color.FgCyan)
	var text bytes.Buffer
	fmt.Fprintln(&text, title.Sprint(printable(e.attributes[eventType])))
	for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
		if name != eventType && name != specVersion {
			fmt.Fprintf(&text, "  %s %s\n", label.Sprintf("%-15s", printable(name)), printable(e.attributes[name]))
		}
	}
	fmt.Fprintf(&text, "  %s\n\n", indented(e.body))
	_, err := w.Write(text.Bytes())
	return err
}

// indented spreads a JSON body over several lines. It changes another body only where it could steer the terminal.
func indented(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "  ", "  ") != nil {
		return printable(string(body))
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// printable escapes control characters: strangers write events, and a terminal obeys them.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
