package zalobot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

const (
	// platformAPI is the address of the platform's API.
	platformAPI = "https://bot-api.zaloplatforms.com"
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 64 << 10
	// maxQuoted bounds what is quoted of an answer or an error, in bytes.
	maxQuoted = 200
)

// botToken is the form of a bot token, which is safe in the path of a URL.
var botToken = regexp.MustCompile(`^[0-9]{1,32}:[A-Za-z0-9_.~-]{1,256}$`)

// Register tells Zalo where to call: setWebhook. The bot token stands in the path of the API's URL, so that no error of
// the client is returned as it is.
func Register(ctx context.Context, r channel.Registration) error {
	if !botToken.MatchString(r.Credential) {
		return &channel.RegistrationError{Refused: true, Message: "it is no bot token, which is digits, a colon and letters"}
	}
	body, err := json.Marshal(map[string]string{"url": r.URL, "secret_token": r.Secret})
	if err != nil {
		return &channel.RegistrationError{Message: "the call cannot be written"}
	}
	endpoint := strings.TrimSuffix(cmp.Or(r.API, platformAPI), "/") + "/bot" + r.Credential + "/setWebhook"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return &channel.RegistrationError{Message: "the address of the platform's API is no URL"}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.Client.Do(request)
	if err != nil {
		return &channel.RegistrationError{Message: "Zalo's API was not reached: " + unreached(r, err)}
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return &channel.RegistrationError{Message: "Zalo's answer broke off: " + unreached(r, err)}
	}
	return judge(r, response, content)
}

// answer is the envelope of every answer of the API.
type answer struct {
	OK          *bool           `json:"ok"`
	ErrorCode   json.RawMessage `json:"error_code"`
	Description json.RawMessage `json:"description"`
}

// judge returns nil if an answer says that the webhook is registered. Zalo refuses with HTTP 200 as well, and answers
// some wrong tokens without JSON.
func judge(r channel.Registration, response *http.Response, content []byte) error {
	var a answer
	isJSON := json.Unmarshal(content, &a) == nil && a.OK != nil
	status := response.StatusCode
	if isJSON && *a.OK && status/100 == 2 {
		return nil
	}
	failure := &channel.RegistrationError{Message: fmt.Sprintf("Zalo answered HTTP %d", status), RetryAfter: retryAfter(response.Header)}
	code := status
	switch {
	case isJSON && !*a.OK:
		if given, err := strconv.Atoi(strings.Trim(string(a.ErrorCode), `"`)); err == nil {
			code = given
			failure.Message += fmt.Sprintf(" with error %d", code)
		}
		if said := quotable(r, text(a.Description)); said != "" {
			failure.Message += fmt.Sprintf(" and said %q", said)
		}
	case status/100 == 3:
		failure.Message += ", a redirect, which is not followed"
	case !isJSON:
		failure.Message += " with no answer of its API: does a proxy answer in its place?"
	}
	failure.Refused = slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, code)
	return failure
}

// text is a JSON text; empty for any other value.
func text(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}

// retryAfter is when the platform wants to be called again, in either form of the header; 0 if it does not say.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// unreached says why a call failed.
func unreached(r channel.Registration, err error) string {
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return "no answer in time"
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the URL
	}
	return cmp.Or(quotable(r, err.Error()), "the connection failed")
}

// part is how many bytes of a secret in a row count as a part of it.
const part = 8

// holdsPart reports whether a text holds a part of a secret: platforms quote the beginning of what is long.
func holdsPart(text, secret string) bool {
	if secret == "" {
		return false
	}
	for from := 0; from <= max(0, len(secret)-part); from++ {
		if strings.Contains(text, secret[from:min(from+part, len(secret))]) {
			return true
		}
	}
	return false
}

// quotable is what may be quoted of a text that the platform, or the client, made: one bounded line; nothing if it holds
// a part of what the platform was told in confidence.
func quotable(r channel.Registration, text string) string {
	_, token, _ := strings.Cut(r.Credential, ":")
	secrets := []string{token, r.Secret}
	if called, err := url.Parse(r.URL); err == nil {
		for _, values := range called.Query() {
			secrets = append(secrets, values...)
		}
	}
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if holdsPart(strings.ToLower(text), strings.ToLower(form)) {
				return ""
			}
		}
	}
	line := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(line) > maxQuoted {
		line = strings.ToValidUTF8(line[:maxQuoted], "") + "…"
	}
	return strings.TrimSpace(line)
}
