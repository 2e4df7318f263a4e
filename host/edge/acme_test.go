package edge_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/edge"
)

const domain = "tap.example.com"

// authority is an ACME authority in this process, for whom every name leads to this machine.
type authority struct {
	directory string
	client    *http.Client // trusts the directory
	roots     *x509.CertPool
	orders    atomic.Int32
}

// newAuthority makes an authority that looks for challenges on these ports.
func newAuthority(t *testing.T, httpPort, tlsPort int) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "20") // clients have to bear it
	resolver, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	names := &dns.Server{Listener: resolver, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = names.ActivateAndServe() }()
	t.Cleanup(func() { _ = names.Shutdown() })

	quiet, store := log.New(io.Discard, "", 0), db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	web := wfe.New(quiet, store, va.New(quiet, httpPort, tlsPort, false, resolver.Addr().String(), store), issuer, []string{"pebble.example"}, false, false, 1, 1)
	a := &authority{roots: x509.NewCertPool()}
	directory := web.Handler()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/order-plz") {
			a.orders.Add(1)
		}
		directory.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	require.True(t, a.roots.AppendCertsFromPEM(issuer.GetRootCert(0).PEM()))
	a.directory, a.client = s.URL+wfe.DirectoryPath, s.Client()
	return a
}

// freePort is one that nothing listens on now.
func freePort(t *testing.T) (string, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String(), l.Addr().(*net.TCPAddr).Port
}

func (a *authority) listening(address, cache string) edge.Listening {
	return edge.Listening{Address: address, Domains: []string{domain}, Directory: a.directory, Email: "ops@example.com", Cache: cache, Client: a.client}
}

// shown is the certificate that a server shows, checked as a browser would, once it is there: a handshake waits for it no longer than
// for anything else.
func shown(t *testing.T, address string, roots *x509.CertPool) (leaf *x509.Certificate) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: domain})
		require.NoError(c, err)
		leaf = conn.ConnectionState().PeerCertificates[0]
		require.NoError(c, conn.Close())
	}, 40*time.Second, 20*time.Millisecond)
	return leaf
}

func TestCertificateComesByItselfAndOutlivesARestart(t *testing.T) {
	address, port := freePort(t)
	a, cache := newAuthority(t, 1, port), filepath.Join(t.TempDir(), "acme")

	var first *x509.Certificate
	t.Run("issued", func(t *testing.T) {
		served(t, a.listening(address, cache), http.NotFoundHandler())
		first = shown(t, address, a.roots)
		assert.Equal(t, []string{domain}, first.DNSNames)
		_, err := tls.Dial("tcp", address, &tls.Config{RootCAs: a.roots, ServerName: "other.example.com"})
		assert.Error(t, err, "nothing is issued for names that are not ours")
		kept(t, cache) // it is shown before it is kept
	})
	orders := a.orders.Load()
	assert.NotZero(t, orders)
	info, err := os.Stat(cache)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(cache)
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
	t.Run("restarted", func(t *testing.T) {
		served(t, a.listening(address, cache), http.NotFoundHandler())
		assert.Equal(t, first.SerialNumber, shown(t, address, a.roots).SerialNumber)
	})
	assert.Equal(t, orders, a.orders.Load(), "nothing was ordered again")
}

func TestCertificateIsThereBeforeAnybodyAsks(t *testing.T) {
	address, port := freePort(t)
	a, cache := newAuthority(t, 1, port), filepath.Join(t.TempDir(), "acme")
	served(t, a.listening(address, cache), http.NotFoundHandler())
	kept(t, cache)
}

// kept waits until the certificate is in the cache.
func kept(t *testing.T, cache string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(cache, domain))
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
}

// TestPlainVisitorsAreSentOn has the authority see port 80 alone, so that the certificate comes by HTTP-01.
func TestPlainVisitorsAreSentOn(t *testing.T) {
	address, port := freePort(t)
	plain, plainPort := freePort(t)
	a := newAuthority(t, plainPort, 1)
	o := a.listening(address, filepath.Join(t.TempDir(), "acme"))
	o.Redirect = plain
	served(t, o, http.NotFoundHandler())
	assert.Equal(t, []string{domain}, shown(t, address, a.roots).DNSNames)

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, host string) *http.Response {
		r, err := http.NewRequest(method, "http://"+plain+"/t?c=1", nil)
		require.NoError(t, err)
		r.Host = host
		answer, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer
	}
	sent := ask("GET", domain)
	assert.Equal(t, 308, sent.StatusCode)
	_, shownPort, _ := net.SplitHostPort(address)
	require.NotZero(t, port)
	assert.Equal(t, "https://"+domain+":"+shownPort+"/t?c=1", sent.Header.Get("Location"))
	assert.Equal(t, 400, ask("POST", domain).StatusCode)
	assert.Equal(t, http.StatusMisdirectedRequest, ask("GET", "evil.example").StatusCode, "no redirect to wherever a header says")
}

func TestAuthorityThatIsAwayIsTold(t *testing.T) {
	address, _ := freePort(t)
	told := make(chan error, 10)
	l, err := edge.Listen(t.Context(), edge.Listening{Address: address, Domains: []string{domain}, Directory: "https://127.0.0.1:1/dir", Cache: t.TempDir(),
		Report: func(err error) { told <- err }})
	require.NoError(t, err)
	go func() { _ = edge.Serve(t.Context(), l, http.NotFoundHandler(), edge.Serving{}) }()
	select {
	case err := <-told:
		assert.ErrorContains(t, err, "getting a certificate for "+domain)
	case <-time.After(10 * time.Second):
		assert.Fail(t, "nobody was told")
	}
}
