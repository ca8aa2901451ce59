package reserved_test

import (
	"net"
	"slices"
	"testing"

	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// TestReservedAddresses refuse connections, are given to no process that asks for any port, and may be listened at
// repeatedly.
func TestReservedAddresses(t *testing.T) {
	addresses, err := reserved.Addresses(200)
	if err != nil {
		t.Fatal(err)
	}
	open := listen(t, "127.0.0.1:0")
	for range 2000 { // of some 14,000 ports that the system chooses from
		if other := listen(t, "127.0.0.1:0"); slices.Contains(addresses, other.Addr().String()) {
			t.Fatalf("%s was given to a listener", other.Addr())
		} else {
			_ = other.Close()
		}
		caller, err := net.Dial("tcp", open.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(addresses, caller.LocalAddr().String()) {
			t.Fatalf("%s was given to a caller", caller.LocalAddr())
		}
		_ = caller.Close()
	}
	for _, address := range addresses {
		for range 2 {
			if conn, err := net.Dial("tcp", address); err == nil {
				_ = conn.Close()
				t.Fatalf("something listens at %s", address)
			}
			_ = listen(t, address).Close()
		}
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
