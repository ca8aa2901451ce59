package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// TestEncode: what is written is read back as it was, and what is empty is not written.
func TestEncode(t *testing.T) {
	for name, content := range map[string]string{
		"minimal": minimal,
		"with further fields": strings.Replace(minimal, "  sink:\n", `    maxBodySize: 64Ki
    events: {include: [user_*], exclude: [user_seen_message]}
  delivery: {paused: true, ordering: Unordered, concurrency: 3, retry: {maxAge: 1h30m}}
  sink:
`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, map[string]string{"connector.yaml": content})
			want, err := config.Load(path, types.Config())
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := want.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := config.LoadFrom(path, types.Config(), func(name string) ([]byte, error) {
				if name == path {
					return encoded, nil
				}
				return os.ReadFile(name)
			})
			if err != nil {
				t.Fatalf("%v in\n%s", err, encoded)
			}
			if diff := cmp.Diff(want, got, sameConfig); diff != "" {
				t.Errorf("read back (-want +got):\n%s\nfrom\n%s", diff, encoded)
			}
			if strings.Contains(string(encoded), "tls") {
				t.Errorf("holds an empty field:\n%s", encoded)
			}
		})
	}
}

// TestEncodeTexts: any text is read back as it was. The YAML library writes many of them in ways of their own.
func TestEncodeTexts(t *testing.T) {
	var want []zalo.OfficialAccount
	for _, text := range []string{
		"null", "yes", "0123", "1e3", "2026-11-25", "<<", "*a", "# a", "a: b", "'", "\"", " a ", "\t", "a\nb", "a\n", "\na", "\n a", "\n\n  a\n",
		"  a\nb", "a\r\nb", "\r", "\u0085", "\u2028", "\ufeff", "\x00", "\x7f", "\uffff", "Shop Hà Nội \U0001F6D2",
	} {
		want = append(want, zalo.OfficialAccount{ID: text, DisplayName: text})
	}
	c, err := config.Load(write(t, map[string]string{"connector.yaml": minimal}), types.Config())
	if err != nil {
		t.Fatal(err)
	}
	c.Channels[0].Settings.(*zalo.Settings).OfficialAccounts = want
	encoded, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(write(t, map[string]string{"connector.yaml": string(encoded)}), types.Config())
	if err != nil {
		t.Fatalf("%v in\n%s", err, encoded)
	}
	if diff := cmp.Diff(want, got.Channels[0].Settings.(*zalo.Settings).OfficialAccounts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLoadFromNamesWhatCannotBeRead: the reader's error is the problem.
func TestLoadFromNamesWhatCannotBeRead(t *testing.T) {
	_, err := config.LoadFrom("/etc/connector/config.yaml", types.Config(), func(string) ([]byte, error) { return nil, os.ErrNotExist })
	want := "/etc/connector/config.yaml: cannot be read: file does not exist"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
