package zalo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

var memberNames = map[member]string{
	eventName: "event_name", appID: "app_id", timestamp: "timestamp", oaID: "oa_id", oaIDCamel: "oaId",
	userID: "user_id", groupID: "group_id", senderID: "sender.id", recipientID: "recipient.id", recipientGroupID: "recipient.group_id",
	followerID: "follower.id", messageID: "message.msg_id",
}

// texts are the members that were read, by name.
func texts(m members) map[string]string {
	found := make(map[string]string)
	for which, name := range memberNames {
		if len(m.text[which]) > 0 {
			found[name] = string(m.text[which])
		}
	}
	return found
}

// nested is an object of the given depth, the outermost counted.
func nested(depth int, inner string) string {
	return strings.Repeat(inner, depth-1) + "{}" + strings.Repeat("}", strings.Count(inner, "{")*(depth-1)) +
		strings.Repeat("]", strings.Count(inner, "[")*(depth-1))
}

func TestScan(t *testing.T) {
	lossy := map[string]bool{"other types are unusable": true, "depth 64 in a member that is read": true}
	for _, tc := range []struct {
		name, body string
		want       map[string]string
	}{
		{"empty members", `{"a":1}`, map[string]string{}},
		{"every member", `{"event_name":"e","app_id":"1","timestamp":"2","oa_id":"3","oaId":"4","user_id":"5","group_id":"6",
			"sender":{"id":"7"},"recipient":{"id":"8"},"follower":{"id":"9"},"message":{"msg_id":"10"}}`, map[string]string{
			"event_name": "e", "app_id": "1", "timestamp": "2", "oa_id": "3", "oaId": "4", "user_id": "5", "group_id": "6",
			"sender.id": "7", "recipient.id": "8", "follower.id": "9", "message.msg_id": "10",
		}},
		{
			"only at their places",
			`{"id":"1","msg_id":"2","sender":{"msg_id":"3","app_id":"4"},"message":{"id":"5"},"a":{"app_id":"6","sender":{"id":"7"}},` +
				`"b":[{"oa_id":"8"}]}`,
			map[string]string{},
		},
		{"numbers keep their digits", `{"app_id":9007199254740993,"oa_id":-0.10e+1,"sender":{"id":18446744073709551616123}}`,
			map[string]string{"app_id": "9007199254740993", "oa_id": "-0.10e+1", "sender.id": "18446744073709551616123"}},
		{"escapes in names and values", `{"\u0061pp_id":"\u0031\/\"\\\n","se\u006eder":{"\u0069d":"\ud83d\udc4d"}}`,
			map[string]string{"app_id": "1/\"\\\n", "sender.id": "👍"}},
		{"null is absent", `{"app_id":null,"sender":null,"recipient":{"id":null}}`, map[string]string{}},
		{
			"other types are unusable",
			`{"app_id":true,"oa_id":{"id":"1"},"user_id":["1"],"sender":"x","recipient":["id"],"follower":7,"message":{"msg_id":{"a":[]}}}`,
			map[string]string{},
		},
		{"white space around", " \r\n\t{ \"app_id\" :\n\"1\" } \n", map[string]string{"app_id": "1"}},
		{"duplicates of what is not read", `{"a":1,"a":2,"data":{"app_id":1,"app_id":2},"sender":{"name":"a","name":"b","id":"1"},"app_id":"3"}`,
			map[string]string{"sender.id": "1", "app_id": "3"}},
		{
			"half a surrogate pair", `{"message":{"text":"\ud83d","msg_id":"1"},"app_id":"2"}`,
			map[string]string{"message.msg_id": "1", "app_id": "2"},
		},
		{"depth 64", `{"a":` + nested(63, `{"a":`) + `,"app_id":"1"}`, map[string]string{"app_id": "1"}},
		{"depth 64 of arrays", `{"a":` + nested(63, `[`) + `,"app_id":"1"}`, map[string]string{"app_id": "1"}},
		{"depth 64 in a member that is read", `{"sender":` + nested(63, `{"id":`) + `,"app_id":"1"}`, map[string]string{"app_id": "1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := scan([]byte(tc.body))
			if diff := cmp.Diff(tc.want, texts(m)); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			if m.lossy != lossy[tc.name] {
				t.Errorf("lossy: %v", m.lossy)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	bodies := map[string]string{
		"array":                 `[{"app_id":"1"}]`,
		"string":                `"app_id"`,
		"null":                  `null`,
		"two objects":           `{"a":1}{"b":2}`,
		"text after":            `{"a":1} x`,
		"NUL after":             "{\"a\":1}\x00",
		"byte order mark":       "\xef\xbb\xbf{\"a\":1}",
		"cut short":             `{"app_id":"1"`,
		"cut in a string":       `{"app_id":"1`,
		"cut in a skipped part": `{"a":[{"b":`,
		"no value":              `{"app_id":}`,
		"no name":               `{:1}`,
		"number as a name":      `{1:2}`,
		"trailing comma":        `{"a":1,}`,
		"no comma":              `{"a":1 "b":2}`,
		"mismatched ends":       `{"a":[1}]`,
		"mismatched end":        `{"a":1]`,
		"leading zero":          `{"app_id":01}`,
		"bad escape":            `{"a":"\x"}`,
		"control character":     "{\"a\":\"\n\"}",
		"comment":               `{"a":1/**/}`,
		"single quotes":         `{'a':1}`,
		"invalid UTF-8":         "{\"a\":\"\xff\"}",
		"invalid UTF-8 in name": "{\"\xc3\":1}",
		"invalid UTF-8 outside": "{\"a\":1}\xff",
		"surrogate in UTF-8":    "{\"a\":\"\xed\xa0\x80\"}",
		"overlong UTF-8":        "{\"a\":\"\xc0\xaf\"}",
		"app_id twice":          `{"app_id":"1","app_id":"1"}`,
		"app_id null, then set": `{"app_id":null,"app_id":"1"}`,
		"app_id twice, escaped": `{"app_id":"1","\u0061pp_id":"2"}`,
		"sender twice":          `{"sender":{"id":"1"},"sender":{}}`,
		"sender.id twice":       `{"sender":{"id":"1","id":"2"}}`,
		"depth 65":              `{"a":` + nested(64, `{"a":`) + `}`,
		"depth 65 of arrays":    `{"a":` + nested(64, `[`) + `}`,
		"depth 65 where read":   `{"sender":` + nested(64, `{"id":`) + `}`,
		"depth 100,000":         `{"a":` + strings.Repeat("[", 100_000),
	}
	for which, name := range memberNames {
		parent, child, ok := strings.Cut(name, ".")
		if !ok {
			bodies[name+" twice"] = fmt.Sprintf(`{%q:"1",%q:2}`, name, name)
			continue
		}
		bodies[name+" twice"] = fmt.Sprintf(`{%q:{%q:"1",%q:2}}`, parent, child, child)
		bodies[fmt.Sprint(parent, which, " twice")] = fmt.Sprintf(`{%q:{},%q:null}`, parent, parent)
	}
	z := build(channel.SignatureOff, nil)
	for name, body := range bodies {
		if _, err := z.Read(arrived, http.Header{}, []byte(body)); reason(err) != channel.ReasonMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScanKeepsNothingOfAnEarlierBody(t *testing.T) {
	for _, body := range []string{`{"app_id":"1","oa_id":"2"}`, `{"app_id":"1","app_id":`, `{"user_id":"\ud800"}`} {
		_, _ = scan([]byte(body))
		m, err := scan([]byte(`{"timestamp":"3"}`))
		if diff := cmp.Diff(map[string]string{"timestamp": "3"}, texts(m)); err != nil || m.lossy || diff != "" {
			t.Errorf("after %s: %v %v %s", body, err, m.lossy, diff)
		}
	}
}

// FuzzScan compares with encoding/json: what one accepts the other does, and the members that were read are the same.
func FuzzScan(f *testing.F) {
	for _, body := range samples(f) {
		f.Add(body)
	}
	for _, body := range []string{
		`{"app_id":1e400}`, `{"sender":[{"id":1}],"\u0061pp_id":"\ud800"}`, `{"a":{"b":[[]]}} `, `{"app_id":1,"app_id":2}`, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		m, err := scan(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		isObject := json.Valid(body) && bytes.HasPrefix(bytes.TrimLeft(body, jsonSpace), []byte("{"))
		if err == nil && (!isObject || !utf8.Valid(body)) {
			t.Fatal("accepted what is no JSON object in UTF-8")
		}
		if err != nil {
			if errors.Is(err, errNotObject) && isObject {
				t.Fatal("refused a JSON object")
			}
			return
		}
		compare(t, m, body)
	})
}

// compare checks the top-level texts against encoding/json.
func compare(t *testing.T, m members, body []byte) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var want map[string]any
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	for which, name := range memberNames {
		if strings.Contains(name, ".") {
			continue
		}
		text := ""
		switch value := want[name].(type) {
		case string:
			text = value
		case json.Number:
			text = value.String()
		}
		if got := string(m.text[which]); got != text {
			t.Errorf("%s: %q, want %q", name, got, text)
		}
	}
}

func FuzzSignatureHeader(f *testing.F) {
	for _, v := range vectors.Vectors {
		f.Add(v.Header)
		f.Add(strings.TrimPrefix(v.Header, signaturePrefix))
	}
	for _, value := range []string{"", "mac=", "MAC=00", "mac=mac=", "mac=" + strings.Repeat("g", 64), strings.Repeat("é", 32)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		signature, ok := parseSignature(value)
		if spelled := fmt.Sprintf("%x", signature); ok && !strings.EqualFold(value, spelled) &&
			(!strings.HasPrefix(value, signaturePrefix) || !strings.EqualFold(value[len(signaturePrefix):], spelled)) {
			t.Errorf("%q was read as %s", value, spelled)
		}
	})
}
