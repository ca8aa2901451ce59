package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// listen listens on a socket until the test ends.
func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// answering serves the API's status on l until the test ends.
func answering(t *testing.T, l net.Listener) {
	t.Helper()
	api := serve(t)
	server := NewServer(*api.connector)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func TestSocketServesItsUserOnly(t *testing.T) {
	// Whatever the umask is: neither wider nor narrower.
	for _, mask := range []int{0, 0o777} {
		path := filepath.Join(t.TempDir(), "admin.sock")
		before := syscall.Umask(mask)
		l, err := Listen(t.Context(), path)
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("umask %o: the socket has mode %v, %v", mask, info.Mode(), err)
		}
		answering(t, l)
		if _, err := NewClient(path).Status(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestSocketInAGroupsFolderIsTheGroups, so that another user of it can replace what a killed process left.
func TestSocketInAGroupsFolderIsTheGroups(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o775|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "admin.sock")
	listen(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
}

// TestSocketIsNeverWider sees the mode that the socket has from its first moment: where Listen's own chmod cannot have
// been yet.
func TestSocketIsNeverWider(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	l, err := (&net.ListenConfig{Control: restrict(0o600)}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
}

// TestSocketOfAKilledProcessIsReplaced, which is what SIGKILL leaves.
func TestSocketOfAKilledProcessIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	killed := listen(t, path)
	killed.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = killed.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	answering(t, listen(t, path))
	if _, err := NewClient(path).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// Of two processes that start at once beside the socket of a killed one, one gets the name, and keeps it.
func TestTwoThatReplaceAStaleSocket(t *testing.T) {
	for range 200 {
		path := filepath.Join(t.TempDir(), "admin.sock")
		stale, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		stale.(*net.UnixListener).SetUnlinkOnClose(false)
		stale.Close()
		listeners := make(chan net.Listener, 2)
		for range 2 {
			go func() {
				l, err := Listen(t.Context(), path)
				if err != nil {
					l = nil
				}
				listeners <- l
			}()
		}
		first, second := <-listeners, <-listeners
		if (first == nil) == (second == nil) {
			t.Fatalf("first has the socket: %v, second: %v", first != nil, second != nil)
		}
		for _, l := range []net.Listener{first, second} {
			if l != nil {
				l.Close()
			}
		}
	}
}

func TestSocketOfALivingProcessIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	answering(t, listen(t, path))
	if l, err := Listen(t.Context(), path); err == nil || !strings.Contains(err.Error(), "another process listens on "+path) {
		_ = l.Close()
		t.Errorf("got %v", err)
	}
	if _, err := NewClient(path).Status(t.Context()); err != nil {
		t.Errorf("the first one no longer answers: %v", err)
	}
}

func TestSocketTakesTheNameOfNoOtherFile(t *testing.T) {
	folder := t.TempDir()
	file, link := filepath.Join(folder, "file"), filepath.Join(folder, "link")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, folder} {
		if _, err := Listen(t.Context(), path); err == nil || !strings.Contains(err.Error(), "is no socket") {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if content, err := os.ReadFile(link); err != nil || string(content) != "mine" {
		t.Errorf("the file holds %q, %v", content, err)
	}
}

func TestSocketIsRemovedAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	_ = listen(t, path).Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}

// TestClientSaysWhyNobodyAnswersOnASocket; another user's socket is in cmd/connector.
func TestClientSaysWhyNobodyAnswersOnASocket(t *testing.T) {
	folder := t.TempDir()
	stale, file := filepath.Join(folder, "stale"), filepath.Join(folder, "file")
	killed := listen(t, stale)
	killed.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = killed.Close()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "absent"): "there is no socket",
		stale:                           "was killed; start it again",
		file:                            "is no socket: name the connector's admin.socket",
		"/" + strings.Repeat("a", 107):  "there is no socket",
		filepath.Join(folder, "absent", "a", "b"):  "there is no socket",
		filepath.Join(file, "below", "admin.sock"): "there is no socket",
	} {
		_, err := NewClient(path).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q with the path", path, err, want)
		}
	}
}

// TestTheOnlyChannelNeedsNoName, also where the inbox still knows an empty one that was removed.
func TestTheOnlyChannelNeedsNoName(t *testing.T) {
	api := serve(t)
	delete(api.store.stats, "chat/gone")
	api.connector.Config = func() *config.Config {
		return &config.Config{Channels: []config.Channel{{Name: "chat/shop"}}}
	}
	api.Config.Handler = api.connector.handler()
	if ids, err := list(t.Context(), api.client, ""); err != nil || len(ids) != 3 {
		t.Errorf("%v, %v", ids, err)
	}
	if n, err := api.client.Drop(t.Context(), Selection{All: true}); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
}

// TestAnErrorNamesFewChannels: a connector may have thousands.
func TestAnErrorNamesFewChannels(t *testing.T) {
	var many []string
	for i := range maxListed + 3 {
		many = append(many, fmt.Sprintf("c%d", i))
	}
	for want, channels := range map[string][]string{
		"there is none": nil, `there is only "c0"`: many[:1], `there are "c0", "c1"`: many[:2],
	} {
		if got := listed(channels); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := listed(many); !strings.HasSuffix(got, `"c19" and 3 more, see "connector status"`) {
		t.Errorf("got %s", got)
	}
}
