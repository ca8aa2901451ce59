package local

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// debian is a host on which only the named commands are missing.
func debian(without ...string) host {
	missing := func(command string) bool { return slices.Contains(without, command) }
	return host{
		os: "linux",
		find: func(command string) error {
			if missing(command) {
				return errors.New("not found")
			}
			return nil
		},
		succeeds: func(_ string, args ...string) bool { return !missing(args[len(args)-1]) },
	}
}

func TestRequirements(t *testing.T) {
	mac, user := debian(), debian()
	mac.os, user.uid = "darwin", 1000
	tests := map[string]struct {
		host host
		want []string
	}{
		"not Linux":        {mac, []string{"needs Linux", "darwin", "CLUSTER=kind", "CLUSTER=current"}},
		"not root":         {user, []string{"needs root", "sudo", "CLUSTER=kind", "CLUSTER=current"}},
		"no packet filter": {debian("nft"), []string{"needs nft", "apt-get install -y --no-install-recommends nftables"}},
		"no headers":       {debian("libseccomp"), []string{"libseccomp's headers", "install-recommends libseccomp-dev"}},
		"several": {
			debian("ip", "pkg-config", "gcc"),
			[]string{
				"needs gcc, ip, libseccomp's headers, pkg-config",
				"install-recommends gcc libc6-dev iproute2 libseccomp-dev pkg-config",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.host.check()
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
		})
	}
	if err := debian().check(); err != nil {
		t.Errorf("all is there, and yet: %v", err)
	}
}

// The machines of a cluster have folders of their own in these places.
func TestFolderThatMachinesCannotSee(t *testing.T) {
	for _, dir := range []string{"/var/lib/jenkins/.cache/cluster", "/run/cluster", "/var"} {
		if err := checkDir(dir); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
			t.Errorf("%s: error %v, want what to set", dir, err)
		}
	}
	for _, dir := range []string{"/root/.cache/cluster", "/variety/cluster", "/home/run/cluster"} {
		if err := checkDir(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
