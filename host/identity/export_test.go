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

// ParseToken takes a token apart.
func ParseToken(token string) (id string, test, ok bool) { return parseToken(token) }

// ParseCode reads a recovery code.
func ParseCode(text string) (string, bool) { return parseCode(text) }

// Put seals a ceremony of a kind.
func (i *Identity) Put(kind string, state any) (string, error) { return i.put(kind, state) }

// Take opens a ceremony of a kind.
func (i *Identity) Take(kind, text string, state any) (int64, error) {
	return i.take(kind, text, state)
}
