package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// project lays files out as kubelet's AtomicWriter does: a new folder, a link to it under a temporary name, and one
// rename over ..data.
func project(t *testing.T, folder, version string, named map[string]string) {
	t.Helper()
	data := filepath.Join(folder, "..data")
	old, _ := os.Readlink(data) // none the first time
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(folder, version), 0o700))
	for name, content := range named {
		put(t, filepath.Join(folder, version, name), content)
	}
	must(os.Symlink(version, data+"_tmp"))
	must(os.Rename(data+"_tmp", data))
	if old != "" {
		must(os.RemoveAll(filepath.Join(folder, old)))
		return
	}
	for name := range named {
		must(os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name)))
	}
}

func TestWatcherFollowsKubeletsSymlinkSwap(t *testing.T) {
	folder := t.TempDir()
	text := edit(t, minimal, "value: HiddenValue-api-key-0123456789abcdef", "file: api")
	project(t, folder, "..2026_01", map[string]string{"connector.yaml": text, "api": "HiddenValue-api-key-1"})
	r := watch(t, filepath.Join(folder, "connector.yaml"))
	for i := 2; i < 6; i++ {
		want := fmt.Sprintf("HiddenValue-api-key-%d", i)
		project(t, folder, fmt.Sprintf("..2026_0%d", i), map[string]string{"connector.yaml": text, "api": want})
		r.until(t, want, good)
		if got := apiKeyOf(r.newest(t)); got != want {
			t.Errorf("the key in use is %q, want %q", got, want)
		}
	}
}

func TestWatcherFollowsALinkedFolder(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "current", "connector.yaml")
	for i, name := range []string{"chat/shop", "chat/second"} {
		release := filepath.Join(folder, fmt.Sprintf("release-%d", i))
		if err := os.Mkdir(release, 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(release, "connector.yaml"), edit(t, minimal, "chat/shop", name, "path: inbox", "path: /inbox"))
	}
	link := func(target string) {
		if err := errors.Join(os.Symlink(target, filepath.Join(folder, "new")),
			os.Rename(filepath.Join(folder, "new"), filepath.Join(folder, "current"))); err != nil {
			t.Fatal(err)
		}
	}
	link("release-0")
	r := watch(t, path)
	link("release-1")
	r.until(t, "second release", good)
	put(t, filepath.Join(folder, "release-1", "connector.yaml"), edit(t, minimal, "chat/shop", "chat/third", "path: inbox", "path: /inbox"))
	r.until(t, "change in the second release", good)
	if got := r.newest(t).Channels[0].Name; got != "chat/third" {
		t.Errorf("the channel in use is %q", got)
	}
}

func TestWatcherSurvivesDeletionAndReturn(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": withKeyFile(t), "keys/api": "HiddenValue-api-key-1"})
	r := watch(t, path)
	keys := filepath.Join(filepath.Dir(path), "keys")
	for i := 2; i < 5; i++ {
		want := fmt.Sprintf("HiddenValue-api-key-%d", i)
		if err := os.RemoveAll(keys); err != nil {
			t.Fatal(err)
		}
		r.lacking(t, "apiKeys[0].file: the file cannot be read")
		if err := os.Mkdir(keys, 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(keys, "api"), want)
		r.version(t, "the return of the folder", func(c *config.Config) bool { return apiKeyOf(c) == want })
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.until(t, "deletion of the configuration", says("cannot be read"))
	put(t, path, edit(t, withKeyFile(t), "chat/shop", "chat/second"))
	r.until(t, "return of the configuration", good)
}

func TestWatcherWatchesWhatANewVersionNames(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	r := watch(t, path)
	elsewhere := filepath.Join(t.TempDir(), "later", "api")
	put(t, path, edit(t, minimal, "value: HiddenValue-api-key-0123456789abcdef", "file: "+elsewhere))
	r.lacking(t, "apiKeys[0].file: the file cannot be read")
	if err := os.Mkdir(filepath.Dir(elsewhere), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, elsewhere, "HiddenValue-api-key-1")
	r.until(t, "file", good)
	put(t, elsewhere, "HiddenValue-api-key-2")
	r.until(t, "changed file", good)
	if got := apiKeyOf(r.newest(t)); got != "HiddenValue-api-key-2" {
		t.Errorf("the key in use is %q", got)
	}
}
