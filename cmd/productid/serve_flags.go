package main

import (
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/serve"
)

// serviceFlags are those of serve.
type serviceFlags struct {
	listen, httpListen, metrics string
	baseURL                     string
	domains                     []string
	cert, key                   string
	behindProxy                 bool
	acmeDirectory, acmeEmail    string
	setupFile                   string
	rate                        float64
	witnesses, witnessKeys      []string
	anchor                      anchorFlags
	oidcIssuer, oidcClient      string
	oidcSecret, oidcName        string
	smtp, mailFrom              string
	privateHooks                bool
	alarms                      alarm.Limits
}

func (f *serviceFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "", "`address` to listen on, HOST:PORT (default 127.0.0.1:8080, with --domain :443)")
	flags.StringVar(&f.baseURL, "base-url", "", "public `URL`, scheme and host (default https://DOMAIN, else http://localhost:PORT)")
	flags.StringArrayVar(&f.domains, "domain", nil, "`name` to get a certificate for by ACME; may be repeated, the first is the public one")
	flags.StringVar(&f.acmeDirectory, "acme-directory", "", "`URL` of the ACME directory (default: Let's Encrypt)")
	flags.StringVar(&f.acmeEmail, "acme-email", "", "mail `address` that the certificate authority may write to")
	flags.StringVar(&f.httpListen, "http-listen", "", "`address` where plain requests are sent on to https, by custom :80")
	flags.StringVar(&f.cert, "tls-cert", "", "`file` of the certificate with its chain, PEM")
	flags.StringVar(&f.key, "tls-key", "", "`file` of its key, PEM")
	flags.BoolVar(&f.behindProxy, "behind-proxy", false, "a proxy ends TLS, sets X-Forwarded-For, and alone reaches this address")
	flags.StringVar(&f.metrics, "metrics", "", "`address` for those who read the metrics (default: /metrics, for this machine)")
	flags.StringVar(&f.setupFile, "setup-link-file", "", "`file` to write the set-up link to, instead of printing it where it may be logged")
	flags.Float64Var(&f.rate, "rate", 20, "`requests` a second that one client network may make on the long run")
	flags.StringArrayVar(&f.witnesses, "witness", nil, "`URL` of a witness to take the log's checkpoints to; may be repeated")
	flags.StringArrayVar(&f.witnessKeys, "witness-key", nil, "verifier `key` of that witness; once for each")
	f.anchor.declare(c)
	f.anchor.declareLimit(c)
	flags.StringVar(&f.smtp, "smtp", "", "`URL` of the mail server for alarms, smtp://USER:PASSWORD@HOST:587, smtps://… or smtp+plain://HOST (better as PRODUCTID_SMTP)")
	flags.StringVar(&f.mailFrom, "mail-from", "", "sender's `address` of mails")
	flags.BoolVar(&f.privateHooks, "allow-private-webhooks", false, "send webhooks into this network too: for development")
	flags.Uint32Var(&f.alarms.Gap, "alarm-gap", 10, "`number` of taps in a row that nobody recorded from which on there is an alarm")
	flags.IntVar(&f.alarms.Taps, "alarm-taps", 20, "`number` of taps of one card in ten minutes beyond which there is an alarm")
	flags.StringVar(&f.oidcIssuer, "oidc-issuer", "", "`URL` of an OpenID provider that people may sign in through")
	flags.StringVar(&f.oidcClient, "oidc-client-id", "", "`id` of this service there")
	flags.StringVar(&f.oidcSecret, "oidc-client-secret-file", "", "`file` of its secret there; none for a public client")
	flags.StringVar(&f.oidcName, "oidc-name", "", "`name` of the provider, as people call it (default: its host)")
}

// check refuses combinations that cannot be meant.
func (f *serviceFlags) check() error {
	misuse := func(why, next string) error { return console.Misuse("starting the service", why, next) }
	tls := f.cert != "" || f.key != ""
	switch {
	case (f.cert == "") != (f.key == ""):
		return misuse("of --tls-cert and --tls-key one is missing", "give both, or --domain for a certificate that comes by itself")
	case tls && len(f.domains) > 0:
		return misuse("--domain gets a certificate, and --tls-cert names one", "give one of them")
	case f.behindProxy && len(f.domains) > 0:
		return misuse("behind a proxy a certificate by ACME is the proxy's affair", "leave --domain out and give --base-url https://NAME")
	case len(f.domains) == 0 && (f.acmeDirectory != "" || f.acmeEmail != ""):
		return misuse("--acme-directory and --acme-email say how --domain gets its certificate", "give --domain NAME")
	case f.httpListen != "" && !tls && len(f.domains) == 0:
		return misuse("--http-listen sends on to https, and nothing here speaks that", "give --domain, or --tls-cert and --tls-key")
	case (tls || f.behindProxy) && f.baseURL == "":
		return misuse("nothing says under which name the service is reached", "give --base-url https://NAME")
	case len(f.witnesses) != len(f.witnessKeys):
		return misuse("there are "+strconv.Itoa(len(f.witnesses))+" witnesses and "+strconv.Itoa(len(f.witnessKeys))+" keys of theirs", "give --witness-key after each --witness, as productid ledger mirror shows it")
	case (f.oidcIssuer == "") != (f.oidcClient == ""):
		return misuse("of --oidc-issuer and --oidc-client-id one is missing", "give both")
	case f.oidcIssuer == "" && (f.oidcSecret != "" || f.oidcName != ""):
		return misuse("nothing says which OpenID provider is meant", "give --oidc-issuer and --oidc-client-id")
	case (f.smtp == "") != (f.mailFrom == ""):
		return misuse("of --smtp and --mail-from one is missing", "give both, or neither where no mail is to be sent")
	case f.alarms.Gap < 1 || f.alarms.Taps < 1:
		return misuse("--alarm-gap and --alarm-taps are numbers from 1 on", "leave them out, or give greater ones")
	case !(f.rate > 0):
		return misuse("--rate lets nobody in", "give a number of requests a second")
	}
	return f.checkBase(tls)
}

// checkBase refuses a public address that does not fit how it is served.
func (f *serviceFlags) checkBase(tls bool) error {
	if f.baseURL == "" {
		return nil
	}
	misuse := func(why string) error {
		return console.Misuse("reading --base-url", why, "give scheme and host alone: --base-url https://tap.example.com")
	}
	u, err := url.Parse(f.baseURL)
	if err != nil {
		return misuse("malformed: it is no URL")
	}
	if u.Path == "/" {
		u.Path = ""
	}
	if err := serve.CheckBase(u); err != nil {
		return misuse(err.Error())
	}
	switch {
	case u.Scheme == "http" && !ofThisMachine(u.Hostname()):
		return misuse("people would come by plain HTTP, and sign in by it")
	case u.Scheme == "http" && (tls || len(f.domains) > 0):
		return misuse("it says http, and the service speaks https")
	case len(f.domains) > 0 && !slices.Contains(f.domains, u.Hostname()):
		return misuse("there is no --domain " + u.Hostname())
	}
	return nil
}

// ofThisMachine holds for names that lead to this machine alone.
func ofThisMachine(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// address is where to listen.
func (f *serviceFlags) address() string {
	switch {
	case f.listen != "":
		return f.listen
	case len(f.domains) > 0:
		return ":443"
	}
	return "127.0.0.1:8080"
}

func (f *serviceFlags) listening(data string, report func(error)) edge.Listening {
	return edge.Listening{
		Address: f.address(), BehindProxy: f.behindProxy, CertFile: f.cert, KeyFile: f.key, Domains: f.domains, Directory: f.acmeDirectory,
		Email: f.acmeEmail, Cache: filepath.Join(data, "acme"), Redirect: f.httpListen, Report: report,
	}
}

// base is the public address. A passkey is bound to a name, and an IP address is none: on this machine it is localhost.
func (f *serviceFlags) base(at net.Addr) *url.URL {
	switch {
	case f.baseURL != "":
		u, _ := url.Parse(f.baseURL) // check has seen to it
		return &url.URL{Scheme: u.Scheme, Host: u.Host}
	case len(f.domains) > 0:
		return &url.URL{Scheme: "https", Host: f.domains[0]}
	}
	_, port, _ := net.SplitHostPort(at.String()) // a listener's own
	return &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}
}

// providers are whom people may sign in through.
func (f *serviceFlags) providers() ([]identity.Provider, error) {
	if f.oidcIssuer == "" {
		return nil, nil
	}
	p := identity.Provider{Issuer: f.oidcIssuer, ClientID: f.oidcClient, Name: f.oidcName}
	if p.Name == "" {
		u, err := url.Parse(f.oidcIssuer)
		if err != nil || u.Host == "" {
			return nil, console.Misuse("reading --oidc-issuer", "malformed: it is no URL", "give the issuer as the provider's discovery document has it: https://…")
		}
		p.Name = u.Hostname()
	}
	if f.oidcSecret != "" {
		text, err := readShort(f.oidcSecret)
		if err != nil {
			return nil, err
		}
		p.Secret = identity.Secret(strings.TrimSpace(text))
	}
	return []identity.Provider{p}, nil
}

// mail says how alarms are mailed; nil for not at all. What is wrong is said without the address, which may hold a password.
func (f *serviceFlags) mail() (*notify.Mail, error) {
	if f.smtp == "" {
		return nil, nil
	}
	misuse := func(why string) error {
		return console.Misuse("reading --smtp", why, "give smtp://USER:PASSWORD@HOST:587, smtps://USER:PASSWORD@HOST:465, or smtp+plain://HOST:25 for a relay on this machine")
	}
	u, err := url.Parse(f.smtp)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, misuse("malformed: it is no URL of a mail server")
	}
	m, port := &notify.Mail{From: f.mailFrom, User: u.User.Username()}, ""
	switch u.Scheme {
	case "smtp":
		m.Security, port = notify.StartTLS, "587"
	case "smtps":
		m.Security, port = notify.TLS, "465"
	case "smtp+plain":
		m.Security, port = notify.Plain, "25"
	default:
		return nil, misuse("malformed: it begins with none of smtp, smtps and smtp+plain")
	}
	password, _ := u.User.Password()
	m.Password = notify.Secret(password)
	if u.Port() != "" {
		port = u.Port()
	}
	m.Server = net.JoinHostPort(u.Hostname(), port)
	return m, nil
}
