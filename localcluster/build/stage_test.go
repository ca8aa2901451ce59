package build

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// top is the module's folder.
const top = ".."

// stage is a copy of testdata/pins, the working folder of the test. It has the layout of the real tools/ with tiny
// modules, and the real go builds these without a network.
type stage struct {
	Cache
	said *transcript
	// builds has the package of each build that was begun, a line each.
	builds string
	// hold has the package whose build stays half done while it is there.
	hold string
}

// transcript is what a run says, while the test reads it.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// goScript stands before the real go.
const goScript = `#!/bin/sh
if [ "$1" = build ]; then
	previous=
	for argument; do
		[ "$previous" = -o ] && binary=$argument
		previous=$argument
	done
	echo half >"$binary"
	echo "$argument" >>"$FAKE_BUILDS"
	while [ "$(cat "$FAKE_HOLD")" = "$argument" ]; do sleep 0.02; done
	rm "$binary"
fi
exec "$FAKE_GO" "$@"
`

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/pins")); err != nil {
		t.Fatal(err)
	}
	said := &transcript{}
	s := &stage{
		Cache: Cache{
			Dir:      filepath.Join(t.TempDir(), "kube"),
			lookup:   time.Minute,
			Progress: Progress{Program: "controlplane", Total: "7 minutes", Out: said, Every: time.Minute},
		},
		said:   said,
		builds: filepath.Join(dir, "builds"),
		hold:   filepath.Join(dir, "hold"),
	}
	realGo, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	write(t, filepath.Join(bin, "go"), goScript)
	write(t, s.hold, "none")
	// As of a developer who works on several modules at once.
	write(t, filepath.Join(dir, "go.work"), "go 1.26.0\n")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("FAKE_GO", realGo)
	t.Setenv("FAKE_BUILDS", s.builds)
	t.Setenv("FAKE_HOLD", s.hold)
	t.Setenv("FAKE_INDEX", "unreachable")
	t.Chdir(dir)
	return s
}

// beside returns another run in the same place.
func (s *stage) beside() *stage {
	other := *s
	other.said = &transcript{}
	other.Progress.Out = other.said
	return &other
}

// lockFolder takes the lock of a folder in the cache.
func (s *stage) lockFolder(ctx context.Context, dir string) (*flock.Flock, error) {
	return s.Progress.Lock(ctx, dir+lockSuffix, "makes the same")
}

// waits reports whether the run has said that it waits for another.
func (s *stage) waits() bool { return strings.Contains(s.said.String(), "waiting for another run") }

// make returns the folder, and fails the test when there is none.
func (s *stage) make(t *testing.T) string {
	t.Helper()
	dir, err := s.controlPlane(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, s.said)
	}
	return dir
}

// built returns the packages whose build was begun.
func (s *stage) built(t *testing.T) []string {
	t.Helper()
	var packages []string
	for line := range strings.Lines(read(t, s.builds)) {
		packages = append(packages, strings.TrimSpace(line))
	}
	return packages
}

// files returns the names of the files in the cache: of the control plane, and of all others.
func (s *stage) files(t *testing.T) (whole, rest []string) {
	t.Helper()
	err := filepath.WalkDir(s.Dir, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.Contains(path, partialMark):
			rest = append(rest, path)
		case !entry.IsDir() && filepath.Ext(path) != lockSuffix:
			whole = append(whole, entry.Name())
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return whole, rest
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// read returns the text of a file, and nothing when it does not exist.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// output runs a program that was made.
func output(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// begins reports whether the build of pkg was begun.
func (s *stage) begins(t *testing.T, pkg string) func() bool {
	t.Helper()
	return func() bool { return slices.Contains(s.built(t), pkg) }
}

// start makes the control plane in the background, and returns a function that waits for the outcome.
func (s *stage) start(ctx context.Context) (wait func() error) {
	done := make(chan error, 1)
	go func() {
		_, err := s.controlPlane(ctx)
		done <- err
	}()
	return func() error { return <-done }
}

// await waits until holds is true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := command.Await(t.Context(), what, func() (bool, error) { return holds(), nil }); err != nil {
		t.Fatal(err)
	}
}
