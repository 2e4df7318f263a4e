package edge_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/edge"
)

// served runs a server until the test ends, and says where.
func served(t *testing.T, o edge.Listening, h http.Handler) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l, err := edge.Listen(ctx, o)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- edge.Serve(ctx, l, h, edge.Serving{Grace: time.Second}) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-done)
	})
	return l.Addr().String()
}

func TestPlainHTTPStaysOnTheMachine(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		_, err := edge.Listen(t.Context(), edge.Listening{Address: address})
		assert.ErrorIs(t, err, edge.ErrPlain, address)
		l, err := edge.Listen(t.Context(), edge.Listening{Address: address, BehindProxy: true})
		if assert.NoError(t, err, address) {
			assert.NoError(t, l.Close())
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0"} {
		l, err := edge.Listen(t.Context(), edge.Listening{Address: address})
		if assert.NoError(t, err, address) {
			assert.False(t, l.TLS)
			assert.NoError(t, l.Close())
		}
	}
	_, err := edge.Listen(t.Context(), edge.Listening{Address: "no address"})
	assert.Error(t, err)
	assert.NotErrorIs(t, err, edge.ErrPlain)
}

// pair writes a self-signed certificate for a name and its key.
func pair(t *testing.T, dir, name string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool.AddCert(parsed)
	return cert, key, pool
}

// serial is that of the certificate which a server shows.
func serial(t *testing.T, address, name string, pool *x509.CertPool) int64 {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: name})
	require.NoError(t, err)
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestRenewedCertificateIsTakenUp(t *testing.T) {
	dir, now := t.TempDir(), atomic.Int64{}
	var reports atomic.Int32
	cert, key, pool := pair(t, dir, "tap.example", 1)
	address := served(t, edge.Listening{Address: "127.0.0.1:0", CertFile: cert, KeyFile: key,
		Now: func() time.Time { return time.Unix(now.Load(), 0) }, Report: func(error) { reports.Add(1) }}, http.NotFoundHandler())
	assert.EqualValues(t, 1, serial(t, address, "tap.example", pool))

	require.NoError(t, os.WriteFile(key, []byte("half a file"), 0o600))
	for range 3 {
		now.Add(2)
		assert.EqualValues(t, 1, serial(t, address, "tap.example", pool), "what cannot be read changes nothing")
	}
	assert.EqualValues(t, 1, reports.Load(), "and is told of once")

	_, _, renewed := pair(t, dir, "tap.example", 2)
	assert.EqualValues(t, 1, serial(t, address, "tap.example", pool), "not before it was looked at again")
	now.Add(2)
	assert.EqualValues(t, 2, serial(t, address, "tap.example", renewed))

	_, err := edge.Listen(t.Context(), edge.Listening{Address: "127.0.0.1:0", CertFile: cert})
	assert.ErrorIs(t, err, edge.ErrCertificate)
}

func TestTLSSpeaksHTTP2AndTellsBrowsersToComeBackByIt(t *testing.T) {
	cert, key, pool := pair(t, t.TempDir(), "tap.example", 1)
	address := served(t, edge.Listening{Address: "127.0.0.1:0", CertFile: cert, KeyFile: key}, edge.Handler(http.NotFoundHandler(), edge.Options{}))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "tap.example"}, ForceAttemptHTTP2: true}}
	r, err := client.Get("https://" + address)
	require.NoError(t, err)
	defer r.Body.Close()
	assert.Equal(t, 2, r.ProtoMajor)
	assert.NotEmpty(t, r.Header.Get("Strict-Transport-Security"))
	_, err = tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: "tap.example", MaxVersion: tls.VersionTLS11})
	assert.Error(t, err)
}

// raw sends bytes as they are and returns all that comes back.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(2*time.Second)))
	got, _ := io.ReadAll(c) // until it is closed, or the deadline
	return string(got)
}

// TestNoRequestIsHiddenInAnother sends what proxies and servers have read in two ways: the inner request must never be answered.
func TestNoRequestIsHiddenInAnother(t *testing.T) {
	var hidden atomic.Int32
	address := served(t, edge.Listening{Address: "127.0.0.1:0"}, edge.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hidden" {
			hidden.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}), edge.Options{}))
	const inner = "GET /hidden HTTP/1.1\nHost: x\n\n"
	for name, text := range map[string]string{
		"two lengths":                   "POST / HTTP/1.1\nHost: x\nContent-Length: 0\nContent-Length: 30\nConnection: close\n\n" + inner,
		"a length with a sign":          "POST / HTTP/1.1\nHost: x\nContent-Length: +0\nConnection: close\n\n" + inner,
		"a length in a list":            "POST / HTTP/1.1\nHost: x\nContent-Length: 0, 30\nConnection: close\n\n" + inner,
		"a space before the colon":      "POST / HTTP/1.1\nHost: x\nContent-Length : 0\nConnection: close\n\n" + inner,
		"another encoding":              "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: xchunked\nConnection: close\n\n" + inner,
		"two encodings":                 "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\nConnection: close\n\n0\n\n" + inner,
		"a folded header":               "POST / HTTP/1.1\nHost: x\nTransfer-Encoding:\n chunked\nContent-Length: 30\nConnection: close\n\n" + inner,
		"two hosts":                     "GET / HTTP/1.1\nHost: x\nHost: y\n\n",
		"no host":                       "GET / HTTP/1.1\n\n",
		"a chunk's length with a sign":  "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n+0\n\n" + inner,
		"a negative chunk":              "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n-1\n\n" + inner,
		"a header line with a NUL":      "GET / HTTP/1.1\nHost: x\nX: a\x00b\n\n" + inner,
		"encoded line end in the path":  "GET /%0d%0aGET%20/hidden HTTP/1.1\nHost: x\nConnection: close\n\n",
		"length within chunked, closed": "POST / HTTP/1.1\nHost: x\nContent-Length: 35\nTransfer-Encoding: chunked\nConnection: close\n\n0\n\n" + inner,
	} {
		got := raw(t, address, text)
		assert.LessOrEqual(t, strings.Count(got, "HTTP/1.1 "), 1, "%s: %s", name, got)
	}
	assert.Zero(t, hidden.Load())
}

func TestHeadersThatAreTooLargeAreRefused(t *testing.T) {
	address := served(t, edge.Listening{Address: "127.0.0.1:0"}, http.NotFoundHandler())
	got := raw(t, address, "GET / HTTP/1.1\nHost: x\nX: "+strings.Repeat("x", 64<<10)+"\n\n")
	assert.Contains(t, got, "HTTP/1.1 431 ")
}

// TestSlowClientsAreCutOffAndHinderNobody has 200 clients that never finish their headers.
func TestSlowClientsAreCutOffAndHinderNobody(t *testing.T) {
	address := served(t, edge.Listening{Address: "127.0.0.1:0"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }))
	begun := time.Now()
	var slow []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "))
		require.NoError(t, err)
		slow = append(slow, c)
	}
	quick := &http.Client{Timeout: 2 * time.Second}
	r, err := quick.Get("http://" + address)
	require.NoError(t, err)
	r.Body.Close()
	for _, c := range slow {
		_ = c.SetReadDeadline(begun.Add(10 * time.Second))
		_, err := bufio.NewReader(c).ReadByte()
		timedOut, ok := err.(net.Error)
		require.False(t, ok && timedOut.Timeout(), "a connection was held for 10 s")
	}
}

func TestServeLetsRunningRequestsFinish(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l, err := edge.Listen(ctx, edge.Listening{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	running, ending := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(running)
			<-ending
			assert.NoError(t, r.Context().Err(), "what runs is not broken off")
		}
		fmt.Fprint(w, "whole")
	})
	done, got := make(chan error, 1), make(chan string, 1)
	go func() {
		done <- edge.Serve(ctx, l, h, edge.Serving{Notice: 50 * time.Millisecond, Ending: func() { close(ending) }})
	}()
	go func() {
		r, err := http.Get("http://" + l.Addr().String() + "/slow")
		if err != nil {
			got <- err.Error()
			return
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}()
	<-running
	stop()
	<-ending
	r, err := http.Get("http://" + l.Addr().String()) // within the notice
	require.NoError(t, err)
	r.Body.Close()
	assert.Equal(t, "whole", <-got)
	assert.NoError(t, <-done)
	_, err = net.Dial("tcp", l.Addr().String())
	assert.Error(t, err)
}

func TestServeCutsOffWhatDoesNotFinish(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	l, err := edge.Listen(ctx, edge.Listening{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	running, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(running); <-release })
	go func() {
		if r, err := http.Get("http://" + l.Addr().String()); err == nil {
			r.Body.Close()
		}
	}()
	go func() { <-running; stop() }()
	begun := time.Now()
	assert.NoError(t, edge.Serve(ctx, l, h, edge.Serving{Grace: 100 * time.Millisecond}))
	assert.Less(t, time.Since(begun), 3*time.Second)
}
