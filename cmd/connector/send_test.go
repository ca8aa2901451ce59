package main

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/echo"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

const (
	testAppID  = "2553928453557884079"
	testSecret = "oa-secret"
)

// webhook records the calls to it and answers with a status.
type webhook struct {
	*httptest.Server
	headers []http.Header
	bodies  []string
}

func listen(t *testing.T, status int) *webhook {
	t.Helper()
	w := &webhook{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.headers, w.bodies = append(w.headers, r.Header), append(w.bodies, string(body))
		answer.Header().Set("Location", "/elsewhere")
		answer.WriteHeader(status)
		_, _ = io.WriteString(answer, `{"status":"0","message":"`+"\x1b"+`ok"}`)
	}))
	t.Cleanup(w.Close)
	return w
}

func writeFile(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSendBuildsAndSignsEvents(t *testing.T) {
	server := listen(t, 200)
	code, stdout, stderr := run(t, "send", "--url", server.URL, "--count=2",
		"--api-key-file", writeFile(t, "key-1\n"), "--secret", testSecret,
		"--app-id", testAppID, "--oa-id=366", "--user-id=614", "--text", `Chào <"A4B">`)
	if code != exitOK || stdout != strings.Repeat(`200 {"status":"0","message":"\x1bok"}`+"\n", 2) {
		t.Fatalf("exit %d, stdout %q, stderr %s", code, stdout, stderr)
	}
	if len(server.bodies) != 2 || server.bodies[0] == server.bodies[1] {
		t.Fatalf("want two events that differ, got %q", server.bodies)
	}
	for i, body := range server.bodies {
		if !strings.HasPrefix(body, `{"event_name":"user_send_text","app_id":"2553928453557884079","sender":{"id":"614"},`+
			`"recipient":{"id":"366"},"message":{"text":"Chào <\"A4B\">","msg_id":"`) {
			t.Errorf("body %s", body)
		}
		if server.headers[i].Get("xp-api-key") != "key-1" {
			t.Errorf("headers %v", server.headers[i])
		}
		expectAuthentic(t, server.headers[i], body)
	}
}

// expectAuthentic lets the channel type itself judge what was sent.
func expectAuthentic(t *testing.T, header http.Header, body string) {
	t.Helper()
	shop := (&zalo.Settings{AppID: testAppID, Signature: zalo.Signature{
		Mode: channel.SignatureEnforce, SecretKeys: []config.Secret{config.NewSecret(testSecret)},
	}}).Open("chat/shop", channel.Environment{})
	if _, err := shop.Read(time.Now(), header, []byte(body)); err != nil {
		t.Errorf("the channel refuses it: %v", err)
	}
}

func TestSendPostsFilesByteForByte(t *testing.T) {
	const numbers = ` {"timestamp":1699003881354, "app_id":2553928453557884079, "event_name":"follow"}` + "\n"
	for name, body := range map[string]string{
		"strings": `{"app_id":"2553928453557884079","timestamp":"1699003881354"}`, "numbers": numbers,
	} {
		t.Run(name, func(t *testing.T) {
			server := listen(t, 200)
			code, _, stderr := run(t, "send", "--without-api-key", "--url", server.URL,
				"--file", writeFile(t, body), "--secret-file", writeFile(t, testSecret))
			if code != exitOK || len(server.bodies) != 1 || server.bodies[0] != body {
				t.Fatalf("exit %d, %q, stderr %s", code, server.bodies, stderr)
			}
			expectAuthentic(t, server.headers[0], body)
		})
	}
}

func TestSendWithoutSecretSignsNothing(t *testing.T) {
	server := listen(t, 200)
	if code, _, stderr := run(t, "send", "--without-api-key", "--url", server.URL, "--file", writeFile(t, "{}")); code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if _, signed := server.headers[0][http.CanonicalHeaderKey(zalo.SignatureHeader)]; signed {
		t.Error("the call is signed")
	}
}

// TestSendPostsAnEmptyFile: Zalo sends this probe when the webhook's URL is saved, and so does the Helm chart's test.
func TestSendPostsAnEmptyFile(t *testing.T) {
	server := listen(t, 200)
	code, _, stderr := run(t, "send", "--url", server.URL, "--file", os.DevNull, "--api-key", "key-1")
	if code != exitOK || len(server.bodies) != 1 || server.bodies[0] != "" || server.headers[0].Get("xp-api-key") != "key-1" {
		t.Fatalf("exit %d, bodies %q, headers %v, stderr %s", code, server.bodies, server.headers, stderr)
	}
}

func TestSendFails(t *testing.T) {
	nobody := "http://" + reserved.Address(t)
	event := []string{"--app-id", testAppID}
	tests := map[string]struct {
		url  string
		args []string
		want string
	}{
		"refused":               {listen(t, 401).URL, append(event, "--count=3"), "not accepted: 3 of 3"},
		"another success":       {listen(t, 202).URL, event, "not accepted: 1 of 1"},
		"redirect":              {listen(t, 307).URL, event, "not accepted: 1 of 1"},
		"nobody there":          {nobody + "/?key=private", event, "is the connector running"},
		"nobody of that name":   {"http://absent.invalid/?key=private", event, "no answer from absent.invalid: "},
		"no HTTPS":              {strings.Replace(listen(t, 200).URL, "http:", "https:", 1), event, "speaks no TLS: write http:// in the URL"},
		"unsignable file":       {nobody, []string{"--secret=x", "--file", writeFile(t, "<xml>")}, "leave the secret out"},
		"file without app":      {nobody, []string{"--secret=x", "--file", writeFile(t, `{"timestamp":"1"}`)}, "without app_id"},
		"secret file is absent": {nobody, append(event, "--secret-file=absent"), "absent"},
		"secret file is empty":  {nobody, append(event, "--secret-file="+writeFile(t, " \n")), "is empty"},
		"secret of two lines": {
			nobody, append(event, "--secret-file="+writeFile(t, "private\nprivate")), "the OA secret key: it has several lines",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := run(t, append([]string{"send", "--api-key=k", "--url", tt.url}, tt.args...)...)
			if code != exitFailure || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, want 1 with %q; stderr: %s", code, tt.want, stderr)
			}
			if strings.Contains(stderr, "private") {
				t.Errorf("a key is told: %s", stderr)
			}
			if strings.Contains(stderr, "is the connector running") != (tt.want == "is the connector running") {
				t.Errorf("the advice does not fit: %s", stderr)
			}
		})
	}
}

func TestSendWithAKeyFileThatIsEmpty(t *testing.T) {
	server := listen(t, 200)
	file := writeFile(t, "\n")
	code, _, stderr := run(t, "send", "--url", server.URL, "--app-id=1", "--api-key-file", file)
	if code != exitFailure || !strings.Contains(stderr, "the API key: the file "+file+" is empty") || len(server.bodies) > 0 {
		t.Errorf("exit %d, %d calls: %s", code, len(server.bodies), stderr)
	}
}

func TestSendTakesTheKeyFromTheURL(t *testing.T) {
	server := listen(t, 200)
	if code, _, stderr := run(t, "send", "--url", server.URL+"/?param.header.xp-api-key=key", "--app-id=1", "--text="); code != exitOK {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestSendOfAnotherType: a type needs nothing of another one's.
func TestSendOfAnotherType(t *testing.T) {
	before := types.Channels
	types.Channels = append(slices.Clone(before), echo.Type)
	t.Cleanup(func() { types.Channels = before })
	server := listen(t, 200)
	code, _, stderr := run(t, "send", "--type=Echo", "--url", server.URL, "--api-key=k", "--secret=echo-key", "--text=again")
	if code != exitOK || len(server.bodies) != 1 {
		t.Fatalf("exit %d, %d calls: %s", code, len(server.bodies), stderr)
	}
	body := server.bodies[0]
	if !strings.HasSuffix(body, " again") || server.headers[0].Get(echo.SignatureHeader) != echo.Sign([]byte(body), "echo-key") {
		t.Errorf("%q with %v", body, server.headers[0])
	}
	if got := server.headers[0].Get("Content-Type"); got != "text/plain" {
		t.Errorf("Content-Type %q is not the type's", got)
	}
	if _, _, stderr = run(t, "send", "--type=Echo", "--url=nowhere", "--api-key=k"); !strings.Contains(stderr, "http://127.0.0.1:8080/echo") {
		t.Errorf("the advice names no path of the type: %s", stderr)
	}
}

// TestSendTakesTheTypesDefaults: types share a flag of one name, and each has a default of its own for it.
func TestSendTakesTheTypesDefaults(t *testing.T) {
	for typeName, want := range map[string]string{
		"ZaloBot": `{"event_name":"message.text.received","message":{"from":{"id":"6ede9afa66b88fe6d6a9"`,
		"ZaloOA":  `{"event_name":"user_send_text"`, "FacebookMessenger": `{"object":"page","entry":[{"id":"100000000000001"`,
	} {
		server := listen(t, 200)
		args := []string{"send", "--type", typeName, "--url", server.URL, "--api-key=k"}
		if typeName == "ZaloOA" {
			args = append(args, "--app-id=1")
		}
		code, _, stderr := run(t, args...)
		if code != exitOK || len(server.bodies) != 1 || !strings.HasPrefix(server.bodies[0], want) {
			t.Errorf("%s: exit %d, %q: %s", typeName, code, server.bodies, stderr)
		}
	}
}

// TestSendRefusesFlagsOfAnotherType: they would do nothing, and the event would not be the one that was asked for.
func TestSendRefusesFlagsOfAnotherType(t *testing.T) {
	for flag, typeName := range map[string]string{
		"--oa-id": "FacebookMessenger", "--page-id": "ZaloOA", "--chat-id": "AzureBot", "--event": "FacebookMessenger", "--app-id": "ZaloBot",
	} {
		args := []string{"send", "--type", typeName, "--url=http://127.0.0.1:1", "--api-key=k", flag, "7"}
		if typeName == "ZaloOA" {
			args = append(args, "--app-id=1")
		}
		code, _, stderr := run(t, args...)
		if code != exitUsage || !strings.Contains(stderr, flag+" is no part of an event of type "+typeName) {
			t.Errorf("%s of %s: exit %d: %s", flag, typeName, code, stderr)
		}
	}
}

// TestSendTrustsOneCertificate: whatever its name and issuer, and no other one, to which no key is sent.
func TestSendTrustsOneCertificate(t *testing.T) {
	server := &webhook{}
	server.Server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		server.headers = append(server.headers, r.Header)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	own := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	other, _ := certificate.New(t, 1)
	for name, c := range map[string]struct {
		file string
		code int
		says string
	}{
		"its own": {own, exitOK, ""},
		"another": {other, exitFailure, "the webhook has another certificate than the one in"},
		"none":    {"HiddenValue", exitFailure, "holds no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			server.headers = nil
			code, _, stderr := run(t, "send", "--url", server.URL, "--api-key=k", "--file=/dev/null", "--certificate-file", writeFile(t, c.file))
			if code != c.code || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "HiddenValue") {
				t.Errorf("exit %d, %s", code, stderr)
			}
			if served := len(server.headers) > 0; served != (c.code == exitOK) {
				t.Errorf("served: %v", served)
			}
		})
	}
}
