package scan

import (
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Within reads a part of a body that was scanned: an object that was read raw, or an element of an array. It does not
// validate that again, which makes it several times as fast as Scan. Other bytes are no part, and must not be given.
func (l *Layout) Within(part []byte) (Members, error) {
	s := scanners.Get().(*scanner)
	s.layout, s.members, s.valid, s.cursor = l, Members{body: part}, true, cursor{part, 0}
	err := errNotObject
	if s.peek() == jsontext.KindBeginObject {
		err = s.object(0)
	}
	m := s.members
	s.layout, s.members, s.valid, s.cursor = nil, Members{}, false, cursor{} // the decoder has read nothing
	scanners.Put(s)
	return m, err
}

// cursor reads JSON that is valid.
type cursor struct {
	body []byte
	at   int
}

// next passes over what stands between values, and returns the kind of the next one; 0 at the end.
func (c *cursor) next() jsontext.Kind {
	for ; c.at < len(c.body); c.at++ {
		switch b := c.body[c.at]; b {
		case ' ', '\t', '\r', '\n', ':', ',':
		case '-', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			return jsontext.KindNumber
		default:
			return jsontext.Kind(b)
		}
	}
	return 0
}

// pass passes over the value that comes next, and returns where it stands.
func (c *cursor) pass() span {
	c.next()
	begin, depth := c.at, 0
	for c.at < len(c.body) {
		switch c.body[c.at] {
		case '"':
			c.passText()
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		default:
			if depth == 0 {
				c.passWord()
			}
		}
		if c.at++; depth <= 0 {
			break
		}
	}
	return spanOf(begin, min(c.at, len(c.body)))
}

// passText goes on to the quotation mark at the end of a text.
func (c *cursor) passText() {
	for c.at++; c.at < len(c.body) && c.body[c.at] != '"'; c.at++ {
		if c.body[c.at] == '\\' {
			c.at++
		}
	}
}

// passWord goes on to the last byte of a number, true, false or null.
func (c *cursor) passWord() {
	for ; c.at+1 < len(c.body); c.at++ {
		switch c.body[c.at+1] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return
		}
	}
}

// Elements returns the elements of an array that was read raw, as the bytes that they have in the body. Any other value
// has none.
func Elements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := cursor{raw, 0}
		if c.next() != jsontext.KindBeginArray {
			return
		}
		c.at++
		for kind := c.next(); kind != jsontext.KindEndArray && kind != 0; kind = c.next() {
			if at := c.pass(); !yield(raw[at.begin:at.end:at.end]) {
				return
			}
		}
	}
}

// Names returns the names of the members of an object that was read raw or scanned. Any other value has none.
func Names(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := cursor{raw, 0}
		if c.next() != jsontext.KindBeginObject {
			return
		}
		c.at++
		for c.next() == jsontext.KindString {
			at := c.pass()
			name, _ := unquoted(raw[at.begin:at.end])
			if !yield(name) {
				return
			}
			c.pass()
		}
	}
}
