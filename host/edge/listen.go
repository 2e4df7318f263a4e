package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

var (
	// ErrPlain refuses plain HTTP where others than this machine could listen in.
	ErrPlain = errors.New("plain HTTP on an address that others reach")
	// ErrCertificate says that the files hold no certificate with its key.
	ErrCertificate = errors.New("no usable certificate")
)

// Listening says where to listen and who ends TLS. CertFile with KeyFile, or Domains, make it end here; else it is plain HTTP.
type Listening struct {
	Address string // HOST:PORT
	// BehindProxy allows plain HTTP anywhere: a proxy ends TLS, and nobody else reaches the address.
	BehindProxy bool

	// CertFile and KeyFile are PEM files, read again when they change.
	CertFile, KeyFile string

	// Domains get their certificate by ACME (RFC 8555) from Directory, Let's Encrypt where that is empty, by TLS-ALPN-01 (RFC 8737)
	// on this very listener; Cache is the folder that keeps account and certificates, made with mode 0700. Email may be empty.
	// By listing a domain its owner accepts the terms of that authority.
	Domains   []string
	Directory string
	Email     string
	Cache     string
	// Redirect, when set, is one more HOST:PORT, by custom :80, where plain requests are sent on to https and HTTP-01 is answered.
	Redirect string

	Client *http.Client     // speaks to the ACME directory; nil for one that trusts the system's roots
	Now    func() time.Time // of certificates; nil for time.Now
	Report func(error)      // told of what goes on nevertheless: a file that cannot be read again, a certificate that does not come
}

// Listener accepts connections, after TLS where that is ended here.
type Listener struct {
	net.Listener
	TLS bool

	redirect net.Listener // nil for none
	onward   http.Handler // what is served there
	issue    func(context.Context)
}

// Listen begins to listen. Errors: ErrPlain before anything was opened; ErrCertificate; the network's.
func Listen(ctx context.Context, o Listening) (*Listener, error) {
	if o.Report == nil {
		o.Report = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	config, manager, err := o.config()
	if err != nil {
		return nil, err
	}
	address, err := net.ResolveTCPAddr("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", o.Address, err)
	}
	if config == nil && !o.BehindProxy && !address.IP.IsLoopback() {
		return nil, fmt.Errorf("listening on %s: %w", o.Address, ErrPlain)
	}
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address.String())
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", o.Address, err)
	}
	if config == nil {
		return &Listener{Listener: inner}, nil
	}
	l := &Listener{Listener: tls.NewListener(inner, config), TLS: true, issue: func(context.Context) {}}
	if o.Redirect != "" {
		if l.redirect, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Redirect); err != nil {
			return nil, errors.Join(fmt.Errorf("listening on %s: %w", o.Redirect, err), inner.Close())
		}
		l.onward = onward(inner.Addr(), o.Domains)
	}
	if manager != nil {
		if l.onward != nil {
			l.onward = manager.HTTPHandler(l.onward)
		}
		l.issue = o.issue(manager)
	}
	return l, nil
}

// Close stops listening.
func (l *Listener) Close() error {
	if l.redirect != nil {
		_ = l.redirect.Close() // Serve may have closed it
	}
	return l.Listener.Close()
}

// config is nil for plain HTTP; the manager is nil unless certificates come by ACME.
func (o Listening) config() (*tls.Config, *autocert.Manager, error) {
	switch {
	case o.CertFile != "" || o.KeyFile != "":
		c := &files{cert: o.CertFile, key: o.KeyFile, now: o.Now, report: o.Report}
		if err := c.load(); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrCertificate, err)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.get}, nil, nil
	case len(o.Domains) > 0:
		if err := os.MkdirAll(o.Cache, 0o700); err != nil {
			return nil, nil, fmt.Errorf("making the folder of certificates: %w", err)
		}
		ours := autocert.HostWhitelist(o.Domains...)
		m := &autocert.Manager{
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Cache), Email: o.Email,
			HostPolicy: func(ctx context.Context, host string) error { return ours(ctx, (&url.URL{Host: host}).Hostname()) },
			Client:     &acme.Client{DirectoryURL: o.Directory, HTTPClient: o.Client, UserAgent: "productid"},
		}
		if o.Directory == "" {
			m.Client.DirectoryURL = autocert.DefaultACMEDirectory
		}
		config := m.TLSConfig()
		config.MinVersion = tls.VersionTLS12
		return config, m, nil
	}
	return nil, nil, nil
}

// issueAgain is the time between two tries to get a certificate before anybody asks for it, in case the name does not lead here yet.
const issueAgain = time.Minute

// issue gets the certificates before the first visitor waits for them.
func (o Listening) issue(m *autocert.Manager) func(context.Context) {
	return func(ctx context.Context) {
		for _, domain := range o.Domains {
			hello := &tls.ClientHelloInfo{ServerName: domain, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
				SupportedCurves: []tls.CurveID{tls.CurveP256}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
			for {
				_, err := m.GetCertificate(hello)
				if err == nil || ctx.Err() != nil {
					break
				}
				o.Report(fmt.Errorf("getting a certificate for %s: %w", domain, err))
				select {
				case <-ctx.Done():
				case <-time.After(issueAgain):
				}
			}
		}
	}
}

// onward sends plain requests to https, on the port that it is served on; of the domains alone, where they are known. The answer to a
// POST is no redirect: what it carried has been read by everybody on the way.
func onward(tlsAddress net.Addr, domains []string) http.Handler {
	_, port, _ := net.SplitHostPort(tlsAddress.String())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("Cache-Control", "no-store")
		to := url.URL{Host: r.Host}
		host := to.Hostname()
		if host == "" || len(domains) > 0 && !slices.Contains(domains, strings.ToLower(host)) {
			http.Error(w, "no such site", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "use https", http.StatusBadRequest)
			return
		}
		authority := net.JoinHostPort(host, port)
		if port == "443" {
			authority = strings.TrimSuffix(authority, ":443")
		}
		w.Header().Set("Location", "https://"+authority+r.URL.RequestURI())
		w.WriteHeader(http.StatusPermanentRedirect)
	})
}
