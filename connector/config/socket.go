package config

import (
	"os"
	"path/filepath"
	"syscall"
)

// The fields of the section admin.
const (
	fieldAdmin        = "admin"
	fieldAdminAddress = "admin.address"
)

const (
	// SystemSocket is where the connectors in the operator's pods listen for the command line.
	SystemSocket = "/run/connector/admin.sock"
	// MaxSocketPath is what Linux takes of a socket's path, in bytes, see unix(7).
	MaxSocketPath = 107
)

// UserSocket returns the default socket of a connector that a user started; empty if XDG_RUNTIME_DIR names no folder of
// that user. That folder is private and ends with the user's session.
func UserSocket() string {
	folder := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(folder) {
		return "" // as the XDG Base Directory Specification asks
	}
	info, err := os.Stat(folder) //nolint:gosec // the user's own environment names it
	if err != nil || !info.IsDir() {
		return ""
	}
	// The variable outlives a change of the user, as with "sudo -E".
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return ""
	}
	return filepath.Join(folder, "connector", "admin.sock")
}

// admin checks the listener for the command line. Its address is checked with the others.
func (c *Checker) admin(a Admin) {
	switch {
	case a.Socket != "" && a.Address != "":
		c.Problemf(fieldAdmin, "both socket and address: write one of them")
	case len(a.Socket) > MaxSocketPath:
		c.Problemf("admin.socket",
			"%s has %d bytes, and a socket's path may have %d: write a shorter one, for example \"/run/connector/admin.sock\"",
			a.Socket, len(a.Socket), MaxSocketPath)
	}
}

// defaultSocket returns the user's socket, or one beside the inbox if the user has no folder for it: connectors with
// inboxes of their own then have sockets of their own.
func defaultSocket(in Inbox) string {
	if socket := UserSocket(); socket != "" {
		return socket
	}
	if local, ok := in.Settings.(interface{ Folder() string }); ok && local.Folder() != "" {
		return local.Folder() + ".admin.sock"
	}
	return ""
}
