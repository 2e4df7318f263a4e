package product

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/productid/productid/pkg/channel"
)

// Remake is what AddImage does before it keeps a picture.
func Remake(upload []byte) (content []byte, kind string, width, height int, err error) {
	p, err := remake(upload)
	return p.bytes, p.kind, p.width, p.height, err
}

// Fill gives an issuer n products in one transaction.
func (p *Products) Fill(ctx context.Context, issuer channel.ID, n int) error {
	return p.db.Update(ctx, func(tx *sql.Tx) error {
		for i := range n {
			_, err := tx.ExecContext(ctx, "INSERT INTO products (id, issuer, gtin, name, texts, url) VALUES ($1, $2, '', 'x', '{}', '')",
				fmt.Sprint(i), issuer[:])
			if err != nil {
				return err
			}
		}
		return nil
	})
}
