package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// The reasons of findings; those above the line block.
const (
	ReasonAwaitingOASecretKey = "AwaitingOASecretKey"

	ReasonSecretNotFound    = "SecretNotFound"
	ReasonKeyNotFound       = "SecretKeyNotFound"
	ReasonEmpty             = "SecretKeyEmpty"
	ReasonTooLarge          = "SecretKeyTooLarge"
	ReasonMalformed         = "SecretKeyMalformed"
	ReasonAPIKeyTooShort    = "APIKeyTooShort"
	ReasonOASecretIsAPIKey  = "OASecretKeyEqualsAPIKey"
	ReasonAPIKeyTwice       = "APIKeyGivenTwice"
	ReasonAPIKeyDeleted     = "GeneratedAPIKeyDeleted"
	ReasonAPIKeyUnlabelled  = "GeneratedAPIKeyUnlabelled"
	ReasonAPIKeyNameClashes = "GeneratedAPIKeyNameClashes"

	ReasonShort         = "SecretKeyShort"
	ReasonShared        = "SecretKeyShared"
	ReasonLooksLikeUser = "SecretKeyLooksLikeAccessToken"
	ReasonTrimmed       = "SecretKeyTrimmed"
	ReasonURLChanges    = "APIKeyChangedByURL"
)

// Finding is something wrong with a credential.
type Finding struct {
	// Reason is one of the constants above.
	Reason string
	// Message names the Secret, the key, the field and the remedy, never a value.
	Message string
	// Blocking findings keep the resource from being Ready; others only warn.
	Blocking bool
	// Passing findings are part of setting a channel up: nobody has to be called.
	Passing bool
	// Meanwhile is what follows from a Blocking finding until it is mended.
	Meanwhile string
	// Sink says that the sink lacks a credential, so that events are held.
	Sink bool
}

// subject is what a policy judges.
type subject struct {
	all       []material
	connector *v1alpha1.ChannelConnector
	// others are ChannelConnectors of the namespace that share any of its OwnKeys.
	others []v1alpha1.ChannelConnector
}

// policy judges one Secret key among all that a resource names. It returns an
// empty message where there is nothing to say.
type policy struct {
	reason   string
	blocking bool
	judge    func(m *material, s subject) (message string)
}

// policies are all there are, in the order in which they are asked. Of a Secret
// key, the first that blocks is the last that is asked.
var policies = []policy{
	{ReasonSecretNotFound, true, secretMissing},
	{ReasonKeyNotFound, true, keyMissing},
	{ReasonEmpty, true, empty},
	{ReasonTooLarge, true, tooLarge},
	{ReasonMalformed, true, malformed},
	{ReasonAPIKeyTooShort, true, tooShort},
	{ReasonOASecretIsAPIKey, true, oaSecretIsAPIKey},
	{ReasonAPIKeyTwice, true, apiKeyTwice},

	{ReasonLooksLikeUser, false, looksLikeAccessToken},
	{ReasonShort, false, short},
	{ReasonShared, false, shared},
	{ReasonTrimmed, false, trimmed},
	{ReasonURLChanges, false, changedByURL},
}

// absent are the reasons for which a Secret key counts as gone.
var absent = []string{ReasonSecretNotFound, ReasonKeyNotFound, ReasonEmpty}

// judge lets the policies judge what could be read, and drops what cannot be used. It
// reports whether there is any such.
func judge(materials []material, in Input) (amiss bool) {
	s := subject{all: materials, connector: in.Connector, others: in.Others}
	for i := range materials {
		m := &materials[i]
		switch {
		case m.state == unknown:
		case m.Path == render.GeneratedPath && in.GeneratedFinding != nil:
			m.noteGenerated(*in.GeneratedFinding)
		default:
			m.ask(s)
		}
		amiss = amiss || m.state != usable
	}
	for i := range materials { // after all were compared with each other
		if m := &materials[i]; m.state != usable {
			m.Value = ""
		}
	}
	return amiss
}

// ask asks the policies about one Secret key.
func (m *material) ask(s subject) {
	for _, p := range policies {
		message := p.judge(m, s)
		if message == "" {
			continue
		}
		m.note(Finding{Reason: p.reason, Message: message, Blocking: p.blocking})
		if p.blocking {
			return
		}
	}
}

// noteGenerated keeps a finding about the generated API key, which may be in use
// nevertheless.
func (m *material) noteGenerated(f Finding) {
	m.note(f)
	if m.state = usable; !m.there() {
		m.state = gone
	}
}

// note keeps a finding.
func (m *material) note(f Finding) {
	m.findings = append(m.findings, f)
	switch {
	case f.Blocking && slices.Contains(absent, f.Reason):
		m.state = gone
	case f.Blocking:
		m.state = bad
	}
}

func secretMissing(m *material, _ subject) string {
	if m.secretFound {
		return ""
	}
	return fmt.Sprintf("Secret %q does not exist (%s): create it with the key %q, or correct the reference", m.Secret, m.Path, m.Key)
}

func keyMissing(m *material, _ subject) string {
	if m.keyFound {
		return ""
	}
	return fmt.Sprintf("Secret %q has no key %q (%s): add the key, or correct the reference", m.Secret, m.Key, m.Path)
}

func empty(m *material, _ subject) string {
	if m.Value != "" {
		return ""
	}
	return fmt.Sprintf("%s is empty: fill it in", m)
}

// The bounds on what is copied into a connector's configuration, in KiB: no
// secret is larger than the first and no sensible bundle of authorities than the
// second, and a Secret holds 1 MiB in all.
const (
	maxSecret = 64
	maxBundle = 512
)

func tooLarge(m *material, _ subject) string {
	bound := maxSecret
	if m.Field == fieldCA {
		bound = maxBundle
	}
	if len(m.Value) <= bound<<10 {
		return ""
	}
	return fmt.Sprintf("%s is larger than %d KiB: put the credential alone into it", m, bound)
}

const (
	fieldURL     = "channels[0].sink.http.urlFile"
	fieldSigning = "channels[0].sink.http.signingSecret"
	fieldCA      = "channels[0].sink.http.tls.caFile"
	fieldCert    = "channels[0].sink.http.tls.certFile"
	fieldKey     = "channels[0].sink.http.tls.keyFile"
)

// malformed says what cannot be what it is meant to be.
func malformed(m *material, s subject) string {
	if shape := shapes[m.Field]; shape != nil {
		return shape(m, s)
	}
	if own(m.Reference) {
		return notOneWord(m, s)
	}
	return notOneLine(m, s)
}

// shapes judge a value by the field in the connector's file.
var shapes = map[string]func(m *material, s subject) string{
	fieldURL: notSinkURL, fieldSigning: notSigningSecret, fieldCA: noAuthorities, fieldCert: noCertificate, fieldKey: noPair,
}

// notOneWord also finds what nobody sees, such as the mark that some editors put
// before a text and the spaces without width that come along from web pages.
func notOneWord(m *material, _ subject) string {
	if utf8.ValidString(m.Value) && !strings.ContainsFunc(m.Value, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }) {
		return ""
	}
	return fmt.Sprintf("%s holds white space or invisible characters, or is no text: put the key alone into it, on one line", m)
}

func notOneLine(m *material, _ subject) string {
	if utf8.ValidString(m.Value) && !strings.ContainsFunc(m.Value, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
		return ""
	}
	return fmt.Sprintf("%s holds line breaks or control characters, or is no text: put the value on one line", m)
}

func notSinkURL(m *material, s subject) string {
	u, err := config.ParseSinkURL(m.Value)
	if err != nil {
		return fmt.Sprintf("%s is no URL of a sink: %v", m, err)
	}
	if s.connector.Spec.Sink.HTTP.TLS != nil && u.Scheme != "https" {
		return fmt.Sprintf("%s is no https URL, which spec.sink.http.tls needs: write an https URL, or leave tls out", m)
	}
	return ""
}

func notSigningSecret(m *material, _ subject) string {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Value, "whsec_"))
	if err == nil && len(raw) >= 24 && len(raw) <= 64 {
		return ""
	}
	return fmt.Sprintf("%s is no signing secret: write \"whsec_\" and the base64 of 24 to 64 bytes", m)
}

func noAuthorities(m *material, _ subject) string {
	if x509.NewCertPool().AppendCertsFromPEM([]byte(m.Value)) {
		return ""
	}
	return fmt.Sprintf("%s holds no certificate in PEM: write a bundle of \"BEGIN CERTIFICATE\" blocks", m)
}

func noCertificate(m *material, _ subject) string {
	if hasCertificate(m.Value) {
		return ""
	}
	return fmt.Sprintf("%s holds no certificate in PEM: write a \"BEGIN CERTIFICATE\" block", m)
}

// hasCertificate looks at the first certificate, as the connector does; what
// stands before it, a private key even, does not matter.
func hasCertificate(text string) bool {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			_, err := x509.ParseCertificate(block.Bytes)
			return err == nil
		}
	}
	return false
}

// noPair judges a private key with its certificate.
func noPair(m *material, s subject) string {
	for i := range s.all {
		cert := &s.all[i]
		if cert.Field != fieldCert || !hasCertificate(cert.Value) {
			continue
		}
		if _, err := tls.X509KeyPair([]byte(cert.Value), []byte(m.Value)); err != nil {
			return fmt.Sprintf("%s is not the private key, in PEM, of the certificate in key %q: put a matching pair into the Secret", m, cert.Key)
		}
	}
	return ""
}

func oaSecretIsAPIKey(m *material, s subject) string {
	if m.Use != render.SigningKey {
		return ""
	}
	for i := range s.all {
		if key := &s.all[i]; key.Use == render.APIKey && key.there() && key.Value == m.Value {
			return fmt.Sprintf("%s is the same as the API key in Secret %q, key %q: the two are different things, copy the OA secret key from Zalo's console", m, key.Secret, key.Key)
		}
	}
	return ""
}

func apiKeyTwice(m *material, s subject) string {
	if m.Use != render.APIKey {
		return ""
	}
	for i := range s.all {
		earlier := &s.all[i]
		if earlier == m {
			return ""
		}
		if earlier.Use == render.APIKey && earlier.there() && earlier.Value == m.Value {
			return fmt.Sprintf("%s is the same API key as %s: write each key once", m, earlier)
		}
	}
	return ""
}

// accessTokenLength is more than any OA secret key or API key has; access tokens
// have several hundred characters.
const accessTokenLength = 100

func looksLikeAccessToken(m *material, _ subject) string {
	if !own(m.Reference) {
		return ""
	}
	jwt := strings.HasPrefix(m.Value, "eyJ") && strings.Count(m.Value, ".") == 2
	if !jwt && len(m.Value) < accessTokenLength {
		return ""
	}
	return fmt.Sprintf("%s looks like an access token: make sure that it is the OA secret key or the API key", m)
}

// The lengths in characters. The connector refuses an API key below the first,
// which could be guessed, and warns below the second. An OA secret key is the
// platform's choice: it is taken at any length, and what Zalo gives out is longer
// than the third.
const (
	minAPIKey    = 16
	goodAPIKey   = 32
	goodOASecret = 16
)

func tooShort(m *material, _ subject) string {
	if m.Use != render.APIKey || utf8.RuneCountInString(m.Value) >= minAPIKey {
		return ""
	}
	return fmt.Sprintf("%s is shorter than %d characters, so that it can be guessed: make one with \"openssl rand -hex 32\"", m, minAPIKey)
}

func short(m *material, _ subject) string {
	switch length := utf8.RuneCountInString(m.Value); {
	case m.Use == render.APIKey && length < goodAPIKey:
		return fmt.Sprintf("%s is shorter than %d characters: make one with \"openssl rand -hex 32\"", m, goodAPIKey)
	case m.Use == render.SigningKey && length < goodOASecret:
		return fmt.Sprintf("%s is shorter than %d characters: make sure that it is complete", m, goodOASecret)
	}
	return ""
}

// changedByURL finds what a URL's query does not keep as it is.
func changedByURL(m *material, _ subject) string {
	if m.Use != render.APIKey || !strings.ContainsAny(m.Value, "+&%;#") {
		return ""
	}
	return fmt.Sprintf("%s holds one of + & %% ; #, which a URL changes: paste it percent-encoded into the platform's console, "+
		"or every call is refused; better, take a key of letters and digits", m)
}

func shared(m *material, s subject) string {
	if !own(m.Reference) {
		return ""
	}
	for i := range s.others {
		other := &s.others[i]
		if other.Name == s.connector.Name {
			continue
		}
		for _, theirs := range references(other, "") {
			if theirs.Secret == m.Secret && theirs.Key == m.Key && own(theirs) {
				return fmt.Sprintf("%s is used by ChannelConnector %q as well: give each connector keys of its own", m, other.Name)
			}
		}
	}
	return ""
}

func trimmed(m *material, _ subject) string {
	if m.raw == m.Value || m.Use == render.SinkCertificate {
		return ""
	}
	return fmt.Sprintf("%s begins or ends with white space, which is left out: write the Secret without it", m)
}
