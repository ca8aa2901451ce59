package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"xbot.a4b.vn/channel-connector/localcluster/packages"
)

const instead = `
Use one of these instead:
  CLUSTER=kind     a cluster of kind, which needs Docker
  CLUSTER=current  the cluster of your current kubectl context`

// checkUser fails if this user cannot have a local cluster; the error says what to use instead.
func checkUser(system string, uid int) error {
	switch {
	case system != "linux":
		return fmt.Errorf("a local cluster needs Linux, and this is %s.%s", system, instead)
	case uid != 0:
		return errors.New("a local cluster needs root, for its networks, mounts and cgroups: run it with sudo." + instead)
	}
	return nil
}

// checkHost fails if this computer lacks something; the error says what to do.
func checkHost(ctx context.Context) error {
	if err := checkUser(runtime.GOOS, os.Geteuid()); err != nil {
		return err
	}
	return packages.This(io.Discard).Check(ctx, packages.Cluster())
}

// checkDir refuses a folder that the machines cover with folders of their own.
func checkDir(dir string) error {
	for _, covered := range []string{"/var", "/run", "/proc", "/sys"} {
		if dir == covered || strings.HasPrefix(dir, covered+string(filepath.Separator)) {
			return fmt.Errorf("the cluster cannot be kept in %s, because its machines have another %s: set XDG_CACHE_HOME to a folder elsewhere",
				dir, covered)
		}
	}
	return nil
}
