package webchat_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// azure implements the documented calls of Direct Line 3.0.
type azure struct {
	*httptest.Server

	mu sync.Mutex
	// secrets are the keys of the channel; Azure has two.
	secrets map[string]bool
	tokens  map[string]*token
	calls   int
	// connections are those that were made, open those that have not ended.
	connections, open int
	// instead answers in place of Direct Line.
	instead http.HandlerFunc
}

// token is one that Direct Line made.
type token struct {
	user, name, conversation string
	origins                  []string
	expired                  bool
}

func newAzure(t testing.TB) *azure {
	a := &azure{secrets: map[string]bool{directLineSecret: true}, tokens: map[string]*token{}}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ConnState = a.note
	a.Start()
	t.Cleanup(a.Close)
	return a
}

// note counts connections.
func (a *azure) note(_ net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state { //nolint:exhaustive // the others change no number
	case http.StateNew:
		a.connections++
		a.open++
	case http.StateClosed:
		a.open--
	}
}

// connected returns how many connections were made, and how many are open.
func (a *azure) connected() (connections, open int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.connections, a.open
}

// ServeHTTP implements http.Handler.
func (a *azure) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	a.mu.Lock()
	a.calls++
	instead := a.instead
	a.mu.Unlock()
	bearer, _ := strings.CutPrefix(call.Header.Get("Authorization"), "Bearer ")
	switch {
	case instead != nil:
		instead(w, call)
	case call.Method != http.MethodPost:
		refuse(w, http.StatusMethodNotAllowed, "BadArgument")
	case call.URL.Path == "/v3/directline/tokens/generate":
		a.generate(w, call, bearer)
	case call.URL.Path == "/v3/directline/tokens/refresh":
		a.refresh(w, bearer)
	default:
		refuse(w, http.StatusNotFound, "NotFound")
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":"quoted %s"}}`, code, directLineSecret)
}

func (a *azure) generate(w http.ResponseWriter, call *http.Request, secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var body struct {
		User           struct{ ID, Name string }
		TrustedOrigins []string
	}
	err := json.NewDecoder(call.Body).Decode(&body)
	switch {
	case !a.secrets[secret]:
		refuse(w, http.StatusForbidden, "BadArgument")
	case err != nil || !strings.HasPrefix(body.User.ID, "dl_") || call.Header.Get("Content-Type") != "application/json":
		refuse(w, http.StatusBadRequest, "BadArgument")
	default:
		a.issue(w, token{body.User.ID, body.User.Name, fmt.Sprint("conversation-", len(a.tokens)), body.TrustedOrigins, false})
	}
}

func (a *azure) refresh(w http.ResponseWriter, bearer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch known := a.tokens[bearer]; {
	case a.secrets[bearer]:
		refuse(w, http.StatusBadRequest, "ServiceError") // "This method can only be used to renew an existing token"
	case known == nil:
		refuse(w, http.StatusForbidden, "BadArgument")
	case known.expired:
		refuse(w, http.StatusForbidden, "TokenExpired")
	default:
		a.issue(w, *known)
	}
}

// issue answers with a new token.
func (a *azure) issue(w http.ResponseWriter, t token) {
	claims := fmt.Sprintf(`{"bot":"shop","site":"s","conv":%q,"user":%q,"n":%d}`, t.conversation, t.user, len(a.tokens))
	text := "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig"
	a.tokens[text] = &t
	fmt.Fprintf(w, `{"conversationId":%q,"token":%q,"expires_in":3600}`, t.conversation, text)
}

// made returns a token; nil if Direct Line made none of that text.
func (a *azure) made(text string) *token {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tokens[text]
}

func (a *azure) misbehave(instead http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.instead, a.calls = instead, 0
}

func (a *azure) called() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}
