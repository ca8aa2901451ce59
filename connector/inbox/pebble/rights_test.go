package pebble_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr/funcr"

	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/examine"
)

// withUmask sets the umask until the test ends.
func withUmask(t *testing.T, mask int) {
	t.Helper()
	before := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(before) })
}

// useStore makes files of every kind in the store at path, over three lives, and returns what was logged.
func useStore(t *testing.T, path string) (logged string) {
	t.Helper()
	var log strings.Builder
	o := options(t, inboxtest.NewClock(), vfs.Default)
	o.Path, o.Log = path, funcr.New(func(_, line string) { log.WriteString(line + "\n") }, funcr.Options{})
	for range 3 {
		s := open(t, o)
		f := newFiller(t, s)
		for range 100 {
			if err := f.accept(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return log.String()
}

// modes checks the modes of a store's folder and of its files.
func modes(t *testing.T, path string, folder, file fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != folder {
		t.Errorf("the folder has mode %v, want %v (%v)", info.Mode(), folder, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode() != file {
			t.Errorf("%s has mode %v, want %v (%v)", entry.Name(), info.Mode(), file, err)
		}
	}
}

// TestInboxIsItsUsersAlone whatever the umask, in folders that are made for it as well.
func TestInboxIsItsUsersAlone(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		path := filepath.Join(t.TempDir(), "made", "inbox")
		withUmask(t, mask)
		if logged := useStore(t, path); strings.Contains(logged, "other users") {
			t.Errorf("umask %o: it is said that others can read it: %s", mask, logged)
		}
		modes(t, path, fs.ModeDir|0o700, 0o600)
		if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("umask %o: the folder around it has mode %v", mask, info.Mode())
		}
	}
}

// groupsFolder is a volume as Kubernetes makes it for a pod's fsGroup.
func groupsFolder(t *testing.T) string {
	t.Helper()
	volume := t.TempDir()
	if err := os.Chmod(volume, 0o775|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	return volume
}

// TestInboxOnAGroupsVolumeIsTheGroups, but nobody else's. Opening it as another user of the group is in cmd/connector.
func TestInboxOnAGroupsVolumeIsTheGroups(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		volume := groupsFolder(t)
		withUmask(t, mask)
		path := filepath.Join(volume, "made", "inbox")
		useStore(t, path)
		modes(t, path, fs.ModeDir|fs.ModeSetgid|0o770, 0o660)
		if info, err := os.Stat(volume); err != nil || info.Mode() != fs.ModeDir|fs.ModeSetgid|0o775 {
			t.Errorf("the volume was changed: %v, %v", info.Mode(), err)
		}
	}
}

// widen gives everybody the right to read a folder and what is in it, as a backup that is put back may.
func widen(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if err := os.Chmod(filepath.Join(path, entry.Name()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInboxThatOthersCanReadIsTightened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox")
	useStore(t, path)
	widen(t, path)
	if logged := useStore(t, path); strings.Contains(logged, "other users") {
		t.Errorf("logged %s", logged)
	}
	modes(t, path, fs.ModeDir|0o700, 0o600)

	// A folder that an administrator made for it.
	path = filepath.Join(t.TempDir(), "inbox")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	useStore(t, path)
	modes(t, path, fs.ModeDir|0o700, 0o600)
}

// TestInboxBehindALink: the modes of a link itself say nothing.
func TestInboxBehindALink(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "inbox"), filepath.Join(folder, "link")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("inbox", link); err != nil {
		t.Fatal(err)
	}
	if logged := useStore(t, link); strings.Contains(logged, "other users") {
		t.Errorf("logged %s", logged)
	}
	modes(t, path, fs.ModeDir|0o700, 0o600)
}

// TestPlantedLink: who may write to the folder of a group must not get at the modes of other files by links.
func TestPlantedLink(t *testing.T) {
	volume := groupsFolder(t)
	path, other := filepath.Join(volume, "inbox"), filepath.Join(t.TempDir(), "other")
	useStore(t, path)
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(path, "LOCK")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, lock); err != nil {
		t.Fatal(err)
	}
	useStore(t, path)
	if info, err := os.Stat(other); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file behind the link has mode %v, %v", info.Mode(), err)
	}
}

// TestLockOutlivesTheRights: setting the mode of a locked file does not unlock it.
func TestLockOutlivesTheRights(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	defer d.close()
	const other = "INBOX_TEST_LOCKED"
	if path := os.Getenv(other); path != "" {
		_, err := examine.Check(t.Context(), path, examine.Observer{})
		if !errors.Is(err, examine.ErrInUse) {
			t.Errorf("%v, want that the store is in use", err)
		}
		return
	}
	if out, err := runAgain(t, other+"="+d.path); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestWhatIsNotTheInboxsIsLeftAlone: a folder may hold other things, whose users would lose them.
func TestWhatIsNotTheInboxsIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared")
	useStore(t, path)
	widen(t, path)
	other := filepath.Join(path, "notes.txt")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(other, 0o644); err != nil {
		t.Fatal(err)
	}
	if logged := useStore(t, path); !strings.Contains(logged, "other users of this machine can look into the inbox") ||
		!strings.Contains(logged, `"tooWide"=1`) {
		t.Errorf("that the folder is open to others is not said: %s", logged)
	}
	for name, want := range map[string]fs.FileMode{path: fs.ModeDir | 0o755, other: 0o644} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	modes(t, path, fs.ModeDir|0o700, 0o600)
}

// TestAStoppedInboxKeepsItsRights: who only looks changes nothing.
func TestAStoppedInboxKeepsItsRights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox")
	useStore(t, path)
	widen(t, path)
	o := examine.Observer{Finding: func(f examine.Finding) { t.Error(f) }, Progress: func(int) {}}
	if _, err := examine.Check(t.Context(), path, o); err != nil {
		t.Fatal(err)
	}
	modes(t, path, fs.ModeDir|0o755, 0o644)
}
