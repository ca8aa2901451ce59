package webhook

import (
	"container/heap"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
)

// start is the moment at which the clocks of these tests begin.
var start = time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)

// messageAt is a signed message whose timestamp is given as it is.
func messageAt(id, timestamp string) (body []byte, signature string) {
	body = fmt.Appendf(nil,
		`{"event_name":"user_send_text","app_id":%q,"sender":{"id":%q},"recipient":{"id":%q},"message":{"text":"Xin chào",`+
			`"msg_id":%q},"timestamp":%q}`,
		app, user, oa, id, timestamp)
	return body, zalo.Sign(app, body, timestamp, secret)
}

func millis(t time.Time) string { return fmt.Sprint(t.UnixMilli()) }

// aged is a channel of the samples' app that judges ages.
func aged(age time.Duration, mode channel.SignatureMode) Channel {
	return newChannel(func(c *Channel) {
		z := zaloOA()
		z.Signature.Mode = mode
		c.MaxEventAge, c.Type, c.Events.Exclude = age, opened(c.Name, z), []string{"user_send_l*"}
	})
}

// Only a new event makes a connection one that is never cut off: a caller that sends a captured call again would hold
// every such place.
func TestOnlyANewEventEarnsAPlace(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return start } }, aged(24*time.Hour, channel.SignatureEnforce))
	target := f.serve(t)
	verified := f.metrics.Connections.WithLabelValues("webhook", "verified")
	call := func(client *http.Client, timestamp string, status int) {
		body, signature := messageAt("m", timestamp)
		r := request(target, body, signature)
		r.RequestURI = ""
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body) // or the connection is closed
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("%d, want %d", response.StatusCode, status)
		}
	}
	for _, tc := range []struct {
		name, timestamp  string
		status, verified int
	}{
		{"stale", "1577836800000", 503, 0},
		{"new", millis(start), 200, 1},
		{"known", millis(start), 200, 1},
	} {
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		call(client, tc.timestamp, tc.status)
		if n := value(verified); n != tc.verified {
			t.Errorf("%s: %d verified connections, want %d", tc.name, n, tc.verified)
		}
	}
}

// A captured call is of no use after the window, in which it is a duplicate.
func TestAnOldSignedCallIsStale(t *testing.T) {
	const day = 24 * time.Hour
	old := millis(start.Add(-day - time.Millisecond))
	for name, tc := range map[string]struct {
		age       time.Duration
		mode      channel.SignatureMode
		timestamp string
		forged    bool
		status    int
		odd       string
	}{
		"just as old as allowed":    {day, channel.SignatureEnforce, millis(start.Add(-day)), false, 200, ""},
		"a millisecond older":       {day, channel.SignatureEnforce, old, false, 503, ""},
		"of 2020":                   {day, channel.SignatureEnforce, "1577836800000", false, 503, ""},
		"under Audit":               {day, channel.SignatureAudit, old, false, 503, ""},
		"under Audit, not verified": {day, channel.SignatureAudit, old, true, 200, ""},
		"under Off":                 {day, channel.SignatureOff, old, false, 200, ""},
		"never judged":              {0, channel.SignatureEnforce, "1577836800000", false, 200, ""},
		"forged":                    {day, channel.SignatureEnforce, old, true, 401, ""},
		"twelve digits":             {day, channel.SignatureEnforce, "157783680000", false, 200, "unusual"},
		"fourteen digits":           {day, channel.SignatureEnforce, "15778368000000", false, 200, "unusual"},
		"no digits":                 {day, channel.SignatureEnforce, "1577836800x00", false, 200, "unusual"},
		"a little ahead":            {day, channel.SignatureEnforce, millis(start.Add(time.Minute)), false, 200, ""},
		"ahead":                     {day, channel.SignatureEnforce, millis(start.Add(time.Minute + time.Millisecond)), false, 200, "ahead"},
		"as far ahead as 13 digits": {day, channel.SignatureEnforce, "9999999999999", false, 200, "ahead"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return start } }, aged(tc.age, tc.mode))
			body, signature := messageAt("m", tc.timestamp)
			if tc.forged {
				signature = wellFormed
			}
			w := f.do(request(path+"?"+keyParameter+"="+key, body, signature))
			if stored := len(f.inbox.stored()); w.Code != tc.status || (stored == 1) != (tc.status == 200) {
				t.Errorf("answered %d %s, %d stored; want %d", w.Code, w.Body, stored, tc.status)
			}
			if stale := tc.status == 503; (w.Header().Get("Retry-After") != "") != stale || (f.refused("chat/shop", "stale") == 1) != stale {
				t.Errorf("Retry-After %q, %d counted as stale", w.Header().Get("Retry-After"), f.refused("chat/shop", "stale"))
			}
			for _, reason := range []string{"unusual", "ahead"} {
				if got := int(f.metrics.Of("chat/shop").OddTimestamps.Of(reason)); (got == 1) != (tc.odd == reason) {
					t.Errorf("%d counted as %s", got, reason)
				}
			}
		})
	}
}

// What is not stored anyway is not judged: a console's sample is of some year.
func TestOnlyWhatWouldBeStoredIsJudged(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return start } }, aged(time.Hour, channel.SignatureEnforce))
	test, _ := messageAt("This is message id", "1577836800000")
	excluded := fmt.Appendf(nil, `{"event_name":"user_send_link","app_id":%q,"recipient":{"id":%q},"timestamp":"1577836800000"}`, app, oa)
	foreign := fmt.Appendf(nil, `{"event_name":"user_send_text","app_id":%q,"recipient":{"id":"1"},"timestamp":"1577836800000"}`, app)
	for _, body := range [][]byte{test, excluded, foreign} {
		if w := f.do(request(path+"?"+keyParameter+"="+key, body, zalo.Sign(app, body, "1577836800000", secret))); w.Code != http.StatusOK {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
}

// Stale events are told of once a minute.
func TestStaleEventsAreLogged(t *testing.T) {
	now := start
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return now } }, aged(time.Hour, channel.SignatureEnforce))
	lines := f.lines()
	for _, want := range []int{1, 1, 2} {
		for range 3 {
			body, signature := messageAt("m", millis(start.Add(-2*time.Hour)))
			f.do(request(path+"?"+keyParameter+"="+key, body, signature))
		}
		if got := counting(*lines, `"channel"="chat/shop" "age"="2h`); got != want {
			t.Errorf("logged %d times, want %d: %v", got, want, *lines)
		}
		now = now.Add(30 * time.Second)
	}
}

// retries are when Zalo repeats a call that was not answered 200.
var retries = []time.Duration{30 * time.Second, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// sending is an event on its way, and how often it was sent.
type sending struct {
	id    int
	made  time.Time
	due   time.Time
	tries int
}

type sendings []sending

func (s sendings) Len() int           { return len(s) }
func (s sendings) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s sendings) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *sendings) Push(x any)        { *s = append(*s, x.(sending)) }
func (s *sendings) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// Our clock is a day ahead for an hour: Zalo's retries outlast that, so nothing is lost, whether the event was made
// before, during or after it.
func TestAClockADayAheadForAnHourLosesNothing(t *testing.T) {
	const events = 120
	wall := start
	ours := func() time.Time {
		if begin := start.Add(10 * time.Minute); !wall.Before(begin) && wall.Before(begin.Add(time.Hour)) {
			return wall.Add(24 * time.Hour)
		}
		return wall
	}
	f := newFixture(t, func(o *Options) { o.Now = ours }, aged(24*time.Hour, channel.SignatureEnforce))
	var due sendings
	for n := range events { // one a minute
		at := start.Add(time.Duration(n) * time.Minute)
		heap.Push(&due, sending{id: n, made: at.Add(-time.Second), due: at})
	}
	lost := 0
	for due.Len() > 0 {
		s := heap.Pop(&due).(sending)
		wall = s.due
		body, signature := messageAt(fmt.Sprint(s.id), millis(s.made))
		switch w := f.do(request(path+"?"+keyParameter+"="+key, body, signature)); {
		case w.Code == http.StatusOK:
		case s.tries == len(retries):
			lost++
		default:
			s.due = s.due.Add(retries[s.tries])
			s.tries++
			heap.Push(&due, s)
		}
	}
	if stored := len(f.inbox.stored()); lost > 0 || stored != events {
		t.Errorf("%d of %d events were lost, %d stored", lost, events, stored)
	}
	if f.refused("chat/shop", "stale") < 60 {
		t.Errorf("%d calls were stale: that shows nothing", f.refused("chat/shop", "stale"))
	}
}
