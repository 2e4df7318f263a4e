package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for _, public := range []string{"1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "2a00::1", "::ffff:1.1.1.1"} {
		assert.True(t, isPublic(netip.MustParseAddr(public)), public)
		assert.NoError(t, dialPublic("tcp", netip.AddrPortFrom(netip.MustParseAddr(public), 443).String(), nil), public)
	}
	for _, private := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "127.0.0.1", "127.255.255.254", "100.64.0.1", "100.127.255.255", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255",
		"192.168.0.1", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "4000::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", // IPv4 inside IPv6: mapped, and compatible
		"64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", // NAT64, well-known and local
		"2002:7f00:1::1", "2001:0:7f00:1::1", // 6to4 and Teredo
	} {
		a := netip.MustParseAddr(private)
		assert.False(t, isPublic(a), private)
		assert.ErrorIs(t, dialPublic("tcp", netip.AddrPortFrom(a, 443).String(), nil), errPrivate, private)
	}
	for _, malformed := range []string{"", "x", "localhost:443", "1.1.1.1", "[::1]", "1.1.1.1.:443", "010.0.0.1:443", "@:1"} {
		assert.Error(t, dialPublic("tcp", malformed, nil), malformed)
	}
}

func TestURLsThatNoWebhookHas(t *testing.T) {
	w := memory(t, func(o *Options) { o.AllowPrivate = false })
	for _, bad := range []string{
		"", "shop.example", "/hook", "//shop.example", "http://shop.example/", "ftp://shop.example", "file:///etc/passwd", "gopher://shop.example", "https:shop.example",
		"https://", "https://:443/", "https://user@shop.example/", "https://user:secret@shop.example/", "https://shop.example/#x", "https://shop.example/ x",
		"https://shop.example/\r\nHost: x", "https://shop.example/\x00", "https://shöp.example/", "https://" + strings.Repeat("x", 2048), "https://[::1", "https://%zz/",
		"https://127.0.0.1/", "https://10.0.0.1:8443/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/",
		"https://[64:ff9b::7f00:1]/", "https://0.0.0.0/", "javascript:alert(1)",
	} {
		_, _, err := w.AddEndpoint(t.Context(), acme, bad, nil)
		assert.ErrorIs(t, err, ErrBadEndpoint, "%q", bad)
	}
	for _, kinds := range [][]string{{""}, {"tap.*"}, {"other"}, {TapRecorded, Test}, {"a b"}} {
		_, _, err := w.AddEndpoint(t.Context(), acme, "https://shop.example/", kinds)
		assert.ErrorIs(t, err, ErrBadEndpoint)
	}
}

// Names and spellings that lead into one's own network are refused when they are dialled, after they were resolved. No request
// arrives, whatever the name.
func TestNamesThatLeadInside(t *testing.T) {
	r := newReceiver(t, nil)
	port := r.URL[strings.LastIndex(r.URL, ":")+1:]
	w := memory(t, func(o *Options) { o.AllowPrivate = false })
	for _, host := range []string{"localhost", "localhost.", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "0"} {
		e, _, err := w.AddEndpoint(t.Context(), acme, "https://"+host+":"+port+"/", nil)
		require.NoError(t, err, host)
		d, err := w.TestEndpoint(t.Context(), acme, e.ID)
		require.NoError(t, err)
		assert.Equal(t, GivenUp, d.State, host)
		if host == "localhost" {
			assert.Contains(t, d.Error, errPrivate.Error())
		}
	}
	assert.Empty(t, r.ids())
	s, _ := url.Parse(r.URL)
	_, err := w.client.Get(s.String()) // past AddEndpoint, as an address in an old database is
	assert.ErrorIs(t, err, errPrivate)
	assert.Empty(t, r.ids())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	inside := newReceiver(t, nil)
	for _, status := range []int{301, 302, 303, 307, 308} {
		outside := httptest.NewServer(http.RedirectHandler(inside.URL, status))
		t.Cleanup(outside.Close)
		w := memory(t)
		e, _ := w.endpoint(outside.URL)
		d, err := w.TestEndpoint(t.Context(), acme, e.ID)
		require.NoError(t, err)
		assert.Equal(t, GivenUp, d.State)
		assert.Contains(t, d.Error, "endpoint answered 30")
	}
	assert.Empty(t, inside.ids())
}

// No variable of the environment sends webhooks through a proxy, which would dial in our place.
func TestNoProxyIsAsked(t *testing.T) {
	proxy := newReceiver(t, nil)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	w := memory(t)
	e, _ := w.endpoint("http://shop.invalid/")
	d, err := w.TestEndpoint(t.Context(), acme, e.ID)
	require.NoError(t, err)
	assert.Equal(t, GivenUp, d.State)
	assert.Empty(t, proxy.ids())
}

// An answer without end costs no more than its beginning.
func TestAnswersAreReadToALimit(t *testing.T) {
	var sent int
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 1<<16); ; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	w := memory(t)
	e, _ := w.endpoint(endless.URL)
	begin := time.Now()
	d, err := w.TestEndpoint(t.Context(), acme, e.ID)
	require.NoError(t, err)
	assert.Equal(t, Delivered, d.State)
	assert.Less(t, time.Since(begin), answerWithin)
	headers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 1<<20))
	}))
	t.Cleanup(headers.Close)
	e, _ = w.endpoint(headers.URL)
	d, err = w.TestEndpoint(t.Context(), acme, e.ID)
	require.NoError(t, err)
	assert.Equal(t, GivenUp, d.State)
}

func TestCertificatesAreChecked(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	server.Config.ErrorLog = quietLog()
	server.StartTLS()
	t.Cleanup(server.Close)
	w := memory(t)
	e, _ := w.endpoint(server.URL)
	d, err := w.TestEndpoint(t.Context(), acme, e.ID)
	require.NoError(t, err)
	assert.Equal(t, GivenUp, d.State)
	assert.Contains(t, d.Error, "certificate")
	assert.NotContains(t, d.Error, server.URL)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	trusting := memory(t, func(o *Options) { o.TLS = &tls.Config{RootCAs: pool} })
	e, _ = trusting.endpoint(server.URL)
	d, err = trusting.TestEndpoint(t.Context(), acme, e.ID)
	require.NoError(t, err)
	assert.Equal(t, Delivered, d.State, d.Error)
}

// Whatever the text: what is taken is an https URL whose host is no address of ours.
func FuzzEndpointURL(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		if err := checkURL(text, false); err != nil {
			require.ErrorIs(t, err, ErrBadEndpoint)
			return
		}
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, text, io.NopCloser(strings.NewReader("")))
		require.NoError(t, err)
		require.Equal(t, "https", r.URL.Scheme)
		require.NotEmpty(t, r.URL.Hostname())
		require.False(t, strings.ContainsAny(text, "\r\n \x00"))
		if a, err := netip.ParseAddr(r.URL.Hostname()); err == nil {
			require.True(t, isPublic(a))
		}
		if ip := net.ParseIP(r.URL.Hostname()); ip != nil {
			require.False(t, ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified())
		}
	})
}

// What is taken holds the one right signature.
func FuzzCheckSignature(f *testing.F) {
	const secret = Secret("whsec_test")
	at := time.Unix(1_800_000_000, 0)
	f.Add(signature(secret, at, []byte("body")), []byte("body"))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if err := CheckSignature(secret, header, body, at); err != nil {
			require.ErrorIs(t, err, ErrBadSignature)
			return
		}
		timestamp, _ := parseSignature(header)
		require.Contains(t, strings.ToLower(header), hex.EncodeToString(mac(secret, timestamp, body)))
	})
}
