package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Section is the part of the file that one type of channel, inbox or sink owns: a pointer to a struct with yaml tags. A
// path in it has the tag `file:"path"` as well.
type Section interface {
	// Check says what is wrong with the section, and reads the secrets and files that it names. It changes nothing
	// else.
	Check(c *Checker)
}

// Reloadable is the section of an inbox of which a part is applied without a restart.
type Reloadable interface {
	// AtStart returns the rest of the section, which is read at start only.
	AtStart() Section
}

// AtStart is the part of the inbox that is read at start only.
func (i Inbox) AtStart() Inbox {
	if s, ok := i.Settings.(Reloadable); ok {
		i.Settings = s.AtStart()
	}
	return i
}

// Type is what the loader knows of one type of channel, inbox or sink.
type Type struct {
	// Name is the value of the field "type", for example "ZaloOA". The section is the member with the same name and a
	// lower first word: "zaloOA", "http".
	Name string
	// New returns the section with its defaults.
	New func() Section

	// The rest describes a type of channel.

	// Platform is what people call the platform, for example "Zalo".
	Platform string
	// RetryFor is how long the platform resends a call that was not answered 200; 0 if it does not. Events are
	// recognised for longer than that.
	RetryFor time.Duration
	// DefaultPath is the default URL path of a channel. Required.
	DefaultPath string
	// PublicPrefix begins the paths of the type's public pages, so that no webhook takes one. Empty if there are none.
	PublicPrefix string
}

// Types are all types that a file may name.
type Types struct{ Channels, Inboxes, Sinks []Type }

// retryMargin is the shortest time for which an event is remembered after the platform's last retry.
const retryMargin = 10 * time.Minute

// Window returns the shortest time for which events of the type have to be recognised, in whole hours.
func (t Type) Window() Duration {
	if t.RetryFor == 0 {
		return 0
	}
	return Duration((t.RetryFor + retryMargin + time.Hour - 1).Truncate(time.Hour))
}

// DefaultWindow returns the default of inbox.deduplicationWindow for channels of the types.
func DefaultWindow(types ...Type) Duration {
	longest := defaultDeduplicationWindow
	for _, t := range types {
		longest = max(longest, t.Window())
	}
	return longest
}

// retries says in a message how long the platform retries: "Zalo retries for 1 h 50 min".
func (t Type) retries() string {
	spaced := strings.NewReplacer("h", " h ", "m", " min ").Replace(brief(Duration(t.RetryFor)))
	return t.Platform + " retries for " + strings.TrimSpace(spaced)
}

var zeroUnits = regexp.MustCompile(`(h)0m0s$|(m)0s$`)

// brief leaves out the units that are zero: "2h", "1h50m".
func brief(d Duration) string { return zeroUnits.ReplaceAllString(time.Duration(d).String(), "$1$2") }

// Member is the name in YAML of the type's section: its own with the first word in lower case, as Kubernetes does with
// the fields of its resources.
func (t Type) Member() string {
	letters := []rune(t.Name)
	for i, letter := range letters {
		if i > 0 && i+1 < len(letters) && unicode.IsLower(letters[i+1]) || unicode.IsLower(letter) {
			break
		}
		letters[i] = unicode.ToLower(letter)
	}
	return string(letters)
}

// named returns the type with a name, the zero Type if there is none.
func named(types []Type, name string) Type {
	return find(types, func(t Type) bool { return t.Name == name })
}

// owner returns the type that a section belongs to, the zero Type if there is none.
func owner(types []Type, section Section) Type {
	return find(types, func(t Type) bool { return reflect.TypeOf(t.New()) == reflect.TypeOf(section) })
}

func find(types []Type, is func(Type) bool) (found Type) {
	if i := slices.IndexFunc(types, is); i >= 0 {
		found = types[i]
	}
	return found
}

// of returns the types of a union, which is one of the structs with a Section.
func (t *Types) of(union reflect.Type) []Type {
	return map[reflect.Type][]Type{
		reflect.TypeFor[Channel](): t.Channels, reflect.TypeFor[Inbox](): t.Inboxes, reflect.TypeFor[Sink](): t.Sinks,
	}[union]
}

var sectionType = reflect.TypeFor[Section]()

// MarshalYAML writes the section under the name of its type.
func (c Channel) MarshalYAML() (any, error) { return union(c, c.Type), nil }

// MarshalYAML writes the section under the name of its type.
func (i Inbox) MarshalYAML() (any, error) { return union(i, i.Type), nil }

// MarshalYAML writes the section under the name of its type.
func (s Sink) MarshalYAML() (any, error) { return union(s, s.Type), nil }

// union returns a struct as v, in which the section has the name of the type in YAML.
func union(v any, typeName string) any {
	t := reflect.TypeOf(v)
	fields := reflect.VisibleFields(t)
	for i := range fields {
		if fields[i].Type == sectionType {
			fields[i].Tag = reflect.StructTag(`yaml:"` + Type{Name: typeName}.Member() + `,omitempty"`)
		}
	}
	return reflect.ValueOf(v).Convert(reflect.StructOf(fields)).Interface()
}
