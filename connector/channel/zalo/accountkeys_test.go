package zalo

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// agencies is a channel with a key for the app, and two OAs with keys of their own.
func agencies(mode channel.SignatureMode, appKeys ...string) *Channel {
	secrets := func(keys ...string) (list []config.Secret) {
		for _, key := range keys {
			list = append(list, config.NewSecret(key))
		}
		return list
	}
	return (&Settings{
		AppID:     vectors.AppID,
		Signature: Signature{Mode: mode, SecretKeys: secrets(appKeys...)},
		OfficialAccounts: []OfficialAccount{
			{ID: "oa-1", SecretKeys: secrets("first-agency", "first-agency-new")},
			{ID: "oa-2", SecretKeys: secrets("second-agency", "")},
			{ID: "oa-3"},
		},
	}).open(name)
}

// A key that is listed at an OA verifies only what would be delivered as an event of that OA, whatever else the body
// says.
func TestAnOAsKeySignsForThatOAAlone(t *testing.T) {
	const refused = channel.ReasonSignatureWrong
	for _, tc := range []struct {
		name, body string
		// want are why a call is refused that the app's key signed, and the first and the second OA's.
		app, first, second channel.Reason
	}{
		{"message to the first", `"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa-1"}`, "", "", refused},
		{"message to the second", `"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa-2"}`, "", refused, ""},
		{"message of the first", `"event_name":"oa_send_text","sender":{"id":"oa-1"},"recipient":{"id":"u"}`, "", "", refused},
		{"message to one without keys", `"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa-3"}`, "", refused, refused},
		{
			"message to one that is not listed", `"event_name":"user_send_text","sender":{"id":"u"},"recipient":{"id":"oa-4"}`, "", refused, refused,
		},
		{"follower of the first", `"event_name":"follow","oa_id":"oa-1","follower":{"id":"u"}`, "", "", refused},
		{"quota of the first", `"event_name":"change_oa_daily_quota","oaId":"oa-1"`, "", "", refused},
		{"seen by the first's user", `"event_name":"user_seen_message","sender":{"id":"oa-1"},"recipient":{"id":"u"}`, "", "", refused},
		{
			"group of the first",
			`"event_name":"user_send_group_text","oa_id":"oa-1","sender":{"id":"u"},"recipient":{"group_id":"g"}`, "", "", refused,
		},
		{"an event that names no OA", `"event_name":"permission_revoked"`, "", refused, refused},
		{"an OA's id that is no text", `"event_name":"follow","oa_id":{"oa-1":1}`, "", refused, refused},
		{"oa_id of the first, sent to the second", `"event_name":"follow","oa_id":"oa-1","recipient":{"id":"oa-2"}`, "", refused, refused},
		{
			"sent to the first, oa_id of the second", `"event_name":"user_send_text","oa_id":"oa-2","recipient":{"id":"oa-1"}`, "", refused, refused,
		},
		{"sent to the first, oa_id of another", `"event_name":"user_send_text","oa_id":"oa-4","recipient":{"id":"oa-1"}`, "", refused, refused},
		{"two spellings of oa_id", `"event_name":"follow","oa_id":"oa-1","oaId":"oa-2"`, "", refused, refused},
		{"from one OA to the other", `"event_name":"user_send_text","sender":{"id":"oa-2"},"recipient":{"id":"oa-1"}`, "", refused, refused},
		{"the other OA as the user", `"event_name":"user_click_chatnow","oa_id":"oa-1","user_id":"oa-2"`, "", refused, refused},
		{
			"the other OA where no id can be", `"event_name":"user_send_text","oa_id":{"id":"oa-2"},"recipient":{"id":"oa-1"}`, "", refused, refused,
		},
		{"the other OA as no follower can be", `"event_name":"user_send_text","follower":"oa-2","recipient":{"id":"oa-1"}`, "", refused, refused},
		{"the other OA in a list", `"event_name":"user_send_text","sender":["oa-2"],"recipient":{"id":"oa-1"}`, "", refused, refused},
		{"the other OA in capitals", `"event_name":"user_send_text","OA_ID":"oa-2","recipient":{"id":"oa-1"}`, "", refused, refused},
		{"the other OA as a Sender", `"event_name":"user_send_text","ſender":{"id":"oa-2"},"recipient":{"id":"oa-1"}`, "", refused, refused},
		{"the other OA's Id", `"event_name":"user_send_text","sender":{"id":"u","Id":"oa-2"},"recipient":{"id":"oa-1"}`, "", refused, refused},
		{"a message's Id", `"event_name":"user_send_text","message":{"Id":"x"},"recipient":{"id":"oa-1"}`, "", "", refused},
		{"the other OA as the follower", `"event_name":"follow","oa_id":"oa-1","follower":{"id":"oa-2"}`, "", refused, refused},
	} {
		body := []byte(fmt.Sprintf(`{"app_id":%q,"timestamp":"1782863507304",%s}`, vectors.AppID, tc.body))
		for key, want := range map[string]channel.Reason{
			"of-the-app": tc.app, "first-agency": tc.first, "first-agency-new": tc.first,
			"second-agency": tc.second, "": refused, "nobody's": refused,
		} {
			header := signed(Sign(vectors.AppID, body, "1782863507304", key))
			call, refusal := agencies(channel.SignatureEnforce, "of-the-app").Read(arrived, header, body)
			signer := [sha256.Size]byte{}
			if want == "" {
				signer = sha256.Sum256([]byte(key))
			}
			if got := reason(refusal); got != want || refusal == nil && !call.Verified || call.SignedBy != signer {
				t.Errorf("%s, key %q: %v, signed by %x, want %q", tc.name, key, refusal, call.SignedBy, want)
			}
			call, refusal = agencies(channel.SignatureAudit, "of-the-app").Read(arrived, header, body)
			if refusal != nil || call.AuditFailure != want || call.Verified != (want == "") || call.SignedBy != signer {
				t.Errorf("%s, key %q under Audit: %v, failure %q, verified %v; want %q", tc.name, key, refusal, call.AuditFailure, call.Verified, want)
			}
		}
	}
}

// An OA's own key does not reach the conversation of another OA's group.
func TestGroupsOfOAsWithKeysAreApart(t *testing.T) {
	conversation := func(oa, key string) string {
		body := fmt.Appendf(nil,
			`{"app_id":%q,"timestamp":"1782863507304","event_name":"user_send_group_text","oa_id":%q,"sender":{"id":"u"},"recipient":{"id":"g"}}`,
			vectors.AppID, oa)
		call, refusal := agencies(channel.SignatureEnforce, "of-the-app").
			Read(arrived, signed(Sign(vectors.AppID, body, "1782863507304", key)), body)
		if refusal != nil {
			t.Fatal(refusal)
		}
		return call.Calls[0].Event.Conversation
	}
	for _, tc := range []struct{ oa, key, want string }{
		{"oa-1", "first-agency", "oa/oa-1/group/g"},
		{"oa-1", "of-the-app", "oa/oa-1/group/g"},
		{"oa-2", "second-agency", "oa/oa-2/group/g"},
		{"oa-3", "of-the-app", "group/g"},
	} {
		if got := conversation(tc.oa, tc.key); got != tc.want {
			t.Errorf("%s, key %s: %s, want %s", tc.oa, tc.key, got, tc.want)
		}
	}
}

// The keys of the OAs alone are enough for Precheck to demand a signature.
func TestPrecheck(t *testing.T) {
	for _, tc := range []struct {
		name   string
		z      *Channel
		header http.Header
		want   channel.Reason
	}{
		{"none", agencies(channel.SignatureEnforce, "key"), http.Header{}, channel.ReasonSignatureMissing},
		{"none, an OA's key", agencies(channel.SignatureEnforce), http.Header{}, channel.ReasonSignatureMissing},
		{"malformed", agencies(channel.SignatureEnforce), signed("mac="), channel.ReasonSignatureWrong},
		{"given twice", agencies(channel.SignatureEnforce), signed("mac="+strings.Repeat("a", 64), "x"), channel.ReasonSignatureWrong},
		{"well-formed", agencies(channel.SignatureEnforce), signed("mac=" + strings.Repeat("a", 64)), ""},
		{"none under Audit", agencies(channel.SignatureAudit), http.Header{}, ""},
		{"none under Off", agencies(channel.SignatureOff), http.Header{}, ""},
		{"none, no key", build(channel.SignatureEnforce, vectors.OAs), http.Header{}, ""},
	} {
		if got := reason(tc.z.Precheck(tc.header)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
