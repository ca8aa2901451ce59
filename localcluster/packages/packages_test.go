package packages

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lacks returns root's machine without the named things: commands, libraries, "headers" or "certificates". It records
// the commands that were run; its apt-get brings everything unless it is broken.
type lacks struct {
	things []string
	broken bool
	// locked is how often another apt-get is at work.
	locked int
	ran    []string
}

func (l *lacks) has(thing string) bool { return !slices.Contains(l.things, thing) }

func (l *lacks) machine(out *bytes.Buffer) Machine {
	return Machine{
		compiler: []string{"gcc"}, out: out, find: l.has,
		succeeds: func(_ context.Context, name string, args ...string) bool {
			if name == "gcc" {
				return l.has("gcc") && l.has("headers")
			}
			return l.has(name) && l.has(args[len(args)-1])
		},
		trusts: func() bool { return l.has("certificates") },
		run: func(_ context.Context, args ...string) error {
			l.ran = append(l.ran, strings.Join(args, " "))
			if l.locked > 0 {
				l.locked--
				return errors.New("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7")
			}
			if l.broken {
				return errors.New(args[len(args)-1] + " cannot be had")
			}
			if slices.Contains(args, "install") {
				l.things = nil
			}
			return nil
		},
	}
}

const install = "apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "

func TestInstall(t *testing.T) {
	tests := map[string]struct {
		needs []Need
		lacks []string
		// installs are the packages, none where nothing must be done.
		installs, says string
	}{
		"all there":              {CI(), nil, "", ""},
		"not needed":             {Build(), []string{"gcc", "ip", "git"}, "", ""},
		"certificates":           {Build(), []string{"certificates"}, "ca-certificates", "CA certificates (for downloading Go modules)"},
		"compiler":               {Test(), []string{"gcc"}, "gcc libc6-dev", "a C compiler with its headers (for the race detector)"},
		"compiler's headers":     {Test(), []string{"headers"}, "gcc libc6-dev", "a C compiler with its headers"},
		"packet filter":          {Cluster(), []string{"nft"}, "nftables", "lacks nft (for the local cluster)"},
		"library":                {Cluster(), []string{"libseccomp"}, "libseccomp-dev", "libseccomp's headers"},
		"library, by pkg-config": {Cluster(), []string{"pkg-config"}, "libseccomp-dev pkg-config", "pkg-config, libseccomp's headers (for"},
		"for several ends": {
			CI(), []string{"git", "ip", "certificates"}, "ca-certificates git iproute2",
			"lacks CA certificates (for downloading Go modules), ip (for the local cluster), git (for checking commits)",
		},
		"proxies": {CI(), []string{"nginx", "/usr/sbin/nginx", "haproxy"}, "nginx", "lacks nginx (for the tests of the public address)"},
		"a bare machine": {
			CI(), []string{
				"certificates", "ip", "nft", "iptables", "conntrack", "mount", "nsenter", "gcc", "pkg-config", "git",
				"nginx", "/usr/sbin/nginx", "haproxy", "/usr/sbin/haproxy",
			},
			"ca-certificates conntrack gcc git haproxy iproute2 iptables libc6-dev libseccomp-dev mount nftables nginx pkg-config util-linux",
			"installing ca-certificates ",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			l := &lacks{things: tt.lacks}
			if err := l.machine(&out).Install(t.Context(), tt.needs); err != nil {
				t.Fatal(err)
			}
			var want []string
			if tt.installs != "" {
				want = []string{"apt-get update", install + tt.installs}
			}
			if diff := cmp.Diff(want, l.ran); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			if said := out.String(); !strings.Contains(said, tt.says) || (tt.says == "") != (said == "") {
				t.Errorf("it does not say %q:\n%s", tt.says, said)
			}
		})
	}
}

// TestInstallWaits while another apt-get has its locks, as on a machine that starts for the first time.
func TestInstallWaits(t *testing.T) {
	l := &lacks{things: []string{"nft"}, locked: 3}
	if err := l.machine(&bytes.Buffer{}).Install(t.Context(), Cluster()); err != nil {
		t.Fatal(err)
	}
	want := []string{"apt-get update", "apt-get update", "apt-get update", "apt-get update", install + "nftables"}
	if diff := cmp.Diff(want, l.ran); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// TestInstallFails: whatever the cause, the error names the missing needs, the packages and the command.
func TestInstallFails(t *testing.T) {
	tests := map[string]struct {
		lacks lacks
		uid   int
		runs  int
		says  string
	}{
		"not root":       {lacks{things: []string{"nft"}}, 1000, 0, "As root on Debian or Ubuntu"},
		"no apt-get":     {lacks{things: []string{"nft", "apt-get"}}, 0, 0, "Elsewhere"},
		"cannot be had":  {lacks{things: []string{"nft"}, broken: true}, 0, 2, "nftables cannot be had"},
		"outdated lists": {lacks{things: []string{"nft"}, broken: true}, 0, 2, "update cannot be had"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := tt.lacks.machine(&bytes.Buffer{})
			m.uid = tt.uid
			err := m.Install(t.Context(), Cluster())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range []string{"lacks nft (for the local cluster)", "apt-get install -y --no-install-recommends nftables", tt.says} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			if len(tt.lacks.ran) != tt.runs {
				t.Errorf("it ran %q, want %d commands", tt.lacks.ran, tt.runs)
			}
		})
	}
}

// TestOutdatedLists: an unreachable source of packages stops nothing if the others have the packages.
func TestOutdatedLists(t *testing.T) {
	l := &lacks{things: []string{"nft"}}
	m := l.machine(&bytes.Buffer{})
	run := m.run
	m.run = func(ctx context.Context, args ...string) error {
		return errors.Join(run(ctx, args...), map[bool]error{true: errors.New("no such source")}[args[1] == "update"])
	}
	if err := m.Install(t.Context(), Cluster()); err != nil {
		t.Error(err)
	}
}

// TestInstalledInVain: a package that does not bring what it should is told of.
func TestInstalledInVain(t *testing.T) {
	l := &lacks{things: []string{"nft"}}
	m := l.machine(&bytes.Buffer{})
	m.run = func(context.Context, ...string) error { return nil }
	if err := m.Install(t.Context(), Cluster()); err == nil || !strings.Contains(err.Error(), "and yet: this machine lacks nft") {
		t.Errorf("got %v", err)
	}
}

// TestCheck: it names and never installs.
func TestCheck(t *testing.T) {
	l := &lacks{things: []string{"ip"}}
	m := l.machine(&bytes.Buffer{})
	if err := m.Check(t.Context(), Cluster()); err == nil || !strings.Contains(err.Error(), "--no-install-recommends iproute2") {
		t.Errorf("got %v", err)
	}
	if err := m.Check(t.Context(), Build()); err != nil {
		t.Errorf("what was asked for is there, and yet: %v", err)
	}
	if l.ran != nil {
		t.Errorf("it ran %q", l.ran)
	}
}

// TestThis: commands of this machine are really looked for and run.
func TestThis(t *testing.T) {
	t.Setenv("CC", "false -m64")
	m := This(&bytes.Buffer{})
	if !m.find("go") || m.find("no-such-command") {
		t.Error("it does not find what is there, or finds what is not")
	}
	if m.succeeds(t.Context(), "no-such-command") || !m.succeeds(t.Context(), "go", "version") {
		t.Error("it does not tell a failure from a success")
	}
	if diff := cmp.Diff([]string{"false", "-m64"}, m.compiler); diff != "" {
		t.Errorf("the compiler is not the one that Go is told to use:\n%s", diff)
	}
	if err := m.run(t.Context(), "sh", "-c", `[ "$DEBIAN_FRONTEND" = noninteractive ] && ! read -r _`); err != nil {
		t.Errorf("an installation could ask something: %v", err)
	}
	err := m.run(t.Context(), "sh", "-c", "echo no such package >&2; exit 100")
	if err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("the error does not say why: %v", err)
	}
}
