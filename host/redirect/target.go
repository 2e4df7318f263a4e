package redirect

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// ErrBadTarget says that nobody is sent to such an address: it is not absolute https, holds user information, or characters that
// have no place in a URL.
var ErrBadTarget = errors.New("address is not one to send visitors to")

// checkTarget returns the target's origin. What is checked is the text that a browser gets to see: a url.URL that was put together
// by hand may hold anything. With local it may also be an http address of this machine.
func checkTarget(target *url.URL, local bool) (origin string, err error) {
	if target == nil {
		return "", fmt.Errorf("%w: there is none", ErrBadTarget)
	}
	text := target.String()
	if !isVisible(text) {
		return "", fmt.Errorf("%w: it holds spaces or characters beyond ASCII, which a URL writes otherwise", ErrBadTarget)
	}
	read, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadTarget, err)
	}
	if read.Opaque != "" || read.User != nil || read.Host != target.Host || read.RawQuery != target.RawQuery {
		return "", fmt.Errorf("%w: want https://host/…, and no more than its parts say", ErrBadTarget)
	}
	return parseOrigin(read.Scheme+"://"+read.Host, local)
}

// parseOrigin reads "https://host" or "https://host:port" and returns it as browsers write an origin (RFC 6454 section 6.2): in
// lower case, without the port that https has anyway. With local it also reads http origins of this machine. The error is ErrBadTarget.
func parseOrigin(text string, local bool) (string, error) {
	u, err := url.Parse(text)
	if err != nil || !isVisible(text) || u.Hostname() == "" || u.User != nil || u.Path != "" || strings.ContainsAny(text, "?#%") {
		return "", fmt.Errorf("%w: %.100q is no origin", ErrBadTarget, text)
	}
	usual := map[string]string{"https": "443"}
	if local && isLocal(u.Hostname()) {
		usual["http"] = "80"
	}
	if usual[u.Scheme] == "" {
		return "", fmt.Errorf("%w: %.100q is no https origin", ErrBadTarget, text)
	}
	host := strings.ToLower(u.Hostname())
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && ip.Zone() == "" {
		host = "[" + ip.String() + "]"
	} else if !hostname.MatchString(host) {
		return "", fmt.Errorf("%w: %.100q is no host", ErrBadTarget, host)
	}
	if port := u.Port(); port != "" && port != usual[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host, nil
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// hostname is a name in the form that DNS knows; beyond ASCII it is written in Punycode.
var hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,252}[a-z0-9])?$`)

// isVisible reports whether text holds visible ASCII alone: no line break that would begin another header.
func isVisible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) && text != ""
}

// withToken returns target with the token in its query. Other parameters stay as they are written, one of our own name does not.
func withToken(target *url.URL, token string) *url.URL {
	var parameters []string
	for _, p := range strings.Split(target.RawQuery, "&") {
		name, _, _ := strings.Cut(p, "=")
		if plain, err := url.QueryUnescape(name); p == "" || err == nil && plain == Parameter {
			continue
		}
		parameters = append(parameters, p)
	}
	with := *target
	with.RawQuery = strings.Join(append(parameters, Parameter+"="+token), "&")
	return &with
}
