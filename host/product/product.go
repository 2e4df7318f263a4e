// Package product keeps what an issuer says of himself and of what his cards are fixed to: names, texts, pictures, and where a good
// tap leads. None of it decides an answer; it is what people see beside one.
//
// # Hostile input
//
// Texts are bounded and free of control characters. A picture is never served as it came: see [Products.AddImage].
//
// # Alterations
//
// Whoever can write the live file has nothing shown that nobody put: each row carries an HMAC under a key that is derived from the
// master secret, checked at each read. A row that does not hold is not shown, and named by Options.Report; there is no ledger to fold it
// from, so it stays away until somebody puts it again. He can take away what is shown, and put back what stood there before: of an
// issuer's face also the list of hosts.
//
// # Durability and concurrency
//
// What a method answered as done is on disk. A [Products] may be used by many goroutines, and its database by many processes.
package product

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

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the room's in a PostgreSQL database.
const schema = "product"

var (
	// ErrUnknown says that the issuer has no such product.
	ErrUnknown = errors.New("no such product")
	// ErrUnknownImage says that no such picture is kept.
	ErrUnknownImage = errors.New("no such picture")
	// ErrTaken says that another product of the issuer has this GTIN.
	ErrTaken = errors.New("another product has this GTIN")
	// ErrTooMany says that the issuer has MaxProducts already.
	ErrTooMany = errors.New("there are as many products as an issuer may have")
)

// MaxProducts is how many products an issuer may have.
const MaxProducts = 5000

// Face is how an issuer shows himself. The zero Face, but for Issuer, is one who said nothing.
type Face struct {
	Issuer   channel.ID
	Name     string   // up to MaxName characters; "" for the name on the ledger
	Website  string   // absolute https address, or ""
	Support  string   // absolute https address, mail address, or telephone number beginning with +; or ""
	Logo     *Image   // nil when there is none
	Continue bool     // a good tap goes on to the product's page at once
	Hosts    []string // where product pages may be: host names, with a port where there is one; none for anywhere
}

// Product is what cards are fixed to.
type Product struct {
	ID      string // made by Put
	Issuer  channel.ID
	GTIN    string            // 8, 12, 13 or 14 digits, kept with 14; or ""
	Name    string            // 1 to MaxName characters
	Text    map[string]string // a description of up to MaxText characters by language, such as "en"
	Picture *Image            // nil when there is none
	URL     string            // the product's page: absolute https address, or ""
}

// Options is what Products work with; Master, Now and Random are needed.
type Options struct {
	Master channel.Seed // the rows' seals are made under a key derived from it
	Now    func() time.Time
	Random io.Reader
	// AllowLocal also takes http addresses of this machine, for demonstrations.
	AllowLocal bool
	// Report, when set, is told once of each row that is not as it was written, by the goroutine that found it.
	Report func(Tampered)
}

// Products is the open store.
type Products struct {
	o      Options
	db     *store.DB
	sealer store.Sealer
	told   sync.Map      // of Tampered that were reported
	decode chan struct{} // held while a picture is decoded: one at a time bounds the memory
}

// Open opens or creates the store in a database, which is named as for store.Open, whose errors it returns.
func Open(ctx context.Context, name string, o Options) (*Products, error) {
	if o.Master == (channel.Seed{}) {
		return nil, errors.New("opening products: no master secret")
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("opening products: %w", err)
	}
	db, err := store.Open(ctx, name, store.Options{Migrations: files, Schema: schema})
	if err != nil {
		return nil, fmt.Errorf("opening products: %w", err)
	}
	return &Products{o: o, db: db, sealer: store.Sealer(channel.DeriveKey(o.Master, "product rows")), decode: make(chan struct{}, 1)}, nil
}

// Close closes the database.
func (p *Products) Close() error { return p.db.Close() }

// Assign says what one card is fixed to, whatever its GTIN says; "" takes that back. The error is ErrUnknown for a product that
// is not the card's issuer's.
func (p *Products) Assign(ctx context.Context, issuer channel.ID, card tap.CardID, product string) error {
	err := p.db.Update(ctx, func(tx *sql.Tx) error {
		if product == "" {
			_, err := tx.ExecContext(ctx, "DELETE FROM assignments WHERE card = $1 AND issuer = $2", card[:], issuer[:])
			return err
		}
		if _, err := p.one(ctx, tx, "p.issuer = $1 AND p.id = $2", issuer[:], product); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO assignments (card, issuer, product, mac) VALUES ($1, $2, $3, $4)
			ON CONFLICT (card) DO UPDATE SET issuer = excluded.issuer, product = excluded.product, mac = excluded.mac`,
			card[:], issuer[:], product, p.sealer.Seal("assignments", card[:], issuer[:], product))
		return err
	})
	return told("assigning a product", err)
}

// Assigned returns the id of the product that the card was assigned, or "".
func (p *Products) Assigned(ctx context.Context, issuer channel.ID, card tap.CardID) (string, error) {
	var id string
	var mac []byte
	err := p.db.Read().QueryRowContext(ctx, "SELECT product, mac FROM assignments WHERE card = $1 AND issuer = $2", card[:], issuer[:]).Scan(&id, &mac)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !p.holds(mac, "assignments", card.String(), card[:], issuer[:], id) {
		return "", nil
	}
	return id, told("reading a card's product", err)
}

// told says what was being done.
func told(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, store.Explain(err))
}
