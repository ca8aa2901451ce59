package local

import (
	"strings"
	"testing"
)

func TestWhoMayHaveACluster(t *testing.T) {
	tests := map[string]struct {
		system string
		uid    int
		want   []string
	}{
		"not Linux": {"darwin", 0, []string{"needs Linux", "darwin", "CLUSTER=kind", "CLUSTER=current"}},
		"not root":  {"linux", 1000, []string{"needs root", "sudo", "CLUSTER=kind", "CLUSTER=current"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkUser(tt.system, tt.uid)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
		})
	}
	if err := checkUser("linux", 0); err != nil {
		t.Errorf("root on Linux may, and yet: %v", err)
	}
}

// The machines of a cluster have folders of their own in these places.
func TestFolderThatMachinesCannotSee(t *testing.T) {
	for _, dir := range []string{"/var/lib/jenkins/.cache/cluster", "/run/cluster", "/var"} {
		if err := checkDir(dir); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
			t.Errorf("%s: error %v, want what to set", dir, err)
		}
	}
	for _, dir := range []string{"/root/.cache/cluster", "/variety/cluster", "/home/run/cluster"} {
		if err := checkDir(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
