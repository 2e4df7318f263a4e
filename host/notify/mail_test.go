package notify

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// post is a mail server that keeps what it is sent.
type post struct {
	address string
	trust   *tls.Config
	refuse  error // of each mail

	mu   sync.Mutex
	got  []letter
	auth int
}

type letter struct {
	from string
	to   []string
	text string
}

const user, password = "productid", "hush"

// newPost starts a server, with TLS from the first byte or after STARTTLS, that wants a password.
func newPost(t *testing.T, first bool) *post {
	certified := httptest.NewUnstartedServer(nil) // for its certificate
	certified.StartTLS()
	t.Cleanup(certified.Close)
	pool := x509.NewCertPool()
	pool.AddCert(certified.Certificate())
	p := &post{trust: &tls.Config{RootCAs: pool, ServerName: "example.com"}}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sitting{post: p}, nil }))
	s.Domain, s.ErrorLog = "example.com", quietLog()
	s.TLSConfig = &tls.Config{Certificates: certified.TLS.Certificates}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.address = l.Addr().String()
	if first {
		l = tls.NewListener(l, s.TLSConfig)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return p
}

// sitting is one connection.
type sitting struct {
	*post
	letter
	known bool
}

func (s *sitting) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *sitting) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, u, p string) error {
		if u != user || p != password {
			return errors.New("who is this")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.known = true
		s.auth++
		return nil
	}), nil
}

func (s *sitting) Mail(from string, _ *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *sitting) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *sitting) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.got = append(s.got, letter{s.from, s.to, string(text)})
	return nil
}

func (s *sitting) Reset() { s.letter = letter{} }

func (s *sitting) Logout() error { return nil }

func (p *post) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter{}, p.got...)
}

func (p *post) mail() *Mail {
	return &Mail{Server: p.address, User: user, Password: password, From: "productid@example.com", TLS: p.trust}
}

func TestAlarmsAreMailed(t *testing.T) {
	for security, first := range map[Security]bool{StartTLS: false, TLS: true} {
		t.Run(string(security), func(t *testing.T) {
			p := newPost(t, first)
			w := memory(t, func(o *Options) {
				o.Mail = p.mail()
				o.Mail.Security = security
			})
			require.NoError(t, w.SetRecipients(t.Context(), acme, []string{"jo@example.com", "al@example.com", "jo@example.com"}))
			list, err := w.Recipients(t.Context(), acme)
			require.NoError(t, err)
			assert.Equal(t, []string{"al@example.com", "jo@example.com"}, list)
			w.run(w.Service)
			require.NoError(t, w.Publish(t.Context(), w.event("tap-1", TapRecorded)), "nobody gets mail about each tap")
			w.publish("alarm-1")
			deliveries := w.settled()
			require.Len(t, deliveries, 2)
			assert.Equal(t, []State{Delivered, Delivered}, []State{deliveries[0].State, deliveries[1].State}, deliveries[0].Error)
			assert.Empty(t, deliveries[0].Target)
			letters := p.letters()
			require.Len(t, letters, 2)
			m, err := mail.ReadMessage(strings.NewReader(letters[0].text))
			require.NoError(t, err)
			assert.Equal(t, "productid@example.com", letters[0].from)
			assert.Equal(t, "<"+letters[0].to[0]+">", m.Header.Get("To"), "nobody sees who else gets one")
			assert.Equal(t, "ProductID: an alarm was raised", m.Header.Get("Subject"))
			assert.Equal(t, "auto-generated", m.Header.Get("Auto-Submitted"))
			date, err := m.Header.Date()
			require.NoError(t, err)
			assert.Equal(t, w.now(), date.UTC())
			body, err := io.ReadAll(m.Body)
			require.NoError(t, err)
			assert.Contains(t, string(body), "alarm-1")
		})
	}
}

func TestMailThatIsRefusedIsSentAgain(t *testing.T) {
	p := newPost(t, false)
	p.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "not now"}
	w := memory(t, func(o *Options) { o.Mail = p.mail() })
	require.NoError(t, w.SetRecipients(t.Context(), acme, []string{"jo@example.com"}))
	w.publish("alarm-1")
	w.run(w.Service)
	eventually(t, func() bool {
		list, err := w.Deliveries(t.Context(), acme, 1)
		return err == nil && list[0].Attempts == 1 && strings.Contains(list[0].Error, "not now")
	})
	p.mu.Lock()
	p.refuse = nil
	p.mu.Unlock()
	w.advance(maxPause)
	assert.Equal(t, Delivered, w.settled()[0].State)
}

func TestNoMailGoesOutUnprotected(t *testing.T) {
	p := newPost(t, false)
	for name, change := range map[string]func(*Mail){
		"unknown certificate": func(m *Mail) { m.TLS = nil },
		"wrong password":      func(m *Mail) { m.Password = "guessed" },
		"TLS at once":         func(m *Mail) { m.Security = TLS },
	} {
		m := p.mail()
		change(m)
		err := m.send(t.Context(), "jo@example.com", Event{ID: "1", Kind: AlarmRaised, Data: json.RawMessage("{}")}, time.Now())
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "hush")
		assert.NotContains(t, err.Error(), "guessed")
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0") // a server, or somebody in between, that offers no STARTTLS
	require.NoError(t, err)
	t.Cleanup(func() { _ = plain.Close() })
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sitting{post: p}, nil }))
	s.AllowInsecureAuth = true
	go func() { _ = s.Serve(plain) }()
	t.Cleanup(func() { _ = s.Close() })
	m := p.mail()
	m.Server = plain.Addr().String()
	require.Error(t, m.send(t.Context(), "jo@example.com", Event{ID: "1", Kind: AlarmRaised}, time.Now()))
	assert.Empty(t, p.letters())
	assert.Zero(t, p.auth, "nor does a password")
}

func TestSettingsThatCannotMailAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Mail){
		"no port": func(m *Mail) { m.Server = "mail.example.com" }, "port": func(m *Mail) { m.Server = "mail.example.com:x" }, "no host": func(m *Mail) { m.Server = ":25" },
		"sender": func(m *Mail) { m.From = "x\r\nBcc: y@example.com" }, "named sender": func(m *Mail) { m.From = "Jo <jo@example.com>" }, "security": func(m *Mail) { m.Security = "ssl" },
		"password in the clear": func(m *Mail) { m.Security = Plain },
	} {
		m := &Mail{Server: "mail.example.com:587", User: user, Password: password, From: "productid@example.com"}
		require.NoError(t, m.check())
		change(m)
		assert.ErrorIs(t, m.check(), ErrBadMail, name)
	}
	assert.NoError(t, (&Mail{Server: "127.0.0.1:25", Security: Plain, From: "productid@example.com"}).check())
}

func TestAddressesThatGetNoMail(t *testing.T) {
	w := memory(t)
	for _, bad := range []string{
		"", "jo", "jo@", "@example.com", "Jo <jo@example.com>", "jo@example.com, al@example.com", "jo@example.com\r\nBcc: al@example.com", "jo@example.com\n", "jo\x00@example.com",
		"\"jo\r\n\"@example.com", "jo @example.com", "<jo@example.com>", strings.Repeat("x", 300) + "@example.com", "jö@example.com",
	} {
		assert.ErrorIs(t, w.SetRecipients(t.Context(), acme, []string{bad}), ErrBadRecipient, "%q", bad)
	}
	require.NoError(t, w.SetRecipients(t.Context(), acme, []string{"jo@example.com"}))
	require.NoError(t, w.SetRecipients(t.Context(), acme, nil))
	w.publish("alarm-1")
	require.NoError(t, w.SetRecipients(t.Context(), acme, []string{"jo@example.com"}))
	list, err := w.Recipients(t.Context(), acme)
	require.NoError(t, err)
	assert.Equal(t, []string{"jo@example.com"}, list)
	deliveries, err := w.Deliveries(t.Context(), acme, 10)
	require.NoError(t, err)
	assert.Empty(t, deliveries)
}

func TestWithoutAServerMailWaits(t *testing.T) {
	w := memory(t)
	require.NoError(t, w.SetRecipients(t.Context(), acme, []string{"jo@example.com"}))
	w.publish("alarm-1")
	w.run(w.Service)
	eventually(t, func() bool {
		list, err := w.Deliveries(t.Context(), acme, 1)
		return err == nil && list[0].State == Waiting && list[0].Error == errNoMail.Error()
	})
}

// Whatever words an event is put into, the mail has the headers that it should, and no other recipient.
func FuzzMessage(f *testing.F) {
	f.Add("subject", "text", "jo@example.com")
	f.Add("x\r\nBcc: al@example.com", "a\r\n.\r\nMAIL FROM:<x>", "jo@example.com")
	f.Add("x\u2028\x00ä=?utf-8?q?=0d=0a?=", "\r\n\r\n", "a\"b@example.com")
	f.Fuzz(func(t *testing.T, subject, text, to string) {
		if _, err := parseRecipient(to); err != nil {
			return
		}
		m := &Mail{From: "productid@example.com", Compose: func(Event) (string, string) { return subject, text }}
		message, err := m.message(to, Event{ID: "1", Kind: AlarmRaised}, time.Unix(1_800_000_000, 0))
		if err != nil {
			return // go-mail takes fewer addresses
		}
		var written strings.Builder
		_, err = message.WriteTo(&written)
		require.NoError(t, err)
		read, err := mail.ReadMessage(strings.NewReader(written.String()))
		require.NoError(t, err)
		for name := range read.Header {
			require.Contains(t, []string{"Date", "Message-Id", "Mime-Version", "Subject", "From", "To", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding"}, name)
		}
		shown, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
		require.NoError(t, err)
		require.False(t, strings.ContainsAny(shown, "\r\n"))
		recipients, err := message.GetRecipients()
		require.NoError(t, err)
		require.Len(t, recipients, 1)
	})
}
