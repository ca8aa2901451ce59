package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// Listen listens on a unix socket that only the process's own user and root can open, and in a folder of a group also
// the group. Missing folders are made. It replaces the socket of a killed process, but neither that of a living one nor
// any other file. Closing the listener removes the socket.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o600)
	if config.OfGroup(folder) {
		mode = 0o660
	}
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	restricted := net.ListenConfig{Control: restrict(mode)}
	listener, err := restricted.Listen(ctx, network(path), path)
	if err != nil {
		return nil, err
	}
	// The umask took its part from the mode.
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// lock keeps others from replacing a socket of the folder, until unlock: two connectors that start at once could each
// find the stale one, and the later one would remove the socket that the earlier one has just made.
func lock(folder string) (unlock func(), err error) {
	f, err := os.Open(folder) //nolint:gosec // the configuration names the socket
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", folder, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which ends the lock
}

// restrict sets the mode of a socket before it has a name. Linux gives the file that mode, so nobody can connect in
// between.
func restrict(mode fs.FileMode) func(_, _ string, socket syscall.RawConn) error {
	return func(_, _ string, socket syscall.RawConn) error {
		return socket.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
	}
}

// removeStale removes a socket on which nobody listens. A process that ends may remove its own meanwhile.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is no socket: move it away, or choose another path", path)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network(path), path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("another process listens on %s: choose another path", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("another process may listen on %s (%w): choose another path", path, reason(err))
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unixSocket is the network of a socket's path.
const unixSocket = "unix"

// network tells a socket's absolute path from a host and port.
func network(address string) string {
	if filepath.IsAbs(address) {
		return unixSocket
	}
	return "tcp"
}

// reason is why a connection could not be made, without the address.
func reason(err error) error {
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		return failed.Err
	}
	return err
}

// unreachable says why nobody can be reached at address, and what to do.
func unreachable(address string, cause error) error {
	if network(address) != unixSocket {
		return fmt.Errorf("no connector answers at %s (%w): is it running, and is this its admin.address?", address, cause)
	}
	info, err := os.Stat(address)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the socket %s is in a folder of %s: run the command as that user", address, ownerOfFolder(address))
	case err != nil:
		return fmt.Errorf("there is no socket %s: is the connector running, and is this its admin.socket?", address)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is no socket: name the connector's admin.socket", address)
	case errors.Is(cause, fs.ErrPermission):
		return fmt.Errorf("the socket %s belongs to %s: run the command as that user", address, owner(info))
	case errors.Is(cause, syscall.ECONNREFUSED):
		return fmt.Errorf("no connector listens on %s: the one that made it was killed; start it again", address)
	}
	return fmt.Errorf("no connector answers on %s: %w", address, cause)
}

// ownerOfFolder is the owner of the innermost folder around path that can be seen.
func ownerOfFolder(path string) string {
	for folder := filepath.Dir(path); folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if info, err := os.Stat(folder); err == nil {
			return owner(info)
		}
	}
	return "another user"
}

// owner names the user to whom a file belongs.
func owner(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "another user"
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if known, err := user.LookupId(id); err == nil {
		return fmt.Sprintf("user %s (uid %s)", known.Username, id)
	}
	return "uid " + id
}
