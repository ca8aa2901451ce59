package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

const (
	firstKey  = "HiddenValue-api-key-1"
	secondKey = "HiddenValue-api-key-2"
	outOfUse  = "the key is out of use"
	inUse     = "the key stays in use until "
)

// watchKey watches a configuration whose API key is in a file, and gives a key whose file is absent a grace.
func watchKey(t *testing.T, grace time.Duration, changes ...func(*config.Watcher)) (r *running, key string) {
	t.Helper()
	path := write(t, map[string]string{"connector.yaml": withKeyFile(t), "keys/api": firstKey})
	current, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	r = watchBy(t, path, current, func(w *config.Watcher) {
		w.WithGrace(grace)
		for _, change := range changes {
			change(w)
		}
	})
	return r, filepath.Join(filepath.Dir(path), "keys", "api")
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

const (
	long  = time.Hour
	short = 100 * time.Millisecond
)

func TestKeyOfAnAbsentFileStaysForItsGraceAlone(t *testing.T) {
	for name, vanish := range map[string]func(t *testing.T, key string){
		"gone":  func(t *testing.T, key string) { t.Helper(); remove(t, key) },
		"blank": func(t *testing.T, key string) { t.Helper(); put(t, key, " \n") },
		"a link to itself": func(t *testing.T, key string) {
			t.Helper()
			remove(t, key)
			if err := os.Symlink(key, key); err != nil {
				t.Fatal(err)
			}
		},
		"its folder is a file": func(t *testing.T, key string) {
			t.Helper()
			remove(t, key)
			remove(t, filepath.Dir(key))
			put(t, filepath.Dir(key), "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, key := watchKey(t, short)
			vanish(t, key)
			if got := apiKeyOf(r.lacking(t, inUse)); got != firstKey {
				t.Errorf("during the grace %q is in use", got)
			}
			if got := apiKeyOf(r.lacking(t, outOfUse)); got != "" {
				t.Errorf("after the grace %q is in use", got)
			}
		})
	}
}

func TestGraceEndsWhileAVersionIsApplied(t *testing.T) {
	r, key := watchKey(t, short, func(w *config.Watcher) {
		apply := w.Apply
		w.Apply = func(c *config.Config) error {
			<-time.After(2 * short)
			return apply(c)
		}
	})
	remove(t, key)
	r.lacking(t, inUse)
	r.lacking(t, outOfUse)
}

func TestGraceIsCountedFromTheFirstSight(t *testing.T) {
	r, key := watchKey(t, 2*time.Second)
	remove(t, key)
	first := r.lacking(t, inUse).Lacks()[0].Message
	put(t, r.path, edit(t, withKeyFile(t), "chat/shop", "chat/second"))
	second := r.version(t, "a change meanwhile", func(c *config.Config) bool { return c.Channels[0].Name == "chat/second" })
	if got := second.Lacks()[0].Message; got != first {
		t.Errorf("a change meanwhile prolonged the grace: %q, then %q", first, got)
	}
	r.lacking(t, outOfUse)
}

func TestKeyFileThatComesBackChangesNothing(t *testing.T) {
	r, key := watchKey(t, long)
	remove(t, key)
	r.lacking(t, inUse)
	put(t, key, firstKey)
	c := r.version(t, "the key again", func(c *config.Config) bool { return len(c.Lacks()) == 0 })
	if got := apiKeyOf(c); got != firstKey {
		t.Errorf("%q is in use", got)
	}
}

func TestReplacedKeyIsOutOfUseAtOnce(t *testing.T) {
	for name, value := range map[string]string{
		"by a short one": "short", "by a large file": string(make([]byte, config.MaxSecret+1)), "by a good one": secondKey,
	} {
		t.Run(name, func(t *testing.T) {
			r, key := watchKey(t, long)
			put(t, key+".new", value)
			if err := os.Rename(key+".new", key); err != nil {
				t.Fatal(err)
			}
			c := r.version(t, "another key", func(c *config.Config) bool { return apiKeyOf(c) != firstKey })
			if got, usable := apiKeyOf(c), c.Channels[0].Webhook.APIKeys[0].Usable(); usable != (value == secondKey) || usable && got != secondKey {
				t.Errorf("%q is in use: %v", got, usable)
			}
		})
	}
}

// TestKeyStaysWhileTheDiskFails: a disk that fails takes no key away.
func TestKeyStaysWhileTheDiskFails(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": withKeyFile(t), "keys/api": firstKey})
	before, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	after, err := config.LoadAfter(path, types.Config(), func(name string) ([]byte, error) {
		if filepath.Base(name) == "api" {
			return nil, syscall.EIO
		}
		return config.ReadFile(name)
	}, before)
	if err != nil {
		t.Fatal(err)
	}
	if got := apiKeyOf(after); got != firstKey || !strings.Contains(after.Lacks()[0].Message, "the last key stays in use until it can") {
		t.Errorf("%q is in use: %v", got, after.Lacks())
	}
}

// TestSomethingElseTakesTheKeyAway at once, also where the file was absent before.
func TestSomethingElseTakesTheKeyAway(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, key string) error{
		"a folder": func(_ *testing.T, key string) error { return os.Mkdir(key, 0o700) },
		"a pipe":   func(_ *testing.T, key string) error { return syscall.Mkfifo(key, 0o600) },
		"a huge file": func(_ *testing.T, key string) error {
			return os.WriteFile(key, make([]byte, config.MaxFileSize+1), 0o600)
		},
		"a large file": func(_ *testing.T, key string) error {
			return os.WriteFile(key, make([]byte, config.MaxSecret+1), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, key := watchKey(t, long)
			remove(t, key)
			r.lacking(t, inUse)
			if err := put(t, key); err != nil {
				t.Fatal(err)
			}
			r.version(t, "no key", func(c *config.Config) bool { return apiKeyOf(c) == "" })
		})
	}
}

// TestAWrongFileTakesNothingFromOthers: a key file with what stands elsewhere loses its own key, and nobody else
// theirs.
func TestAWrongFileTakesNothingFromOthers(t *testing.T) {
	t.Run("an OA secret key of the configuration", func(t *testing.T) {
		r, key := watchKey(t, long)
		put(t, key, "HiddenValue-oa-secret")
		c := r.version(t, "no key", func(c *config.Config) bool { return apiKeyOf(c) == "" })
		if got := c.Channels[0].Settings.(*zalo.Settings).Signature.SecretKeys[0].Reveal(); got != "HiddenValue-oa-secret" {
			t.Errorf("the OA secret key is %q", got)
		}
	})
	t.Run("another channel's key", func(t *testing.T) {
		second := strings.Replace(secondShop, "value: HiddenValue-other-key-0123456789abcdef", "file: keys/second", 1)
		path := write(t, map[string]string{"connector.yaml": withKeyFile(t) + second, "keys/api": firstKey, "keys/second": secondKey})
		current, err := config.Load(path, types.Config())
		if err != nil {
			t.Fatal(err)
		}
		r := watchBy(t, path, current, func(*config.Watcher) {})
		put(t, filepath.Join(filepath.Dir(path), "keys", "api"), secondKey)
		c := r.version(t, "no first key", func(c *config.Config) bool { return apiKeyOf(c) != firstKey })
		if got := c.Channels[1].Webhook.APIKeys[0].Reveal(); got != secondKey || apiKeyOf(c) != "" {
			t.Errorf("the channels have %q and %q", apiKeyOf(c), got)
		}
	})
}

// TestRemovedKeyWinsOverABrokenConfiguration: a mistake in the configuration keeps the last good version in use, but no
// key whose file has gone.
func TestRemovedKeyWinsOverABrokenConfiguration(t *testing.T) {
	r, key := watchKey(t, short)
	put(t, r.path, "kind: ]\n")
	r.until(t, "a broken configuration", says("not YAML"))
	remove(t, key)
	if got := apiKeyOf(r.lacking(t, outOfUse)); got != "" {
		t.Errorf("%q is in use", got)
	}
}

func TestAbsentKeyFileAtTheStartIsNoKey(t *testing.T) {
	c, err := config.Load(write(t, map[string]string{"connector.yaml": withKeyFile(t)}), types.Config())
	if err != nil {
		t.Fatal(err)
	}
	if key := c.Channels[0].Webhook.APIKeys[0]; key.Usable() || len(c.Lacks()) != 1 {
		t.Errorf("usable, or not said: %v", c.Lacks())
	}
}
