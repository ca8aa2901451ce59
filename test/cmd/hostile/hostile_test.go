package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// TestMain lets the test's program be the attackers, as the command is.
func TestMain(m *testing.M) {
	if played, _ := roles.Play(); !played {
		goleak.VerifyTestMain(m)
	}
}

func TestLogJudge(t *testing.T) {
	for name, c := range map[string]struct {
		parts []string
		want  map[string]int
	}{
		"good":                {[]string{`{"time":"2026-11-28T01:02:03Z","msg":"ready"}` + "\n"}, map[string]int{}},
		"in two parts":        {[]string{`{"time":"2026-11-28T`, `01:02:03Z","msg":"ready"}` + "\n"}, map[string]int{}},
		"text":                {[]string{"http: Accept error\n"}, map[string]int{promiseLogJSON: 1}},
		"last words":          {[]string{"Error: open inbox\n"}, map[string]int{}},
		"secret last words":   {[]string{"Error: of-the-shop\n"}, map[string]int{promiseLogSecrets: 1}},
		"JSON and more":       {[]string{"{} {}\n"}, map[string]int{promiseLogJSON: 1}},
		"a secret":            {[]string{`{"msg":"key of-the-shop"}` + "\n"}, map[string]int{promiseLogSecrets: 1}},
		"a secret in halves":  {[]string{`{"msg":"key of-`, `the-shop"}` + "\n"}, map[string]int{promiseLogSecrets: 1}},
		"not yet a line":      {[]string{"http: Acc"}, map[string]int{}},
		"both, and good ones": {[]string{"{}\n{}\nof-the-shop\n{}\n"}, map[string]int{promiseLogJSON: 1, promiseLogSecrets: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &logJudge{promises: newPromises(io.Discard)}
			l.hide("of-the-shop")
			lines := 0
			for _, part := range c.parts {
				lines += strings.Count(part, "\n")
				_, _ = l.Write([]byte(part))
			}
			if diff := cmp.Diff(c.want, l.promises.counts); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := l.shows().busiest; got == 0 && lines > 0 || got > lines {
				t.Errorf("%d lines in the busiest minute, of %d", got, lines)
			}
		})
	}
}

func TestShare(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	call := func(from, to, status, try int) traffic.Call {
		return traffic.Call{At: at(from), Until: at(to), Status: status, Try: try}
	}
	disturbances := []disturbance{{at(100), at(200)}}
	for name, c := range map[string]struct {
		calls []traffic.Call
		share float64
		count int
	}{
		"good":                   {[]traffic.Call{call(0, 10, 200, 1), call(10, 20, 200, 1)}, 1, 2},
		"one in two":             {[]traffic.Call{call(0, 10, 200, 1), call(10, 20, 503, 1)}, 0.5, 2},
		"no answer":              {[]traffic.Call{call(0, 10, 0, 1)}, 0, 1},
		"disturbed at its end":   {[]traffic.Call{call(0, 101, 503, 1), call(0, 1, 200, 1)}, 1, 1},
		"begun in a disturbance": {[]traffic.Call{call(199, 300, 503, 1), call(0, 1, 200, 1)}, 1, 1},
		"around a disturbance":   {[]traffic.Call{call(50, 300, 503, 1)}, 0, 0},
		"after a disturbance":    {[]traffic.Call{call(201, 300, 503, 1)}, 0, 1},
		"retries do not count":   {[]traffic.Call{call(0, 10, 503, 1), call(10, 20, 200, 2)}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if good, count, _ := share(firstTries(c.calls), disturbances); good != c.share || count != c.count {
				t.Errorf("got %v of %d, want %v of %d", good, count, c.share, c.count)
			}
		})
	}
}

func TestJudgeCopy(t *testing.T) {
	owed := map[string][]traffic.Message{"a": {{Conversation: 1, N: 2}, {Conversation: 1, N: 3}}}
	for name, c := range map[string]struct {
		held []traffic.Message
		want int
	}{
		"all, and more":  {[]traffic.Message{{Conversation: 1, N: 3}, {Conversation: 1, N: 2}, {Conversation: 1, N: 1}}, 0},
		"one is missing": {[]traffic.Message{{Conversation: 1, N: 2}}, 1},
		"nothing":        {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			campaign := &campaign{promises: newPromises(io.Discard)}
			campaign.judgeCopy(&damaged{owed: owed}, "exported", func(string) []traffic.Message { return c.held })
			if got := campaign.promises.counts[promiseDamage]; got != c.want {
				t.Errorf("broken %d times, want %d", got, c.want)
			}
		})
	}
}

// TestHarm changes one file each time, and never the newest log.
func TestHarm(t *testing.T) {
	campaign := &campaign{random: newRandom(1, 2)}
	names := []string{"000001.log", "000002.log", "000003.sst", "MANIFEST-000004", "meta/CURRENT"}
	harmed := make(map[string]bool)
	for range 100 {
		d := &damaged{path: t.TempDir()}
		for _, name := range names {
			path := filepath.Join(d.path, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 100), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		campaign.harm(d)
		changed := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			content, err := os.ReadFile(filepath.Join(d.path, name))
			return err == nil && string(content) == strings.Repeat("x", 100)
		})
		if len(changed) != 1 {
			t.Fatalf("%s: changed %v", d.harm, changed)
		}
		harmed[changed[0]] = true
	}
	if want := map[string]bool{
		"000001.log": true, "000003.sst": true, "MANIFEST-000004": true, "meta/CURRENT": true,
	}; !cmp.Equal(want, harmed) {
		t.Errorf("harmed %v, want %v", harmed, want)
	}
}

// TestMoods: each mood's answer is the one that the judge is told of.
func TestMoods(t *testing.T) {
	bot, err := traffic.NewBot(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bot.Close() }()
	client := &http.Client{
		Timeout: 200 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, m := range moods {
		t.Run(m.name, func(t *testing.T) {
			message := traffic.Message{Conversation: poisoned}
			want := m.answer(message, nil).Status
			bot.Behave(m.answer)
			req, err := traffic.ZaloOA.NewRequest(t.Context(), bot.URL(), traffic.Keys{}, message, time.Now(), text)
			if err != nil {
				t.Fatal(err)
			}
			status := 0
			if resp, err := client.Do(req); err == nil {
				status = resp.StatusCode
				_ = resp.Body.Close()
			}
			if status == http.StatusSwitchingProtocols {
				status = 0 // an attempt must end with another
			}
			if status != want {
				t.Errorf("got %d, the judge is told %d", status, want)
			}
		})
	}
}
