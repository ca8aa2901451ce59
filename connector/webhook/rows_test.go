package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// faulty is a call with any set of the faults of the table's rows.
type faulty struct {
	path, method, key, app, messageID, account, name, signedWith string

	busy, large, probe, malformed, unsigned, awaiting, stale, duplicate, full bool
}

func (c faulty) body() []byte {
	padding := ""
	if c.large {
		padding = strings.Repeat(" ", 4096)
	}
	if c.probe {
		return []byte("{" + padding + "}")
	}
	body := fmt.Sprintf(`{"event_name":%q,"app_id":%q,"sender":{"id":%q},"recipient":{"id":%q},"message":{"msg_id":%q},`+
		`"timestamp":"1782863507304"%s}`,
		c.name, c.app, user, c.account, c.messageID, padding)
	if c.malformed {
		body += "}"
	}
	return []byte(body)
}

// answer makes the call against a fresh handler.
func (c faulty) answer(t *testing.T) (*fixture, *httptest.ResponseRecorder) {
	f := newFixture(t, nil, newChannel(func(ch *Channel) {
		ch.MaxBodySize = 1024
		ch.Events.Exclude = []string{"user_send_l*"}
		if c.stale {
			ch.MaxEventAge = time.Hour // the timestamp is that of a sample
		}
		if c.awaiting {
			ch.Type = opened(ch.Name,
				zalo.Settings{AppID: app, Signature: zalo.Signature{Mode: channel.SignatureEnforce, SecretKeys: []config.Secret{{Missing: true}}}})
		}
	}))
	body := c.body()
	call := httptest.NewRequest(c.method, c.path+"?"+keyParameter+"="+c.key, bytes.NewReader(body))
	if !c.unsigned {
		call.Header.Set(zalo.SignatureHeader, zalo.Sign(c.app, body, "1782863507304", c.signedWith))
	}
	for range 64 {
		if c.busy && !f.inFlight.entered(&share{alone: true}, nil).arrive() {
			t.Fatal("no calls to take")
		}
	}
	f.inbox.known = c.duplicate
	if c.full {
		f.inbox.err = inbox.ErrFull
	}
	return f, f.do(call)
}

// row is an answer of the table in the package's comment, with the fault that brings it about.
type row struct {
	row              string
	fault            func(*faulty)
	status           int
	message          *reply
	refused, ignored string
	// stranger: no channel is known.
	stranger bool
	// without are the rows whose fault cannot come along.
	without string
}

// rows are in the order of the table.
var rows = []row{
	{row: "0", fault: func(c *faulty) { c.path, c.method = HealthPath, http.MethodGet }, status: 200, stranger: true},
	{
		row: "1", fault: func(c *faulty) { c.path = "/webhook/xpbot/api/zalo" },
		status: 404, message: answerUnknownPath, refused: "unknown_path", stranger: true,
	},
	{row: "2", fault: func(c *faulty) { c.method = http.MethodGet }, status: 200, message: answerProbe, ignored: "url_check", without: "3"},
	{row: "2a", fault: func(c *faulty) { c.method = http.MethodPut }, status: 405, message: answerUsePost, refused: "method", stranger: true},
	{row: "3", fault: func(c *faulty) { c.key = key[:63] + "e" }, status: 401, message: answerKey, refused: "key", stranger: true},
	{row: "4", fault: func(c *faulty) { c.busy = true }, status: 503, message: answerBusy, refused: "busy"},
	{row: "4a", fault: func(c *faulty) { c.unsigned = true }, status: 401, refused: "signature_missing", without: "6 8a"},
	{row: "5", fault: func(c *faulty) { c.large = true }, status: 413, message: answerTooLarge, refused: "too_large"},
	// An empty object has no members to be wrong.
	{
		row: "6", fault: func(c *faulty) { c.probe = true }, status: 200,
		message: answerProbe, ignored: "probe", without: "7 8 8a 9 10 11 12 12a 13",
	},
	{row: "7", fault: func(c *faulty) { c.malformed = true }, status: 400, refused: "malformed"},
	{row: "8", fault: func(c *faulty) { c.app = "1" }, status: 403, refused: "wrong_app"},
	{row: "8a", fault: func(c *faulty) { c.awaiting = true }, status: 503, refused: "awaiting_secret"},
	{row: "9", fault: func(c *faulty) { c.signedWith = "another" }, status: 401, refused: "signature_wrong"},
	{
		row: "10", fault: func(c *faulty) { c.messageID = "This is message id" },
		status: 200, message: answerConsoleTest, ignored: "console_test",
	},
	{row: "11", fault: func(c *faulty) { c.account = "1" }, status: 200, message: answerForeignAccount, ignored: "foreign_account"},
	{row: "12", fault: func(c *faulty) { c.name = "user_send_link" }, status: 200, message: answerExcluded, ignored: "excluded"},
	{row: "12a", fault: func(c *faulty) { c.stale = true }, status: 503, message: answerStale, refused: "stale"},
	// The inbox alone orders these two.
	{row: "13", fault: func(c *faulty) { c.duplicate = true }, status: 200, message: answerDuplicate, without: "14"},
	{row: "14", fault: func(c *faulty) { c.full = true }, status: 503, message: answerFull, refused: "inbox_full"},
	{row: "15", fault: func(*faulty) {}, status: 200, message: answerAccepted},
}

// With two faults at once, the row that comes first answers.
func TestRowsInOrder(t *testing.T) {
	for i, first := range rows {
		for _, second := range rows[i:] {
			if slices.Contains(strings.Fields(first.without), second.row) {
				continue
			}
			t.Run(first.row+" before "+second.row, func(t *testing.T) {
				c := faulty{
					path: path, method: http.MethodPost, key: key, app: app, messageID: "m", account: oa, name: "user_send_text", signedWith: secret,
				}
				second.fault(&c)
				first.fault(&c)
				f, w := c.answer(t)
				first.check(t, f, w)
			})
		}
	}
}

// check judges an answer that the row should have given.
func (r row) check(t *testing.T, f *fixture, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != r.status {
		t.Errorf("answer %d, want %d", w.Code, r.status)
	}
	if hint := w.Header().Get("Retry-After"); (hint != "") != (r.status == 503) {
		t.Errorf("Retry-After %q", hint)
	}
	name := "chat/shop"
	if r.stranger {
		name = ""
	}
	if r.refused != "" && f.refused(name, r.refused) != 1 {
		t.Errorf("not counted as %q of channel %q", r.refused, name)
	}
	if r.ignored != "" && int(f.metrics.Of(name).Ignored.Of(r.ignored)) != 1 {
		t.Errorf("not counted as %q", r.ignored)
	}
	if got := len(f.inbox.stored()); (r.row == "15") != (got == 1) {
		t.Errorf("%d events stored", got)
	}
	if r.row == "0" {
		return // what load balancers look at is the status alone
	}
	got := readReply(t, w.Body)
	if wantStatus := map[bool]string{true: "0", false: "1"}[r.status == 200]; got.Status != wantStatus || got.Message == "" {
		t.Errorf("answer %+v", got)
	}
	if r.message != nil && got.Message != r.message.message {
		t.Errorf("message %q", got.Message)
	}
	if w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
	}
}
