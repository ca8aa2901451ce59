// Package packages lists the needs of the repository's commands in addition to Go and make, and installs the Debian
// packages that are missing.
package packages

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// patience bounds an installation. A new machine may be busy with its first updates, and these hold the lock of dpkg
// for minutes.
const patience = 15 * time.Minute

// lockPause is the pause before apt is tried again while it is locked.
const lockPause = 5 * time.Second

// installCommand leaves out packages that are only recommended.
var installCommand = []string{"apt-get", "-o", "DPkg::Lock::Timeout=600", "install", "-y", "--no-install-recommends"}

// Machine is the part of the computer that needs look at.
type Machine struct {
	uid int
	// compiler is the command that Go compiles C with, and its first arguments.
	compiler []string
	// find reports whether a command can be run.
	find func(command string) bool
	// succeeds reports whether a command exits with 0.
	succeeds func(ctx context.Context, name string, args ...string) bool
	// trusts reports whether there are certificates to check HTTPS with.
	trusts func() bool
	// run runs a command to its end. The command asks nothing, and only its error is shown.
	run func(ctx context.Context, args ...string) error
	out io.Writer
	// pause is the time between two tries at a lock.
	pause time.Duration
}

// This returns the computer that the program runs on. Installations are reported to out.
func This(out io.Writer) Machine {
	compiler := strings.Fields(os.Getenv("CC"))
	if len(compiler) == 0 {
		compiler = []string{"gcc"}
	}
	return Machine{
		uid: os.Geteuid(), compiler: compiler, out: out, pause: lockPause,
		find: func(command string) bool {
			_, err := exec.LookPath(command)
			return err == nil
		},
		succeeds: func(ctx context.Context, name string, args ...string) bool {
			return exec.CommandContext(ctx, name, args...).Run() == nil
		},
		trusts: func() bool {
			roots, err := x509.SystemCertPool()
			return err == nil && !roots.Equal(x509.NewCertPool())
		},
		run: func(ctx context.Context, args ...string) error {
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			// The last two keep a package from starting its service: of init scripts, and of systemd.
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "SYSTEMD_OFFLINE=1")
			_, err := command.Output(ctx, cmd)
			return err
		},
	}
}

// Install installs the packages of missing needs, and says which and why. It does nothing if nothing is missing.
// Without root or apt-get it fails as Check does.
func (m Machine) Install(ctx context.Context, needs []Need) error {
	missing := m.missing(ctx, needs)
	if len(missing) == 0 {
		return nil
	}
	if m.uid != 0 || !m.find("apt-get") {
		return tell(missing)
	}
	fmt.Fprintf(m.out, "setup: this machine lacks %s.\nsetup: installing %s\n", list(missing), strings.Join(debian(missing), " "))
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// One unreachable source of packages fails the update, and may not matter.
	outdated := m.patiently(ctx, "apt-get", "update")
	if err := m.patiently(ctx, append(slices.Clone(installCommand), debian(missing)...)...); err != nil {
		return errors.Join(tell(missing), outdated, err)
	}
	if err := m.Check(ctx, missing); err != nil {
		return fmt.Errorf("apt-get installed the packages, and yet: %w", err)
	}
	fmt.Fprintf(m.out, "setup: done after %.0f s\n", time.Since(begun).Seconds())
	return nil
}

// patiently repeats a command of apt while another process has the lists or the archives locked: apt itself does not
// wait for these.
func (m Machine) patiently(ctx context.Context, args ...string) error {
	for {
		err := m.run(ctx, args...)
		if err == nil || !strings.Contains(err.Error(), "Could not get lock") && !strings.Contains(err.Error(), "Unable to lock") {
			return err
		}
		select {
		case <-time.After(m.pause):
		case <-ctx.Done():
			return err
		}
	}
}

// Check fails if something is missing. The error names it, its packages and the command that installs them.
func (m Machine) Check(ctx context.Context, needs []Need) error {
	if missing := m.missing(ctx, needs); len(missing) > 0 {
		return tell(missing)
	}
	return nil
}

func (m Machine) missing(ctx context.Context, needs []Need) []Need {
	return slices.DeleteFunc(slices.Clone(needs), func(n Need) bool { return n.present(ctx, m) })
}

func tell(missing []Need) error {
	return fmt.Errorf("this machine lacks %s. As root on Debian or Ubuntu:\n"+
		"  apt-get update && apt-get install -y --no-install-recommends %s\n"+
		"Elsewhere, install your system's counterparts", list(missing), strings.Join(debian(missing), " "))
}

// list names the missing needs, grouped by their reasons.
func list(missing []Need) string {
	var reasons []string
	things := make(map[string][]string)
	for _, n := range missing {
		if things[n.Why] == nil {
			reasons = append(reasons, n.Why)
		}
		things[n.Why] = append(things[n.Why], n.What)
	}
	for i, why := range reasons {
		reasons[i] = strings.Join(things[why], ", ") + " (" + why + ")"
	}
	return strings.Join(reasons, ", ")
}

// debian returns the packages, each once.
func debian(missing []Need) []string {
	var names []string
	for _, n := range missing {
		names = append(names, n.Packages...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
