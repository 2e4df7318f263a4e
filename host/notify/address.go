package notify

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"syscall"
)

// errPrivate refuses an address that is not on the public internet.
var errPrivate = errors.New("address is not on the public internet")

// checkURL refuses what no webhook is: all but absolute https URLs of a host on the public internet, as far as the text tells. private
// allows plain http and any host.
func checkURL(text string, private bool) error {
	const maxURL = 2048
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL || !isToken(text):
		return fmt.Errorf("%w: %.100q is no URL", ErrBadEndpoint, text)
	case u.Scheme != "https" && (!private || u.Scheme != "http"), u.Hostname() == "", u.Opaque != "":
		return fmt.Errorf("%w: want https://host/…", ErrBadEndpoint)
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("%w: its URL holds user information or a fragment", ErrBadEndpoint)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !isPublic(a) {
		return fmt.Errorf("%w: %w", ErrBadEndpoint, errPrivate)
	}
	return nil
}

// dialPublic is a net.Dialer.Control that lets connections to the public internet through. It sees the address that is dialled,
// after the name was resolved, so a name that resolves otherwise a moment later gets nowhere either.
func dialPublic(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(host)
	if err != nil || !isPublic(a) {
		return fmt.Errorf("%w: %s", errPrivate, host)
	}
	return nil
}

// isPublic reports whether an address is a host's on the public internet (IANA's registries of special-purpose addresses, RFC 6890).
// Of IPv6 only what is given out as global unicast is, 2000::/3: neither link-local, unique local nor NAT64 addresses are in that, and
// no form but the mapped one that carries an IPv4 address, but for the tunnels named below.
func isPublic(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if a.Is6() && !global6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback()
}

var global6 = netip.MustParsePrefix("2000::/3")

var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // carriers' NAT
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, where clouds keep their metadata
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // relays of 6to4
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, among them Teredo, which carries IPv4 addresses
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, which carries IPv4 addresses
	netip.MustParsePrefix("3fff::/20"),       // documentation
}
