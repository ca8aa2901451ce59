package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	firstKey  = "HiddenValue-api-key-1"
	secondKey = "HiddenValue-api-key-2"
	outOfUse  = "the key is out of use"
	inUse     = "the key stays in use until "
)

// watchKey watches a configuration whose API key is in a file, and gives a key whose
// file is absent a grace.
func watchKey(t *testing.T, grace time.Duration) (r *running, key string) {
	t.Helper()
	path := write(t, map[string]string{"connector.yaml": withKeyFile(t), "keys/api": firstKey})
	current, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	r = watchBy(t, path, current, func(w *Watcher) { w.absences = &absences{grace, map[string]time.Time{}} })
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

func TestGraceIsCountedFromTheFirstSight(t *testing.T) {
	r, key := watchKey(t, 2*time.Second)
	remove(t, key)
	first := r.lacking(t, inUse).Lacks()[0].Message
	put(t, r.path, edit(t, withKeyFile(t), "chat/shop", "chat/second"))
	second := r.version(t, "a change meanwhile", func(c *Config) bool { return c.Channels[0].Name == "chat/second" })
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
	c := r.version(t, "the key again", func(c *Config) bool { return len(c.Lacks()) == 0 })
	if got := apiKeyOf(c); got != firstKey {
		t.Errorf("%q is in use", got)
	}
}

func TestReplacedKeyIsOutOfUseAtOnce(t *testing.T) {
	for name, value := range map[string]string{
		"by a short one": "short", "by a large file": string(make([]byte, maxSecretSize+1)), "by a good one": secondKey,
	} {
		t.Run(name, func(t *testing.T) {
			r, key := watchKey(t, long)
			put(t, key+".new", value)
			if err := os.Rename(key+".new", key); err != nil {
				t.Fatal(err)
			}
			c := r.version(t, "another key", func(c *Config) bool { return apiKeyOf(c) != firstKey })
			if got, usable := apiKeyOf(c), c.Channels[0].Webhook.APIKeys[0].Usable(); usable != (value == secondKey) || usable && got != secondKey {
				t.Errorf("%q is in use: %v", got, usable)
			}
		})
	}
}

// TestKeyStaysWhileItsFileCannotBeRead: only a file that is known to be absent takes
// its key away, not a disk that fails.
func TestKeyStaysWhileItsFileCannotBeRead(t *testing.T) {
	r, key := watchKey(t, long)
	remove(t, key)
	r.lacking(t, inUse)
	if err := os.Mkdir(key, 0o700); err != nil { // fails as no absent file does
		t.Fatal(err)
	}
	if got := apiKeyOf(r.lacking(t, "the last key stays in use until it can")); got != firstKey {
		t.Errorf("%q is in use", got)
	}
}

// TestRemovedKeyWinsOverABrokenConfiguration: a mistake in the configuration keeps the
// last good version in use, but no key whose file has gone.
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
	c, err := Load(write(t, map[string]string{"connector.yaml": withKeyFile(t)}))
	if err != nil {
		t.Fatal(err)
	}
	if key := c.Channels[0].Webhook.APIKeys[0]; key.Usable() || len(c.Lacks()) != 1 {
		t.Errorf("usable, or not said: %v", c.Lacks())
	}
}
