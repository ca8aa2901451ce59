package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; it asserts no speed.
const patience = time.Minute

// running is a Watcher at work. Every reload is one value of results.
type running struct {
	path    string
	applied chan *config.Config
	results chan error
	refuse  chan error // an error that the next Apply returns
	log     *logged
}

type logged struct {
	sync.Mutex
	lines strings.Builder
}

func (l *logged) String() string {
	l.Lock()
	defer l.Unlock()
	return l.lines.String()
}

// watch runs a Watcher over path until the test ends.
func watch(t *testing.T, path string) *running {
	t.Helper()
	current, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	return watchFrom(t, path, current)
}

func watchFrom(t *testing.T, path string, current *config.Config) *running {
	t.Helper()
	return watchBy(t, path, current, func(*config.Watcher) {})
}

func watchBy(t *testing.T, path string, current *config.Config, change func(*config.Watcher)) *running {
	t.Helper()
	r := &running{
		path: path, applied: make(chan *config.Config, 100), results: make(chan error, 100), refuse: make(chan error, 1), log: &logged{},
	}
	w := &config.Watcher{
		Path: path,
		Log: funcr.New(func(_, line string) {
			r.log.Lock()
			defer r.log.Unlock()
			r.log.lines.WriteString(line + "\n")
		}, funcr.Options{}),
		Apply: func(c *config.Config) error {
			select {
			case err := <-r.refuse:
				return err
			default:
				r.applied <- c
				return nil
			}
		},
		Observe: func(err error) { r.results <- err },
	}
	change(w)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, current) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return r
}

// until waits for a reload that ends as ok says; what a half-made change gives before is not the test's matter.
func (r *running) until(t *testing.T, what string, ok func(error) bool) {
	t.Helper()
	late := time.After(patience)
	var last error
	for {
		select {
		case last = <-r.results:
			if ok(last) {
				return
			}
		case <-late:
			t.Fatalf("%s: not seen, the last reload ended with %v", what, last)
		}
	}
}

func good(err error) bool { return err == nil }

func says(text string) func(error) bool {
	return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
}

// version waits for a version that is as wanted, and returns it.
func (r *running) version(t *testing.T, what string, wanted func(*config.Config) bool) *config.Config {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case c := <-r.applied:
			if wanted(c) {
				return c
			}
		case <-late:
			t.Fatalf("no such version: %s", what)
		}
	}
}

// lacking waits for a version that lacks a secret for a reason, and returns it.
func (r *running) lacking(t *testing.T, reason string) *config.Config {
	t.Helper()
	return r.version(t, reason, func(c *config.Config) bool {
		return slices.ContainsFunc(c.Lacks(), func(lack config.Problem) bool { return strings.Contains(lack.String(), reason) })
	})
}

// newest returns the version that was applied last.
func (r *running) newest(t *testing.T) *config.Config {
	t.Helper()
	var c *config.Config
	for {
		select {
		case c = <-r.applied:
			continue
		default:
		}
		if c == nil {
			t.Fatal("nothing was applied")
		}
		return c
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func apiKeyOf(c *config.Config) string { return c.Channels[0].Webhook.APIKeys[0].Reveal() }

func withKeyFile(t *testing.T) string {
	t.Helper()
	return edit(t, minimal, "value: HiddenValue-api-key-0123456789abcdef", "file: keys/api")
}

func TestWatcherRotatesASecretFile(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": withKeyFile(t), "keys/api": "HiddenValue-api-key-1"})
	r := watch(t, path)
	key := filepath.Join(filepath.Dir(path), "keys", "api")
	put(t, key, "HiddenValue-api-key-2")
	// A file that is written in place may be seen empty, and then whole again.
	r.version(t, "the new key", func(c *config.Config) bool { return apiKeyOf(c) == "HiddenValue-api-key-2" })
	put(t, key, "")
	if got := apiKeyOf(r.lacking(t, "keys/api is empty: the key stays in use until ")); got != "HiddenValue-api-key-2" {
		t.Errorf("the key in use is %q", got)
	}
	put(t, key, "HiddenValue-api-key-3")
	r.version(t, "the third key", func(c *config.Config) bool { return apiKeyOf(c) == "HiddenValue-api-key-3" })
	if strings.Contains(r.log.String(), hidden) {
		t.Error("the log shows a secret")
	}
}

func TestWatcherRefusesABadVersionUntilItIsMended(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	r := watch(t, path)
	put(t, path, edit(t, minimal, "chat/shop", "my shop", "http://bot", "ftp://bot"))
	r.until(t, "bad version", says("sink.http.url"))
	if len(r.applied) > 0 {
		t.Error("a bad version was applied")
	}
	put(t, path, edit(t, minimal, "chat/shop", "chat/renamed"))
	r.until(t, "mended version", good)
	if got := r.newest(t).Channels[0].Name; got != "chat/renamed" {
		t.Errorf("the channel in use is %q", got)
	}
	for _, want := range []string{
		`"path"="channels[0].name"`, `"path"="channels[0].sink.http.url"`, `"line"=20`, `"problems"=2`, "configuration applied",
	} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, r.log)
		}
	}
}

func TestWatcherReportsTheReturnToTheVersionInUse(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	r := watch(t, path)
	put(t, path, "kind: [")
	r.until(t, "bad version", says("not YAML"))
	put(t, path, minimal)
	r.until(t, "return", good)
	if len(r.applied) > 0 {
		t.Error("the version in use was applied again")
	}
}

func TestWatcherRefusesWhatApplyRefuses(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	r := watch(t, path)
	r.refuse <- errors.New("no room for a further channel")
	put(t, path, edit(t, minimal, "chat/shop", "chat/second"))
	r.until(t, "refusal", says("no room"))
	put(t, path, edit(t, minimal, "chat/shop", "chat/third"))
	r.until(t, "third version", good)
	if !strings.Contains(r.log.String(), "no room for a further channel") {
		t.Errorf("the log lacks the cause:\n%s", r.log)
	}
}

// TestWatcherTriesAgain what could not be applied, without a further change.
func TestWatcherTriesAgain(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	current, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	r := watchBy(t, path, current, func(w *config.Watcher) { w.TryAgainAfter(50 * time.Millisecond) })
	r.refuse <- errors.New("the inbox hangs")
	put(t, path, edit(t, minimal, "chat/shop", "chat/second"))
	r.until(t, "refusal", says("the inbox hangs"))
	r.until(t, "the same version", good)
}

func TestWatcherSeesAChangeBetweenLoadAndRun(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	current, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, edit(t, minimal, "chat/shop", "chat/second"))
	r := watchFrom(t, path, current)
	r.until(t, "the earlier change", good)
}

// TestWatcherWithoutNotifications has the system refuse notifications at first, as it does when other pods of the node
// have used them up.
func TestWatcherWithoutNotifications(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	current, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	var usable atomic.Bool
	r := watchBy(t, path, current, func(w *config.Watcher) {
		w.NotifiedBy(func() (*fsnotify.Watcher, error) {
			if !usable.Load() {
				return nil, syscall.EMFILE
			}
			return fsnotify.NewWatcher()
		})
	})
	for _, name := range []string{"chat/second", "chat/third"} {
		put(t, path, edit(t, minimal, "chat/shop", name))
		r.until(t, name, good)
	}
	if n := strings.Count(r.log.String(), "max_user_instances"); n != 1 {
		t.Errorf("the log says %d times what is wrong:\n%s", n, r.log)
	}
	usable.Store(true)
	poll.Until(t, "the files are watched again", func() bool { return strings.Contains(r.log.String(), "watched again") })
	put(t, path, edit(t, minimal, "chat/shop", "chat/fourth"))
	r.until(t, "fourth version", good)
}

// TestWatcherOfAFolderThatCannotBeWatched has the system refuse one folder.
func TestWatcherOfAFolderThatCannotBeWatched(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	current, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	closed, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	refusing := *closed
	refusing.Events, refusing.Errors = make(chan fsnotify.Event), make(chan error)
	r := watchBy(t, path, current, func(w *config.Watcher) { w.NotifiedBy(func() (*fsnotify.Watcher, error) { return &refusing, nil }) })
	put(t, path, edit(t, minimal, "chat/shop", "chat/second"))
	r.until(t, "change that nothing tells of", good)
}

func TestWatcherRefusesWhatNeedsARestart(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	const inbox = "inbox:\n  embedded:\n    path: inbox\n"
	const sameInbox = "\ninbox: {embedded: {path: inbox}}\n"
	for section, changed := range map[string]string{
		"server":   "server: {maxInFlight: 1}" + sameInbox,
		"metrics":  "metrics: {address: ':1'}" + sameInbox,
		"admin":    "admin: {address: '[::1]:1'}" + sameInbox,
		"stop":     "stop: {pending: Deliver}" + sameInbox,
		"dispatch": "dispatch: {maxConcurrency: 1}" + sameInbox,
		"inbox":    "inbox: {deduplicationWindow: 3h, embedded: {path: inbox}}\n",
	} {
		t.Run(section, func(t *testing.T) {
			put(t, path, minimal)
			r := watch(t, path)
			put(t, path, edit(t, minimal, inbox, changed))
			r.until(t, section, func(err error) bool {
				return err != nil && err.Error() == path+":3: "+section+": changed: restart the connector to change it"
			})
		})
	}
}

func TestWatcherReplacesTheServersCertificate(t *testing.T) {
	cert, key := certificate.New(t, 1)
	path := write(t, map[string]string{
		"connector.yaml": edit(t, minimal, afterKind, afterKind+"server: {tls: {certFile: tls/crt, keyFile: tls/key}}\n"),
		"tls/crt":        cert, "tls/key": key,
	})
	before, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	r := watchFrom(t, path, before)
	folder := filepath.Dir(path)
	cert, key = certificate.New(t, 1)
	put(t, filepath.Join(folder, "tls", "crt"), cert)
	half := r.lacking(t, "not the private key, in PEM, of the certificate in")
	if !half.Server.TLS.Certificate().Leaf.Equal(before.Server.TLS.Certificate().Leaf) {
		t.Error("the last good certificate is not in use")
	}
	put(t, filepath.Join(folder, "tls", "key"), key)
	got := r.version(t, "the new pair", func(c *config.Config) bool { return len(c.Lacks()) == 0 }).Server.TLS.Certificate()
	want, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Leaf.Equal(want.Server.TLS.Certificate().Leaf) {
		t.Error("the old certificate is in use")
	}
	if err := os.Rename(filepath.Join(folder, "tls"), filepath.Join(folder, "other")); err != nil {
		t.Fatal(err)
	}
	put(t, path, edit(t, minimal, afterKind, afterKind+"server: {tls: {certFile: other/crt, keyFile: other/key}}\n"))
	r.until(t, "moved pair", says("server: changed"))
}

func TestWatcherIgnoresWhatChangesNothing(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	r := watch(t, path)
	put(t, filepath.Join(filepath.Dir(path), "other"), "x")
	put(t, path, minimal)
	put(t, path, edit(t, minimal, "chat/shop", "chat/second"))
	// A file that is written in place may be seen empty, and then whole again.
	r.until(t, "real change", func(err error) bool { return err == nil && len(r.applied) > 0 })
	if n := len(r.applied); n != 1 {
		t.Errorf("%d versions applied, want 1", n)
	}
}
