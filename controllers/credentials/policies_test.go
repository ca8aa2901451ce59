package credentials

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

// How messages name the Secret keys of everything.
const (
	theOAKey     = `Secret "shop-zalo", key "oa-secret-key" (spec.zaloOA.signature.secretKeyRefs[0])`
	theOldOAKey  = `Secret "shop-zalo", key "old" (spec.zaloOA.signature.secretKeyRefs[1])`
	theAPIKey    = `Secret "shop-xbot", key "xp-api-key" (spec.webhook.apiKeys[0].secretKeyRef)`
	theOldAPIKey = `Secret "shop-xbot", key "old" (spec.webhook.apiKeys[1].secretKeyRef)`
	theHeader    = `Secret "bot", key "authorization" (spec.sink.http.headers[0].secretKeyRef)`
	theURL       = `Secret "bot", key "url" (spec.sink.http.urlSecretKeyRef)`
	theSigning   = `Secret "bot", key "signing" (spec.sink.http.signingSecretKeyRef)`
	theCA        = `Secret "bot-ca", key "ca.crt" (spec.sink.http.tls.caSecretKeyRef)`
	theCert      = `Secret "bot-tls", key "tls.crt" (spec.sink.http.tls.clientCertificateSecretRef)`
	theKey       = `Secret "bot-tls", key "tls.key" (spec.sink.http.tls.clientCertificateSecretRef)`
)

// blocks and warns are what a case expects.
func blocks(reason, message string) []Finding {
	return []Finding{{Reason: reason, Message: message, Blocking: true}}
}
func warns(reason, message string) []Finding { return []Finding{{Reason: reason, Message: message}} }

// judged is a case: Secrets, and what is found in them.
type judged struct {
	there secrets
	// others are patches of another ChannelConnector, called other.
	others []string
	want   []Finding
}

// check judges the Secrets of everything, and sees that no message holds a value.
func (c judged) check(t *testing.T) {
	t.Helper()
	shared := map[v1alpha1.SecretKeyRef]string{}
	for _, patch := range c.others {
		_, own := Named(connectortest.New(t, patch))
		for _, key := range own {
			shared[key] = "other"
		}
	}
	connector := connectortest.New(t, everything)
	resolved, err := Resolve(t.Context(), Input{
		Connector: connector, From: c.there.source(new([]string)), SharedWith: func(key v1alpha1.SecretKeyRef) string { return shared[key] },
	})
	if err != nil || resolved.Unread != nil {
		t.Fatal(err, resolved.Unread)
	}
	got := resolved.Findings
	if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Finding{}, "Meanwhile", "Sink")); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, f := range got {
		for name, data := range c.there {
			for key, value := range data {
				if value = strings.TrimSpace(value); strings.Contains(f.Message, hidden) || len(value) > 2 && strings.Contains(f.Message, value) {
					t.Errorf("the message holds the value of Secret %q, key %q: %s", name, key, f.Message)
				}
			}
		}
	}
}

// TestBlocking has each policy that blocks by values that it refuses, and by those next to them that it takes.
func TestBlocking(t *testing.T) {
	there := good(t)
	for name, c := range map[string]judged{
		"nothing": {there: there},

		"no Secret": {there.without("bot", ""), nil, slices.Concat(
			blocks(ReasonSecretNotFound,
				`Secret "bot" does not exist (spec.sink.http.urlSecretKeyRef): create it with the key "url", or correct the reference`),
			blocks(ReasonSecretNotFound,
				`Secret "bot" does not exist (spec.sink.http.headers[0].secretKeyRef): create it with the key "authorization",`+
					` or correct the reference`),
			blocks(ReasonSecretNotFound,
				`Secret "bot" does not exist (spec.sink.http.signingSecretKeyRef): create it with the key "signing", or correct the reference`),
		)},
		"no key": {there.without("shop-zalo", "old"), nil, blocks(ReasonKeyNotFound,
			`Secret "shop-zalo" has no key "old" (spec.zaloOA.signature.secretKeyRefs[1]): add the key, or correct the reference`)},
		"no private key": {there.without("bot-tls", "tls.key"), nil, blocks(ReasonKeyNotFound,
			`Secret "bot-tls" has no key "tls.key" (spec.sink.http.tls.clientCertificateSecretRef): add the key, or correct the reference`)},
		"empty":            {there.with("shop-zalo", "oa-secret-key", ""), nil, blocks(ReasonEmpty, theOAKey+" is empty: fill it in")},
		"only white space": {there.with("bot-ca", "ca.crt", " \r\n\t"), nil, blocks(ReasonEmpty, theCA+" is empty: fill it in")},

		"a Secret of 1 MiB": {there.with("shop-xbot", "old", strings.Repeat("x", 1<<20)), nil,
			blocks(ReasonTooLarge, theOldAPIKey+" is larger than 64 KiB: put the credential alone into it")},
		"a header of 64 KiB": {there: there.with("bot", "authorization", strings.Repeat("x", 64<<10)+"\n"),
			want: warns(ReasonTrimmed, theHeader+" begins or ends with white space, which is left out: write the Secret without it")},
		"a header above": {there.with("bot", "authorization", strings.Repeat("x", 64<<10+1)), nil,
			blocks(ReasonTooLarge, theHeader+" is larger than 64 KiB: put the credential alone into it")},
		"a bundle of 512 KiB": {there: there.with("bot-ca", "ca.crt", bundle(there, 512<<10))},
		"a bundle above": {there.with("bot-ca", "ca.crt", bundle(there, 512<<10+1)), nil,
			blocks(ReasonTooLarge, theCA+" is larger than 512 KiB: put the credential alone into it")},

		"the OA secret key as API key": {there.with("shop-xbot", "old", apiKey2).with("shop-zalo", "old", apiKey2),
			nil, blocks("OASecretKeyEqualsAPIKey",
				theOldOAKey+` is the same as the API key in `+theOldAPIKey+
					`: the two are different things, copy the OA secret key from Zalo's console`)},
		"the OA secret key as API key of 15 characters": {
			there.with("shop-xbot", "old", "HiddenValue-123").with("shop-zalo", "old", "HiddenValue-123"), nil, slices.Concat(
				warns(ReasonShort, theOldOAKey+" is shorter than 16 characters: make sure that it is complete"),
				blocks("OASecretKeyEqualsAPIKey", theOldAPIKey+` is the same as the OA secret key in `+theOldOAKey+
					`: the two are different things, make a key with "openssl rand -hex 32"`)),
		},
		"an API key of 15 characters": {there.with("shop-xbot", "xp-api-key", "HiddenValue-123"), nil,
			blocks(ReasonAPIKeyTooShort,
				theAPIKey+` is shorter than 16 characters, so that it can be guessed: make one with "openssl rand -hex 32"`)},
		"two API keys of one value": {there.with("shop-xbot", "old", " "+apiKey1), nil,
			blocks(ReasonAPIKeyTwice, theOldAPIKey+" is the same API key as "+theAPIKey+
				": write each key once, since a call finds its channel by it")},
		"two OA secret keys of one value": {there: there.with("shop-zalo", "old", oaKey)},
		"an API key as header":            {there: there.with("bot", "authorization", apiKey1)},
		"empty keys are not the same": {there.with("shop-xbot", "old", "").with("shop-zalo", "old", ""), nil, slices.Concat(
			blocks(ReasonEmpty, theOldOAKey+" is empty: fill it in"), blocks(ReasonEmpty, theOldAPIKey+" is empty: fill it in"))},
	} {
		t.Run(name, c.check)
	}
}

// bundle is a good bundle of authorities of that size.
func bundle(there secrets, size int) string {
	cert := there["bot-ca"]["ca.crt"]
	return strings.Repeat("#", size-len(cert)) + "\n" + strings.TrimSpace(cert)
}

// TestMalformed has, for each purpose, what cannot be what it is meant to be.
func TestMalformed(t *testing.T) {
	there := good(t)
	cert, key := there["bot-tls"]["tls.crt"], there["bot-tls"]["tls.key"]
	_, otherKey := certificate.New(t, 2)
	const (
		notAlone   = " holds white space or invisible characters, or is no text: put the key alone into it, on one line"
		notALine   = " holds line breaks or control characters, or is no text: put the value on one line"
		notSigning = ` is no signing secret: write "whsec_" and the base64 of 24 to 64 bytes`
		noBundle   = ` holds no certificate in PEM: write a bundle of "BEGIN CERTIFICATE" blocks`
		noCert     = ` holds no certificate in PEM: write a "BEGIN CERTIFICATE" block`
		noPair     = ` is not the private key, in PEM, of the certificate in ` + theCert + `: put a matching pair there`
	)
	sized := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for name, c := range map[string]judged{
		"an OA key of two words": {
			there.with("shop-zalo", "oa-secret-key", "HiddenValue one two"), nil, blocks(ReasonMalformed, theOAKey+notAlone),
		},
		"an API key of two lines": {
			there.with("shop-xbot", "xp-api-key", "HiddenValue-one\nHiddenValue-two"), nil, blocks(ReasonMalformed, theAPIKey+notAlone),
		},
		"an OA key with a NUL": {
			there.with("shop-zalo", "oa-secret-key", "HiddenValue\x00HiddenValue"), nil, blocks(ReasonMalformed, theOAKey+notAlone),
		},
		"an OA key in another coding": {
			there.with("shop-zalo", "oa-secret-key", "HiddenValue\xff\xfeHiddenValue"), nil, blocks(ReasonMalformed, theOAKey+notAlone),
		},
		"an OA key with a mark before": {
			there.with("shop-zalo", "oa-secret-key", "\ufeffHiddenValue-oa-key"), nil, blocks(ReasonMalformed, theOAKey+notAlone),
		},
		"an API key with a soft space": {
			there.with("shop-xbot", "xp-api-key", "HiddenValue\u200b-api-key"), nil, blocks(ReasonMalformed, theAPIKey+notAlone),
		},
		"an API key in any script": {there: there.with("shop-xbot", "xp-api-key", "Chìa-khóa-của-HiddenValue-rất-dài")},

		"a header of two lines": {
			there.with("bot", "authorization", "HiddenValue\r\nX-Other: y"), nil, blocks(ReasonMalformed, theHeader+notALine),
		},
		"a header in another coding": {there.with("bot", "authorization", "HiddenValue \xe9"), nil, blocks(ReasonMalformed, theHeader+notALine)},
		"a header with a tab":        {there: there.with("bot", "authorization", "HiddenValue\tHiddenValue")},
		"a header in any script":     {there: there.with("bot", "authorization", "Khách HiddenValue")},

		"a URL that is none": {
			there.with("bot", "url", "HiddenValue"), nil,
			blocks(ReasonMalformed, theURL+` is no URL of a sink: want an absolute URL such as "http://bot.chat.svc/events"`),
		},
		"a URL with credentials": {
			there.with("bot", "url", "https://me:HiddenValue@bot"), nil,
			blocks(ReasonMalformed, theURL+" is no URL of a sink: must hold no credentials: use headers, for example Authorization"),
		},
		"a URL of two lines": {
			there.with("bot", "url", "https://bot/\nHiddenValue"), nil,
			blocks(ReasonMalformed, theURL+` is no URL of a sink: want an absolute URL such as "http://bot.chat.svc/events"`),
		},
		"a plain URL with TLS": {
			there.with("bot", "url", "http://bot/HiddenValue"), nil,
			blocks(ReasonMalformed, theURL+" is no https URL, which spec.sink.http.tls needs: write an https URL, or leave tls out"),
		},

		"a signing secret of text": {
			there.with("bot", "signing", "HiddenValue, HiddenValue"), nil, blocks(ReasonMalformed, theSigning+notSigning),
		},
		"a signing secret too short":  {there.with("bot", "signing", "whsec_"+sized(23)), nil, blocks(ReasonMalformed, theSigning+notSigning)},
		"a signing secret too long":   {there.with("bot", "signing", sized(65)), nil, blocks(ReasonMalformed, theSigning+notSigning)},
		"the shortest signing secret": {there: there.with("bot", "signing", sized(24))},
		"the longest signing secret":  {there: there.with("bot", "signing", "whsec_"+sized(64))},
		"a bundle of text":            {there.with("bot-ca", "ca.crt", hidden), nil, blocks(ReasonMalformed, theCA+noBundle)},
		"a bundle of a key":           {there.with("bot-ca", "ca.crt", key), nil, blocks(ReasonMalformed, theCA+noBundle)},
		"a bundle of two":             {there: there.with("bot-ca", "ca.crt", cert+there["bot-ca"]["ca.crt"])},
		"a certificate cut short":     {there.with("bot-tls", "tls.crt", cert[:len(cert)/2]), nil, blocks(ReasonMalformed, theCert+noCert)},
		"a certificate of nothing": {
			there.with("bot-tls", "tls.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
			nil, blocks(ReasonMalformed, theCert+noCert),
		},
		"the key for a certificate":    {there.with("bot-tls", "tls.crt", key), nil, blocks(ReasonMalformed, theCert+noCert)},
		"a certificate after its key":  {there: there.with("bot-tls", "tls.crt", key+cert)},
		"a certificate after text":     {there: there.with("bot-tls", "tls.crt", "Subject: HiddenValue\n"+cert)},
		"a private key of text":        {there.with("bot-tls", "tls.key", hidden), nil, blocks(ReasonMalformed, theKey+noPair)},
		"a private key of another one": {there.with("bot-tls", "tls.key", otherKey), nil, blocks(ReasonMalformed, theKey+noPair)},
	} {
		t.Run(name, c.check)
	}
}

// TestUnfitPair: both halves of a pair are judged, whatever is wrong with the other one.
func TestUnfitPair(t *testing.T) {
	there := good(t)
	key, large := there["bot-tls"]["tls.key"], strings.Repeat("x", 64<<10+1)
	const (
		noCert   = ` holds no certificate in PEM: write a "BEGIN CERTIFICATE" block`
		tooLarge = " is larger than 64 KiB: put the credential alone into it"
	)
	for name, c := range map[string]judged{
		"both unfit": {there.with("bot-tls", "tls.crt", key).with("bot-tls", "tls.key", large), nil,
			slices.Concat(blocks(ReasonMalformed, theCert+noCert), blocks(ReasonTooLarge, theKey+tooLarge))},
		"an unfit certificate without its key": {there.with("bot-tls", "tls.crt", hidden).with("bot-tls", "tls.key", ""), nil,
			slices.Concat(blocks(ReasonMalformed, theCert+noCert), blocks(ReasonEmpty, theKey+" is empty: fill it in"))},
		"an unfit key without its certificate": {there.with("bot-tls", "tls.crt", "").with("bot-tls", "tls.key", large), nil,
			slices.Concat(blocks(ReasonEmpty, theCert+" is empty: fill it in"), blocks(ReasonTooLarge, theKey+tooLarge))},
	} {
		t.Run(name, c.check)
	}
}

// TestWarnings has each policy that warns.
func TestWarnings(t *testing.T) {
	there := good(t)
	const (
		token  = " looks like an access token: make sure that it is the OA secret key or the API key"
		shorts = " is shorter than 16 characters: make sure that it is complete"
		weak   = ` is shorter than 32 characters: make one with "openssl rand -hex 32"`
		change = " holds one of + & % ; #, which a URL changes: paste it percent-encoded into the platform's console, " +
			"or every call is refused; " +
			"better, take a key of letters and digits"
		spaces = " begins or ends with white space, which is left out: write the Secret without it"
		shares = ` is used by ChannelConnector "other" as well: give each connector keys of its own`
	)
	for name, c := range map[string]judged{
		"a token of 100 characters": {
			there.with("shop-zalo", "oa-secret-key", strings.Repeat("x", 100)), nil, warns(ReasonLooksLikeUser, theOAKey+token),
		},
		"a key of 99 characters": {there: there.with("shop-zalo", "oa-secret-key", strings.Repeat("x", 99))},
		"a JSON Web Token": {
			there.with("shop-xbot", "xp-api-key", "eyJHidden.HiddenValue.HiddenValue"), nil, warns(ReasonLooksLikeUser, theAPIKey+token),
		},
		"a key with a point":    {there: there.with("shop-xbot", "xp-api-key", "eyJHidden.HiddenValue-of-32-characters")},
		"a header with a token": {there: there.with("bot", "authorization", "Bearer "+strings.Repeat("x", 400))},

		"an API key of 16 characters": {there.with("shop-xbot", "xp-api-key", "HiddenValue-1234"), nil, warns(ReasonShort, theAPIKey+weak)},
		"an API key of 31 characters": {
			there.with("shop-xbot", "xp-api-key", "HiddenValue-1234567890123456789"), nil, warns(ReasonShort, theAPIKey+weak),
		},
		"an API key of 32 characters": {there: there.with("shop-xbot", "xp-api-key", "HiddenValue-12345678901234567890")},
		"an OA key of 16 characters":  {there: there.with("shop-zalo", "oa-secret-key", "HiddenValue-1234")},
		"a key of 15 letters":         {there.with("shop-zalo", "oa-secret-key", "ăâđêôơưăâđêôơưă"), nil, warns(ReasonShort, theOAKey+shorts)},
		"a short header":              {there: there.with("bot", "authorization", "x")},

		"an API key with a plus": {
			there.with("shop-xbot", "xp-api-key", "HiddenValue+12345678901234567890"), nil, warns(ReasonURLChanges, theAPIKey+change),
		},
		"an API key with a semicolon": {
			there.with("shop-xbot", "xp-api-key", "HiddenValue;12345678901234567890"), nil, warns(ReasonURLChanges, theAPIKey+change),
		},
		"an API key with a percent": {
			there.with("shop-xbot", "xp-api-key", "HiddenValue%12345678901234567890"), nil, warns(ReasonURLChanges, theAPIKey+change),
		},
		"an API key with what URLs keep": {there: there.with("shop-xbot", "xp-api-key", "HiddenValue=/?:@-._~!$'()*,12345678")},
		"an OA key with a plus":          {there: there.with("shop-zalo", "oa-secret-key", "HiddenValue+1234")},

		"white space around a key":    {there.with("shop-zalo", "oa-secret-key", oaKey+"\n"), nil, warns(ReasonTrimmed, theOAKey+spaces)},
		"white space before a header": {there.with("bot", "authorization", " "+authorization), nil, warns(ReasonTrimmed, theHeader+spaces)},
		"white space around PEM":      {there: there.with("bot-ca", "ca.crt", "\n"+there["bot-ca"]["ca.crt"]+"\n\n")},

		"shared OA key": {there: there, others: []string{``}, want: warns(ReasonShared, theOAKey+shares)},
		"shared API key": {there: there, others: []string{keyed + `, zaloOA: {signature: {secretKeyRefs: [{name: shop-zalo, key: theirs}]}}`},
			want: warns(ReasonShared, theAPIKey+shares)},
		"a Secret shared, not the key": {
			there: there, others: []string{`zaloOA: {signature: {secretKeyRefs: [{name: shop-zalo, key: theirs}]}}`},
		},
		"an OA key that is not looked at": {there: there, others: []string{
			`zaloOA: {signature: {mode: "Off"}}`,
		}},
		"a header shared": {there: there, others: []string{
			`zaloOA: {signature: {mode: "Off"}}, sink: {http: {headers: [{name: Authorization, secretKeyRef: {name: bot, key: authorization}}]}}`,
		}},
		"by two others, said once": {there: there, others: []string{``, ``}, want: warns(ReasonShared, theOAKey+shares)},
	} {
		t.Run(name, c.check)
	}
}

// TestOrder: findings come in the order of the fields, and of a Secret key what blocks ends the list.
func TestOrder(t *testing.T) {
	there := good(t)
	short, warned := "eyJ.x. \n", "eyJ.Hidden.x\n"
	for name, c := range map[string]judged{
		"every warning of one key": {there.with("shop-zalo", "oa-secret-key", warned), []string{``}, []Finding{
			{Reason: ReasonLooksLikeUser, Message: theOAKey + " looks like an access token: make sure that it is the OA secret key or the API key"},
			{Reason: ReasonShort, Message: theOAKey + " is shorter than 16 characters: make sure that it is complete"},
			{Reason: ReasonShared, Message: theOAKey + ` is used by ChannelConnector "other" as well: give each connector keys of its own`},
			{Reason: ReasonTrimmed, Message: theOAKey + " begins or ends with white space, which is left out: write the Secret without it"},
		}},
		"nothing after what blocks": {there.with("shop-zalo", "oa-secret-key", "eyJ. .\n"), []string{``},
			blocks(ReasonMalformed, theOAKey+" holds white space or invisible characters, or is no text: put the key alone into it, on one line")},
		"by field": {there.with("bot", "authorization", "").with("shop-zalo", "oa-secret-key", short).without("bot-ca", ""), nil, []Finding{
			{Reason: ReasonLooksLikeUser, Message: theOAKey + " looks like an access token: make sure that it is the OA secret key or the API key"},
			{Reason: ReasonShort, Message: theOAKey + " is shorter than 16 characters: make sure that it is complete"},
			{Reason: ReasonTrimmed, Message: theOAKey + " begins or ends with white space, which is left out: write the Secret without it"},
			{Reason: ReasonEmpty, Message: theHeader + " is empty: fill it in", Blocking: true},
			{
				Reason: ReasonSecretNotFound,
				Message: `Secret "bot-ca" does not exist (spec.sink.http.tls.caSecretKeyRef): create it with the key "ca.crt",` +
					` or correct the reference`,
				Blocking: true,
			},
		}},
	} {
		t.Run(name, c.check)
	}
}

// TestGenerated: the generated API key is judged as any other.
func TestGenerated(t *testing.T) {
	for name, c := range map[string]struct {
		there secrets
		want  []Finding
	}{
		"there": {there: good(t)},
		"emptied": {good(t).with("shop-api-key", "xp-api-key", ""),
			blocks(ReasonEmpty, `Secret "shop-api-key", key "xp-api-key" (generated) is empty: fill it in`)},
		"key renamed": {good(t).without("shop-api-key", "xp-api-key"),
			blocks(ReasonKeyNotFound, `Secret "shop-api-key" has no key "xp-api-key" (generated): add the key, or correct the reference`)},
	} {
		t.Run(name, func(t *testing.T) {
			resolved, err := Resolve(t.Context(), Input{
				Connector: connectortest.New(t), Generated: "shop-api-key", From: c.there.source(new([]string)),
				SharedWith: func(key v1alpha1.SecretKeyRef) string { // whoever else names it, nobody need make another one
					return map[string]string{"shop-api-key": "other"}[key.Name]
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, resolved.Findings, cmpopts.IgnoreFields(Finding{}, "Meanwhile", "Sink")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
