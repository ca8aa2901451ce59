package traffic

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMessageThereAndBack(t *testing.T) {
	want := Message{Conversation: 12, N: 345}
	got, err := ParseMessage(ZaloOA.Write(want, time.Now(), "Hello"))
	if err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	for _, body := range []string{``, `{}`, `"msg_id":"x"`} {
		if m, err := ParseMessage([]byte(body)); err == nil {
			t.Errorf("%s is %v", body, m)
		}
	}
}

func taken(conversation, n int) Arrival {
	return Arrival{Message: Message{conversation, n}, Taken: true}
}

// failed and refused are arrivals in the first conversation.
func failed(n int) Arrival { return Arrival{Message: Message{0, n}} }

func refused(n int) Arrival { return Arrival{Message: Message{0, n}, Refused: true} }

// Inversions before and after a time do not hide among those within it.
func TestInvertedOutside(t *testing.T) {
	v := Verdict{Inverted: []Message{{0, 4}, {0, 5}, {0, 8}, {0, 9}, {1, 5}}}
	want := []Message{{0, 4}, {0, 9}, {1, 5}}
	if diff := cmp.Diff(want, v.InvertedOutside([]int{5, 0}, []int{9, 5})); diff != "" {
		t.Errorf("outside (-want +got):\n%s", diff)
	}
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		acknowledged []int
		arrivals     []Arrival
		dead         []Message
		want         Verdict
	}{
		"all is well":            {[]int{2, 1}, []Arrival{taken(0, 0), taken(1, 0), taken(0, 1)}, nil, Verdict{Acknowledged: 3}},
		"taken, no answer":       {[]int{1}, []Arrival{taken(0, 0), taken(0, 1)}, nil, Verdict{Acknowledged: 1}},
		"never came":             {[]int{2}, []Arrival{taken(0, 0)}, nil, Verdict{Acknowledged: 2, Lost: []Message{{0, 1}}}},
		"came and was not taken": {[]int{1}, []Arrival{failed(0)}, nil, Verdict{Acknowledged: 1, Lost: []Message{{0, 0}}}},
		"taken at last":          {[]int{1}, []Arrival{failed(0), taken(0, 0)}, nil, Verdict{Acknowledged: 1}},
		"again":                  {[]int{1}, []Arrival{taken(0, 0), taken(0, 0)}, nil, Verdict{Acknowledged: 1, Repeated: []Message{{0, 0}}}},
		"the later one first":    {[]int{2}, []Arrival{taken(0, 1), taken(0, 0)}, nil, Verdict{Acknowledged: 2, Inverted: []Message{{0, 1}}}},
		"before its turn": {
			[]int{2}, []Arrival{failed(0), taken(0, 1), taken(0, 0)}, nil, Verdict{Acknowledged: 2, Inverted: []Message{{0, 1}}},
		},
		"tried before its turn": {
			[]int{2}, []Arrival{failed(0), failed(1), taken(0, 0), taken(0, 1)}, nil, Verdict{Acknowledged: 2, Inverted: []Message{{0, 1}}},
		},
		"after a number left out": {[]int{0}, []Arrival{taken(0, 1), taken(0, 3)}, nil, Verdict{}},
		"an old one again": {
			[]int{2}, []Arrival{taken(0, 0), taken(0, 1), taken(0, 0)}, nil, Verdict{Acknowledged: 2, Repeated: []Message{{0, 0}}},
		},
		"a dead letter":      {[]int{2}, []Arrival{refused(0), taken(0, 1)}, []Message{{0, 0}}, Verdict{Acknowledged: 2}},
		"refused and gone":   {[]int{2}, []Arrival{refused(0), taken(0, 1)}, nil, Verdict{Acknowledged: 2, Lost: []Message{{0, 0}}}},
		"given up by itself": {[]int{2}, []Arrival{failed(0), taken(0, 1)}, []Message{{0, 0}}, Verdict{Acknowledged: 2}},
		"before one was refused": {
			[]int{2}, []Arrival{taken(0, 1), refused(0)}, nil, Verdict{Acknowledged: 2, Lost: []Message{{0, 0}}, Inverted: []Message{{0, 1}}},
		},
		"dead without an arrival": {[]int{1}, nil, []Message{{0, 0}}, Verdict{Acknowledged: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Judge(c.acknowledged, c.arrivals, c.dead...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestInvented(t *testing.T) {
	for name, c := range map[string]struct {
		arrivals []Arrival
		want     []Message
	}{
		"acknowledged":            {[]Arrival{taken(0, 0), taken(0, 1)}, nil},
		"under way":               {[]Arrival{taken(0, 2)}, nil},
		"of no conversation":      {[]Arrival{taken(1, 0), taken(0, 0)}, []Message{{1, 0}}},
		"beyond what was sent":    {[]Arrival{taken(0, 3)}, []Message{{0, 3}}},
		"refused, and never sent": {[]Arrival{refused(3)}, []Message{{0, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Invented([]int{2}, c.arrivals)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	start := time.Now()
	call := func(second, status int) Call {
		return Call{Until: start.Add(time.Duration(second) * time.Second), Status: status}
	}
	for name, c := range map[string]struct {
		calls []Call
		want  time.Duration
	}{
		"none":         {[]Call{call(0, 200), call(9, 200)}, 0},
		"one":          {[]Call{call(0, 200), call(1, 503), call(2, 0), call(5, 200)}, 5 * time.Second},
		"the longest":  {[]Call{call(0, 200), call(1, 0), call(2, 200), call(3, 0), call(6, 200)}, 4 * time.Second},
		"no order":     {[]Call{call(3, 200), call(1, 0), call(0, 200)}, 3 * time.Second},
		"not yet over": {[]Call{call(0, 200), call(1, 0)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Outage(c.calls); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestPlatformAndBot, with nothing between them: events that the bot takes are acknowledged, and others are sent again.
func TestPlatformAndBot(t *testing.T) {
	bot, err := NewBot(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bot.Close(); err != nil {
			t.Error(err)
		}
	}()
	platform := &Platform{URL: bot.URL(), Conversations: 3, Pause: time.Millisecond}
	bot.Answer(http.StatusServiceUnavailable)
	platform.Start(t.Context(), Keys{APIKey: "a", Secret: "s"})
	poll.Until(t, "refused messages", func() bool { return len(bot.Arrivals()) > 10 })
	bot.Answer(http.StatusOK)
	poll.Until(t, "taken messages", func() bool { return len(bot.Arrivals()) > 100 })
	platform.Stop()

	calls, verdict := platform.Calls(), Judge(platform.Acknowledged(), bot.Arrivals())
	if len(calls) != len(bot.Arrivals()) || len(platform.Calls()) > 0 {
		t.Errorf("%d calls, %d arrivals", len(calls), len(bot.Arrivals()))
	}
	if Outage(calls) == 0 && !calls[0].Failed() {
		t.Error("no call failed")
	}
	if diff := cmp.Diff(Verdict{Acknowledged: verdict.Acknowledged}, verdict); diff != "" || verdict.Acknowledged < 50 {
		t.Errorf("%v", verdict)
	}
}

// TestPlatformRepeats: a retry is the same event, byte for byte; every second message comes once more; some calls come
// on connections of their own.
func TestPlatformRepeats(t *testing.T) {
	var mu sync.Mutex
	bodies, ports := make(map[Message][]string), make(map[string]bool)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		m, err2 := ParseMessage(body)
		if err != nil || err2 != nil {
			t.Error(err, err2)
		}
		mu.Lock()
		defer mu.Unlock()
		ports[r.RemoteAddr] = true
		bodies[m] = append(bodies[m], string(body))
		if len(bodies[m]) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer endpoint.Close()
	p := &Platform{
		URL: endpoint.URL, Conversations: 1, Pause: time.Millisecond, Again: EveryNth(2), Fresh: 2,
		Retries: []time.Duration{time.Millisecond, 2 * time.Millisecond},
	}
	p.Start(t.Context(), Keys{})
	poll.Until(t, "a few messages", func() bool { return p.Acknowledged()[0] > 3 })
	p.Stop()
	for n, calls := range []int{4, 3, 4} {
		got := bodies[Message{0, n}]
		if len(got) != calls || len(slices.Compact(slices.Clone(got))) != 1 {
			t.Errorf("message %d came as %q, want the same %d times", n, got, calls)
		}
	}
	if len(ports) < 3 {
		t.Errorf("%d connections", len(ports))
	}
	for i, call := range p.Calls()[:3] {
		if call.Try != i+1 {
			t.Errorf("call %d is try %d", i, call.Try)
		}
	}
}
