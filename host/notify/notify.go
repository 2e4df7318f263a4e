// Package notify tells others what happened: by webhook, signed, and by mail.
//
// An event is published into an outbox and delivered from there by [Service.Run], again and again with growing pauses until the
// other side took it, or for three days. docs/webhooks.md tells receivers what they get and how to check it.
//
// # Durability
//
// What [Service.Publish] accepted is on the disk, and so is what became of each delivery. A process that is killed between a
// delivery and its note delivers again: every event arrives at least once, under the same id, and receivers have to know it by that.
//
// # Concurrency
//
// A [Service] may be used by many goroutines. Several processes may share a database and all run: a target is leased to one of them
// at a time, and gets one delivery at a time. A slow target holds up no other.
//
// # Where nothing is sent
//
// Whoever may set a webhook could make this service send requests into its own network. So each address is checked when it is
// dialled, after the name was resolved: only public addresses are, and redirects are not followed.
package notify

import (
	"context"
	"crypto/tls"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the name of the tables' schema in a PostgreSQL database.
const schema = "notify"

// The kinds of events.
const (
	TapRecorded    = "tap.recorded"
	TapRefused     = "tap.refused"
	AlarmRaised    = "alarm.raised"
	ReportReceived = "report.received"
	CardRevoked    = "card.revoked"

	// Test is sent by TestEndpoint alone, whatever an endpoint asked for.
	Test = "test"
)

// Kinds returns the kinds that an endpoint can ask for.
func Kinds() []string {
	return []string{TapRecorded, TapRefused, AlarmRaised, ReportReceived, CardRevoked}
}

// mailed are the kinds that people get mail about.
var mailed = []string{AlarmRaised, ReportReceived}

var (
	// ErrBadEvent refuses an event without id or of no known kind, or whose data is no JSON.
	ErrBadEvent = errors.New("no event that can be sent")
	// ErrBadEndpoint refuses an endpoint: its URL, or the kinds it asks for.
	ErrBadEndpoint = errors.New("nothing can be sent to such an endpoint")
	// ErrBadRecipient refuses a mail address.
	ErrBadRecipient = errors.New("no mail can be sent to such an address")
	// ErrUnknownEndpoint says that the issuer has no such endpoint.
	ErrUnknownEndpoint = errors.New("no such endpoint")
	// ErrTooMany says that the issuer has as many endpoints or recipients as it can have.
	ErrTooMany = errors.New("there are as many as there can be")
)

// maxTargets is how many endpoints, and how many recipients, an issuer has at most.
const maxTargets = 50

// Event is something that happened.
type Event struct {
	ID     string          `json:"id"` // stable: an event that is published again under the same id is the same
	Kind   string          `json:"kind"`
	Issuer channel.ID      `json:"issuer"`
	Time   time.Time       `json:"time"`
	Data   json.RawMessage `json:"data"` // docs/webhooks.md
}

func (e Event) check() error {
	const maxID, maxData = 200, 16 << 10
	switch {
	case e.ID == "" || len(e.ID) > maxID || !isToken(e.ID):
		return fmt.Errorf("%w: id %.40q", ErrBadEvent, e.ID)
	case e.Kind != Test && !slices.Contains(Kinds(), e.Kind):
		return fmt.Errorf("%w: kind %.40q", ErrBadEvent, e.Kind)
	case len(e.Data) > maxData || !json.Valid(e.Data):
		return fmt.Errorf("%w: data of %d bytes", ErrBadEvent, len(e.Data))
	}
	return nil
}

// isToken reports whether text can stand in a header as it is.
func isToken(text string) bool {
	for _, r := range text {
		if r <= ' ' || r >= 0x7f {
			return false
		}
	}
	return true
}

// Options is what a Service works with. Master, Now and Random are needed.
type Options struct {
	Master channel.Seed // the secrets of webhooks are derived from it
	Now    func() time.Time
	Random io.Reader
	Mail   *Mail // nil: no mail is sent
	Log    *slog.Logger
	// AllowPrivate lets webhooks go to any address, also of this machine and without TLS: for tests and for development.
	AllowPrivate bool
	// TLS, when set, is how webhooks are sent over TLS: the certificates that are trusted.
	TLS *tls.Config
	// Hook, when set, is called between a delivery and its note, and with the points that a write passes: for crash tests.
	Hook func(point string)
}

// PointDelivered is where Options.Hook is called after a delivery and before that is noted.
const PointDelivered = "delivered"

// Service is an open outbox.
type Service struct {
	Options
	db     *store.DB
	writer *store.Writer[Event, struct{}]
	client *http.Client
	wake   chan struct{} // something may be due
	random sync.Mutex    // of Random
}

// Open opens or creates the outbox in a database, which is named as for store.Open, and whose errors are those.
func Open(ctx context.Context, name string, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Hook == nil {
		o.Hook = func(string) {}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("opening notices: %w", err)
	}
	if err := o.Mail.check(); err != nil {
		return nil, fmt.Errorf("opening notices: %w", err)
	}
	s := &Service{Options: o, wake: make(chan struct{}, 1)}
	if s.db, err = store.Open(ctx, name, store.Options{Migrations: files, Schema: schema, Hook: o.Hook}); err != nil {
		return nil, fmt.Errorf("opening notices: %w", err)
	}
	s.client = s.newClient()
	s.writer = store.NewWriter(s.db, s.put)
	return s, nil
}

// Close ends the writing and closes the database. Run is to be ended before.
func (s *Service) Close() error {
	s.writer.Close()
	s.client.CloseIdleConnections()
	return s.db.Close()
}

func milli(t time.Time) int64 { return t.UnixMilli() }

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// fraction returns a number from 0 to below 1. Where no randomness is to be had it is 1/2: a pause need not be secret.
func fraction(random io.Reader) float64 {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0.5
	}
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
}
