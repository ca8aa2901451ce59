package build

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	builtBinaries = []string{"etcd", "kube-apiserver", "kubectl"}
	builtPackages = []string{
		"sigs.k8s.io/controller-runtime/tools/setup-envtest",
		"k8s.io/kubernetes/cmd/kube-apiserver",
		"k8s.io/kubernetes/cmd/kubectl",
		"go.etcd.io/etcd/server/v3",
	}
)

func TestBuildsWhatCannotBeDownloaded(t *testing.T) {
	s := newStage(t)
	dir := s.make(t)

	if got, want := filepath.Dir(dir), s.Dir; got != want {
		t.Errorf("made %s, want it in %s", dir, want)
	}
	whole, rest := s.files(t)
	if diff := cmp.Diff(builtBinaries, whole); diff != "" {
		t.Errorf("binaries (-want +got):\n%s", diff)
	}
	if len(rest) > 0 {
		t.Errorf("left behind: %v", rest)
	}
	for _, name := range []string{"kube-apiserver", "kubectl"} {
		if got, want := output(t, filepath.Join(dir, name)), "v1.36.3 1 36 clean"; got != want {
			t.Errorf("%s calls itself %q, want %q", name, got, want)
		}
	}
	for _, want := range []string{"the index cannot be reached", "building kube-apiserver: done after"} {
		if !strings.Contains(s.said.String(), want) {
			t.Errorf("did not say %q:\n%s", want, s.said)
		}
	}
}

func TestFindsWhatWasMade(t *testing.T) {
	s := newStage(t)
	made := s.make(t)
	// A run that finds all needs no lock, and so no writable cache.
	lock, err := s.lockFolder(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	again := s.beside()

	if found := again.make(t); found != made {
		t.Errorf("found %s, made %s", found, made)
	}
	if diff := cmp.Diff(builtPackages, s.built(t)); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
	if again.said.String() != "" {
		t.Errorf("had something to say:\n%s", again.said)
	}
}

func TestOtherVersionIsMadeBeside(t *testing.T) {
	s := newStage(t)
	old := s.make(t)
	goMod := filepath.Join(KubernetesModule, "go.mod")
	write(t, goMod, strings.ReplaceAll(read(t, goMod), "v1.36.3", "v1.37.4"))

	dir := s.make(t)
	if dir == old {
		t.Fatalf("both versions are in %s", dir)
	}
	if got, want := output(t, filepath.Join(dir, "kube-apiserver")), "v1.37.4 1 37 clean"; got != want {
		t.Errorf("the new version calls itself %q, want %q", got, want)
	}
	if got, want := output(t, filepath.Join(old, "kube-apiserver")), "v1.36.3 1 36 clean"; got != want {
		t.Errorf("the old version calls itself %q, want %q", got, want)
	}
}

func TestInterruptedBuildLeavesNothingHalf(t *testing.T) {
	for i, pkg := range builtPackages[:2] {
		t.Run(path.Base(pkg), func(t *testing.T) {
			s := newStage(t)
			write(t, s.hold, pkg)
			ctx, interrupt := context.WithCancel(t.Context())
			wait := s.start(ctx)
			await(t, "the build", s.begins(t, pkg))
			interrupt()

			if err := wait(); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v, want %v", err, context.Canceled)
			}
			if whole, rest := s.files(t); len(whole)+len(rest) > 0 {
				t.Errorf("left behind: %v %v", whole, rest)
			}
			if diff := cmp.Diff(builtPackages[:i+1], s.built(t)); diff != "" {
				t.Errorf("builds begun (-want +got):\n%s", diff)
			}
			if goesOn := strings.Contains(s.said.String(), "building from Go modules"); goesOn != (i > 0) {
				t.Errorf("goes on to build: %t\n%s", goesOn, s.said)
			}

			write(t, s.hold, "none")
			s.make(t)
		})
	}
}

func TestFailedBuildKeepsWhatIsWhole(t *testing.T) {
	s := newStage(t)
	const source = "modules/etcd/main.go"
	good := read(t, source)
	write(t, source, "package main\n\nfunc main() { misspelt() }\n")

	_, err := s.controlPlane(t.Context())
	if err == nil {
		t.Fatal("built what cannot be compiled")
	}
	for _, want := range []string{"build etcd from tools/etcd", "undefined: misspelt"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	whole, rest := s.files(t)
	if diff := cmp.Diff([]string{"kube-apiserver", "kubectl"}, whole); diff != "" || len(rest) > 0 {
		t.Errorf("left %v; kept (-want +got):\n%s", rest, diff)
	}

	write(t, source, good)
	if err := os.Remove(s.builds); err != nil {
		t.Fatal(err)
	}
	s.make(t)
	if diff := cmp.Diff([]string{builtPackages[0], builtPackages[3]}, s.built(t)); diff != "" {
		t.Errorf("built in the second run (-want +got):\n%s", diff)
	}
}

func TestRemovesWhatAKilledRunLeft(t *testing.T) {
	s := newStage(t)
	pinned, err := readVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(s.Dir, pinned.folder()+partialMark+"1", "k8s")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(left, "kube-apiserver"), "half")
	if err := os.Chmod(left, 0o555); err != nil {
		t.Fatal(err)
	}
	s.make(t)
	if _, rest := s.files(t); len(rest) > 0 {
		t.Errorf("left behind: %v", rest)
	}
}

func TestSecondRunWaitsForTheFirst(t *testing.T) {
	first := newStage(t)
	write(t, first.hold, builtPackages[1])
	waitFirst := first.start(t.Context())
	await(t, "the build", first.begins(t, builtPackages[1]))
	second := first.beside()
	waitSecond := second.start(t.Context())
	await(t, "the second run waiting", second.waits)

	write(t, first.hold, "none")
	if err := errors.Join(waitFirst(), waitSecond()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(builtPackages, first.built(t)); diff != "" {
		t.Errorf("built in both runs (-want +got):\n%s", diff)
	}
}

func TestWaitingCanBeInterrupted(t *testing.T) {
	s := newStage(t)
	pinned, err := readVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	other, err := s.lockFolder(t.Context(), filepath.Join(s.Dir, pinned.folder()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()

	ctx, interrupt := context.WithCancel(t.Context())
	wait := s.start(ctx)
	await(t, "the run waiting", s.waits)
	interrupt()
	if err := wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v, want %v", err, context.Canceled)
	}
	if whole, rest := s.files(t); len(whole)+len(rest) > 0 {
		t.Errorf("made without the lock: %v %v", whole, rest)
	}
}
