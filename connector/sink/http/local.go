package httpsink

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"golang.org/x/net/idna"
)

// The kinds of addresses that names can have too.
const (
	kindLoopback = "a loopback address"
	kindMetadata = "the address of a metadata service"
)

// refusedAddress is why an address may not be dialled.
func (s *Sink) refusedAddress(kind string) error {
	return &ownError{"address", fmt.Sprintf("%s: %s is refused: name another address, or set localAddresses to %q in the sink's configuration",
		s.peer, kind, LocalAllow)}
}

// refuseLocal keeps the sink from dialling addresses of its own machine and of the cloud's metadata service: the URL's
// author may have no right to use them.
//
// It judges the dialled address, so that neither a name nor its change between look-ups gets around it. Behind a proxy
// the far address is not known here, so the text of the URL is judged. A proxy of the environment is not judged: the
// connector's owner chose it.
func (s *Sink) refuseLocal(d *dialer, c Settings, target, proxy *url.URL) {
	if proxy == nil || c.Proxy != "" {
		d.ControlContext = s.judgeAddress
	}
	if proxy != nil {
		if kind := kindOfHost(target.Hostname()); kind != "" {
			s.unreachable = s.refusedAddress(kind)
		}
	}
}

// judgeAddress is called between the look-up of a name and the connecting.
func (s *Sink) judgeAddress(_ context.Context, _, address string, _ syscall.RawConn) error {
	dialled, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("an address that cannot be judged: %w", err)
	}
	if kind := kindOfAddress(dialled.Addr()); kind != "" {
		return s.refusedAddress(kind)
	}
	return nil
}

// kindOfHost is kindOfAddress of a host as a URL spells it.
func kindOfHost(host string) string {
	host = strings.TrimRight(strings.ToLower(asSent(host)), ".")
	if kind, ok := localNames[host]; ok {
		return kind
	}
	if strings.HasSuffix(host, ".localhost") { // RFC 6761, section 6.3
		return kindLoopback
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return kindOfAddress(address)
	}
	if endsInNumber(host) {
		return "an address in an unusual spelling"
	}
	return ""
}

// asSent returns a host as net/http names it to a proxy, which turns 127。0。0。1 into 127.0.0.1.
func asSent(host string) string {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return host
}

// localNames are names that machines have in /etc/hosts, or a cloud's name server knows.
var localNames = map[string]string{
	"localhost": kindLoopback, "localhost.localdomain": kindLoopback,
	"localhost4": kindLoopback, "localhost4.localdomain4": kindLoopback, // Fedora
	"localhost6": kindLoopback, "localhost6.localdomain6": kindLoopback,
	"ip6-localhost": kindLoopback, "ip6-loopback": kindLoopback, // Debian
	"metadata.google.internal": kindMetadata,
}

// endsInNumber reports whether a host is an address by the URL standard. Many resolvers take 127.1, 0x7f.0.0.1 and
// 2130706433 for 127.0.0.1. No top-level domain looks so.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.HasPrefix(last, "0x") || last != "" && strings.Trim(last, "0123456789") == ""
}

// metadata are the addresses of clouds' metadata services that are not link-local. awsServices holds those of AWS.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("fd20:ce::254"):    true, // Google Cloud
	netip.MustParseAddr("100.100.100.200"): true, // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"):   true, // Azure
	netip.MustParseAddr("192.0.0.192"):     true, // Oracle Cloud
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")    // RFC 1122: Linux takes 0.0.0.0 for loopback
	nat64       = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: an IPv4 address in its last 32 bits
	broadcast   = netip.MustParseAddr("255.255.255.255")
	// localNAT64 is RFC 8215's: each network chooses the bits that hold the IPv4 address.
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")
	// awsServices hold EC2's metadata (::254) and the credentials of EKS pods (::23).
	awsServices = netip.MustParsePrefix("fd00:ec2::/32")
)

// kindOfAddress names what makes an address local; it is empty for others.
func kindOfAddress(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case a.IsLoopback():
		return kindLoopback
	case localNAT64.Contains(a):
		return "an address that local NAT64 translates"
	case metadata[a], awsServices.Contains(a):
		return kindMetadata
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case a.IsUnspecified(), thisNetwork.Contains(a):
		return "an unspecified address"
	case a.IsMulticast(), a == broadcast:
		return "a multicast address"
	}
	return ""
}
