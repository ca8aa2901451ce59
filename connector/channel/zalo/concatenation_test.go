package zalo

import (
	"fmt"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// The signature covers app id, body and timestamp one after the other, without marks between them. Each test below
// takes the bytes of a signed call apart in another way, and names the check that stands against it.

// resigned has an Enforce channel read a body with the signature of whole, which is what the body, its app id and its
// timestamp look like in a row.
func resigned(t *testing.T, appID, body, timestamp, whole string) *channel.Refusal {
	t.Helper()
	if row := appID + body + timestamp; row != whole {
		t.Fatalf("the parts are %q in a row, and %q was signed", row, whole)
	}
	z := build(channel.SignatureEnforce, nil, vectors.Secret)
	_, refusal := z.Read(arrived, signed(Sign("", []byte(whole), "", vectors.Secret)), []byte(body))
	return refusal
}

const signedBody = `{"app_id":"6254742270069193212","timestamp":"1782863507304"}`

func TestTheConcatenationItself(t *testing.T) {
	if refusal := resigned(t, vectors.AppID, signedBody, "1782863507304", vectors.AppID+signedBody+"1782863507304"); refusal != nil {
		t.Error(refusal)
	}
}

// Digits could move from the app id to the body, or an object before the body could be part of the app id.
func TestTheConcatenationNeedsTheAppIDToBeOurs(t *testing.T) {
	for _, appID := range []string{"", "625474227006919321", vectors.AppID + "1", `625{"app_id":"6254742270069193212"}`} {
		body := fmt.Sprintf(`{"app_id":%q,"timestamp":"1"}`, appID)
		if refusal := resigned(t, appID, body, "1", appID+body+"1"); reason(refusal) != channel.ReasonWrongApp {
			t.Errorf("app id %q: %v", appID, refusal)
		}
	}
}

// What stands before or behind the object could belong to the app id or the timestamp.
func TestTheConcatenationNeedsExactlyOneObject(t *testing.T) {
	whole := vectors.AppID + signedBody + "1782863507304"
	for _, cut := range []int{0, 1, 6, len("1782863507304")} {
		timestamp := "1782863507304"[cut:]
		body := signedBody + "1782863507304"[:cut]
		if refusal := resigned(t, vectors.AppID, body, timestamp, whole); (refusal == nil) != (cut == 0) ||
			cut > 0 && reason(refusal) != channel.ReasonMalformed {
			t.Errorf("%d digits behind the object: %v", cut, refusal)
		}
	}
	for _, body := range []string{
		signedBody + signedBody, signedBody + "," + signedBody, "3" + signedBody,
		"[" + signedBody + "]", signedBody[:len(signedBody)-1], `{"a":` + signedBody,
	} {
		refusal := resigned(t, vectors.AppID, body, "1782863507304", vectors.AppID+body+"1782863507304")
		if reason(refusal) != channel.ReasonMalformed {
			t.Errorf("%q: %v", body, refusal)
		}
	}
}

// With a second app_id or timestamp, the same bytes could be signed for one and read for the other.
func TestTheConcatenationNeedsAppIDAndTimestampOnce(t *testing.T) {
	for _, member := range []string{
		`"app_id":"6254742270069193212"`, `"timestamp":"1782863507304"`, `"timestamp":"1"`, `"app_id":null`, `"\u0074imestamp":"1782863507304"`,
	} {
		for _, body := range []string{"{" + member + "," + signedBody[1:], strings.TrimSuffix(signedBody, "}") + "," + member + "}"} {
			refusal := resigned(t, vectors.AppID, body, "1782863507304", vectors.AppID+body+"1782863507304")
			if reason(refusal) != channel.ReasonMalformed {
				t.Errorf("%s: %v", body, refusal)
			}
		}
	}
}

// A timestamp from anywhere else could take up what follows the object, white space included.
func TestTheConcatenationNeedsTheObjectsOwnTimestamp(t *testing.T) {
	for _, timestamp := range []string{"", "178286350730", "17828635073041", " 1782863507304", "\n1782863507304"} {
		refusal := resigned(t, vectors.AppID, signedBody, timestamp, vectors.AppID+signedBody+timestamp)
		if reason(refusal) != channel.ReasonSignatureWrong {
			t.Errorf("signed with timestamp %q: %v", timestamp, refusal)
		}
	}
	nested := `{"app_id":"6254742270069193212","message":{"timestamp":"1782863507304"}}`
	if refusal := resigned(t, vectors.AppID, nested, "1782863507304",
		vectors.AppID+nested+"1782863507304"); reason(refusal) != channel.ReasonSignatureMissing {
		t.Errorf("a timestamp of an inner object: %v", refusal)
	}
}
