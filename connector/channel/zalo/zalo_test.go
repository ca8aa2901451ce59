package zalo

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "chat/shop"

// arrived is when the calls arrive.
var arrived time.Time

// vectors are the samples' signatures, made with a synthetic OA secret key.
var vectors = readJSON[struct {
	Secret  string   `json:"oa_secret_key"`
	AppID   string   `json:"app_id"`
	OAs     []string `json:"oa_ids"`
	Vectors []struct {
		File, Timestamp, Header string
		AppID                   string `json:"app_id"`
	}
}]("testdata/vectors.json")

func readJSON[T any](path string) (v T) {
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		panic(err)
	}
	return v
}

// samples are the bodies in testdata, by file name.
func samples(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*-[0-9]*.json")
	if err != nil || len(paths) < 30 {
		tb.Fatalf("samples: %d, %v", len(paths), err)
	}
	bodies := make(map[string][]byte)
	for _, path := range append(paths, "testdata/xbot_example.json") {
		body, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		bodies[filepath.Base(path)] = body
	}
	return bodies
}

func sample(tb testing.TB, file string) []byte {
	tb.Helper()
	body, ok := samples(tb)[file]
	if !ok {
		tb.Fatalf("no sample %s", file)
	}
	return body
}

// build makes a channel of the samples' app.
func build(mode channel.SignatureMode, accounts []string, keys ...string) *Channel {
	c := Settings{AppID: vectors.AppID}
	c.Signature.Mode = mode
	for _, id := range accounts {
		c.OfficialAccounts = append(c.OfficialAccounts, OfficialAccount{ID: id})
	}
	for _, key := range keys {
		c.Signature.SecretKeys = append(c.Signature.SecretKeys, config.NewSecret(key))
	}
	return c.open(name)
}

func signed(value ...string) http.Header {
	return http.Header{http.CanonicalHeaderKey(SignatureHeader): value}
}

func reason(refusal *channel.Refusal) channel.Reason {
	if refusal == nil {
		return ""
	}
	return refusal.Reason
}

func TestEverySampleVerifies(t *testing.T) {
	z := build(channel.SignatureEnforce, vectors.OAs, "the-key-of-before", vectors.Secret)
	bodies := samples(t)
	if len(vectors.Vectors) != len(bodies)-1 { // all but xBot's example
		t.Errorf("%d vectors for %d samples", len(vectors.Vectors), len(bodies))
	}
	for _, v := range vectors.Vectors {
		body := bodies[v.File]
		if got := Sign(v.AppID, body, v.Timestamp, vectors.Secret); got != v.Header {
			t.Errorf("%s: Sign = %s, want %s", v.File, got, v.Header)
		}
		if _, err := z.Read(arrived, signed(v.Header), body); err != nil {
			t.Errorf("%s: %v", v.File, err)
		}
		if _, err := z.Read(arrived, signed(v.Header), append([]byte(" "), body...)); reason(err) != channel.ReasonSignatureWrong {
			t.Errorf("%s with a space before it: %v", v.File, err)
		}
	}
}

func TestWrongSchemesAreRefused(t *testing.T) {
	negative := readJSON[struct {
		File   string
		Refuse map[string]string `json:"must_be_refused"`
	}]("testdata/negative_vectors.json")
	if len(negative.Refuse) == 0 {
		t.Fatal("no vectors")
	}
	body := sample(t, negative.File)
	for _, keys := range [][]string{{vectors.Secret}, {vectors.Secret, ""}, {""}, nil} {
		z, want := build(channel.SignatureEnforce, nil, keys...), channel.ReasonSignatureWrong
		if !slices.Contains(keys, vectors.Secret) {
			want = channel.ReasonAwaitingSecret
		}
		for scheme, digits := range negative.Refuse {
			for _, header := range []string{digits, "mac=" + digits} {
				if _, err := z.Read(arrived, signed(header), body); reason(err) != want {
					t.Errorf("%d keys, %s: %v", len(keys), scheme, err)
				}
			}
		}
	}
}

func TestSignatureSpellings(t *testing.T) {
	body := sample(t, "user_send_text-1.json")
	header := vectors.Vectors[0].Header
	digits := strings.TrimPrefix(header, "mac=")
	for _, tc := range []struct {
		name   string
		header http.Header
		want   channel.Reason
	}{
		{"as Zalo sends it", signed(header), ""},
		{"bare", signed(digits), ""},
		{"upper case", signed("mac=" + strings.ToUpper(digits)), ""},
		{"bare upper case", signed(strings.ToUpper(digits)), ""},
		{"no header", http.Header{}, channel.ReasonSignatureMissing},
		{"empty", signed(""), channel.ReasonSignatureWrong},
		{"prefix only", signed("mac="), channel.ReasonSignatureWrong},
		{"upper-case prefix", signed("MAC=" + digits), channel.ReasonSignatureWrong},
		{"other prefix", signed("sha256=" + digits), channel.ReasonSignatureWrong},
		{"prefix twice", signed("mac=" + header), channel.ReasonSignatureWrong},
		{"space inside", signed("mac= " + digits), channel.ReasonSignatureWrong},
		{"space after", signed(header + " "), channel.ReasonSignatureWrong},
		{"a digit short", signed(header[:len(header)-1]), channel.ReasonSignatureWrong},
		{"a digit long", signed(header + "0"), channel.ReasonSignatureWrong},
		{"not hex", signed("mac=" + strings.Repeat("g", 64)), channel.ReasonSignatureWrong},
		{"one digit other", signed("mac=" + flipDigit(digits)), channel.ReasonSignatureWrong},
		{"twice", signed(header, header), channel.ReasonSignatureWrong},
		{"two in one", signed(header + ", " + header), channel.ReasonSignatureWrong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := build(channel.SignatureEnforce, nil, vectors.Secret).Read(arrived, tc.header, body)
			if got := reason(err); got != tc.want {
				t.Errorf("Enforce: %v, want %q", err, tc.want)
			}
			call, err := build(channel.SignatureAudit, nil, vectors.Secret).Read(arrived, tc.header, body)
			if err != nil || call.AuditFailure != tc.want || call.Calls[0].Kind != channel.KindEvent {
				t.Errorf("Audit: %v, failure %q, want %q", err, call.AuditFailure, tc.want)
			}
			call, err = build(channel.SignatureOff, nil).Read(arrived, tc.header, body)
			if err != nil || call.AuditFailure != "" {
				t.Errorf("Off: %v, failure %q", err, call.AuditFailure)
			}
		})
	}
}

func flipDigit(digits string) string {
	last := "0"
	if digits[63] == '0' {
		last = "1"
	}
	return digits[:63] + last
}

func TestKeysOverlapDuringRotation(t *testing.T) {
	body := sample(t, "user_send_text-1.json")
	header := func(key string) http.Header {
		return signed(Sign(vectors.AppID, body, vectors.Vectors[0].Timestamp, key))
	}
	for _, tc := range []struct {
		active []string
		signer string
		want   channel.Reason
	}{
		{[]string{"old"}, "old", ""},
		{[]string{"old", "new"}, "old", ""},
		{[]string{"old", "new"}, "new", ""},
		{[]string{"new", "new"}, "new", ""},
		{[]string{"new"}, "old", channel.ReasonSignatureWrong},
		{[]string{"new"}, "ne", channel.ReasonSignatureWrong},
		{[]string{"new", ""}, "", channel.ReasonSignatureWrong},
	} {
		_, err := build(channel.SignatureEnforce, nil, tc.active...).Read(arrived, header(tc.signer), body)
		if got := reason(err); got != tc.want {
			t.Errorf("%q against %q: %v, want %q", tc.signer, tc.active, err, tc.want)
		}
	}
}

// Every mode but Enforce lets an unsigned call in, yet none another app's.
func TestAppAndTimestamp(t *testing.T) {
	const enforce, audit, off = channel.SignatureEnforce, channel.SignatureAudit, channel.SignatureOff
	const missing, wrongApp = channel.ReasonSignatureMissing, channel.ReasonWrongApp
	for _, tc := range []struct {
		name, body string
		mode       channel.SignatureMode
		want       channel.Reason
		wantAudit  channel.Reason
	}{
		{"foreign app", `{"app_id":"1","timestamp":"2"}`, enforce, channel.ReasonWrongApp, ""},
		{"foreign app", `{"app_id":"1","timestamp":"2"}`, audit, channel.ReasonWrongApp, ""},
		{"foreign app", `{"app_id":"1","timestamp":"2"}`, off, channel.ReasonWrongApp, ""},
		{"foreign numeric app", `{"app_id":6254742270069193213}`, off, channel.ReasonWrongApp, ""},
		{"same app as a float", `{"app_id":6254742270069193212.0}`, off, channel.ReasonWrongApp, ""},
		{"no app", `{"timestamp":"2"}`, enforce, missing, ""},
		{"no app", `{"timestamp":"2"}`, audit, "", missing},
		{"no app", `{"timestamp":"2"}`, off, "", ""},
		{"null app", `{"app_id":null,"timestamp":"2"}`, enforce, missing, ""},
		{"null app", `{"app_id":null,"timestamp":"2"}`, off, "", ""},
		{"null app", `{"app_id":null,"timestamp":"2"}`, audit, "", missing},
		{"empty app", `{"app_id":"","timestamp":"2"}`, enforce, wrongApp, ""},
		{"empty app", `{"app_id":"","timestamp":"2"}`, audit, wrongApp, ""},
		{"empty app", `{"app_id":""}`, off, wrongApp, ""},
		{"boolean app", `{"app_id":true,"timestamp":"2"}`, enforce, wrongApp, ""},
		{"boolean app", `{"app_id":false,"timestamp":"2"}`, audit, wrongApp, ""},
		{"boolean app", `{"app_id":true}`, off, wrongApp, ""},
		{"app of fields", `{"app_id":{},"timestamp":"2"}`, enforce, wrongApp, ""},
		{"app of fields", `{"app_id":{"app_id":"6254742270069193212"},"timestamp":"2"}`, audit, wrongApp, ""},
		{"app of fields", `{"app_id":{}}`, off, wrongApp, ""},
		{"list of apps", `{"app_id":[],"timestamp":"2"}`, enforce, wrongApp, ""},
		{"list of apps", `{"app_id":["6254742270069193212"],"timestamp":"2"}`, audit, wrongApp, ""},
		{"list of apps", `{"app_id":[]}`, off, wrongApp, ""},
		{"no timestamp", `{"app_id":"6254742270069193212"}`, enforce, missing, ""},
		{"no timestamp", `{"app_id":"6254742270069193212"}`, audit, "", missing},
		{"null timestamp", `{"app_id":"6254742270069193212","timestamp":null}`, enforce, missing, ""},
		{"timestamp of another type", `{"app_id":"6254742270069193212","timestamp":true}`, enforce, missing, ""},
	} {
		// Signed as well as the body allows, so that only what is absent can fail.
		header := signed(Sign("6254742270069193212", []byte(tc.body), "", vectors.Secret))
		call, err := build(tc.mode, nil, vectors.Secret).Read(arrived, header, []byte(tc.body))
		if got := reason(err); got != tc.want || call.AuditFailure != tc.wantAudit {
			t.Errorf("%s under %s: %v, audit %q; want %q, %q", tc.name, tc.mode, err, call.AuditFailure, tc.want, tc.wantAudit)
		}
	}
}

func TestEscapedMembersAreSignedAsReceived(t *testing.T) {
	body := []byte(`{"\u0061pp_id":"625474227006919321\u0032","t\u0069mestamp":"178286350\u00373 04"}`)
	header := signed(Sign(vectors.AppID, body, "17828635073 04", vectors.Secret))
	if _, err := build(channel.SignatureEnforce, nil, vectors.Secret).Read(arrived, header, body); err != nil {
		t.Error(err)
	}
}

func TestProbe(t *testing.T) {
	z := build(channel.SignatureEnforce, nil, vectors.Secret)
	blanks := strings.Repeat(" \t\r\n", channel.MaxProbeSize/8)
	for _, body := range []string{"", " ", "\r\n\t ", "{}", " {} ", "{ \n}", "\t{\r\n}\n", blanks + blanks, blanks + "{" + blanks[2:] + "}"} {
		call, err := z.Read(arrived, http.Header{}, []byte(body))
		if diff := cmp.Diff(channel.Reading{}, call); err != nil || diff != "" {
			t.Errorf("%.20q: %v %s", body, err, diff)
		}
	}
	if _, err := z.Read(arrived, http.Header{}, []byte(blanks+"{"+blanks[1:]+"}")); reason(err) != channel.ReasonSignatureMissing {
		t.Errorf("an empty object of %d bytes: %v", channel.MaxProbeSize+1, err)
	}
	for body, hint := range map[string]string{
		"\x1f\x8b\x08": "gzip", "\x28\xb5\x2f\xfd": "zstd", "\xef\xbb\xbf{}": "byte order mark",
		"\xff\xfe{\x00": "UTF-16", "\xfe\xff\x00{": "UTF-16",
	} {
		if _, err := z.Read(arrived, http.Header{}, []byte(body)); reason(err) != channel.ReasonMalformed ||
			!strings.Contains(err.Message, hint) {
			t.Errorf("%q: %v, want a hint at %s", body, err, hint)
		}
	}
	for _, body := range []string{
		blanks + blanks + " ", "{", "}", "{{}", "{}}", "{} {}", "[]", "null", "\u00a0", "\v", "{\u00a0}", "\xef\xbb\xbf{}",
	} {
		if _, err := z.Read(arrived, http.Header{}, []byte(body)); reason(err) != channel.ReasonMalformed {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestConsoleTest(t *testing.T) {
	test := vectors.Vectors[len(vectors.Vectors)-1]
	body := sample(t, test.File)
	for _, accounts := range [][]string{nil, vectors.OAs} {
		z := build(channel.SignatureEnforce, accounts, vectors.Secret)
		call, err := z.Read(arrived, signed(test.Header), body)
		want := channel.Reading{
			Calls:    []channel.Call{{Kind: channel.KindConsoleTest, Name: "user_send_text", KnownName: "user_send_text"}},
			Verified: true, SignedBy: sha256.Sum256([]byte(vectors.Secret)),
		}
		if diff := cmp.Diff(want, call); err != nil || diff != "" {
			t.Errorf("allow-list of %d: %v %s", len(accounts), err, diff)
		}
		if _, err := z.Read(arrived, http.Header{}, body); reason(err) != channel.ReasonSignatureMissing {
			t.Errorf("unsigned: %v", err)
		}
	}
	z := build(channel.SignatureOff, nil)
	for _, id := range []string{"this is message id", "This is message id.", "This is message id ", ""} {
		body := fmt.Sprintf(`{"event_name":"user_send_text","message":{"msg_id":%q}}`, id)
		if call, err := z.Read(arrived, http.Header{}, []byte(body)); err != nil || call.Calls[0].Kind != channel.KindEvent {
			t.Errorf("msg_id %q: %v, %v", id, call.Calls[0].Kind, err)
		}
	}
}

func TestDomainProof(t *testing.T) {
	c := Settings{}
	c.DomainVerification.Codes = []string{"AbC", "x-_9"}
	files, tags := map[string]string{}, []channel.MetaTag(nil)
	for _, page := range c.open(name).Public() {
		tags = append(tags, page.MetaTags...)
		if page.Serve != nil {
			answer := page.Serve(nil)
			files[page.Path] = string(answer.Body)
			if answer.Status != http.StatusOK || answer.ContentType != "text/html; charset=utf-8" {
				t.Errorf("%s: %d, %s", page.Path, answer.Status, answer.ContentType)
			}
		}
	}
	for _, code := range c.DomainVerification.Codes {
		page := files["/zalo_verifier"+code+".html"]
		if !strings.Contains(page, `<meta property="zalo-platform-site-verification" content="`+code+`" />`) {
			t.Errorf("page of %s: %s", code, page)
		}
	}
	want := []channel.MetaTag{
		{Name: "zalo-platform-site-verification", Content: "AbC"}, {Name: "zalo-platform-site-verification", Content: "x-_9"},
	}
	if diff := cmp.Diff(want, tags); diff != "" || len(files) != 2 {
		t.Errorf("%d pages, meta tags %s", len(files), diff)
	}
}

func BenchmarkRead(b *testing.B) {
	body := sample(b, "user_send_text-1.json")
	z := build(channel.SignatureEnforce, vectors.OAs, vectors.Secret)
	header := signed(vectors.Vectors[0].Header)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := z.Read(arrived, header, body); err != nil {
			b.Fatal(err)
		}
	}
}
