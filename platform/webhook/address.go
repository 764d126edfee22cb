package webhook

import (
	"net/netip"
	"slices"
)

// special are addresses that look public and are not: what they lead to belongs to the network that we run in, to its provider,
// or to nobody. The registries of IANA for special purposes (RFC 6890) list them, the last two aside.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT (RFC 6598); Alibaba's metadata are in it
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments; Oracle's metadata were in it
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and the broadcast address
	netip.MustParsePrefix("2001::/23"),       // protocol assignments; Teredo, which holds an IPv4 address
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, which holds an IPv4 address
	netip.MustParsePrefix("3fff::/20"),       // documentation

	netip.MustParsePrefix("168.63.129.16/32"), // Azure's own services, from inside
}

// global is what of IPv6 is given out to networks (RFC 4291, section 2.4). Outside it are loopback, unique local and link-local
// addresses, and those that hold an IPv4 address, as NAT64 does.
var global = netip.MustParsePrefix("2000::/3")

// Public reports whether an address is one of the internet, where strangers may let us send messages: not one of this machine,
// of a private network, of a cloud's metadata service, or of a group. An IPv4 address that is written as IPv6 counts as what
// it is.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	switch {
	case !a.IsValid(), a.Zone() != "", a.IsUnspecified(), a.IsLoopback(), a.IsPrivate(), a.IsLinkLocalUnicast(), a.IsMulticast():
		return false
	case a.Is6() && !global.Contains(a):
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
