package notify

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

// The media.
const (
	mediumWebhook = "webhook"
	mediumMail    = "mail"
)

// Endpoint is an address of an issuer's that events are sent to.
type Endpoint struct {
	ID       string
	URL      string
	Kinds    []string // of events; all where it asked for none in particular
	Created  time.Time
	Failures int // in a row; 0 when the last delivery went well
}

// Secret is the key that an endpoint's deliveries are signed with. It prints as "[redacted]"; conversion to a string is the one way
// to show it.
type Secret string

const redacted = "[redacted]"

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format prints "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// AddEndpoint has events of an issuer sent to a URL from now on: those of the kinds given, or of all. The secret is shown here and
// nowhere else. Errors: ErrBadEndpoint, ErrTooMany, those of store.DB.Update.
func (s *Service) AddEndpoint(ctx context.Context, issuer channel.ID, url string, kinds []string) (Endpoint, Secret, error) {
	e := Endpoint{URL: url, Kinds: kinds, Created: s.Now().UTC().Truncate(time.Millisecond)}
	if len(kinds) == 0 {
		e.Kinds = Kinds()
	}
	err := s.checkEndpoint(e)
	if err == nil {
		e.ID, err = s.newID()
	}
	if err == nil {
		err = s.db.Update(ctx, func(tx *sql.Tx) error {
			return addTarget(ctx, tx, target{e.ID, issuer, mediumWebhook, url, e.Kinds, e.Created})
		})
	}
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("adding endpoint: %w", err)
	}
	return e, s.secret(e.ID), nil
}

func (s *Service) checkEndpoint(e Endpoint) error {
	if err := checkURL(e.URL, s.AllowPrivate); err != nil {
		return err
	}
	for _, kind := range e.Kinds {
		if !slices.Contains(Kinds(), kind) {
			return fmt.Errorf("%w: it asks for events of the kind %.40q", ErrBadEndpoint, kind)
		}
	}
	return nil
}

// newID returns an id of 16 random bytes.
func (s *Service) newID() (string, error) {
	s.random.Lock()
	defer s.random.Unlock()
	var b [16]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", fmt.Errorf("reading random id: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// secret returns an endpoint's. It is in no database: who can read one cannot sign.
func (s *Service) secret(id string) Secret {
	key := channel.DeriveKey(s.Master, "webhook "+id)
	return Secret("whsec_" + base64.RawURLEncoding.EncodeToString(key[:]))
}

type target struct {
	id      string
	issuer  channel.ID
	medium  string
	address string
	kinds   []string
	created time.Time
}

func addTarget(ctx context.Context, tx *sql.Tx, t target) error {
	var n int
	row := tx.QueryRowContext(ctx, "SELECT count(*) FROM targets WHERE issuer = $1 AND removed = 0 AND medium = $2", t.issuer[:], t.medium)
	if err := row.Scan(&n); err != nil {
		return err
	}
	if n >= maxTargets {
		return ErrTooMany
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO targets (id, issuer, medium, address, kinds, created) VALUES ($1, $2, $3, $4, $5, $6)",
		t.id, t.issuer[:], t.medium, t.address, " "+strings.Join(t.kinds, " ")+" ", milli(t.created))
	return err
}

// Endpoints returns an issuer's endpoints, the oldest first.
func (s *Service) Endpoints(ctx context.Context, issuer channel.ID) ([]Endpoint, error) {
	rows, err := s.db.Read().QueryContext(ctx,
		"SELECT id, address, kinds, created, failures FROM targets WHERE issuer = $1 AND removed = 0 AND medium = $2 ORDER BY created, id", issuer[:], mediumWebhook)
	if err != nil {
		return nil, fmt.Errorf("reading endpoints: %w", store.Explain(err))
	}
	defer rows.Close()
	var list []Endpoint
	for rows.Next() {
		var e Endpoint
		var kinds string
		var created int64
		if err := rows.Scan(&e.ID, &e.URL, &kinds, &created, &e.Failures); err != nil {
			return nil, fmt.Errorf("reading endpoints: %w", store.Explain(err))
		}
		e.Kinds, e.Created = strings.Fields(kinds), fromMilli(created)
		list = append(list, e)
	}
	return list, store.Explain(rows.Err())
}

// RemoveEndpoint sends nothing more to an endpoint; what was on its way is given up. The error is ErrUnknownEndpoint, or one of
// store.DB.Update.
func (s *Service) RemoveEndpoint(ctx context.Context, issuer channel.ID, id string) error {
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE targets SET removed = $1 WHERE issuer = $2 AND id = $3 AND medium = $4 AND removed = 0",
			milli(s.Now()), issuer[:], id, mediumWebhook)
		if err != nil {
			return err
		}
		if rows, err := done.RowsAffected(); err != nil || rows == 0 {
			return errors.Join(err, ErrUnknownEndpoint)
		}
		return s.giveUp(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("removing endpoint %.40q: %w", id, err)
	}
	return nil
}

// giveUp ends what was on its way to a target that is gone.
func (s *Service) giveUp(ctx context.Context, tx *sql.Tx, target string) error {
	_, err := tx.ExecContext(ctx, "UPDATE deliveries SET state = 'given_up', done = $1, error = 'removed' WHERE target = $2 AND state = 'waiting'",
		milli(s.Now()), target)
	return err
}

// SetRecipients has mail about alarms and reports of an issuer sent to these addresses and no others. Errors: ErrBadRecipient,
// ErrTooMany, those of store.DB.Update.
func (s *Service) SetRecipients(ctx context.Context, issuer channel.ID, addresses []string) error {
	wanted := make(map[string]string, len(addresses)) // by id
	for _, a := range addresses {
		address, err := parseRecipient(a)
		if err != nil {
			return fmt.Errorf("setting recipients: %w", err)
		}
		wanted[recipientID(issuer, address)] = address
	}
	if len(wanted) > maxTargets {
		return fmt.Errorf("setting recipients: %w", ErrTooMany)
	}
	err := s.db.Update(ctx, func(tx *sql.Tx) error { return s.replaceRecipients(ctx, tx, issuer, wanted) })
	if err != nil {
		return fmt.Errorf("setting recipients: %w", err)
	}
	return nil
}

func (s *Service) replaceRecipients(ctx context.Context, tx *sql.Tx, issuer channel.ID, wanted map[string]string) error {
	there, err := recipientIDs(ctx, tx, issuer)
	if err != nil {
		return err
	}
	now := milli(s.Now())
	for _, id := range there {
		if _, stays := wanted[id]; stays {
			continue
		}
		if _, err := tx.ExecContext(ctx, "UPDATE targets SET removed = $1 WHERE id = $2", now, id); err != nil {
			return err
		}
		if err := s.giveUp(ctx, tx, id); err != nil {
			return err
		}
	}
	for id, address := range wanted {
		_, err := tx.ExecContext(ctx, `INSERT INTO targets (id, issuer, medium, address, kinds, created) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET removed = 0`, id, issuer[:], mediumMail, address, " "+strings.Join(mailed, " ")+" ", now)
		if err != nil {
			return err
		}
	}
	return nil
}

func recipientIDs(ctx context.Context, tx *sql.Tx, issuer channel.ID) ([]string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id FROM targets WHERE issuer = $1 AND removed = 0 AND medium = $2", issuer[:], mediumMail)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Recipients returns whom mail about an issuer's alarms is sent to, in alphabetical order.
func (s *Service) Recipients(ctx context.Context, issuer channel.ID) ([]string, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT address FROM targets WHERE issuer = $1 AND removed = 0 AND medium = $2 ORDER BY created, id", issuer[:], mediumMail)
	if err != nil {
		return nil, fmt.Errorf("reading recipients: %w", store.Explain(err))
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var address string
		if err := rows.Scan(&address); err != nil {
			return nil, fmt.Errorf("reading recipients: %w", store.Explain(err))
		}
		list = append(list, address)
	}
	slices.Sort(list)
	return list, store.Explain(rows.Err())
}

// recipientID is the same whenever an address is set again: then it is the same target.
func recipientID(issuer channel.ID, address string) string {
	sum := sha256.Sum256(append(issuer[:], address...))
	return mediumMail + "-" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// parseRecipient reads an address such as "jo@example.com", without a name and without what could begin another header.
func parseRecipient(text string) (string, error) {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || !isToken(text) || len(text) > 254 {
		return "", fmt.Errorf("%w: %.80q", ErrBadRecipient, text)
	}
	return a.Address, nil
}
