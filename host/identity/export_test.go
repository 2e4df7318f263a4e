package identity

import (
	"context"
	"database/sql"
)

// Admit redeems an invitation for a person without any way in: for tests that are about something else.
func (i *Identity) Admit(ctx context.Context, token Secret) (p Person, err error) {
	id, err := i.random(idBytes)
	if err != nil {
		return p, err
	}
	err = i.update(ctx, func(tx *sql.Tx) error {
		v, err := i.redeem(ctx, tx, hashed(token.Reveal()))
		if err == nil {
			err = i.admit(ctx, tx, v, id)
		}
		return err
	})
	if err != nil {
		return p, err
	}
	return i.Person(ctx, id)
}
