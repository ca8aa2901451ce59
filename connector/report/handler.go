package report

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/sync/semaphore"
)

// maxReports bounds the reports that are collected or being read at once. Two operators during a change of leaders and
// a curl need three.
const maxReports = 4

// NewHandler serves the report of collect to callers that send the token, which may change between calls. While the
// token is empty, the answer is 404.
func NewHandler(token func() string, collect func(context.Context) Report) http.Handler {
	places := semaphore.NewWeighted(maxReports)
	return http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		switch wanted := token(); {
		case wanted == "":
			http.NotFound(w, call)
		case !authorized(call, wanted):
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		case !places.TryAcquire(1):
			http.Error(w, "too many reports at once", http.StatusServiceUnavailable)
		default:
			defer places.Release(1)
			write(w, collect(call.Context()))
		}
	})
}

// authorized reports whether a call carries the token. Digests are compared, so that the time it takes tells neither
// the token nor its length.
func authorized(call *http.Request, token string) bool {
	scheme, shown, _ := strings.Cut(call.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(shown))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

func write(w http.ResponseWriter, r Report) {
	document, err := json.Marshal(r)
	switch {
	case err != nil:
		http.Error(w, "the report cannot be written as JSON", http.StatusInternalServerError)
		return
	case len(document) > MaxSize:
		http.Error(w, fmt.Sprintf("the report of %d channels has %d bytes, and may have %d: serve fewer channels by one connector",
			len(r.Channels), len(document), MaxSize),
			http.StatusInsufficientStorage)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document) // a caller that does not take it asks again
}

// KeyID is the Key.ID of a signing key: without the token, it can neither be made nor be compared with that of a guess.
// It is empty without a token.
func KeyID(token, key string) string {
	if token == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write([]byte(key)) // a hash takes everything
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
