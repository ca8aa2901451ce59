package packages

import (
	"context"
	"slices"
)

// Need is something that a command of the repository needs on the machine, in addition to Go and make.
type Need struct {
	// What names it in messages: a command, or words.
	What string
	// Why ends a sentence in messages, as in "for the race detector".
	Why string
	// Packages are the Debian packages that bring it.
	Packages []string
	present  func(ctx context.Context, m Machine) bool
}

const (
	forModules = "for downloading Go modules"
	forRaces   = "for the race detector"
	forCluster = "for the local cluster"
	forCI      = "for checking commits"
	forProxies = "for the tests of the public address"
)

// Build returns the needs of every target.
func Build() []Need {
	return []Need{{
		What: "CA certificates", Why: forModules, Packages: []string{"ca-certificates"},
		present: func(_ context.Context, m Machine) bool { return m.trusts() },
	}}
}

// Test returns the needs of `make test`.
func Test() []Need { return append(Build(), compiler(forRaces)) }

// Cluster returns the needs of the local cluster, to build its programs and to run.
func Cluster() []Need {
	return append(
		Build(),
		program("ip", "iproute2", forCluster),
		program("nft", "nftables", forCluster),
		program("iptables", "iptables", forCluster),
		program("conntrack", "conntrack", forCluster),
		program("mount", "mount", forCluster),
		program("nsenter", "util-linux", forCluster),
		compiler(forCluster),
		program("pkg-config", "pkg-config", forCluster),
		Need{
			What: "libseccomp's headers", Why: forCluster, Packages: []string{"libseccomp-dev"},
			present: func(ctx context.Context, m Machine) bool {
				return m.succeeds(ctx, "pkg-config", "--exists", "libseccomp")
			},
		},
	)
}

// CI returns the needs of the whole check of a commit, which include all others. The proxies are for it alone: their
// packages enable a service, which nobody expects of `make test`. Without them those tests are skipped.
func CI() []Need {
	return append(Cluster(), program("git", "git", forCI), daemon("nginx"), daemon("haproxy"))
}

func program(name, pkg, why string) Need {
	return Need{
		What: name, Why: why, Packages: []string{pkg},
		present: func(_ context.Context, m Machine) bool { return m.find(name) },
	}
}

// daemon is a program that only root's PATH may have.
func daemon(name string) Need {
	return Need{
		What: name, Why: forProxies, Packages: []string{name},
		present: func(_ context.Context, m Machine) bool { return m.find(name) || m.find("/usr/sbin/"+name) },
	}
}

// compiler tries the compiler, because Debian has one without C's headers.
func compiler(why string) Need {
	return Need{
		What: "a C compiler with its headers", Why: why, Packages: []string{"gcc", "libc6-dev"},
		present: func(ctx context.Context, m Machine) bool {
			include := []string{"-E", "-include", "stdlib.h", "-x", "c", "/dev/null"}
			return m.succeeds(ctx, m.compiler[0], slices.Concat(m.compiler[1:], include)...)
		},
	}
}
