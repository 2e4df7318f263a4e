package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// Security is how a connection to the mail server is protected.
type Security string

// The ways.
const (
	StartTLS Security = "starttls" // TLS after the greeting, or no mail; also where nothing is said
	TLS      Security = "tls"      // TLS from the first byte
	Plain    Security = "none"     // no TLS: for a relay on the same machine, without a password
)

// ErrBadMail says that mail cannot be sent by such settings.
var ErrBadMail = errors.New("no mail can be sent so")

// Mail says how mail is sent.
type Mail struct {
	Server   string // host:port
	Security Security
	User     string // none where it is empty
	Password Secret
	From     string      // sender's address
	TLS      *tls.Config // the certificates that are trusted; nil for those of the system
	// Compose puts an event into words; without it they are English and plain.
	Compose func(Event) (subject, text string)
}

// check refuses settings with which no mail could be sent, or a password would be sent in the clear.
func (m *Mail) check() error {
	if m == nil {
		return nil
	}
	host, port, err := net.SplitHostPort(m.Server)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || host == "" || n < 1 || n > 65535 {
		return fmt.Errorf("%w: %.80q is no host:port", ErrBadMail, m.Server)
	}
	if _, err := parseRecipient(m.From); err != nil {
		return fmt.Errorf("%w: sender %.80q", ErrBadMail, m.From)
	}
	switch m.Security {
	case "", StartTLS, TLS:
	case Plain:
		if m.User != "" {
			return fmt.Errorf("%w: a password would be sent in the clear", ErrBadMail)
		}
	default:
		return fmt.Errorf("%w: security %.20q, want starttls, tls or none", ErrBadMail, m.Security)
	}
	return nil
}

// options are those of the client.
func (m *Mail) options(port int) []mail.Option {
	o := []mail.Option{mail.WithPort(port), mail.WithTimeout(answerWithin), mail.WithoutNoop()}
	switch m.Security {
	case TLS:
		o = append(o, mail.WithSSL())
	case Plain:
		o = append(o, mail.WithTLSPolicy(mail.NoTLS))
	default:
		o = append(o, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.TLS != nil {
		o = append(o, mail.WithTLSConfig(m.TLS.Clone()))
	}
	if m.User != "" {
		o = append(o, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(string(m.Password)))
	}
	return o
}

// send makes one try to send a mail about an event. nil says that the server took it.
func (m *Mail) send(ctx context.Context, to string, e Event, now time.Time) error {
	message, err := m.message(to, e, now)
	if err != nil {
		return err
	}
	host, portText, err := net.SplitHostPort(m.Server)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(host, m.options(port)...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return client.DialAndSendWithContext(ctx, message)
}

// message writes the mail. Its id is the event's, so that a mail program that gets one twice shows it once.
func (m *Mail) message(to string, e Event, now time.Time) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(message.From(m.From), message.To(to)); err != nil {
		return nil, err
	}
	compose := m.Compose
	if compose == nil {
		compose = plainWords
	}
	subject, text := compose(e)
	message.Subject(strings.ReplaceAll(oneLine(subject), "=?", "= ?")) // else read as an encoded word, RFC 2047
	message.SetBodyString(mail.TypeTextPlain, text)
	message.SetDateWithValue(now)
	_, domain, _ := strings.Cut(m.From, "@")
	message.SetMessageIDWithValue(recipientID(e.Issuer, e.ID+" "+to) + "@" + domain)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notice in answer
	return message, nil
}

// oneLine is text as a header may hold it: a line break would begin another one.
func oneLine(text string) string {
	const maxSubject = 200
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' }), " ")
	if runes := []rune(text); len(runes) > maxSubject {
		text = string(runes[:maxSubject]) + "…"
	}
	return text
}

func plainWords(e Event) (subject, text string) {
	switch e.Kind {
	case AlarmRaised:
		subject = "ProductID: an alarm was raised"
	case ReportReceived:
		subject = "ProductID: somebody reported a card"
	default:
		subject = "ProductID: " + e.Kind
	}
	return subject, fmt.Sprintf("%s\n\nTime:   %s\nEvent:  %s\nIssuer: %s\n\n%s\n", subject, e.Time.UTC().Format(time.RFC3339), e.ID, e.Issuer, e.Data)
}
