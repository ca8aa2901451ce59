// Package scan reads a few members of a JSON object from its bytes, bounded in depth. It validates the whole object,
// and builds no value but those.
package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth bounds nesting; the outermost object has depth 1. Captured calls use at most 5.
const MaxDepth = 64

// MaxIDLength bounds the parts of an event's attributes, in bytes: sinks see attributes as HTTP headers and limit them.
// No id of a platform comes near it. An id that is longer, or no text, is unusable: it becomes part of no attribute, and
// the event is kept.
const MaxIDLength = 256

// Members are the read members of a body. Texts alias the body unless they were escaped. A member that is absent, null,
// empty, or neither string nor number has no text.
type Members struct {
	// values stand in the body, those of escaped in unescaped.
	values                         [MaxMembers]span
	seen, given, unusable, escaped uint32
	lossy, alike, others           bool
	body, unescaped                []byte
}

// span is small because Members are copied.
type span struct{ begin, end uint32 }

func spanOf(begin, end int) span {
	return span{uint32(begin), uint32(end)} //nolint:gosec // a body has less than 4 GiB
}

// Text returns the text of a member. It may be too long for an id. A number keeps its digits.
func (m *Members) Text(i int) []byte {
	in := m.body
	if m.escaped&bit(i) != 0 {
		in = m.unescaped
	}
	at := m.values[i]
	return in[at.begin:at.end:at.end]
}

// ID returns the text of a member; nil if it is unusable.
func (m *Members) ID(i int) []byte {
	if m.Unusable(i) {
		return nil
	}
	return m.Text(i)
}

// Raw returns the bytes of a member that is read raw; none if it is absent or null.
func (m *Members) Raw(i int) []byte { return m.Text(i) }

// Given reports whether a member is there, and not null.
func (m *Members) Given(i int) bool { return m.given&bit(i) != 0 }

// Unusable reports whether the given value is no text, or no object around others, or too long for an id.
func (m *Members) Unusable(i int) bool { return m.unusable&bit(i) != 0 }

// Lossy reports whether a member is unusable, or an escape stands for half a surrogate pair, which no Go string can
// hold. So different members may look the same.
func (m *Members) Lossy() bool { return m.lossy }

// Alike reports whether other readers may take some unread member for one of these; see Layout.WithLookalikes.
func (m *Members) Alike() bool { return m.alike }

// Others reports whether the outermost object has a member that the layout does not read.
func (m *Members) Others() bool { return m.others }

func bit(i int) uint32 { return 1 << i }

// spoil marks a member whose value is not used.
func (m *Members) spoil(i int) {
	m.unusable |= bit(i)
	m.lossy = true
}

var (
	errNotUTF8   = errors.New("not valid UTF-8")
	errNotObject = errors.New("not one JSON object")
	errTooDeep   = fmt.Errorf("nested deeper than %d", MaxDepth)
)

// disguises are the beginnings of JSON that was changed on its way. No change is undone: a signature covers the bytes
// that the platform sent.
var disguises = []struct {
	begins string
	err    error
}{
	{"\x1f\x8b", errors.New("compressed with gzip: send it as it is")},
	{"\x28\xb5\x2f\xfd", errors.New("compressed with zstd: send it as it is")},
	{"\xef\xbb\xbf", errors.New("begins with a byte order mark: send it without")},
	{"\xff\xfe", errors.New("encoded in UTF-16: send UTF-8")},
	{"\xfe\xff", errors.New("encoded in UTF-16: send UTF-8")},
}

func disguise(body []byte) error {
	for _, d := range disguises {
		if bytes.HasPrefix(body, []byte(d.begins)) {
			return d.err
		}
	}
	return nil
}

// scanner reads the members of one body.
type scanner struct {
	decoder jsontext.Decoder
	buffer  bytes.Buffer
	layout  *Layout
	members Members
	// valid: the body was validated before, so that the cursor reads it, and not the decoder.
	valid  bool
	cursor cursor
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// An escaped half of a surrogate pair is legal JSON and comes from a cut emoji, so jsontext must not refuse it; raw
// bytes are checked before. Duplicates matter only among the members that are read.
var scanOptions = []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

// Scan reads body, which must be one JSON object in valid UTF-8 with nothing but white space around it. No member of
// the layout may be given twice.
func (l *Layout) Scan(body []byte) (Members, error) {
	if err := disguise(body); err != nil {
		return Members{}, err
	}
	if !utf8.Valid(body) {
		return Members{}, errNotUTF8
	}
	s := scanners.Get().(*scanner)
	s.reset(l, body)
	err := s.document()
	m := s.members
	s.free()
	return m, err
}

func (s *scanner) reset(l *Layout, body []byte) {
	s.layout = l
	s.buffer = *bytes.NewBuffer(body)
	s.decoder.Reset(&s.buffer, scanOptions...)
	s.members = Members{body: body}
}

// free gives the scanner back. The pool must not keep the body alive.
func (s *scanner) free() {
	s.reset(nil, nil)
	scanners.Put(s)
}

func (s *scanner) document() error {
	if s.peek() != jsontext.KindBeginObject {
		return errNotObject
	}
	if err := s.object(0); err != nil {
		return err
	}
	if _, err := s.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errNotObject
	}
	return nil
}

// object reads the object that comes next, which is the node parent.
func (s *scanner) object(parent int) error {
	if err := s.token(); err != nil {
		return err
	}
	for s.peek() != jsontext.KindEndObject {
		name, err := s.name()
		if err != nil {
			return err
		}
		n, known := s.layout.nodes[parent].find(name)
		switch {
		case !known:
			s.members.others = s.members.others || parent == 0
			s.members.alike = s.members.alike || s.layout.looks != nil && s.layout.looks(parent-1, name)
			err = s.skip(s.peek())
		case s.members.seen&bit(n-1) != 0:
			err = fmt.Errorf("member %q given twice", name)
		default:
			err = s.value(n)
		}
		if err != nil {
			return err
		}
	}
	return s.token()
}

// peek returns the kind of what comes next.
func (s *scanner) peek() jsontext.Kind {
	if s.valid {
		return s.cursor.next()
	}
	return s.decoder.PeekKind()
}

// token reads the begin or the end of an object or array.
func (s *scanner) token() error {
	if s.valid {
		s.cursor.next()
		s.cursor.at++
		return nil
	}
	if _, err := s.decoder.ReadToken(); err != nil {
		return errNotObject
	}
	return nil
}

// value reads the value of the node n.
func (s *scanner) value(n int) error {
	kind, i, of := s.peek(), n-1, &s.layout.nodes[n]
	s.members.seen |= bit(i)
	if kind == jsontext.KindNull {
		return s.skip(kind)
	}
	s.members.given |= bit(i)
	switch {
	case of.raw:
		return s.raw(i, kind)
	case of.within != nil && kind == jsontext.KindBeginObject:
		return s.object(n)
	case of.within == nil && (kind == jsontext.KindString || kind == jsontext.KindNumber):
		return s.keep(i)
	default:
		s.members.spoil(i)
	}
	return s.skip(kind)
}

// raw reads a value as the bytes that it has.
func (s *scanner) raw(i int, kind jsontext.Kind) error {
	if s.valid {
		s.members.values[i] = s.cursor.pass()
		return nil
	}
	begin := s.decoder.InputOffset()
	err := s.skip(kind)
	end := s.decoder.InputOffset()
	value := bytes.TrimLeft(s.members.body[begin:end], " \t\r\n:")
	s.members.values[i] = spanOf(int(end)-len(value), int(end))
	return err
}

// keep reads the text of a member.
func (s *scanner) keep(i int) error {
	at, err := s.whole()
	if err != nil {
		return err
	}
	m := &s.members
	m.values[i] = at
	if raw := m.Text(i); raw[0] == '"' {
		m.values[i] = span{at.begin + 1, at.end - 1}
		if bytes.IndexByte(raw, '\\') >= 0 {
			begin := len(m.unescaped)
			m.unescaped, err = jsontext.AppendUnquote(m.unescaped, raw)
			m.lossy = m.lossy || err != nil
			m.escaped |= bit(i)
			m.values[i] = spanOf(begin, len(m.unescaped))
		}
	}
	if len(m.Text(i)) > MaxIDLength {
		m.spoil(i)
	}
	return nil
}

// name reads the name that comes next.
func (s *scanner) name() ([]byte, error) {
	at, err := s.whole()
	if err != nil {
		return nil, err
	}
	raw := s.members.body[at.begin:at.end]
	if raw[0] != '"' {
		return nil, errNotObject
	}
	name, exact := unquoted(raw)
	s.members.lossy = s.members.lossy || !exact
	return name, nil
}

// unquoted returns the text of a string, and whether no escape in it stands for half a surrogate pair.
func unquoted(raw []byte) (text []byte, exact bool) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return text, err == nil
}

// whole reads the value that comes next, and returns where it stands in the body: the bytes of the decoder last until
// its next call only.
func (s *scanner) whole() (span, error) {
	if s.valid {
		at := s.cursor.pass()
		if at.begin == at.end {
			return at, errNotObject
		}
		return at, nil
	}
	value, err := s.decoder.ReadValue()
	if err != nil {
		return span{}, errNotObject
	}
	end := int(s.decoder.InputOffset())
	return spanOf(end-len(value), end), nil
}

// skip passes over the value that comes next, watching its depth.
func (s *scanner) skip(kind jsontext.Kind) error {
	if s.valid {
		s.cursor.pass()
		return nil
	}
	if kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray {
		if err := s.decoder.SkipValue(); err != nil {
			return errNotObject
		}
		return nil
	}
	outside := s.decoder.StackDepth()
	for {
		if _, err := s.decoder.ReadToken(); err != nil {
			return errNotObject
		}
		switch depth := s.decoder.StackDepth(); {
		case depth > MaxDepth:
			return errTooDeep
		case depth == outside:
			return nil
		}
	}
}
