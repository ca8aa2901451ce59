package connector_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// keyFiles lists API keys by the files that hold them.
func keyFiles(names ...string) string {
	var keys []string
	for _, name := range names {
		keys = append(keys, fmt.Sprintf("{name: %s, file: keys/%s}", name, name))
	}
	return strings.Join(keys, ", ")
}

// rotation is load on a channel whose key changes.
type rotation struct {
	key  atomic.Pointer[string]
	turn sync.RWMutex // held for reading while a call is under way
	done atomic.Bool
}

// use has every call that begins from now on carry key, and returns when the calls with another key have ended.
func (r *rotation) use(key string) {
	r.turn.Lock()
	defer r.turn.Unlock()
	r.key.Store(&key)
}

func (r *rotation) run(c *caller) {
	for !r.done.Load() && c.well() {
		r.turn.RLock()
		c.next(*r.key.Load())
		r.turn.RUnlock()
	}
}

func TestKeysRotateUnderLoadWithoutRefusingAValidKey(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL, keys: keyFiles("first")})
	key := func(n int) string { return fmt.Sprintf("next-key-%064d", n) }
	put(t, filepath.Join(s.folder, "keys", "first"), key(0))
	r := start(t, s.write(t))
	var load8 rotation
	load8.use(key(0))
	wait := load(r, 8, load8.run)

	for n := range 4 {
		names := []string{"first", "second"}
		if n%2 == 1 {
			names = []string{"second", "first"}
		}
		put(t, filepath.Join(s.folder, "keys", names[1]), key(n+1))
		s.channels[0].keys = keyFiles(names...)
		r.awaitReload("applied", func() { s.write(t) })
		load8.use(key(n + 1))
		s.channels[0].keys = keyFiles(names[1])
		r.awaitReload("applied", func() { s.write(t) })
		if code, _, err := r.post(message{shopA, "x", "x"}, key(n)); err != nil || code != http.StatusUnauthorized {
			t.Errorf("the removed key %d: %d, %v", n, code, err)
		}
	}
	// The same name with another content, without a change of the configuration file itself.
	r.awaitReload("applied", func() {
		load8.turn.Lock()
		put(t, filepath.Join(s.folder, "keys", "first"), key(9))
		fresh := key(9)
		load8.key.Store(&fresh)
		defer load8.turn.Unlock()
		poll.Until(t, "the key of the changed file is known", func() bool {
			code, _, err := r.post(message{shopA, "y", "y"}, key(9))
			return err == nil && code == http.StatusOK
		})
	})
	load8.done.Store(true)
	callers := wait()
	r.counts("config_last_reload_successful", 1)
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	delivered(t, callers, sink)
}

// digest is that of the version in use, which is exported and shown in the same words.
func (r *running) digest() string {
	r.t.Helper()
	status, err := r.api().Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.counts(fmt.Sprintf("config_info{digest=%q}", status.ConfigDigest), 1)
	return status.ConfigDigest
}

func TestABadVersionIsRefusedAndTheOldOneServes(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL})
	r := start(t, s.write(t))
	good, digest := s.yaml(), r.digest()
	r.counts("config_last_reload_successful", 1)
	restart := map[string]string{
		"server":      strings.Replace(good, "server: {", "server: {maxInFlight: 7, ", 1),
		"metrics":     strings.Replace(good, `metrics: {address: "127.0.0.1:0"`, `metrics: {address: "127.0.0.1:1"`, 1),
		"admin":       strings.Replace(good, "socket: admin.sock", "socket: other.sock", 1),
		"inbox":       strings.Replace(good, "inbox: {", "inbox: {deduplicationWindow: 3h, ", 1),
		"stop":        strings.Replace(good, "stop: {drainDelay: 0s", "stop: {drainDelay: 1s", 1),
		"apiVersions": strings.Replace(good, "apiVersion", "apiVersions", 1),
		"channels":    "channels: [",
	}
	n := 0
	for section, bad := range restart {
		r.awaitReload("refused", func() { put(t, s.path(), bad) })
		r.call(message{shopA, "1", section})
		r.counts("config_last_reload_successful", 0)
		if now := r.digest(); now != digest {
			t.Errorf("%s: the digest in use became %s", section, now)
		}
		n++
	}
	r.counts(`config_reloads_total{result="refused"}`, n)
	for _, section := range []string{"server", "metrics", "admin", "inbox", "stop"} {
		want := fmt.Sprintf(`"path":%q,"problem":"changed: restart the connector to change it"`, section)
		if !strings.Contains(r.logged(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}

	// Back to what is in use, which has nothing to apply.
	put(t, s.path(), good)
	r.awaits("config_last_reload_successful", 1)

	r.awaitReload("refused", func() { put(t, s.path(), "kind: 7") })
	r.counts("config_last_reload_successful", 0)
	s.channels[0].events = "exclude: [follow]"
	r.awaitReload("applied", func() { s.write(t) })
	r.counts("config_last_reload_successful", 1)
	if r.digest() == digest {
		t.Error("the digest did not change with the version")
	}
	if now, err := config.Load(s.path(), types.Config()); err != nil || now.Digest() != r.digest() {
		t.Errorf("%v, %s is in use, not what the loader says of the files", err, r.digest())
	}
	sink.awaits(t, n)
}

func TestASinkIsReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	before, after := newReceiver(t), newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: before.URL})
	r := start(t, s.write(t))
	var constant rotation
	constant.use(keyOf(shopA))
	wait := load(r, 4, constant.run)
	before.awaits(t, 50)
	s.channels[0].sink = after.URL
	r.awaitReload("applied", func() { s.write(t) })
	after.awaits(t, 50)
	// The concurrency is the size of the pool of connections, so a change opens the sink again too.
	connections := map[string]bool{}
	s.channels[0].delivery = "concurrency: 3, " + quickRetries
	for _, a := range after.takenSoFar() {
		connections[a.from] = true
	}
	r.awaitReload("applied", func() { s.write(t) })
	poll.Until(t, "deliveries on new connections", func() bool {
		taken := after.takenSoFar()
		return !connections[taken[len(taken)-1].from]
	})
	constant.done.Store(true)
	callers := wait()
	r.awaits(`inbox_backlog_events{channel="chat/a"}`, 0)
	delivered(t, callers, before, after)
}

func TestAChannelLeavesAndComesBackWithItsBacklog(t *testing.T) {
	t.Parallel()
	sinkA, sinkB := newReceiver(t), newReceiver(t)
	sinkB.answers(status(http.StatusInternalServerError))
	s := newSettings(t, channelSettings{name: shopA, sink: sinkA.URL}, channelSettings{name: shopB, sink: sinkB.URL})
	both := s.channels
	s.channels = both[:1]
	r := start(t, s.write(t))
	if code, _, err := r.post(message{shopB, "1", "early"}, keyOf(shopB)); err != nil || code != http.StatusUnauthorized {
		t.Errorf("a channel that is not there: %d, %v", code, err)
	}
	s.channels = both
	r.awaitReload("applied", func() { s.write(t) })
	for n := range 6 {
		r.call(message{shopB, fmt.Sprint(n % 2), fmt.Sprint("b-", n)})
	}
	poll.Until(t, "attempts for the channel", func() bool { return sinkB.attempted() > 5 })

	// Attempts under way end after the channel is gone.
	g := newGate(t)
	sinkB.answers(func(w http.ResponseWriter, a attempt) {
		g.answer(w, a)
		w.WriteHeader(http.StatusInternalServerError)
	})
	<-g.held
	s.channels = both[:1]
	r.awaitReload("applied", func() { s.write(t) })
	g.release()
	r.awaits("delivery_in_flight_attempts", 0)
	if code, _, err := r.post(message{shopB, "1", "late"}, keyOf(shopB)); err != nil || code != http.StatusUnauthorized {
		t.Errorf("a channel that has left: %d, %v", code, err)
	}
	r.call(message{shopA, "1", "a-1"})
	r.counts(`inbox_backlog_events{channel="chat/b"}`, 6)
	for line := range strings.Lines(r.scrape()) {
		if strings.Contains(line, shopB) && !strings.HasPrefix(line, "xbot_connector_inbox_") {
			t.Errorf("a series of the channel that has left: %s", line)
		}
	}

	sinkB.answers(nil)
	s.channels = both
	r.awaitReload("applied", func() { s.write(t) })
	sinkB.awaits(t, 6)
	r.call(message{shopB, "0", "b-0"})
	r.counts(`webhook_duplicates_total{channel="chat/b"}`, 1)
	for talk, want := range map[string]string{"0": "[b-0 b-2 b-4]", "1": "[b-1 b-3 b-5]"} {
		if got := fmt.Sprint(sinkB.ids()[talk]); got != want {
			t.Errorf("conversation %s arrived as %s, want %s", talk, got, want)
		}
	}

	// Without a backlog nothing tells of a channel that has left.
	r.awaits(`inbox_backlog_events{channel="chat/b"}`, 0)
	s.channels = both[:1]
	r.awaitReload("applied", func() { s.write(t) })
	if scraped := r.scrape(); strings.Contains(scraped, shopB) {
		t.Errorf("series of the channel that has left:\n%s", scraped)
	}
	if state, err := r.api().Status(t.Context()); err != nil || len(state.Channels) != 1 {
		t.Errorf("status %+v, %v, want one channel", state.Channels, err)
	}
}

// TestKubeletsSymlinkSwapIsOneChange projects the configuration as kubelet does: files are links into "..data", which
// is a link to the version's folder.
func TestKubeletsSymlinkSwapIsOneChange(t *testing.T) {
	t.Parallel()
	sink := newReceiver(t)
	s := newSettings(t, channelSettings{name: shopA, sink: sink.URL, keys: "{name: main, file: api-key}"})
	project := func(version, key string) {
		put(t, filepath.Join(s.folder, version, "api-key"), key)
		put(t, filepath.Join(s.folder, version, "connector.yaml"), s.yaml())
		if err := os.Symlink(version, filepath.Join(s.folder, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(s.folder, "..data_tmp"), filepath.Join(s.folder, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	project("..v1", "next-key-of-a-link-1")
	for _, name := range []string{"api-key", "connector.yaml"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(s.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, s.path())
	for n := 1; n < 4; n++ {
		for key, want := range map[string]int{fmt.Sprint("next-key-of-a-link-", n): 200, fmt.Sprint("next-key-of-a-link-", n-1): 401} {
			code, _, err := r.post(message{shopA, "1", fmt.Sprint("m-", n)}, key)
			if err != nil || code != want {
				t.Errorf("version %d, %s: %d, %v, want %d", n, key, code, err, want)
			}
		}
		r.awaitReload("applied", func() { project(fmt.Sprint("..v", n+1), fmt.Sprint("next-key-of-a-link-", n+1)) })
		if err := os.RemoveAll(filepath.Join(s.folder, fmt.Sprint("..v", n))); err != nil {
			t.Fatal(err)
		}
	}
	r.counts(`config_reloads_total{result="applied"}`, 3)
	r.counts(`config_reloads_total{result="refused"}`, 0)
	sink.awaits(t, 3)
}
