package build

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUsersOwnAssetsAreUsedAsTheyAre(t *testing.T) {
	t.Setenv(AssetsVariable, "/somewhere else")
	t.Chdir(t.TempDir()) // without tools/ nothing can be built
	var said bytes.Buffer
	dir, err := ControlPlane(t.Context(), os.UserCacheDir, &said)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/somewhere else"; dir != want {
		t.Errorf("the folder is %q, want %q", dir, want)
	}
	if said.Len() > 0 {
		t.Errorf("said %q, want nothing", &said)
	}
}

// fresh is an empty cache of a user.
func fresh(t *testing.T) func() (string, error) {
	t.Helper()
	dir := t.TempDir()
	return func() (string, error) { return dir, nil }
}

func TestControlPlaneIsInTheUsersCache(t *testing.T) {
	s := newStage(t)
	t.Setenv(AssetsVariable, "")
	userCache := fresh(t)
	made, err := ControlPlane(t.Context(), userCache, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cache, _ := userCache()
	s.Dir = filepath.Join(cache, "xbot-channel-connector", "kube")
	if want := s.make(t); made != want {
		t.Errorf("the folder is %q, want %q", made, want)
	}
	if diff := cmp.Diff(builtPackages, s.built(t)); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
}

func TestInterruptedRunSaysSo(t *testing.T) {
	newStage(t)
	t.Setenv(AssetsVariable, "")
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	_, err := ControlPlane(ctx, fresh(t), io.Discard)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "is kept") {
		t.Errorf("error %v, want that it was interrupted and that what was built is kept", err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*testing.T)
		says  []string
	}{
		{
			"not in the module's folder",
			func(t *testing.T) { t.Chdir(t.TempDir()) },
			[]string{"tools/controlplane/go.mod", "folder localcluster", AssetsVariable},
		},
		{
			"no version pinned",
			func(t *testing.T) { write(t, "tools/etcd/go.mod", "module example.test/etcd\n") },
			[]string{"tools/etcd/go.mod does not require go.etcd.io/etcd/server/v3"},
		},
		{
			"cannot be built",
			func(t *testing.T) { write(t, "modules/kubernetes/cmd/kubectl/main.go", "package main\n") },
			[]string{"build kubectl", "function main is undeclared", "GOPROXY", "make assets", AssetsVariable},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			newStage(t)
			t.Setenv(AssetsVariable, "")
			tt.spoil(t)
			_, err := ControlPlane(t.Context(), fresh(t), io.Discard)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestUserWithoutCache(t *testing.T) {
	t.Setenv(AssetsVariable, "")
	homeless := errors.New("$HOME is not defined")
	_, err := ControlPlane(t.Context(), func() (string, error) { return "", homeless }, io.Discard)
	if !errors.Is(err, homeless) || !strings.Contains(err.Error(), AssetsVariable) {
		t.Errorf("error %v, want %v and what to set", err, homeless)
	}
}

func TestProgressGoesOnWhileWorkDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := Progress{Program: "controlplane", Total: "7 minutes", Out: &out, Every: 15 * time.Second}
		broken := errors.New("broken")
		err := p.during("building", func() error {
			<-time.After(40 * time.Second)
			return broken
		})
		if !errors.Is(err, broken) {
			t.Errorf("error %v, want %v", err, broken)
		}
		want := `controlplane: building
controlplane: building: 15s so far; the whole takes about 7 minutes, once
controlplane: building: 30s so far; the whole takes about 7 minutes, once
controlplane: building: failed after 40s
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
	})
}

// The real modules, which the other tests replace.
func TestPinnedModules(t *testing.T) {
	t.Chdir(top)
	pinned, err := readVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(controlPlane(pinned), setupEnvtest) {
		// Without it, `go mod tidy` drops what the binary needs.
		if !strings.Contains(read(t, filepath.Join(b.Module, "go.mod")), b.Package+"\n") {
			t.Errorf("%s/go.mod has no tool %s", b.Module, b.Package)
		}
	}
	// Kubernetes is released together with its staging modules: v1.36.3 needs v0.36.3 of each.
	_, rest, _ := strings.Cut(pinned.kubernetes, ".")
	for line := range strings.Lines(read(t, filepath.Join(KubernetesModule, "go.mod"))) {
		if _, staging, replaced := strings.Cut(line, " => "); replaced && !strings.HasSuffix(staging, " v0."+rest+"\n") {
			t.Errorf("%s replaces with %s, want v0.%s", KubernetesModule, staging, rest)
		}
	}
}

func TestPatches(t *testing.T) {
	v := versions{kubernetes: "v1.36.3"}
	if got, want := v.patches(), "1.36.x"; got != want {
		t.Errorf("patches of %s: %s, want %s", v.kubernetes, got, want)
	}
}

func TestFolderTellsVersionsApart(t *testing.T) {
	base := versions{kubernetes: "v1.36.3", etcd: "v3.7.3"}
	for _, other := range []versions{{"v1.36.4", "v3.7.3"}, {"v1.36.3", "v3.7.4"}} {
		if base.folder() == other.folder() {
			t.Errorf("%v and %v share the folder %s", base, other, base.folder())
		}
	}
	if strings.ContainsAny(base.folder(), " /"+string(os.PathListSeparator)) {
		t.Errorf("the folder %q is no good name", base.folder())
	}
}
