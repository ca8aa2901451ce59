// Package reserved gives tests and benchmarks addresses that stay theirs.
package reserved

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// loopback is the host of all addresses.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Addresses returns n loopback addresses at which nothing listens. Until this process ends, every process that knows an
// address may listen there, again and again, and no process that asks for a free port gets it.
//
// So a process that starts again finds its port free, and calls to a server that is down reach no other.
func Addresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		var err error
		if addresses[i], err = reserve(); err != nil {
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

// reserve binds a socket to a free port and never listens. On Linux a listener may join it, since Go sets SO_REUSEADDR
// on every listener. Elsewhere none may, so the socket is closed: the address was free a moment ago.
func reserve() (address string, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	unix.CloseOnExec(fd)
	address, err = bind(fd)
	if err != nil || runtime.GOOS != "linux" {
		_ = unix.Close(fd)
	}
	return address, err
}

func bind(fd int) (address string, err error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return "", err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback.As4()}); err != nil {
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
	return netip.AddrPortFrom(loopback, uint16(bound.Port)).String(), nil
}
