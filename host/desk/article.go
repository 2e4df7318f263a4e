package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// ErrUnknownArticle says that no issuer here shows a product with this number, and that no card was registered with it.
var ErrUnknownArticle = errors.New("nobody here has an article with this number")

// Article is what is known of the number on a package. That somebody read the number says nothing about the thing that it stands on.
type Article struct {
	GTIN   gs1.GTIN
	Offers []Offer      // of each issuer that has it, the sandbox's last; never empty
	Card   *record.Card // the one that was registered with this serial number, or nil; then there is one offer, its issuer's
}

// Offer is what one issuer shows of an article.
type Offer struct {
	Issuer  record.Issuer // zero for one that is not on the ledger yet
	Face    product.Face  // its Name is never empty, unless nobody knows it
	Product *product.Product
	Test    bool // of the sandbox
}

// Article returns what is known of a number, and of the card with a serial number, "" for none. Errors: ErrUnknownArticle, and those of
// the databases.
func (d *Desk) Article(ctx context.Context, gtin gs1.GTIN, serial string) (Article, error) {
	a := Article{GTIN: gtin}
	var products []product.Product
	if d.Product != nil {
		var err error
		if products, err = d.Product.ByGTIN(ctx, gtin); err != nil {
			return a, fmt.Errorf("looking up article %s: %w", gtin, err)
		}
	}
	card, err := d.withSerial(ctx, gtin, serial, products)
	if err != nil {
		return a, fmt.Errorf("looking up a card of article %s: %w", gtin, err)
	}
	if a.Card = card; card != nil {
		face, p := d.shown(ctx, *card)
		return a, d.offer(ctx, &a, card.Issuer, face, p)
	}
	for _, p := range products {
		face, err := d.Product.Face(ctx, p.Issuer)
		if err == nil {
			err = d.offer(ctx, &a, p.Issuer, face, &p)
		}
		if err != nil {
			return a, fmt.Errorf("looking up article %s: %w", gtin, err)
		}
	}
	if len(a.Offers) == 0 {
		return a, ErrUnknownArticle
	}
	slices.SortStableFunc(a.Offers, func(x, y Offer) int { return cmp.Compare(rank(x.Test), rank(y.Test)) })
	return a, nil
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

func (d *Desk) offer(ctx context.Context, a *Article, id channel.ID, face product.Face, p *product.Product) error {
	issuer, err := d.Registry.Issuer(ctx, id)
	if err != nil && !errors.Is(err, registry.ErrUnknownIssuer) {
		return err
	}
	face.Name = cmp.Or(face.Name, issuer.Name)
	a.Offers = append(a.Offers, Offer{issuer, face, p, d.IsTest(ctx, id)})
	return nil
}

// withSerial finds the one card that was registered with a GTIN and a serial number: where the serial number is a card's id, or else
// among those of the issuers who show the article. It is nil for none, and for several.
func (d *Desk) withSerial(ctx context.Context, gtin gs1.GTIN, serial string, products []product.Product) (*record.Card, error) {
	if serial == "" {
		return nil, nil
	}
	if id, err := tap.ParseCardID(serial); err == nil {
		card, err := d.Registry.Card(ctx, id)
		if known, bad := gs1.ParseGTIN(card.GTIN); err == nil && bad == nil && known == gtin {
			return &card, nil
		}
		if err != nil && !errors.Is(err, registry.ErrUnknownCard) {
			return nil, err
		}
	}
	var found []record.Card
	for _, p := range products {
		cards, err := d.Registry.Find(ctx, registry.Search{Issuer: p.Issuer, GTIN: string(gtin), Serial: serial}, 2)
		if err != nil {
			return nil, err
		}
		found = append(found, cards...)
	}
	if len(found) != 1 {
		return nil, nil
	}
	return &found[0], nil
}
