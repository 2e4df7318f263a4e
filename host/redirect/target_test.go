package redirect

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTargetStaysAsItWas(t *testing.T) {
	s, _ := open(t)
	for target, want := range map[string]string{
		"https://shop.example":                               "https://shop.example?productid=",
		"https://shop.example/p/%2F?a=1&a=2&b#top":           "https://shop.example/p/%2F?a=1&a=2&b&productid=",
		"https://shop.example/?productid=x&a=1&product%69d=": "https://shop.example/?a=1&productid=",
		"https://shop.example:8443/?q=a+b%0D%0Ac":            "https://shop.example:8443/?q=a+b%0D%0Ac&productid=",
		"https://[2001:DB8::1]:8443/":                        "https://[2001:DB8::1]:8443/?productid=",
	} {
		to, token := issue(t, s, target)
		before, fragment, _ := strings.Cut(to.String(), "#")
		assert.Equal(t, want+token, before)
		u, err := url.Parse(target)
		require.NoError(t, err)
		assert.Equal(t, u.Fragment, fragment)
		origin, err := parseOrigin("https://"+u.Host, false)
		require.NoError(t, err)
		_, err = s.Verify(t.Context(), token, origin)
		assert.NoError(t, err, target)
		assert.Less(t, len(token), 600)
	}
}

func TestBadTargetsAreRefused(t *testing.T) {
	s, _ := open(t)
	for _, target := range []*url.URL{
		nil, {}, {Scheme: "https"}, {Scheme: "http", Host: "shop.example"}, {Scheme: "javascript", Opaque: "alert(1)"}, {Path: "/p"}, {Host: "shop.example"},
		{Scheme: "https", Host: "shop.example", User: url.User("u")}, {Scheme: "https", Opaque: "//shop.example/"},
		{Scheme: "https", Host: "shop.example\r\nSet-Cookie: a=b"}, {Scheme: "https", Host: "shop.example", RawQuery: "a\r\nLocation: https://evil.example"},
		{Scheme: "https", Host: "shop.example", RawQuery: "a b"}, {Scheme: "https", Host: "shop.example", RawQuery: "ä"}, {Scheme: "https", Host: "shöp.example"},
		{Scheme: "https", Host: "shop.example/evil.example"}, {Scheme: "https", Host: "shop.example?x"}, {Scheme: "https", Host: "a\"<b>.example"},
		{Scheme: "https", Host: "[fe80::1%25eth0]"}, {Scheme: "https", Host: ":443"}, {Scheme: "https", Host: "shop.example", RawQuery: "a#b"},
	} {
		to, err := s.Issue(t.Context(), target, card, 1)
		assert.ErrorIs(t, err, ErrBadTarget, "%v", target)
		assert.Nil(t, to)
	}
}

// A demonstration has no TLS: its own product page may be on this machine, and on no other.
func TestThisMachineMayBeTheTarget(t *testing.T) {
	usual, c := open(t)
	o := options(c.now, nil)
	o.AllowLocal = true
	local, err := Open(t.Context(), filepath.Join(t.TempDir(), "redirect.db"), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, local.Close()) })
	for target, origin := range map[string]string{
		"http://localhost:8080/p": "http://localhost:8080", "http://127.0.0.1/p": "http://127.0.0.1", "http://[::1]:80/p": "http://[::1]", "https://shop.example/": "https://shop.example",
	} {
		u, err := url.Parse(target)
		require.NoError(t, err)
		to, err := local.Issue(t.Context(), u, card, 1)
		require.NoError(t, err)
		got, err := local.Verify(t.Context(), to.Query().Get(Parameter), origin)
		require.NoError(t, err)
		assert.Equal(t, origin, got.Audience)
		if u.Scheme == "http" {
			_, err = usual.Issue(t.Context(), u, card, 1)
			assert.ErrorIs(t, err, ErrBadTarget)
		}
	}
	for _, target := range []string{"http://shop.example/", "http://localhost.evil.example/", "http://10.0.0.1/", "ftp://localhost/"} {
		u, err := url.Parse(target)
		require.NoError(t, err)
		_, err = local.Issue(t.Context(), u, card, 1)
		assert.ErrorIs(t, err, ErrBadTarget)
	}
}

// Whatever the address: what is issued is an https URL of the same host, without line breaks, whose query holds a token.
func FuzzTarget(f *testing.F) {
	s, err := newService(options(time.Now, nil))
	require.NoError(f, err)
	f.Add("https", "shop.example", "/p", "a=b", "top")
	f.Add("https", "[::1]:1", "/p", "a\r\nb", "#")
	f.Add("https", "shop.example", "//evil.example", "a#b&productid=", "a\nb")
	f.Fuzz(func(t *testing.T, scheme, host, path, query, fragment string) {
		checkIssued(t, s, scheme, host, path, query, fragment)
	})
}

func checkIssued(t *testing.T, s *Service, scheme, host, path, query, fragment string) {
	to, err := s.Issue(t.Context(), &url.URL{Scheme: scheme, Host: host, Path: path, RawQuery: query, Fragment: fragment}, card, 1)
	if err != nil {
		require.ErrorIs(t, err, ErrBadTarget)
		return
	}
	text := to.String()
	require.False(t, strings.ContainsAny(text, "\r\n \x00"))
	read, err := url.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "https", read.Scheme)
	require.Equal(t, host, read.Host)
	tokens := read.Query()[Parameter]
	require.Len(t, tokens, 1, text)
	_, err = s.read(tokens[0])
	require.NoError(t, err)
}

// Whatever the text: an origin that is read is one that reads back as itself, and nothing that a URL could hide behind it.
func FuzzOrigin(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		origin, err := parseOrigin(text, false)
		if err != nil {
			require.ErrorIs(t, err, ErrBadTarget)
			return
		}
		again, err := parseOrigin(origin, false)
		require.NoError(t, err)
		require.Equal(t, origin, again)
		u, err := url.Parse(origin + "/path")
		require.NoError(t, err)
		require.Equal(t, []string{"https", "/path"}, []string{u.Scheme, u.Path})
		require.Equal(t, strings.ToLower(origin), "https://"+u.Host)
	})
}
