package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// note is the section of a type of channel that exists here alone.
type note struct {
	Text string `yaml:"text,omitempty"`
	File string `yaml:"file,omitempty" file:"path"`
}

func (n *note) Check(c *config.Checker) { c.Required("text", n.Text) }

// withNote are all types and that one.
func withNote() config.Types {
	all := types.Config()
	all.Channels = append(all.Channels, config.Type{Name: "PinNote", New: func() config.Section { return &note{Text: "default"} }})
	return all
}

func TestMembersAreNamedAsKubernetesNamesFields(t *testing.T) {
	for name, want := range map[string]string{
		"ZaloOA": "zaloOA", "HTTP": "http", "Embedded": "embedded", "JetStream": "jetStream", "HTTPBatch": "httpBatch", "": "",
	} {
		if got := (config.Type{Name: name}).Member(); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestSectionOfAFurtherType: what the loader is handed, it reads, checks and writes.
func TestSectionOfAFurtherType(t *testing.T) {
	const zalo = `  type: ZaloOA
  zaloOA:
    appID: "2553928453557884079"
    signature:
      secretKeys:
      - value: HiddenValue-oa-secret
`
	for name, tt := range map[string]struct{ section, want string }{
		"good":           {"  pinNote: {text: a, file: sub/a}\n", ""},
		"default":        {"  pinNote: {}\n", ""},
		"missing":        {"", ":7: channels[0].pinNote: required for type PinNote"},
		"null":           {"  pinNote: null\n", ":9: channels[0].pinNote: required for type PinNote"},
		"checked":        {"  pinNote: {text: ''}\n", ":9: channels[0].pinNote.text: required"},
		"misspelt":       {"  pinNote: {tex: a}\n", `:9: channels[0].pinNote.tex: unknown field: did you mean "text"?`},
		"another type's": {"  pinNote: {}\n  zaloOA: {appID: \"1\"}\n", `:10: channels[0].zaloOA: not for type "PinNote": leave it out`},
		"another type's only": {
			"  zaloOA: {appID: \"1\"}\n",
			`:9: channels[0].zaloOA: not for type "PinNote": leave it out` + "\nDIR:7: channels[0].pinNote: required for type PinNote",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := edit(t, minimal, zalo, "  type: PinNote\n"+tt.section, "  webhook:\n", "  webhook:\n    path: /push\n")
			path := write(t, map[string]string{"connector.yaml": text})
			c, err := config.Load(path, withNote())
			if tt.want != "" {
				got := ""
				if err != nil {
					got = strings.ReplaceAll(err.Error(), path, "DIR")
				}
				want := "DIR" + tt.want
				if a, b := lines(got), lines(want); !cmp.Equal(a, b) {
					t.Errorf("got %s, want %s", got, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := c.Encode()
			if err != nil || !strings.Contains(string(encoded), "  type: PinNote\n    pinNote:\n      text: ") {
				t.Errorf("%v in\n%s", err, encoded)
			}
			again, err := config.LoadFrom(path, withNote(), func(string) ([]byte, error) { return encoded, nil })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Channels[0].Settings, again.Channels[0].Settings); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

// lines are those of a text, whatever their order.
func lines(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		set[line] = true
	}
	return set
}

// A type of channel that retries less long leaves the window to others.
func TestWindowIsThatOfTheTypesInUse(t *testing.T) {
	short := edit(t, minimal, "inbox:\n", "inbox:\n  deduplicationWindow: 10m\n")
	noted := edit(t, short, minimal[strings.Index(minimal, "  type: ZaloOA"):strings.Index(minimal, "  webhook:")],
		"  type: PinNote\n  pinNote: {}\n", "  webhook:\n", "  webhook:\n    path: /push\n")
	if _, err := config.Load(write(t, map[string]string{"connector.yaml": noted}), withNote()); err != nil {
		t.Error(err)
	}
	if _, err := config.Load(write(t, map[string]string{"connector.yaml": short}), withNote()); err == nil ||
		!strings.HasSuffix(err.Error(), ":4: inbox.deduplicationWindow: want at least 2h: Zalo retries for 1 h 50 min") {
		t.Error(err)
	}
}

// A section without a type beside it belongs to the default type, so that the type and the section never differ.
func TestSectionWithoutAType(t *testing.T) {
	all := withNote()
	further := config.Type{Name: "PinNote", New: func() config.Section { return &note{Text: "default"} }}
	all.Sinks, all.Inboxes = append(all.Sinks, further), append(all.Inboxes, further)
	const sink, inbox = "    http:\n      url: http://bot.chat.svc/events\n", "  embedded:\n    path: inbox\n"
	for name, tt := range map[string]struct{ was, is, want string }{
		"sink":          {sink, "    pinNote: {text: a}\n", `:19: channels[0].sink.pinNote: not for type "HTTP": leave it out`},
		"sink, null":    {sink, "    type: null\n    pinNote: {text: a}\n", `:20: channels[0].sink.pinNote: not for type "HTTP": leave it out`},
		"sink, empty":   {sink, "    type: ''\n    pinNote: {text: a}\n", `:20: channels[0].sink.pinNote: not for type "HTTP": leave it out`},
		"two of a sink": {sink, sink + "    pinNote: {text: a}\n", `:21: channels[0].sink.pinNote: not for type "HTTP": leave it out`},
		"inbox":         {inbox, "  pinNote: {text: a}\n", `:4: inbox.pinNote: not for type "Embedded": leave it out`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(write(t, map[string]string{"connector.yaml": edit(t, minimal, tt.was, tt.is)}), all)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
