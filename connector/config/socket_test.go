package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// TestAdminSocketByDefault: the user's own runtime folder, else beside the inbox.
func TestAdminSocketByDefault(t *testing.T) {
	path := write(t, map[string]string{"connector.yaml": minimal})
	folder := filepath.Dir(path)
	ours := filepath.Join(folder, "connector", "admin.sock")
	beside := filepath.Join(folder, "inbox.admin.sock")
	tests := map[string]struct{ runtime, want string }{
		"runtime folder": {folder, ours},
		"none":           {"", beside},
		"relative":       {"run", beside},
		"absent":         {filepath.Join(folder, "absent"), beside},
		"a file":         {path, beside},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", tt.runtime)
			loaded, err := config.Load(path, types.Config())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(config.Admin{Socket: tt.want}, loaded.Admin); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
			found, err := config.LoadAdmin(path, types.Config())
			if diff := cmp.Diff(loaded.Admin, found); diff != "" || err != nil {
				t.Errorf("LoadAdmin: %v (-Load +LoadAdmin):\n%s", err, diff)
			}
		})
	}
}

// TestAdminSocketOfAnotherUsersFolder: the variable outlives a change of the user.
func TestAdminSocketOfAnotherUsersFolder(t *testing.T) {
	folder := "/" // root's
	if os.Geteuid() == 0 {
		folder = t.TempDir()
		if err := os.Chown(folder, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", folder)
	if got := config.UserSocket(); got != "" {
		t.Errorf("got %s", got)
	}
}

// TestLoadAdmin: what else is wrong with the file hides nothing, since a connector goes on with its last good version.
func TestLoadAdmin(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	tests := map[string]struct {
		edits []string
		want  string // of the socket or address, with DIR for the folder
		err   string
	}{
		"relative": {edits: under(afterKind, "admin: {socket: run/a.sock}\n"), want: "DIR/run/a.sock"},
		"address":  {edits: under(afterKind, "admin: {address: \"127.0.0.1:9091\"}\n"), want: "127.0.0.1:9091"},
		"wrong elsewhere": {
			edits: []string{appID, "", oaKey, "      - file: absent\n", inboxPath, inboxPath + "    maxsize: 1\n"}, want: "DIR/inbox.admin.sock",
		},
		"not YAML":         {edits: []string{afterKind, "kind: ]\n"}, err: ":2: not YAML"},
		"both":             {edits: under(afterKind, "admin: {address: \"127.0.0.1:1\", socket: a.sock}\n"), err: ":3: admin: both"},
		"no inbox":         {edits: []string{"path: inbox", "path: ''"}, err: ":5: inbox.embedded.path: required"},
		"public":           {edits: under(afterKind, "admin: {address: \":9091\"}\n"), err: "not a loopback host"},
		"misspelt":         {edits: under(afterKind, "admin: {sokcet: a}\n"), err: "admin.sokcet: unknown field"},
		"misspelt section": {edits: under(afterKind, "admn: {socket: a}\n"), want: "DIR/inbox.admin.sock"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, map[string]string{"connector.yaml": edit(t, minimal, tt.edits...)})
			got, err := config.LoadAdmin(path, types.Config())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if want := strings.Replace(tt.want, "DIR", filepath.Dir(path), 1); err != nil || got.Socket+got.Address != want {
				t.Errorf("got %+v, %v, want %s", got, err, want)
			}
		})
	}
	if _, err := config.LoadAdmin(filepath.Join(t.TempDir(), "absent"), types.Config()); err == nil ||
		!strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v for no file", err)
	}
}
