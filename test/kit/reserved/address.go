// Package reserved gives tests and demonstrations addresses that stay theirs.
package reserved

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// anyAddress asks the system for a free port.
const anyAddress = "127.0.0.1:0"

// Addresses returns n loopback addresses at which nothing listens: the
// preferred ones, unless something else uses them. Whoever knows an address may
// listen there, again and again, in any process. Nobody gets its port by asking
// for a free one until this process ends.
//
// So a process that starts again finds its port free, and what is meant for a
// server that is down reaches nobody else's.
func Addresses(n int, preferred ...string) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		wanted := anyAddress
		if i < len(preferred) {
			wanted = preferred[i]
		}
		var err error
		addresses[i], err = reserve(wanted)
		if err != nil {
			addresses[i], err = reserve(anyAddress)
		}
		if err != nil {
			return nil, fmt.Errorf("no free port on 127.0.0.1: %w", err)
		}
	}
	return addresses, nil
}

// Address returns one such address, for a test.
func Address(tb testing.TB) string {
	tb.Helper()
	addresses, err := Addresses(1)
	if err != nil {
		tb.Fatal(err)
	}
	return addresses[0]
}

// reserve binds a socket to an IPv4 address and never listens. On Linux a listener
// may join it, since Go sets SO_REUSEADDR on every listener. Elsewhere it could
// not, so that the address was just free a moment ago.
func reserve(wanted string) (address string, err error) {
	a, err := netip.ParseAddrPort(wanted)
	if err != nil {
		return "", err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	unix.CloseOnExec(fd)
	address, err = bind(fd, a)
	if err != nil || runtime.GOOS != "linux" {
		_ = unix.Close(fd)
	}
	return address, err
}

func bind(fd int, a netip.AddrPort) (address string, err error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return "", err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}); err != nil {
		return "", err
	}
	got, err := unix.Getsockname(fd)
	if err != nil {
		return "", err
	}
	bound, ok := got.(*unix.SockaddrInet4)
	if !ok {
		return "", fmt.Errorf("bound to %T", got)
	}
	return netip.AddrPortFrom(a.Addr(), uint16(bound.Port)).String(), nil
}
