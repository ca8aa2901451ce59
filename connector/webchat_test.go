package connector_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	directLineSecret = "hidden-direct-line-secret"
	partnerKey       = "hidden-partner-key-0123456789abcdef"
)

// directLine makes tokens as Azure documents it, for users whose ids begin with "dl_".
func directLine(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			User           struct{ ID, Name string }
			TrustedOrigins []string
		}
		switch err := json.NewDecoder(r.Body).Decode(&asked); {
		case r.Method != http.MethodPost || r.URL.Path != "/v3/directline/tokens/generate":
			w.WriteHeader(http.StatusNotFound)
		case r.Header.Get("Authorization") != "Bearer "+directLineSecret:
			w.WriteHeader(http.StatusForbidden)
		case err != nil || !strings.HasPrefix(asked.User.ID, "dl_") || len(asked.TrustedOrigins) != 1:
			w.WriteHeader(http.StatusBadRequest)
		default:
			fmt.Fprintf(w, `{"conversationId":"c1","token":"hidden-token of %s","expires_in":3600}`, asked.User.ID)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// TestWebChat goes through the door of a running connector, whose webhook is an AzureBot's.
func TestWebChat(t *testing.T) {
	_, all := dialects(t)
	azure, s := all[1], newSettings(t)
	s.further = strings.Replace(speaking(azure, "chat/door", newReceiver(t).URL, azure.Secret()), "azureBot: {", fmt.Sprintf(
		`azureBot: {webChat: {directLineSecret: {value: %s}, partnerKeys: [{name: web, value: %s}], `+
			`trustedOrigins: ["https://shop.example"], url: %q}, `,
		directLineSecret, partnerKey, directLine(t).URL), 1)
	r := start(t, s.write(t))
	for name, tt := range map[string]struct {
		apiKey, partner, body string
		status                int
	}{
		"a known user":          {keyOf("chat/door"), partnerKey, `{"userInfo":{"id":"hidden-user","name":"A"}}`, 200},
		"a new user":            {keyOf("chat/door"), partnerKey, `{}`, 200},
		"without an API key":    {"", partnerKey, `{}`, 401},
		"another partner":       {keyOf("chat/door"), partnerKey + "x", `{}`, 401},
		"no JSON":               {keyOf("chat/door"), partnerKey, `[]`, 400},
		"more than the door is": {keyOf("chat/door"), partnerKey, strings.Repeat(" ", 65<<10), 413},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://"+r.address.Webhook+"/partner/xpbot/api/webchat/initForClient", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Xp-Api-Key", tt.apiKey)
		req.Header.Set("X-Api-Key", tt.partner)
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var chat struct {
			ConversationID, UserID, Token string
			ExpiresIn                     int
		}
		err = json.NewDecoder(resp.Body).Decode(&chat)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status {
			t.Errorf("%s: %d, %v, want %d", name, resp.StatusCode, err, tt.status)
		}
		whole := chat.ConversationID == "c1" && chat.Token == "hidden-token of "+chat.UserID && chat.ExpiresIn == 3600
		if whole != (tt.status == http.StatusOK) {
			t.Errorf("%s: answered with %+v", name, chat)
		}
	}
}
