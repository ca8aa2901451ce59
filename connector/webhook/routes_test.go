package webhook

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/config"
)

func TestKeys(t *testing.T) {
	const query, elsewhere, odd = "?" + keyParameter + "=", "/elsewhere", "/~a!$&'()*+,;=:@"
	f := newFixture(t, nil,
		newChannel(),
		newChannel(func(c *Channel) { c.Name, c.Keys = "chat/rotating", digests("old", "new") }),
		newChannel(func(c *Channel) { c.Name, c.Keys, c.Path = "chat/elsewhere", digests(otherKey), elsewhere }),
		newChannel(func(c *Channel) { c.Name, c.Keys, c.Path = "chat/odd", digests("odd"), odd }),
		newChannel(func(c *Channel) { c.Name, c.Keys, c.Path = "chat/slash", digests("slash"), "/slash/" }),
	)
	header := func(values ...string) http.Header { return http.Header{"Xp-Api-Key": values} }
	for _, tc := range []struct {
		name, target string
		header       http.Header
		want         int
	}{
		{"query", path + query + key, nil, 200},
		{"header", path, header(key), 200},
		{"query, among others", path + "?a=b&" + keyParameter + "=" + key + "&c=d", nil, 200},
		{"query, escaped", path + "?param%2Eheader%2Exp-api-key=%35" + key[1:], nil, 200},
		{"query before header", path + query + key, header("wrong"), 200},
		{"wrong query before right header", path + query + "wrong", header(key), 401},
		{"empty query, right header", path + query, header(key), 200},
		{"the first of several", path + query + key + "&" + keyParameter + "=wrong", nil, 200},
		{"the first of several wrong", path + query + "wrong&" + keyParameter + "=" + key, nil, 401},
		{"the first of several headers", path, header(key, "wrong"), 200},
		{"rotation, old", path + query + "old", nil, 200},
		{"rotation, new", path + query + "new", nil, 200},
		{"other path", elsewhere + query + otherKey, nil, 200},
		{"none", path, nil, 401},
		{"empty", path + query, nil, 401},
		{"empty header", path, header(""), 401},
		{"right prefix", path + query + key[:63], nil, 401},
		{"longer", path + query + key + "0", nil, 401},
		{"upper case", path + query + strings.ToUpper(key), nil, 401},
		{"space before", path + query + "%20" + key, nil, 401},
		{"broken escape", path + query + key + "%", nil, 401},
		{"other name", path + "?xp-api-key=" + key, nil, 401},
		{"name in upper case", path + "?" + strings.ToUpper(keyParameter) + "=" + key, nil, 401},
		{"the digest instead of the key", path + query + hex.EncodeToString(digests(key)[0][:]), nil, 401},
		{"key of another path", path + query + otherKey, nil, 401},
		{"key at another path", elsewhere + query + key, nil, 401},
		{"trailing slash", path + "/" + query + key, nil, 200},
		{"two trailing slashes", path + "//" + query + key, nil, 404},
		{"double slash", "/" + path + query + key, nil, 404},
		{"escaped letter", strings.ReplaceAll(path, "push", "p%75sh") + query + key, nil, 404},
		{"escaped slash", strings.ReplaceAll(path, "/push", "%2Fpush") + query + key, nil, 404},
		{"escaped trailing slash", path + "%2f" + query + key, nil, 404},
		{"escaped dot segment", strings.ReplaceAll(path, "/push", "/%2e/push") + query + key, nil, 404},
		{"characters that need no escape", odd + query + "odd", nil, 200},
		{"the same, escaped", strings.ReplaceAll(odd, "!", "%21") + query + "odd", nil, 404},
		{"configured with a slash at the end", "/slash" + query + "slash", nil, 200},
		{"and called with it", "/slash/" + query + "slash", nil, 200},
	} {
		call := httptest.NewRequest(http.MethodPost, "http://host"+tc.target, nil) // a probe
		call.Header = tc.header
		if w := f.do(call); w.Code != tc.want {
			t.Errorf("%s: %d %s, want %d", tc.name, w.Code, w.Body, tc.want)
		}
	}
	for name, want := range map[string]int{"chat/shop": 9, "chat/rotating": 2, "chat/elsewhere": 1, "chat/odd": 1, "chat/slash": 2} {
		if got := int(f.metrics.Of(name).Ignored.Of(answerProbe.reason)); got != want {
			t.Errorf("%s: %d calls, want %d", name, got, want)
		}
	}
}

// A key is valid from the moment its version is in use to the moment that a version without it is, and at no time is a
// valid one refused.
func TestReloadUnderLoad(t *testing.T) {
	version := func(keys ...string) *Routes {
		return NewRoutes([]Channel{newChannel(func(c *Channel) { c.Keys = digests(keys...) })})
	}
	f := newFixture(t, nil)
	probe := func(key string) int {
		return f.do(httptest.NewRequest(http.MethodPost, path+"?"+keyParameter+"="+key, nil)).Code
	}
	f.Use(version("a", "b"))
	var callers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status := probe("b"); status != 200 {
					t.Errorf("the key that stays: %d", status)
					return
				}
			}
		})
	}
	for range 200 {
		f.Use(version("b", "c"))
		if a, c := probe("a"), probe("c"); a != 401 || c != 200 {
			t.Errorf("after a reload: removed key %d, new key %d", a, c)
		}
		f.Use(version("a", "b"))
		if a, c := probe("a"), probe("c"); a != 200 || c != 401 {
			t.Errorf("after a reload: new key %d, removed key %d", a, c)
		}
	}
	close(stop)
	callers.Wait()
}

func TestFilter(t *testing.T) {
	for _, tc := range []struct {
		include, exclude []string
		name             string
		want             bool
	}{
		{[]string{"*"}, nil, "user_send_text", true},
		{[]string{"*"}, nil, "", true},
		{nil, nil, "user_send_text", false},
		{[]string{"*"}, []string{"*"}, "user_send_text", false},
		{[]string{"*"}, []string{"oa_send_*"}, "oa_send_text", false},
		{[]string{"*"}, []string{"oa_send_*"}, "oa_send_", false},
		{[]string{"*"}, []string{"oa_send_*"}, "user_send_text", true},
		{[]string{"follow", "unfollow"}, nil, "follow", true},
		{[]string{"follow", "unfollow"}, nil, "follows", false},
		{[]string{"*_text"}, nil, "user_send_text", true},
		{[]string{"*_text"}, nil, "user_send_texts", false},
		{[]string{"user_*_text"}, nil, "user_send_group_text", true},
		{[]string{"user_*_text"}, nil, "user_text", false},
		{[]string{"*send*group*"}, nil, "oa_send_group_text", true},
		{[]string{"*send*group*"}, nil, "group_send", false},
		{[]string{"a*a"}, nil, "a", false},
		{[]string{"a*a"}, nil, "aa", true},
		{[]string{"**"}, nil, "x", true},
		{[]string{"user.send"}, nil, "user_send", false},
	} {
		f := newFilter(config.EventFilter{Include: tc.include, Exclude: tc.exclude})
		if got := f.selects(tc.name); got != tc.want {
			t.Errorf("include %q, exclude %q, %q: %v", tc.include, tc.exclude, tc.name, got)
		}
	}
}

// FuzzPattern compares with regular expressions.
func FuzzPattern(f *testing.F) {
	for _, text := range []string{"*", "oa_send_*", "*a*b*", "a*a", "", "[*]", "a**b"} {
		f.Add(text, "oa_send_text")
		f.Add(text, "aab")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		expression := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$"
		want, err := regexp.MatchString(expression, name)
		if err != nil || strings.ToValidUTF8(name, "") != name {
			return // regular expressions know no bytes that are not UTF-8
		}
		if got := newPatterns([]string{text})[0].matches(name); got != want {
			t.Errorf("%q on %q: %v", text, name, got)
		}
	})
}

// FuzzQueryParameter compares with net/url.
func FuzzQueryParameter(f *testing.F) {
	for _, query := range []string{"k=1", "a=b&k=%31+2", "%6b=1&k=2", "k", "k;=1&k=2", "&&k=%zz&k=3", "k=&k=1"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		if got := queryParameter(query, "k"); got != values.Get("k") {
			t.Errorf("%q: %q, want %q", query, got, values.Get("k"))
		}
	})
}

// How long a call takes to find its channel must not depend on their number.
func BenchmarkAuthenticate(b *testing.B) {
	for name, n := range map[string]int{"1": 1, "1000": 1000} {
		b.Run(name, func(b *testing.B) {
			channels := []Channel{newChannel()}
			for i := range n - 1 {
				channels = append(channels, newChannel(func(c *Channel) { c.Keys = digests(time.Unix(int64(i), 0).String()) }))
			}
			routes := NewRoutes(channels)
			call := httptest.NewRequest(http.MethodPost, path+"?"+keyParameter+"="+key, nil)
			b.ReportAllocs()
			for b.Loop() {
				if found, _ := routes.authenticate(call, path); found == nil {
					b.Fatal("refused")
				}
			}
		})
	}
}
