package pebble

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// rights are the modes of a store's folder and files, whatever the umask is. Events are personal data, so only the
// connector's user reads them. On a volume of a group, as Kubernetes makes it for a pod's fsGroup, the group has the
// same rights as the user: the next pod may run as another user of that group.
type rights struct{ folder, file fs.FileMode }

var (
	usersRights  = rights{0o700, 0o600}
	groupsRights = rights{0o770 | fs.ModeSetgid, 0o660}
)

// rightsIn returns the rights of a store at path. The nearest folder that exists says whose they are.
func rightsIn(path string) rights {
	info, err := os.Stat(path)
	for errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	if err == nil && config.OfGroup(info) {
		return groupsRights
	}
	return usersRights
}

// rightsFS gives its rights to every file that it makes.
type rightsFS struct {
	vfs.FS
	rights rights
}

// withRights returns the file system for a store at path. One in memory has no users.
func withRights(files vfs.FS, path string) vfs.FS {
	if vfs.Root(files) != vfs.Default {
		return files
	}
	return rightsFS{files, rightsIn(path)}
}

func (r rightsFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := r.FS.Create(name, category)
	return file, r.give(name, err)
}

func (r rightsFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := r.FS.OpenReadWrite(name, category, opts...)
	return file, r.give(name, err)
}

func (r rightsFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := r.FS.ReuseForWrite(oldname, newname, category)
	return file, r.give(newname, err)
}

func (r rightsFS) Lock(name string) (io.Closer, error) {
	lock, err := r.FS.Lock(name)
	return lock, r.give(name, err)
}

// give sets a file's rights if err is nil, and returns err. tighten reports a file system without modes.
func (r rightsFS) give(name string, err error) error {
	if err == nil {
		_ = setMode(name, r.rights.file)
	}
	return err
}

// MkdirAll implements vfs.FS. Folders that exist stay as they are.
func (r rightsFS) MkdirAll(path string, perm fs.FileMode) error {
	var missing []string
	for at := path; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		missing = append(missing, at)
	}
	if err := r.FS.MkdirAll(path, perm&r.rights.folder); err != nil {
		return err
	}
	for _, made := range missing {
		_ = setMode(made, r.rights.folder) // tighten reports a file system without modes
	}
	return nil
}

// setMode sets the mode of a file of this process's user, and leaves alone the files of others and links, which another
// user of the group may have put there. It does not open the file: closing a descriptor of the store's lock unlocks it.
func setMode(name string, mode fs.FileMode) error {
	folder, err := os.OpenRoot(filepath.Dir(name)) // no link leads out of a root
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // nothing was written
	name = filepath.Base(name)
	info, err := folder.Lstat(name)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 || info.Mode()&(fs.ModePerm|fs.ModeSetgid) == mode || !isOurs(info) {
		return err
	}
	return folder.Chmod(name, mode)
}

func isOurs(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Geteuid()
}

// storesFile are the names of Pebble's files and of ours.
var storesFile = regexp.MustCompile(
	`^(LOCK|LEDGER|CURRENT|(MANIFEST|OPTIONS)-[0-9]+|[0-9]+(-[0-9]+)?\.(log|sst|blob)|marker\..+|.+\.dbtmp)$`)

// tighten gives the rights to all files of an open store, for example after a backup was put back, and reports what
// others can read nevertheless. It changes the folder only if nothing but a store is in it.
func (r rightsFS) tighten(path string, log logr.Logger) {
	if behind, err := filepath.EvalSymlinks(path); err == nil {
		path = behind
	}
	entries, err := os.ReadDir(path)
	alone, wide := err == nil, 0
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !storesFile.MatchString(entry.Name()) {
			alone = false
			continue
		}
		name := filepath.Join(path, entry.Name())
		_ = setMode(name, r.rights.file) // what that left too wide is counted
		wide += tooWide(name, r.rights.file)
	}
	if r.rights == usersRights {
		if alone {
			_ = setMode(path, r.rights.folder)
		}
		wide += tooWide(path, r.rights.folder)
	}
	if wide > 0 {
		log.Info("other users of this machine can look into the inbox: make its folder and files this user's, with the modes 0700 and 0600",
			"path", path, "tooWide", wide)
	}
}

// tooWide is 1 for a file or folder with more rights than mode.
func tooWide(name string, mode fs.FileMode) int {
	if info, err := os.Lstat(name); err == nil && info.Mode().Perm()&^mode != 0 {
		return 1
	}
	return 0
}
