package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// memberNames are texts at two depths, within objects that the layout has and one that it has not.
var memberNames = []string{
	"event_name", "app_id", "timestamp", "oa_id", "oaId", "user_id", "group_id",
	"sender.id", "recipient.id", "recipient.group_id", "follower.id", "message.msg_id",
}

var layout = func() *Layout {
	members := []Member{}
	for _, name := range memberNames {
		members = append(members, At(name))
	}
	return NewLayout(append(members, At("sender"), At("recipient"))...)
}()

// texts are the members that were read, by name.
func texts(m Members) map[string]string {
	found := make(map[string]string)
	for i, name := range memberNames {
		if len(m.Text(i)) > 0 {
			found[name] = string(m.Text(i))
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
			m, err := layout.Scan([]byte(tc.body))
			if diff := cmp.Diff(tc.want, texts(m)); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			if m.Lossy() != lossy[tc.name] {
				t.Errorf("lossy: %v", m.Lossy())
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
	for name, body := range bodies {
		if m, err := layout.Scan([]byte(body)); err == nil {
			t.Errorf("%s: %v", name, texts(m))
		}
	}
}

func TestScanKeepsNothingOfAnEarlierBody(t *testing.T) {
	for _, body := range []string{`{"app_id":"1","oa_id":"2"}`, `{"app_id":"1","app_id":`, `{"user_id":"\ud800"}`} {
		_, _ = layout.Scan([]byte(body))
		m, err := layout.Scan([]byte(`{"timestamp":"3"}`))
		if diff := cmp.Diff(map[string]string{"timestamp": "3"}, texts(m)); err != nil || m.Lossy() || diff != "" {
			t.Errorf("after %s: %v %v %s", body, err, m.Lossy(), diff)
		}
	}
}

// FuzzScan compares with encoding/json: what one accepts the other does, and the members that were read are the same.
func FuzzScan(f *testing.F) {
	paths, err := filepath.Glob("../zalo/testdata/*-[0-9]*.json")
	if err != nil || len(paths) < 30 {
		f.Fatalf("samples: %d, %v", len(paths), err)
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, body := range []string{
		`{"app_id":1e400}`, `{"sender":[{"id":1}],"\u0061pp_id":"\ud800"}`, `{"a":{"b":[[]]}} `, `{"app_id":1,"app_id":2}`, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		m, err := layout.Scan(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		isObject := json.Valid(body) && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
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
		compareRaw(t, body)
		compareWithin(t, m, body)
	})
}

// compareWithin checks that a part is read as a body is.
func compareWithin(t *testing.T, want Members, body []byte) {
	got, err := layout.Within(body)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, read %+v within another body, and %+v alone", err, got, want)
	}
	raw := NewLayout(Raw("a"), Raw("sender"), Raw("data"))
	want, refused := raw.Scan(body)
	if got, err := raw.Within(body); fmt.Sprint(err) != fmt.Sprint(refused) || err == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%v, read %+v within another body; %v, and %+v alone", err, got, refused, want)
	}
}

// compareRaw checks what is read raw of a body within an array against encoding/json.
func compareRaw(t *testing.T, body []byte) {
	outer := slices.Concat([]byte(`{"list" : [ `), body, []byte(" ,\n7,"), body, []byte(`] }`))
	m, err := NewLayout(Raw("list")).Scan(outer)
	if errors.Is(err, errTooDeep) {
		return
	}
	if list := m.Raw(0); err != nil || !bytes.Equal(list, outer[len(`{"list" : `):len(outer)-len(` }`)]) {
		t.Fatalf("%v, read raw as %s", err, list)
	}
	want, one := []string{}, string(bytes.TrimSpace(body))
	for element := range Elements(m.Raw(0)) {
		want = append(want, string(element))
	}
	if diff := cmp.Diff(want, []string{one, "7", one}); diff != "" {
		t.Error(diff)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsRune(body, '\\') {
		return // names with half surrogates differ
	}
	for name := range Names(body) {
		if _, known := object[string(name)]; !known {
			t.Errorf("the object has no member %q", name)
		}
	}
}

// compare checks the top-level texts against encoding/json.
func compare(t *testing.T, m Members, body []byte) {
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
		if got := string(m.Text(which)); got != text {
			t.Errorf("%s: %q, want %q", name, got, text)
		}
	}
}

func TestRaw(t *testing.T) {
	of := NewLayout(Raw("raw"), Raw("within.raw"), At("id"))
	for value, want := range map[string]string{
		`"a\u0062"`: `"a\u0062"`, `true`: `true`, `-0.10`: `-0.10`, `[ 1, {"id":2} ]`: `[ 1, {"id":2} ]`, `{"id":3,"id":4}`: `{"id":3,"id":4}`,
		` "" `: `""`, `null`: ``,
	} {
		m, err := of.Scan([]byte(`{"raw" :` + value + `,"within":{"raw":` + value + `},"id":"9"}`))
		if err != nil || string(m.Raw(0)) != want || string(m.Raw(1)) != want || m.Given(0) != (want != "") || m.Lossy() || m.Unusable(0) {
			t.Errorf("%s: %v, read as %s and %s", value, err, m.Raw(0), m.Raw(1))
		}
	}
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for _, body := range []string{`{"raw":1,"raw":1}`, `{"raw":` + deep + `}`, `{"raw":[1}`, `{"raw":}`} {
		if _, err := of.Scan([]byte(body)); err == nil {
			t.Errorf("%.20s: accepted", body)
		}
	}
}

func TestElementsAndNames(t *testing.T) {
	for raw, want := range map[string]struct{ elements, names []string }{
		`[]`: {}, `{}`: {}, `"a"`: {}, `7`: {}, ``: {},
		`[ 1 , "a",null,[2,3],{"b":4} ]`:    {elements: []string{`1`, `"a"`, `null`, `[2,3]`, `{"b":4}`}},
		`{"a":1,"\u0062":{"c":[]} , "a":2}`: {names: []string{"a", "b", "a"}},
	} {
		var elements, names []string
		for one := range Elements([]byte(raw)) {
			elements = append(elements, string(one))
		}
		for one := range Names([]byte(raw)) {
			names = append(names, string(one))
		}
		if diff := cmp.Diff(want.elements, elements) + cmp.Diff(want.names, names); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
	for one := range Elements([]byte(`[1,2]`)) { // the end of a loop is no end of the scanner
		if string(one) != "1" {
			t.Error(string(one))
		}
		break
	}
}

func TestUnusable(t *testing.T) {
	of := NewLayout(At("id"), At("around"), At("around.id"))
	long := strings.Repeat("x", MaxIDLength)
	for body, want := range map[string]struct{ unusable, lossy bool }{
		`{"id":"` + long + `"}`: {}, `{"id":"` + long + `y"}`: {true, true},
		`{"id":true}`: {true, true}, `{"id":[]}`: {true, true}, `{"id":null}`: {},
		`{"id":"\ud800"}`: {false, true}, `{"around":7}`: {false, true},
	} {
		m, err := of.Scan([]byte(body))
		if err != nil || m.Unusable(0) != want.unusable || m.Lossy() != want.lossy || m.Unusable(0) && m.ID(0) != nil {
			t.Errorf("%.20s: %v, unusable %v, lossy %v", body, err, m.Unusable(0), m.Lossy())
		}
		if m.Unusable(1) != strings.Contains(body, "around") {
			t.Errorf("%.20s: around is unusable: %v", body, m.Unusable(1))
		}
	}
}

func TestLookalikes(t *testing.T) {
	of := layout.WithLookalikes(func(parent int, name []byte) bool { return parent == Root && string(name) == "ID" })
	for body, want := range map[string]bool{`{"ID":1}`: true, `{"sender":{"ID":1}}`: false, `{"id":1}`: false} {
		if m, err := of.Scan([]byte(body)); err != nil || m.Alike() != want {
			t.Errorf("%s: %v, alike %v", body, err, m.Alike())
		}
	}
}

func TestNoLayout(t *testing.T) {
	many := []Member{}
	for i := range MaxMembers {
		many = append(many, At(fmt.Sprint("around.m", i)))
	}
	for name, members := range map[string][]Member{
		"twice": {At("a"), Raw("a")}, "within raw": {Raw("a"), At("a.b")}, "too many": many,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			NewLayout(members...)
		}()
	}
	NewLayout(many[1:]...)
}

func BenchmarkScan(b *testing.B) {
	body, err := os.ReadFile("../zalo/testdata/xbot_example.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := layout.Scan(body); err != nil {
			b.Fatal(err)
		}
	}
}
