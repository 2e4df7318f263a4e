// Package sandbox makes test cards: cards in software, for whoever builds on the service and has none in hand.
//
// A test card is registered, put in service and validated like any other, on the same ledger, by the same code; but it belongs to an
// issuer of its own, the sandbox's, of whom an installation has at most one. Its private key is in this package's database, so it
// proves nothing: whatever is shown of it says that it is a test card.
//
// # Durability
//
// A counter is used up on the disk before the URL that holds it is returned: no two URLs of a card have one counter, whatever
// crashes. A card whose making was broken off is finished when it is tapped.
//
// # Concurrency
//
// A [Sandbox] may be used by many goroutines, and several processes may share a database.
package sandbox

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the room's in a PostgreSQL database.
const schema = "sandbox"

// MaxCards is how many test cards an installation may have: each takes room on the ledger for good.
const MaxCards = 1000

// maxName is how many characters a name may have.
const maxName = 100

var (
	// ErrUnknown says that there is no test card with this id.
	ErrUnknown = errors.New("no test card with this id")
	// ErrTooMany says that there are MaxCards already.
	ErrTooMany = errors.New("there are as many test cards as there may be")
	// ErrBadName refuses a name that is too long or holds control characters.
	ErrBadName = errors.New("name of a test card cannot be kept")
	// ErrUsedUp says that the card has used its last counter.
	ErrUsedUp = errors.New("the test card has used its last counter")
)

// Safe is where the secrets of the installation are; secrets.Safe is one.
type Safe interface {
	Load() (secrets.Secrets, error)
	Change(change func(*secrets.Secrets) error) (secrets.Secrets, error)
}

// Options is what a Sandbox works with; all are needed.
type Options struct {
	Ledger   ledger.Ledger
	List     registry.Lister
	Registry *registry.Registry
	Authors  *secrets.Authors
	Safe     Safe
	Template tap.Template // of the cards that are made
	Now      func() time.Time
	Random   io.Reader
}

// Sandbox makes and taps test cards.
type Sandbox struct {
	Options
	db *store.DB

	begin sync.Mutex // held while the issuer is made

	mu    sync.Mutex
	known map[channel.ID]bool // the issuers that were asked about, and whether they are the sandbox's
}

// Open opens or creates the database, which is named as for store.Open, and whose errors are those. It makes no issuer yet.
func Open(ctx context.Context, name string, o Options) (*Sandbox, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("opening the sandbox: %w", err)
	}
	db, err := store.Open(ctx, name, store.Options{Migrations: files, Schema: schema})
	if err != nil {
		return nil, fmt.Errorf("opening the sandbox: %w", err)
	}
	return &Sandbox{Options: o, db: db, known: make(map[channel.ID]bool)}, nil
}

// Close closes the database.
func (s *Sandbox) Close() error { return s.db.Close() }

// IsTest reports whether the issuer is the sandbox's, so that its cards prove nothing. Of an issuer that it never heard of it reads the
// secrets anew, because another process may have begun the sandbox: they are stored before the ledger knows the issuer. As long as
// they cannot be read it says yes: a card that may prove nothing proves nothing.
func (s *Sandbox) IsTest(_ context.Context, issuer channel.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	test, known := s.known[issuer]
	if known {
		return test
	}
	all, err := s.Safe.Load()
	if err != nil {
		return true
	}
	i, found := all.Sandbox()
	test = found && i.Author().Channel() == issuer
	s.known[issuer] = test
	return test
}

// issuerName is how the ledger calls the sandbox's issuer, for good.
const issuerName = "Sandbox: test cards, which prove nothing"

// Issuer returns the sandbox's issuer, whose secrets and channel are made at the first call. Errors: those of secrets.Safe and of the
// ledger; it can be repeated.
func (s *Sandbox) Issuer(ctx context.Context) (channel.ID, error) {
	s.begin.Lock()
	defer s.begin.Unlock()
	i, err := s.secrets()
	if err != nil {
		return channel.ID{}, fmt.Errorf("beginning the sandbox: %w", err)
	}
	id := i.Author().Channel()
	if _, err := s.Authors.Issuer(id); errors.Is(err, secrets.ErrElsewhere) { // another process made it
		s.Authors.Add(i)
	}
	_, err = s.Registry.Issuer(ctx, id)
	if errors.Is(err, registry.ErrUnknownIssuer) {
		if _, err = registry.OpenIssuer(ctx, s.Ledger, s.List, i); err == nil {
			err = s.Registry.Sync(ctx)
		}
	}
	if err != nil {
		return channel.ID{}, fmt.Errorf("beginning the sandbox: %w", err)
	}
	return id, nil
}

// secrets returns those of the sandbox's issuer. They are stored before anything is signed with them.
func (s *Sandbox) secrets() (secrets.Issuer, error) {
	all, err := s.Safe.Load()
	if err != nil {
		return secrets.Issuer{}, err
	}
	if i, found := all.Sandbox(); found {
		return i, nil
	}
	fresh, err := secrets.NewIssuer(issuerName, "", s.Random, s.Now())
	if err != nil {
		return secrets.Issuer{}, err
	}
	fresh.Sandbox = true
	all, err = s.Safe.Change(func(all *secrets.Secrets) error {
		if _, found := all.Sandbox(); !found {
			all.Issuers = append(all.Issuers, fresh)
		}
		return nil
	})
	i, _ := all.Sandbox()
	return i, err
}

// Card is a test card as it is shown.
type Card struct {
	ID      tap.CardID `json:"card"`
	Name    string     `json:"name"` // chosen by whoever made it; it stands on no ledger
	Made    time.Time  `json:"made"`
	Counter uint32     `json:"counter"` // the last one that it used
}

// Cards returns all test cards, the newest first.
func (s *Sandbox) Cards(ctx context.Context) ([]Card, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT id, name, made, counter FROM cards ORDER BY made DESC, id")
	if err != nil {
		return nil, told("reading test cards", err)
	}
	defer rows.Close()
	var cards []Card
	for rows.Next() {
		var c Card
		var id []byte
		var made int64
		if err := rows.Scan(&id, &c.Name, &made, &c.Counter); err != nil {
			return nil, told("reading test cards", err)
		}
		copy(c.ID[:], id)
		c.Made = time.UnixMilli(made).UTC()
		cards = append(cards, c)
	}
	if err := rows.Err(); err != nil {
		return nil, told("reading test cards", err)
	}
	return cards, nil
}

// told says what was done when the database failed.
func told(doing string, err error) error { return fmt.Errorf("%s: %w", doing, store.Explain(err)) }

// add keeps a new card.
func (s *Sandbox) add(ctx context.Context, c *softCard) error {
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM cards").Scan(&n); err != nil {
			return err
		}
		if n >= MaxCards {
			return ErrTooMany
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO cards (id, name, made, secret, prefix, middle, counter, ready) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
			c.ID[:], c.Name, c.Made.UnixMilli(), c.secret, c.template.Prefix, c.template.Middle, int64(c.Counter))
		return err
	})
	return err
}

// next uses up the card's next counter and returns the card with it.
func (s *Sandbox) next(ctx context.Context, id tap.CardID) (*softCard, error) {
	var c *softCard
	err := s.db.Update(ctx, func(tx *sql.Tx) (err error) {
		result, err := tx.ExecContext(ctx, "UPDATE cards SET counter = counter + 1 WHERE id = $1 AND counter < $2", id[:], int64(maxCounter))
		if err != nil {
			return err
		}
		if c, err = readCard(ctx, tx, id); err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrUsedUp, err)
		}
		return nil
	})
	return c, err
}

// maxCounter is the highest that a tap URL can hold.
const maxCounter = 1<<32 - 1

// querier is the pool or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readCard(ctx context.Context, q querier, id tap.CardID) (*softCard, error) {
	c := &softCard{Card: Card{ID: id}}
	var made int64
	err := q.QueryRowContext(ctx, "SELECT name, made, secret, prefix, middle, counter, ready FROM cards WHERE id = $1", id[:]).
		Scan(&c.Name, &made, &c.secret, &c.template.Prefix, &c.template.Middle, &c.Counter, &c.ready)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	c.Made = time.UnixMilli(made).UTC()
	return c, c.open()
}
