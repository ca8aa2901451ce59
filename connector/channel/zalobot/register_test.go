package zalobot_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalobot"
)

const (
	credential = "2553928453557884079:Hidden-Bot_Token.0"
	apiKey     = "Hidden0API0Key0000-of-32-characters"
	secret     = "Hidden0Secret0Token"
	webhook    = "https://hooks.example.com/webhook/xpbot/api/zalobot/push?param.header.xp-api-key=" + apiKey
)

// platform serves setWebhook.
func platform(t *testing.T, answer http.HandlerFunc) channel.Registration {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return channel.Registration{API: server.URL + "/", Client: client, Credential: credential, URL: webhook, Secret: secret}
}

// say answers with a status, a header, and a body.
func say(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestRegisterCallsSetWebhook(t *testing.T) {
	calls := make(chan string, 1)
	r := platform(t, func(w http.ResponseWriter, call *http.Request) {
		var body map[string]string
		if err := json.NewDecoder(call.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(map[string]string{"url": webhook, "secret_token": secret}, body); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		calls <- call.Method + " " + call.RequestURI + " " + call.Header.Get("Content-Type")
		_, _ = io.WriteString(w, `{"ok":true,"result":{"url":"https://hooks.example.com","updated_at":1749538250568}}`)
	})
	if err := zalobot.Register(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got, want := <-calls, "POST /bot"+credential+"/setWebhook application/json"; got != want {
		t.Errorf("called %s, want %s", got, want)
	}
}

// TestRegisterSaysWhyNot: whatever the platform answers, the error says why, and quotes nothing that is secret.
func TestRegisterSaysWhyNot(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		answer     http.HandlerFunc
		want       string
		refused    bool
		retryAfter time.Duration
	}{
		"refused with HTTP 200": {
			say(200, `{"ok":false,"error_code":401,"description":"Unauthorized"}`),
			`Zalo answered HTTP 200 with error 401 and said "Unauthorized"`, true, 0,
		},
		"the code is a text": {
			say(200, `{"ok":false,"error_code":"403","description":"no"}`), `Zalo answered HTTP 200 with error 403 and said "no"`, true, 0,
		},
		"another error": {
			say(200, `{"ok":false,"error_code":400,"description":"bad URL"}`), `HTTP 200 with error 400 and said "bad URL"`, false, 0,
		},
		"an error in a 401":  {say(401, `{"ok":false,"error_code":-1}`), `Zalo answered HTTP 401 with error -1`, false, 0},
		"no code":            {say(200, `{"ok":false}`), `Zalo answered HTTP 200`, false, 0},
		"unauthorised":       {say(401, `<html>`), `Zalo answered HTTP 401`, true, 0},
		"no such bot":        {say(404, ``), `Zalo answered HTTP 404 with no answer of its API`, true, 0},
		"ok in an error":     {say(500, `{"ok":true}`), `Zalo answered HTTP 500`, false, 0},
		"too many":           {say(429, `{}`, "Retry-After", "17"), `Zalo answered HTTP 429`, false, 17 * second},
		"too many in a 200":  {say(200, `{"ok":false,"error_code":429}`, "Retry-After", "9"), `error 429`, false, 9 * second},
		"a senseless time":   {say(503, ``, "Retry-After", "-17"), `Zalo answered HTTP 503`, false, 0},
		"a time in the past": {say(503, ``, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), `Zalo answered HTTP 503`, false, 0},
		"a redirect": {
			say(302, ``, "Location", "https://elsewhere.example.com/"), `HTTP 302, a redirect, which is not followed`, false, 0,
		},
		"garbage":      {say(200, "\x00\xff"), `HTTP 200 with no answer of its API`, false, 0},
		"another JSON": {say(200, `{"status":"ok"}`), `HTTP 200 with no answer of its API`, false, 0},
		"no object":    {say(200, `[]`), `HTTP 200 with no answer of its API`, false, 0},
		"endless":      {say(200, `{"ok":true,"result":"`+strings.Repeat("x", 1<<20)+`"}`), `HTTP 200 with no answer of its API`, false, 0},
		"echoes the token": {
			say(200, `{"ok":false,"error_code":400,"description":"no bot `+strings.ToUpper(credential)+`"}`),
			`Zalo answered HTTP 200 with error 400`, false, 0,
		},
		"echoes the key": {
			say(200, `{"ok":false,"error_code":400,"description":"bad `+apiKey+`"}`), `Zalo answered HTTP 200 with error 400`, false, 0,
		},
		"echoes the secret": {
			say(200, `{"ok":false,"error_code":400,"description":"bad `+secret+`"}`), `Zalo answered HTTP 200 with error 400`, false, 0,
		},
		"echoes the beginning of the token": {
			say(200, `{"ok":false,"error_code":400,"description":"no bot 2553928453557884079:Hidden-B…"}`),
			`Zalo answered HTTP 200 with error 400`, false, 0,
		},
		"echoes the end of the key": {
			say(200, `{"ok":false,"error_code":400,"description":"bad …-characters"}`), `Zalo answered HTTP 200 with error 400`, false, 0,
		},
		"says too much": {
			say(200, `{"ok":false,"description":"a\n`+strings.Repeat("á", 300)+`"}`), `and said "a á`, false, 0,
		},
		"breaks off": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, `{"ok":`)
			}, `Zalo's answer broke off: unexpected EOF`, false, 0,
		},
		"no HTTP, and an echo": {
			func(w http.ResponseWriter, call *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_, _ = io.WriteString(conn, call.RequestURI+"\r\n\r\n")
					_ = conn.Close()
				}
			}, `Zalo's API was not reached: the connection failed`, false, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := failed(t.Context(), t, platform(t, c.answer))
			if !strings.Contains(refusal.Message, c.want) || refusal.Refused != c.refused || refusal.RetryAfter != c.retryAfter {
				t.Errorf("got %+v, want %s", refusal, c.want)
			}
		})
	}
}

// failed registers in vain.
func failed(ctx context.Context, t *testing.T, r channel.Registration) *channel.RegistrationError {
	t.Helper()
	err := zalobot.Register(ctx, r)
	refusal, ok := errors.AsType[*channel.RegistrationError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(strings.ToLower(refusal.Message), "hidden") || strings.Contains(refusal.Message, "/bot") {
		t.Errorf("it quotes a secret: %s", refusal.Message)
	}
	if len(refusal.Message) > 400 || strings.ContainsAny(refusal.Message, "\n\r") {
		t.Errorf("an unbounded message: %q", refusal.Message)
	}
	return refusal
}

// TestRegisterKeepsAnEscapedSecret: a platform may write what it quotes as it stands in a URL.
func TestRegisterKeepsAnEscapedSecret(t *testing.T) {
	r := platform(t, say(200, `{"ok":false,"error_code":400,"description":"bad a%2Fb+c%3Dd"}`))
	r.Secret = "a/b c=d"
	if got, want := failed(t.Context(), t, r).Message, "Zalo answered HTTP 200 with error 400"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRegisterEndsWithItsTime: a platform that hangs holds up nothing.
func TestRegisterEndsWithItsTime(t *testing.T) {
	r := platform(t, func(_ http.ResponseWriter, call *http.Request) {
		_, _ = io.Copy(io.Discard, call.Body) // else the server does not see that the caller went
		<-call.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, want := failed(ctx, t, r).Message, "Zalo's API was not reached: no answer in time"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRegisterSaysThatNobodyAnswers without the URL that holds the token.
func TestRegisterSaysThatNobodyAnswers(t *testing.T) {
	r := platform(t, say(200, ""))
	r.API = "http://127.0.0.1:1"
	if got := failed(t.Context(), t, r).Message; !strings.Contains(got, "refused") {
		t.Errorf("got %s", got)
	}
	r.API = "http://[::1"
	if got := failed(t.Context(), t, r).Message; !strings.Contains(got, "no URL") {
		t.Errorf("got %s", got)
	}
}

// TestRegisterPutsNothingElseIntoAPath: only what looks like a bot token is sent.
func TestRegisterPutsNothingElseIntoAPath(t *testing.T) {
	for _, wrong := range []string{
		"", ":", "Hidden", "12:", ":Hidden", "12:Hidden/../../x", "12:Hidden?x", "12:Hidden#x", "12:Hidden x", "12:Hidden\n", "12:Hiddén",
		"12:Hidden%2F", "a12:Hidden", "12:" + strings.Repeat("Hidden", 50),
	} {
		r := platform(t, func(http.ResponseWriter, *http.Request) { t.Errorf("%q was sent", wrong) })
		r.Credential = wrong
		if got := failed(t.Context(), t, r); !got.Refused {
			t.Errorf("%q: %+v", wrong, got)
		}
	}
}
