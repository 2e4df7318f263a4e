package product

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
)

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const (
	selectFace = `SELECT f.name, f.website, f.support, f.logo, f.go_on, f.hosts, f.mac, i.hash, i.type, i.width, i.height, i.mac
		FROM faces f LEFT JOIN images i ON i.hash = f.logo WHERE f.issuer = $1`
	selectProducts = `SELECT p.id, p.issuer, p.gtin, p.name, p.texts, p.picture, p.url, p.mac, i.hash, i.type, i.width, i.height, i.mac
		FROM products p LEFT JOIN images i ON i.hash = p.picture WHERE `
)

// Face returns how an issuer shows himself.
func (p *Products) Face(ctx context.Context, issuer channel.ID) (Face, error) {
	f := Face{Issuer: issuer}
	var row faceRow
	var i imageRow
	var mac []byte
	err := p.db.Read().QueryRowContext(ctx, selectFace, issuer[:]).
		Scan(append([]any{&row.name, &row.website, &row.support, &row.logo, &row.goOn, &row.hosts, &mac}, i.pointers()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return f, nil
	}
	if err != nil {
		return Face{}, told("reading an issuer's face", err)
	}
	if !p.holds(mac, "faces", issuer.String(), row.values(issuer)...) {
		return f, nil
	}
	f.Name, f.Website, f.Support, f.Continue, f.Logo = row.name, row.website, row.support, row.goOn != 0, p.image(&i)
	if err := json.Unmarshal([]byte(row.hosts), &f.Hosts); err != nil {
		return Face{}, told("reading an issuer's face", err)
	}
	return f, nil
}

// PutFace replaces how an issuer shows himself. The error is *Invalid, or ErrUnknownImage for a logo that AddImage did not make.
func (p *Products) PutFace(ctx context.Context, f Face) error {
	if err := f.check(p.o.AllowLocal); err != nil {
		return err
	}
	hosts, err := json.Marshal(f.Hosts)
	if err != nil {
		return err
	}
	row := faceRow{f.Name, f.Website, f.Support, hashOf(f.Logo), 0, string(hosts)}
	if f.Continue {
		row.goOn = 1
	}
	values := row.values(f.Issuer)
	values = append(values, p.sealer.Seal("faces", values...))
	err = p.db.Update(ctx, func(tx *sql.Tx) error {
		if err := known(ctx, tx, f.Logo); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO faces (issuer, name, website, support, logo, go_on, hosts, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (issuer) DO UPDATE SET name = excluded.name, website = excluded.website, support = excluded.support,
			logo = excluded.logo, go_on = excluded.go_on, hosts = excluded.hosts, mac = excluded.mac`, values...)
		return errors.Join(err, p.sweep(ctx, tx))
	})
	return told("keeping an issuer's face", err)
}

// Products returns an issuer's products by name.
func (p *Products) Products(ctx context.Context, issuer channel.ID) ([]Product, error) {
	return p.list(ctx, "p.issuer = $1 ORDER BY p.name, p.id", issuer[:])
}

// ByGTIN returns the products of all issuers that have this number, at most one of each, in the order of the issuers' ids.
func (p *Products) ByGTIN(ctx context.Context, gtin gs1.GTIN) ([]Product, error) {
	return p.list(ctx, "p.gtin = $1 AND p.gtin <> '' ORDER BY p.issuer", string(gtin))
}

func (p *Products) list(ctx context.Context, where string, args ...any) ([]Product, error) {
	rows, err := p.db.Read().QueryContext(ctx, selectProducts+where, args...)
	if err != nil {
		return nil, told("reading products", err)
	}
	defer rows.Close()
	var list []Product
	for rows.Next() {
		product, err := p.scan(rows)
		if errors.Is(err, errTampered) {
			continue
		}
		if err != nil {
			return nil, told("reading products", err)
		}
		list = append(list, product)
	}
	return list, told("reading products", rows.Err())
}

// Product returns one of an issuer's products, or ErrUnknown.
func (p *Products) Product(ctx context.Context, issuer channel.ID, id string) (Product, error) {
	product, err := p.one(ctx, p.db.Read(), "p.issuer = $1 AND p.id = $2", issuer[:], id)
	return product, told("reading a product", err)
}

// Of returns what a card is fixed to: what it was assigned, else its issuer's product with its GTIN. It is false when nothing is known.
func (p *Products) Of(ctx context.Context, card record.Card) (Product, bool, error) {
	id, err := p.Assigned(ctx, card.Issuer, card.ID)
	if err != nil {
		return Product{}, false, err
	}
	product, err := p.one(ctx, p.db.Read(), "p.issuer = $1 AND p.id = $2", card.Issuer[:], id)
	if gtin, bad := gs1.ParseGTIN(card.GTIN); errors.Is(err, ErrUnknown) && bad == nil {
		product, err = p.one(ctx, p.db.Read(), "p.issuer = $1 AND p.gtin = $2", card.Issuer[:], string(gtin))
	}
	if errors.Is(err, ErrUnknown) {
		return Product{}, false, nil
	}
	return product, err == nil, told("reading a card's product", err)
}

// Put adds a product, whose id it makes when there is none, or replaces the one with its id. The error is *Invalid, ErrTaken,
// ErrTooMany, ErrUnknown for an id that the issuer does not have, or ErrUnknownImage for a picture that AddImage did not make.
func (p *Products) Put(ctx context.Context, product Product) (Product, error) {
	if err := product.check(p.o.AllowLocal); err != nil {
		return Product{}, err
	}
	product.GTIN = gs1.FullGTIN(product.GTIN)
	texts, err := json.Marshal(product.Text)
	if err != nil {
		return Product{}, err
	}
	fresh := product.ID == ""
	if fresh {
		id := make([]byte, 9)
		if _, err := io.ReadFull(p.o.Random, id); err != nil {
			return Product{}, fmt.Errorf("naming a product: %w", err)
		}
		product.ID = base64.RawURLEncoding.EncodeToString(id)
	}
	row := productRow{product.ID, product.Issuer[:], product.GTIN, product.Name, string(texts), hashOf(product.Picture), product.URL}
	values := row.values()
	values = append(values, p.sealer.Seal("products", values...))
	err = p.db.Update(ctx, func(tx *sql.Tx) error {
		if err := p.mayPut(ctx, tx, product, fresh); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO products (id, issuer, gtin, name, texts, picture, url, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET gtin = excluded.gtin, name = excluded.name, texts = excluded.texts,
			picture = excluded.picture, url = excluded.url, mac = excluded.mac`, values...)
		return errors.Join(err, p.sweep(ctx, tx))
	})
	if err != nil {
		return Product{}, told("keeping a product", err)
	}
	return product, nil
}

// mayPut checks what only the database knows.
func (p *Products) mayPut(ctx context.Context, tx *sql.Tx, product Product, fresh bool) error {
	if err := known(ctx, tx, product.Picture); err != nil {
		return err
	}
	if product.GTIN != "" {
		other, err := p.one(ctx, tx, "p.issuer = $1 AND p.gtin = $2", product.Issuer[:], product.GTIN)
		if err == nil && other.ID != product.ID {
			return ErrTaken
		}
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if err != nil { // a row that does not hold keeps no GTIN from the product that has it
			if _, err := tx.ExecContext(ctx, "DELETE FROM products WHERE issuer = $1 AND gtin = $2 AND id <> $3", product.Issuer[:], product.GTIN, product.ID); err != nil {
				return err
			}
		}
	}
	if !fresh {
		_, err := p.one(ctx, tx, "p.issuer = $1 AND p.id = $2", product.Issuer[:], product.ID)
		return err
	}
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM products WHERE issuer = $1", product.Issuer[:]).Scan(&n); err != nil {
		return err
	}
	if n >= MaxProducts {
		return ErrTooMany
	}
	return nil
}

// Delete removes a product, and what was assigned to cards of it. The error is ErrUnknown.
func (p *Products) Delete(ctx context.Context, issuer channel.ID, id string) error {
	err := p.db.Update(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "DELETE FROM products WHERE issuer = $1 AND id = $2", issuer[:], id)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrUnknown, err)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM assignments WHERE issuer = $1 AND product = $2", issuer[:], id); err != nil {
			return err
		}
		return p.sweep(ctx, tx)
	})
	return told("removing a product", err)
}

func (p *Products) one(ctx context.Context, q querier, where string, args ...any) (Product, error) {
	product, err := p.scan(q.QueryRowContext(ctx, selectProducts+where, args...))
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, errTampered) {
		return Product{}, ErrUnknown
	}
	return product, err
}

// scan returns errTampered for a row that is not as it was written.
func (p *Products) scan(row interface{ Scan(...any) error }) (Product, error) {
	var r productRow
	var i imageRow
	var mac []byte
	if err := row.Scan(append([]any{&r.id, &r.issuer, &r.gtin, &r.name, &r.texts, &r.picture, &r.url, &mac}, i.pointers()...)...); err != nil {
		return Product{}, err
	}
	if !p.holds(mac, "products", r.id, r.values()...) {
		return Product{}, errTampered
	}
	product := Product{ID: r.id, Issuer: channel.ID(r.issuer), GTIN: r.gtin, Name: r.name, Picture: p.image(&i), URL: r.url}
	return product, json.Unmarshal([]byte(r.texts), &product.Text)
}

// imageRow is what a LEFT JOIN brings of a picture.
type imageRow struct {
	hash          []byte
	kind          sql.NullString
	width, height sql.NullInt64
	mac           []byte
}

func (i *imageRow) pointers() []any { return []any{&i.hash, &i.kind, &i.width, &i.height, &i.mac} }

// image is nil where there is none, or one that is not as it was kept.
func (p *Products) image(i *imageRow) *Image {
	if len(i.hash) != sha256.Size {
		return nil
	}
	image := Image{Hash: Hash(i.hash), Type: i.kind.String, Width: int(i.width.Int64), Height: int(i.height.Int64)}
	if !p.holds(i.mac, "images", image.Hash.String(), imageValues(image)...) {
		return nil
	}
	return &image
}
