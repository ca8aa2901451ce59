package connector_test

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// garbled answers what is no HTTP.
func garbled(w http.ResponseWriter, _ attempt) { w.(*statusWriter).hijack("hello?\r\n\r\n") }

// cutInHeader ends an answer within its headers.
func cutInHeader(w http.ResponseWriter, _ attempt) {
	w.(*statusWriter).hijack("HTTP/1.1 200 OK\r\nContent-Le")
}

// cutInBody ends an answer within its body, which does not matter.
func cutInBody(w http.ResponseWriter, _ attempt) {
	w.(*statusWriter).hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
}

// badSink is a channel whose sink is bad until mend is called.
type badSink struct {
	*receiver

	channel channelSettings
	mend    func(*running)
	// refuses tells that the events become dead letters.
	refuses bool
}

// badSinks makes one sink of every kind, by their channels' names. Files that the configuration names go into folder.
func badSinks(t *testing.T, folder string, held *gate, elsewhere string) map[string]*badSink {
	t.Helper()
	sinks := map[string]*badSink{}
	for name, answer := range map[string]func(http.ResponseWriter, attempt){
		"slow":     held.answer,
		"garbage":  garbled,
		"cut":      cutInHeader,
		"limited":  status(429, "Retry-After", "1"),
		"redirect": status(302, "Location", elsewhere),
		"failing":  status(500),
		"locked":   status(401),
		"missing":  status(404),
		"late":     status(408),
		"picky":    status(400),
		"narrow":   status(413),
	} {
		sink := newReceiver(t)
		sink.answers(answer)
		sinks["chat/"+name] = &badSink{
			receiver: sink, channel: channelSettings{sink: sink.URL}, refuses: name == "picky" || name == "narrow",
			mend: func(*running) { sink.answers(nil) },
		}
	}
	sinks["chat/down"] = downSink(t)
	sinks["chat/stranger"] = untrustedSink(t, folder)
	return sinks
}

// downSink has an address that nothing listens on.
func downSink(t *testing.T) *badSink {
	t.Helper()
	sink := &receiver{}
	sink.Server = httptest.NewUnstartedServer(sink)
	_ = sink.Listener.Close()
	address := reserved.Address(t)
	return &badSink{
		receiver: sink, channel: channelSettings{sink: "http://" + address},
		mend: func(*running) { listen(t, sink.Server, address) },
	}
}

// untrustedSink shows a certificate that the channel's authority did not sign.
func untrustedSink(t *testing.T, folder string) *badSink {
	t.Helper()
	sink := &receiver{}
	sink.Server = httptest.NewUnstartedServer(sink)
	sink.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of the handshakes
	sink.StartTLS()
	t.Cleanup(sink.Close)
	authority := filepath.Join(folder, "authority.pem")
	other, _ := certificate.New(t, 1)
	put(t, authority, other)
	return &badSink{
		receiver: sink, channel: channelSettings{sink: sink.URL, http: fmt.Sprintf("tls: {caFile: %q}", authority)},
		mend: func(r *running) {
			r.awaitReload("applied", func() {
				put(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sink.Certificate().Raw})))
			})
		},
	}
}

func TestBadSinksLeaveOtherChannelsAlone(t *testing.T) {
	t.Parallel()
	good, elsewhere := newReceiver(t), newReceiver(t)
	held := newGate(t)
	s := newSettings(t, channelSettings{name: shopB, sink: good.URL})
	sinks := badSinks(t, s.folder, held, elsewhere.URL)
	for name, sink := range sinks {
		c := sink.channel
		c.name, c.delivery = name, "retry: {initialBackoff: 50ms, maxBackoff: 200ms}"
		c.http = strings.TrimPrefix(c.http+", timeout: 300ms", ", ")
		s.channels = append(s.channels, c)
	}
	r := start(t, s.write(t))

	talks := []string{"0", "1", "2"}
	for n := range 10 {
		for name := range sinks {
			for _, talk := range talks {
				r.call(message{name, talk, fmt.Sprintf("%s-%s-%02d", name, talk, n)})
			}
		}
		for _, talk := range talks {
			r.call(message{shopB, talk, fmt.Sprintf("good-%s-%02d", talk, n)})
		}
	}
	good.awaits(t, 30)
	for name, sink := range sinks {
		if sink.refuses {
			r.awaits(fmt.Sprintf("inbox_dead_letters{channel=%q}", name), 30)
		} else {
			poll.Until(t, "an attempt of "+name, func() bool {
				status, err := r.api().Status(t.Context())
				return err == nil && failedAttempts(status, name) > 0
			})
		}
		if n := len(sink.takenSoFar()); n > 0 {
			t.Errorf("%s took %d events while it was bad", name, n)
		}
	}

	held.release()
	for name, sink := range sinks {
		sink.mend(r)
		if sink.refuses {
			if n, err := r.api().Redrive(t.Context(), admin.Selection{Channel: name, All: true}); err != nil || n != 30 {
				t.Errorf("%s: %d redriven, %v", name, n, err)
			}
		}
	}
	for name, sink := range sinks {
		sink.awaits(t, 30)
		r.awaits(fmt.Sprintf("inbox_backlog_events{channel=%q}", name), 0)
		inOrder(t, name, sink.receiver, talks, 10)
	}
	inOrder(t, shopB, good, talks, 10)
	if n := elsewhere.attempted(); n > 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

func failedAttempts(status admin.Status, channel string) int64 {
	for _, c := range status.Channels {
		if c.Name == channel {
			return c.FailedAttempts
		}
	}
	return 0
}

// listen starts a server on an address that is reserved for it.
func listen(t *testing.T, server *httptest.Server, address string) {
	t.Helper()
	var err error
	if server.Listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
}

// inOrder checks that n events of every conversation were taken in order. An event whose answer came too late may be
// taken again.
func inOrder(t *testing.T, name string, sink *receiver, talks []string, n int) {
	t.Helper()
	for _, talk := range talks {
		got := slices.Compact(sink.ids()[talk])
		if len(got) != n || !slices.IsSorted(got) {
			t.Errorf("%s, conversation %s arrived as %v", name, talk, got)
		}
	}
}

func TestTheSinksAnswerDecides(t *testing.T) {
	t.Parallel()
	refused := []int{400, 410, 413, 415, 422}
	retried := []int{300, 301, 302, 307, 308, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504}
	first := map[string]func(http.ResponseWriter, attempt){"garbage": garbled, "cut in header": cutInHeader}
	for _, code := range retried {
		first[fmt.Sprint(code)] = status(code, "Location", "/elsewhere")
	}
	once := map[string]func(http.ResponseWriter, attempt){"cut in body": cutInBody, "200": status(200), "204": status(204)}
	for _, code := range refused {
		once[fmt.Sprint(code)] = status(code)
	}

	sink := newReceiver(t)
	r := start(t, newSettings(t, channelSettings{name: shopA, sink: sink.URL}).write(t))
	sink.answers(func(w http.ResponseWriter, a attempt) {
		if answer := once[a.id()]; answer != nil {
			answer(w, a)
		} else if sink.attemptsOf(a.id()) == 1 {
			first[a.id()](w, a)
		}
	})
	for _, ids := range []map[string]func(http.ResponseWriter, attempt){first, once} {
		for id := range ids {
			r.call(message{shopA, id, id})
		}
	}
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	for id := range first {
		if n := sink.attemptsOf(id); n != 2 {
			t.Errorf("%s: %d attempts, want a second one", id, n)
		}
	}
	for id := range once {
		if n := sink.attemptsOf(id); n != 1 {
			t.Errorf("%s: %d attempts, want one only", id, n)
		}
	}

	want := map[string]string{}
	for _, code := range refused {
		want[fmt.Sprint(code)] = fmt.Sprintf("sink refused the event: HTTP %d", code)
	}
	got := map[string]string{}
	for letter, err := range r.api().DeadLetters(t.Context(), shopA) {
		if err != nil {
			t.Fatal(err)
		}
		got[strings.TrimPrefix(letter.Reason, "sink refused the event: HTTP ")] = letter.Reason
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	r.awaits(`delivery_dead_lettered_total{channel="chat/a",reason="refused"}`, len(refused)) // counted after the commit

	clear(once)
	sink.answers(nil)
	if n, err := r.api().Redrive(t.Context(), admin.Selection{Channel: shopA, All: true}); err != nil || n != len(refused) {
		t.Errorf("%d redriven, %v", n, err)
	}
	r.awaits(`inbox_dead_letters{channel="chat/a"}`, 0)
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	taken := slices.Collect(maps.Keys(sink.count()))
	for id := range want {
		if !slices.Contains(taken, id) {
			t.Errorf("%s was not taken after it was redriven", id)
		}
	}
}

// attemptsOf counts the deliveries of one message.
func (r *receiver) attemptsOf(id string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.attempts {
		if a.id() == id {
			n++
		}
	}
	return n
}
