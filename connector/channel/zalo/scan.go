package zalo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds nesting; the outermost object has depth 1. Captured events use at most 5.
const maxDepth = 64

// member names a member of the body that is read.
type member int

const (
	root member = iota

	eventName
	appID
	timestamp
	oaID
	oaIDCamel
	userID
	groupID
	senderID
	recipientID
	recipientGroupID
	followerID
	messageID

	// The objects that hold some of the above; value relies on their being last.
	sender
	recipient
	follower
	message

	memberCount
)

// read are the members that are read, by the object that they stand in and their names.
var read = [memberCount]map[string]member{
	root: {
		"event_name": eventName, "app_id": appID, "timestamp": timestamp, "oa_id": oaID, "oaId": oaIDCamel,
		"user_id": userID, "group_id": groupID, "sender": sender, "recipient": recipient, "follower": follower, "message": message,
	},
	sender:    {"id": senderID},
	recipient: {"id": recipientID, "group_id": recipientGroupID},
	follower:  {"id": followerID},
	message:   {"msg_id": messageID},
}

// lookalikes are the names of members that may hold an OA's id, and of the objects around them.
var lookalikes = [][]byte{[]byte("oa_id"), []byte("oaId"), []byte("user_id"),
	[]byte("sender"), []byte("recipient"), []byte("follower"), []byte("id")}

// looksRead reports whether an unread member differs only in case from one that may hold an OA's id: some JSON
// libraries, such as Go's, take either.
func looksRead(parent member, name []byte) bool {
	return parent != message && slices.ContainsFunc(lookalikes, func(known []byte) bool { return bytes.EqualFold(known, name) })
}

// members are the read members of a body. Texts alias the body unless they were escaped. A member that is absent, null,
// empty, or neither string nor number has no text.
type members struct {
	text [memberCount][]byte
	// given: the member is there, and not null.
	given [memberCount]bool
	// unusable: the given value is no text, or no object around an id, or too long for an id.
	unusable [memberCount]bool
	// lossy: a member is unusable, or an escape stands for half a surrogate pair, which no Go string can hold. So
	// different members may look the same.
	lossy bool
	// alike: other readers may take some unread member for one of these.
	alike bool
}

var (
	errNotUTF8   = errors.New("not valid UTF-8")
	errNotObject = errors.New("not one JSON object")
	errTooDeep   = fmt.Errorf("nested deeper than %d", maxDepth)
)

// disguises are the beginnings of JSON that was changed on its way. No change is undone: the signature covers the bytes
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

// scanner reads the members of one body. It validates the whole body, and builds no value but those.
type scanner struct {
	decoder jsontext.Decoder
	buffer  bytes.Buffer
	body    []byte
	seen    [memberCount]bool
	members members
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// An escaped half of a surrogate pair is legal JSON and comes from a cut emoji, so jsontext must not refuse it; raw
// bytes are checked before. Duplicates matter only among the members that are read.
var scanOptions = []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

// scan reads body, which must be one JSON object in valid UTF-8 with nothing but white space around it.
func scan(body []byte) (members, error) {
	if err := disguise(body); err != nil {
		return members{}, err
	}
	if !utf8.Valid(body) {
		return members{}, errNotUTF8
	}
	s := scanners.Get().(*scanner)
	s.reset(body)
	err := s.document()
	m := s.members
	s.reset(nil) // the pool must not keep the body alive
	scanners.Put(s)
	return m, err
}

func (s *scanner) reset(body []byte) {
	s.body = body
	s.buffer = *bytes.NewBuffer(body)
	s.decoder.Reset(&s.buffer, scanOptions...)
	s.seen = [memberCount]bool{}
	s.members = members{}
}

func (s *scanner) document() error {
	if s.decoder.PeekKind() != jsontext.KindBeginObject {
		return errNotObject
	}
	if err := s.object(root); err != nil {
		return err
	}
	if _, err := s.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errNotObject
	}
	return nil
}

// object reads the object that comes next, whose name is parent.
func (s *scanner) object(parent member) error {
	if _, err := s.decoder.ReadToken(); err != nil {
		return errNotObject
	}
	for s.decoder.PeekKind() != jsontext.KindEndObject {
		name, err := s.text()
		if err != nil {
			return err
		}
		m, known := read[parent][string(name)]
		switch {
		case !known:
			s.members.alike = s.members.alike || looksRead(parent, name)
			err = s.skip(s.decoder.PeekKind())
		case s.seen[m]:
			err = fmt.Errorf("member %q given twice", name)
		default:
			err = s.value(m)
		}
		if err != nil {
			return err
		}
	}
	if _, err := s.decoder.ReadToken(); err != nil {
		return errNotObject
	}
	return nil
}

func (s *scanner) value(m member) error {
	kind := s.decoder.PeekKind()
	s.seen[m] = true
	s.members.given[m] = kind != jsontext.KindNull
	switch {
	case kind == jsontext.KindNull:
	case m >= sender && kind == jsontext.KindBeginObject:
		return s.object(m)
	case m < sender && (kind == jsontext.KindString || kind == jsontext.KindNumber):
		text, err := s.text()
		s.members.text[m] = text
		if len(text) > maxIDLength {
			s.members.spoil(m)
		}
		return err
	default:
		s.members.spoil(m)
	}
	return s.skip(kind)
}

// spoil marks a member whose value is not used.
func (m *members) spoil(which member) {
	m.unusable[which] = true
	m.lossy = true
}

// text reads the string or number that comes next. A number keeps its digits, because ids exceed a float's precision.
func (s *scanner) text() ([]byte, error) {
	value, err := s.decoder.ReadValue()
	if err != nil {
		return nil, errNotObject
	}
	// The decoder owns value only until its next call; the body stays.
	end := s.decoder.InputOffset()
	raw := s.body[end-int64(len(value)) : end]
	if raw[0] != '"' {
		return raw, nil
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	s.members.lossy = s.members.lossy || err != nil
	return text, nil
}

// skip passes over the value that comes next, watching its depth.
func (s *scanner) skip(kind jsontext.Kind) error {
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
		case depth > maxDepth:
			return errTooDeep
		case depth == outside:
			return nil
		}
	}
}
