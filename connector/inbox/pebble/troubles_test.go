package pebble_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// words checks that an error says what failed and what to do, and does not send anyone to a command that cannot help.
func words(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range want {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "inbox check") {
		t.Errorf("%q sends the user to a check that cannot help", err)
	}
}

// failing is a file system that fails in one place.
type failing struct {
	vfs.FS
	lock, list error
	usage      func() (vfs.DiskUsage, error)
}

func (f *failing) Lock(name string) (io.Closer, error) {
	if f.lock != nil {
		return nil, &os.PathError{Op: "fcntl", Path: name, Err: f.lock}
	}
	return f.FS.Lock(name)
}

func (f *failing) List(name string) ([]string, error) {
	if f.list != nil {
		return nil, &os.PathError{Op: "readdirent", Path: name, Err: f.list}
	}
	return f.FS.List(name)
}

func (f *failing) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	if f.usage != nil {
		return f.usage()
	}
	return f.FS.GetDiskUsage(path)
}

// TestTroublesAtOpen: each cause that is not the store's has its own words.
func TestTroublesAtOpen(t *testing.T) {
	for _, tt := range []struct {
		cause error
		want  []string
	}{
		{syscall.EFBIG, []string{"as large as the store needs", "ulimit -f"}},
		{syscall.EBUSY, []string{"lacks what the store needs", "block volume"}},
		{syscall.EROFS, []string{"read-only", "dmesg"}},
		{syscall.EIO, []string{"the disk fails", "healthy disk"}},
		{syscall.EUCLEAN, []string{"the disk fails"}},
		{syscall.ENOSPC, []string{"the disk is full", "df -i"}},
		{syscall.EDQUOT, []string{"quota", "maxSize"}},
		{syscall.EACCES, []string{"this user", "writable"}},
		{syscall.EPERM, []string{"this user", "writable"}},
		{syscall.EMFILE, []string{"this process", "ulimit -n"}},
		{syscall.ENFILE, []string{"the machine", "fs.file-max"}},
		{syscall.ESTALE, []string{"does not answer", "mount"}},
		{syscall.ENOTCONN, []string{"does not answer", "mount"}},
		{syscall.ENAMETOOLONG, []string{"too long", "inbox.embedded.path"}},
		{syscall.ENOTDIR, []string{"is a file", "inbox.embedded.path"}},
		{syscall.ENOMEM, []string{"memory"}},
	} {
		for place, fs := range map[string]*failing{
			"lock": {FS: vfs.NewMem(), lock: tt.cause}, "list": {FS: vfs.NewMem(), list: tt.cause},
		} {
			t.Run(fmt.Sprint(place, " ", tt.cause), func(t *testing.T) {
				o := options(t, inboxtest.NewClock(), fs)
				_, err := pebble.Open(o)
				words(t, err, append(tt.want, "inbox", tt.cause.Error())...)
			})
		}
	}
}

// TestTroubleWithLocks: that files cannot be locked is said of a lock alone.
func TestTroubleWithLocks(t *testing.T) {
	for _, cause := range []error{syscall.ENOLCK, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EINVAL} {
		_, err := pebble.Open(options(t, inboxtest.NewClock(), &failing{FS: vfs.NewMem(), lock: cause}))
		words(t, err, "cannot lock files", "lock service", cause.Error())
		_, err = pebble.Open(options(t, inboxtest.NewClock(), &failing{FS: vfs.NewMem(), list: cause}))
		words(t, err, "lacks what the store needs", "block volume", cause.Error())
	}
}

// TestPathsThatHoldNoFolder opens stores where no folder can be.
func TestPathsThatHoldNoFolder(t *testing.T) {
	folder := t.TempDir()
	file, link, circle := filepath.Join(folder, "file"), filepath.Join(folder, "link"), filepath.Join(folder, "circle")
	for _, err := range []error{
		os.WriteFile(file, []byte("a file"), 0o600),
		os.Symlink(filepath.Join(folder, "nowhere"), link), os.Symlink(circle, circle),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		file: "is a file", filepath.Join(file, "inbox"): "is a file", link: "leads nowhere", circle: "symbolic link",
		filepath.Join(folder, strings.Repeat("long", 100)): "too long",
		"/proc/inbox": "",
	} {
		o := options(t, inboxtest.NewClock(), vfs.Default)
		o.Path = path
		_, err := pebble.Open(o)
		if want == "" {
			if err == nil {
				t.Errorf("%s holds a store", path)
			}
			continue
		}
		words(t, err, want)
	}
	whole := filepath.Join(folder, "whole")
	if err := os.Mkdir(whole, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(whole, link); err != nil {
		t.Fatal(err)
	}
	o := options(t, inboxtest.NewClock(), vfs.Default)
	o.Path = link
	if err := open(t, o).Close(); err != nil {
		t.Errorf("a link to a folder: %v", err)
	}
}

// TestReadOnlyFileSystem opens a store on a file system that became read-only, and exports it there.
func TestReadOnlyFileSystem(t *testing.T) {
	d := newDiskStore(t)
	d.path = filepath.Join(smallDisk(t, 512<<20), "inbox")
	d.open()
	d.accept(3)
	d.close()
	if err := remountReadOnly(filepath.Dir(d.path)); err != nil {
		t.Fatal(err)
	}
	o := options(t, d.clock, vfs.Default)
	o.Path = d.path
	_, err := pebble.Open(o)
	words(t, err, "read-only", "mount it writable", syscall.EROFS.Error())
	if x := d.examine(); len(x.exported) != 3*len(diskChannels) || len(x.findings)+len(x.checked) > 0 {
		t.Errorf("exported %d events, findings %v %v", len(x.exported), x.findings, x.checked)
	}
}

// TestOpenOnAFullDisk opens a store on a disk without any room.
func TestOpenOnAFullDisk(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	for name, disk := range map[string]string{"bytes": "size=8k", "inodes": "size=64m,nr_inodes=3"} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			mountHere(t, path, disk)
			ends := make(chan error, 16)
			o := options(t, inboxtest.NewClock(), vfs.Default)
			o.Path, o.Log = filepath.Join(path, "inbox"), logr.Discard()
			o.Fatal = func(cause error) { ends <- cause; panic(cause) }
			func() {
				defer func() {
					if recover() != nil {
						return
					}
				}()
				_, err := pebble.Open(o)
				ends <- err
			}()
			if err := <-ends; !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%v, want that the disk is full", err)
			}
		})
	}
}

func mountHere(t *testing.T, path, options string) {
	t.Helper()
	if err := mount(path, options); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := detach(path); err != nil {
			t.Error(err)
		}
	})
}

// TestOtherUsersFolder opens a store as a user who may not read it.
func TestOtherUsersFolder(t *testing.T) {
	const folder = "INBOX_TEST_OTHERS"
	if path := os.Getenv(folder); path != "" {
		o := options(t, inboxtest.NewClock(), vfs.Default)
		o.Path = path
		_, err := pebble.Open(o)
		fmt.Fprintln(os.Stdout, "opened:", err)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs to become another user")
	}
	path := t.TempDir()
	inboxPath := filepath.Join(path, "inbox")
	for _, err := range []error{openPath(path), os.Mkdir(inboxPath, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// The link leads to this program, which lies in a folder that only this user enters.
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestOtherUsersFolder$", "-test.v")
	cmd.Env, cmd.Dir = append(os.Environ(), ownProcess+"=1", folder+"="+inboxPath), path
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, said, _ := strings.Cut(string(out), "opened: ")
	words(t, errors.New(said), "this user", "permission denied")
}

// openPath lets other users walk to a folder of the test.
func openPath(path string) error {
	for ; path != os.TempDir() && len(path) > 1; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o711); err != nil {
			return err
		}
	}
	return nil
}

// accepts says how a store answers a new event.
func accepts(t *testing.T, s *pebble.Inbox, n int) error {
	t.Helper()
	outcome, err := acceptOne(t.Context(), s, inboxtest.Event(workChannel, "an", n))
	if err == nil && outcome != inbox.Stored {
		t.Errorf("outcome %v", outcome)
	}
	return err
}

// TestDiskOfUnknownSize: a file system that reports 0 of 0 bytes does not make the inbox full.
func TestDiskOfUnknownSize(t *testing.T) {
	fs := &failing{FS: vfs.NewMem(), usage: func() (vfs.DiskUsage, error) { return vfs.DiskUsage{}, nil }}
	s := open(t, options(t, inboxtest.NewClock(), fs))
	if err := accepts(t, s, 1); err != nil {
		t.Errorf("on a disk of unknown size: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestFullDiskIsNotAFullInbox: a full disk is said to be one, with its own remedy, and the inbox takes events again
// once there is room.
func TestFullDiskIsNotAFullInbox(t *testing.T) {
	usage := vfs.DiskUsage{AvailBytes: 1 << 20, TotalBytes: 1 << 40, UsedBytes: 1<<40 - 1<<20}
	fs := &failing{FS: vfs.NewMem(), usage: func() (vfs.DiskUsage, error) { return usage, nil }}
	o := options(t, inboxtest.NewClock(), fs)
	var log strings.Builder
	o.Log = funcr.New(func(_, line string) { log.WriteString(line) }, funcr.Options{})
	s := open(t, o)
	defer func() { _ = s.Close() }()
	err := accepts(t, s, 1)
	if !errors.Is(err, inbox.ErrDiskFull) || errors.Is(err, inbox.ErrFull) {
		t.Errorf("%v, want that the disk is full", err)
	}
	if err := s.Room(); !errors.Is(err, inbox.ErrDiskFull) {
		t.Errorf("room: %v, want that the disk is full", err)
	}
	for want, said := range map[string]bool{"the disk of the inbox is full": true, "free space on the disk": true, "larger size": false} {
		if strings.Contains(log.String(), want) != said {
			t.Errorf("%q is said: %v, want %v", want, !said, said)
		}
	}
}

// TestNoFreeInodes fills a file system with files.
func TestNoFreeInodes(t *testing.T) {
	path := t.TempDir()
	mountHere(t, path, "size=256m,nr_inodes=200")
	o := options(t, inboxtest.NewClock(), vfs.Default)
	o.Path, o.MaxSize, o.Log = filepath.Join(path, "inbox"), 64<<20, logr.Discard()
	s := open(t, o)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	others := filepath.Join(path, "others")
	if err := os.Mkdir(others, 0o700); err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; ; n++ {
		if err := os.WriteFile(filepath.Join(others, fmt.Sprint(n)), nil, 0o600); err != nil {
			break
		}
	}
	poll.Until(t, "the end of the inodes to be noticed", func() bool {
		n++
		err := accepts(t, s, n)
		return errors.Is(err, inbox.ErrDiskFull) && strings.Contains(err.Error(), "inodes")
	})
	if err := os.RemoveAll(others); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "room again", func() bool { n++; return accepts(t, s, n) == nil })
}

// TestTroubleThatEndsTheProcess: the log's last line names the remedy of its cause.
func TestTroubleThatEndsTheProcess(t *testing.T) {
	for _, err := range []error{
		syscall.EIO, syscall.EROFS, syscall.EDQUOT, syscall.EFBIG, syscall.EINVAL, syscall.EBUSY, syscall.ENOSYS, syscall.EOPNOTSUPP,
	} {
		words(t, errors.New(pebble.RemedyFor(fmt.Errorf("sync: %w", err), "inbox")), ":")
	}
	if remedy := pebble.RemedyFor(pebble.ErrDamaged, "inbox"); !strings.Contains(remedy, "connector inbox check --path inbox") {
		t.Errorf("damage: %s", remedy)
	}
}

// TestFolderThatIsGone: a missing file is damage where the store's others are there.
func TestFolderThatIsGone(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.close()
	missing := &os.PathError{Op: "open", Path: "000004.sst", Err: syscall.ENOENT}
	if remedy := pebble.RemedyFor(missing, d.path); !strings.Contains(remedy, "connector inbox check") {
		t.Errorf("a missing table: %s", remedy)
	}
	if err := os.RemoveAll(d.path); err != nil {
		t.Fatal(err)
	}
	words(t, errors.New(pebble.RemedyFor(missing, d.path)), "the folder of the inbox is gone", "mount")
	if err := os.Mkdir(d.path, 0o700); err != nil { // as where a volume was mounted
		t.Fatal(err)
	}
	words(t, errors.New(pebble.RemedyFor(missing, d.path)), "the folder of the inbox is gone", "mount")
}
