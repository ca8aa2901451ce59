package httpsink

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestKindOfHost(t *testing.T) {
	const (
		translated  = "an address that local NAT64 translates"
		numeric     = "an address in an unusual spelling"
		loopback    = "a loopback address"
		linkLocal   = "a link-local address"
		metadata    = "the address of a metadata service"
		unspecified = "an unspecified address"
		multicast   = "a multicast address"
	)
	tests := map[string]string{
		"127.0.0.1": loopback, "127.255.1.2": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback, "64:ff9b::127.0.0.1": loopback,
		"localhost": loopback, "LocalHost.": loopback, "bot.localhost": loopback,
		"169.254.169.254": linkLocal, "169.254.0.1": linkLocal, "fe80::1": linkLocal, "fe80::1%eth0": linkLocal,
		"::ffff:169.254.169.254": linkLocal, "64:ff9b::a9fe:a9fe": linkLocal,
		"fd00:ec2::254": metadata, "fd20:ce::254": metadata, "100.100.100.200": metadata, "168.63.129.16": metadata,
		"fd00:ec2::23": metadata, "fd00:ec2::": metadata, "fd00:ec2:ffff::1": metadata,
		"64:ff9b:1::127.0.0.1": translated, "64:ff9b:1:7f00:0:100::": translated, "64:ff9b:1:ffff::8.8.8.8": translated,
		"0.0.0.0": unspecified, "::": unspecified, "0.1.2.3": unspecified, "::ffff:0.0.0.0": unspecified,
		"224.0.0.1": multicast, "ff02::1": multicast, "255.255.255.255": multicast,

		"127.1": numeric, "2130706433": numeric, "0x7f.0.0.1": numeric, "0": numeric, "2852039166": numeric, "0X7F000001": numeric,
		"127.0.0.1.": loopback, "127.1.": numeric, "0177.0.0.1": numeric,
		"010.0.0.1": numeric, "bot.1": numeric, "1.2.3.4.5": numeric, "0x": numeric,
		"127.0.0.0x1": numeric, "999.1.1.1": numeric, "127.1..": numeric, "127.0.0.1..": loopback,
		"ip6-localhost": loopback, "IP6-Loopback.": loopback, "localhost.localdomain": loopback, "localhost6": loopback,
		"metadata.google.internal": metadata, "Metadata.Google.Internal.": metadata,
		"１２７.0.0.1": loopback, "127。0。0。1": loopback, "①27.1": numeric, "ｌocalhost": loopback,

		"10.0.0.1": "", "192.168.1.1": "", "172.16.0.1": "", "8.8.8.8": "", "fd00::1": "",
		"fd00:ec1:ffff::1": "", "fd00:ec3::1": "", "64:ff9b:2::127.0.0.1": "",
		"2001:db8::1": "", "64:ff9b::8.8.8.8": "",
		"bot.chat.svc": "", "localhost.example": "", "128.0.0.1": "", "": "",
		"10.0.0.1.": "", "1.example": "", "0x7f.example": "", "bot1": "", "1bot": "", "bot.x0": "", "a.bot-1": "", "bót.example": "",
		"my-ip6-localhost": "", "google.internal": "",
	}
	for host, want := range tests {
		if got := kindOfHost(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

// FuzzKindOfAddress: an address is judged alike in each of its spellings.
func FuzzKindOfAddress(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{169, 254, 169, 254})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok || !a.Is4() {
			return
		}
		mapped := netip.AddrFrom16(a.As16())
		if kindOfAddress(a) != kindOfAddress(mapped) || kindOfHost(a.String()) != kindOfHost(mapped.String()) {
			t.Errorf("%s: %q, as %s: %q", a, kindOfAddress(a), mapped, kindOfAddress(mapped))
		}
	})
}

// TestLocalAddressesAreRefusedWhenDialling: by address, by name, and by a proxy. Nothing is dialled, and the failure
// names the field.
func TestLocalAddressesAreRefusedWhenDialling(t *testing.T) {
	server, made := countConnections(t, func(http.ResponseWriter, *http.Request) {})
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	tests := map[string]Settings{
		"address":                {URL: server.URL},
		"name":                   {URL: "http://localhost" + port},
		"mapped address":         {URL: "http://[::ffff:127.0.0.1]" + port},
		"address in one number":  {URL: "http://2130706433" + port},
		"short address":          {URL: "http://127.1" + port},
		"unspecified":            {URL: "http://0.0.0.0" + port},
		"unspecified, IPv6":      {URL: "http://[::]" + port},
		"https":                  {URL: "https://127.0.0.1" + port},
		"proxy":                  {URL: "http://bot.example", Proxy: server.URL},
		"proxy for https":        {URL: "https://bot.example", Proxy: server.URL},
		"behind a remote proxy":  {URL: server.URL, Proxy: "http://192.0.2.1:3128"},
		"name behind a proxy":    {URL: "http://localhost" + port, Proxy: "http://192.0.2.1:3128"},
		"metadata behind proxy":  {URL: "http://169.254.169.254/latest", Proxy: "socks5://192.0.2.1:1080"},
		"number behind a proxy":  {URL: "http://2130706433" + port, Proxy: "http://192.0.2.1:3128"},
		"hex behind a proxy":     {URL: "https://0x7f.1" + port, Proxy: "http://192.0.2.1:3128"},
		"metadata":               {URL: "http://169.254.169.254/latest"},
		"metadata, IPv6":         {URL: "http://[fd00:ec2::254]/latest"},
		"link-local with a zone": {URL: "http://[fe80::1%25lo]" + port},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			setProxies(t, nil)
			c.LocalAddresses = LocalRefuse
			err := newSink(t, c).Send(t.Context(), exampleEvent(t))
			switch name {
			case "address in one number", "short address":
				// Go looks these up as names, which do not exist.
				expectClass(t, err, "connection")
			default:
				expectClass(t, err, "address")
				if !strings.Contains(err.Error(), "localAddresses") {
					t.Errorf("%q does not name the field", err)
				}
			}
		})
	}
	if made.Load() != 0 {
		t.Errorf("%d connections were made", made.Load())
	}
}

// TestTheEnvironmentsProxyMayBeLocal: the environment is set by the person who runs the connector.
func TestTheEnvironmentsProxyMayBeLocal(t *testing.T) {
	server := listen(t, func(http.ResponseWriter, *http.Request) {})
	proxy, requests := proxyTo(t, server.Listener.Addr().String())
	setProxies(t, map[string]string{"HTTP_PROXY": proxy.URL})
	s := newSink(t, Settings{URL: "http://bot.example", LocalAddresses: LocalRefuse})
	expectClass(t, s.Send(t.Context(), exampleEvent(t)), "")
	if requests.Load() != 1 {
		t.Errorf("%d requests came to the proxy", requests.Load())
	}
	s.Close()
}
