package build

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDownloadIsPreferred(t *testing.T) {
	s := newStage(t)
	t.Setenv("FAKE_INDEX", "published")
	dir := s.make(t)

	for _, name := range builtBinaries {
		if got := read(t, filepath.Join(dir, name)); got != "downloaded" {
			t.Errorf("%s has %d bytes and was not downloaded", name, len(got))
		}
	}
	if diff := cmp.Diff(builtPackages[:1], s.built(t)); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
	if _, rest := s.files(t); len(rest) > 0 {
		t.Errorf("left behind: %v", rest)
	}
}

func TestBuildsWhenTheDownloadIsOfNoUse(t *testing.T) {
	tests := []struct {
		index string
		says  string
	}{
		{"unreachable", "the index cannot be reached"},
		{"empty", "not published for this platform"},
		{"incomplete", "has no etcd"},
	}
	for _, tt := range tests {
		t.Run(tt.index, func(t *testing.T) {
			s := newStage(t)
			t.Setenv("FAKE_INDEX", tt.index)
			dir := s.make(t)
			if got, want := output(t, filepath.Join(dir, "kube-apiserver")), "v1.36.3 1 36 clean"; got != want {
				t.Errorf("kube-apiserver says %q, want %q", got, want)
			}
			if !strings.Contains(s.said.String(), tt.says) {
				t.Errorf("did not say %q:\n%s", tt.says, s.said)
			}
		})
	}
}

// A firewall that swallows packets makes the look-up hang.
func TestSilentIndexIsGivenUp(t *testing.T) {
	s := newStage(t)
	s.lookup = 50 * time.Millisecond
	t.Setenv("FAKE_INDEX", "silent")
	dir := s.make(t)

	if got, want := output(t, filepath.Join(dir, "kube-apiserver")), "v1.36.3 1 36 clean"; got != want {
		t.Errorf("kube-apiserver says %q, want %q", got, want)
	}
	if !strings.Contains(s.said.String(), "deadline exceeded") {
		t.Errorf("did not say why:\n%s", s.said)
	}
}
