package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const instead = `
Use one of these instead:
  CLUSTER=kind     a cluster of kind, which needs Docker
  CLUSTER=current  the cluster of your current kubectl context`

// host is the computer, as far as the requirements look at it.
type host struct {
	os   string
	uid  int
	find func(command string) error
	// succeeds says whether a command exits with 0.
	succeeds func(name string, args ...string) bool
}

func thisHost() host {
	return host{
		os: runtime.GOOS, uid: os.Geteuid(),
		find: func(command string) error {
			_, err := exec.LookPath(command)
			return err
		},
		succeeds: func(name string, args ...string) bool {
			return exec.Command(name, args...).Run() == nil
		},
	}
}

// packages has the Debian package of each command that a running cluster needs.
var packages = map[string]string{
	"conntrack": "conntrack",
	"ip":        "iproute2",
	"iptables":  "iptables",
	"mount":     "mount",
	"nft":       "nftables",
	"nsenter":   "util-linux",
}

// buildPackages has those that building runc needs beside Go.
var buildPackages = map[string]string{
	"gcc":        "gcc libc6-dev",
	"pkg-config": "pkg-config",
}

// checkUser says who cannot have a local cluster.
func (h host) checkUser() error {
	switch {
	case h.os != "linux":
		return fmt.Errorf("a local cluster needs Linux, and this is %s.%s", h.os, instead)
	case h.uid != 0:
		return errors.New("a local cluster needs root, for its networks, mounts and cgroups: run it with sudo." + instead)
	}
	return nil
}

// check says what is missing on the host, if anything is, and what to do.
func (h host) check() error {
	if err := h.checkUser(); err != nil {
		return err
	}
	missing := make(map[string]string)
	for _, wanted := range []map[string]string{packages, buildPackages} {
		for command, pkg := range wanted {
			if h.find(command) != nil {
				missing[command] = pkg
			}
		}
	}
	if missing["pkg-config"] != "" || !h.succeeds("pkg-config", "--exists", "libseccomp") {
		missing["libseccomp's headers"] = "libseccomp-dev"
	}
	if len(missing) == 0 {
		return nil
	}
	var what, from []string
	for command, pkg := range missing {
		what, from = append(what, command), append(from, pkg)
	}
	slices.Sort(what)
	slices.Sort(from)
	return fmt.Errorf("a local cluster needs %s. On Debian:\n  apt-get install -y --no-install-recommends %s",
		strings.Join(what, ", "), strings.Join(from, " "))
}

// checkDir refuses a folder that the machines could not see, because they have
// folders of their own in its place.
func checkDir(dir string) error {
	for _, covered := range []string{"/var", "/run", "/proc", "/sys"} {
		if dir == covered || strings.HasPrefix(dir, covered+string(filepath.Separator)) {
			return fmt.Errorf("the cluster cannot be kept in %s, because its machines have another %s: set XDG_CACHE_HOME to a folder elsewhere",
				dir, covered)
		}
	}
	return nil
}
