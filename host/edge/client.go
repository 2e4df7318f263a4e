package edge

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// visit is what the edge knows of a request; there is one in its context.
type visit struct {
	id     string
	client netip.Addr
	route  string
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	if v == nil {
		return &visit{}
	}
	return v
}

// Client returns the address that the request of this context comes from; the zero Addr outside of a Handler.
func Client(ctx context.Context) netip.Addr { return visitOf(ctx).client }

// RequestID returns the id of the request of this context, which its answer and the log bear too; empty outside of a Handler.
func RequestID(ctx context.Context) string { return visitOf(ctx).id }

// Network returns the network that a client shares with those he may take for himself as well: the /24 of an IPv4 address, the /48
// of an IPv6 one, as text. It is empty for the zero Addr.
func Network(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits) // so many bits both kinds have
	return p.String()
}

// client takes the address from the connection, or from what the proxy at its other end has added. X-Forwarded-For is the one header
// that proxies add to without being told; where they leave Forwarded alone, a client could write it, so it counts for nothing.
// Of several entries, in one line or in many, the last is the proxy's own.
func client(r *http.Request, behindProxy bool) netip.Addr {
	if behindProxy {
		if lines := r.Header.Values("X-Forwarded-For"); len(lines) > 0 {
			last := lines[len(lines)-1]
			if a, ok := address(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])); ok {
				return a
			}
		}
	}
	a, _ := address(r.RemoteAddr)
	return a
}

// address reads an IP address with or without port.
func address(text string) (netip.Addr, bool) {
	if p, err := netip.ParseAddrPort(text); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}
