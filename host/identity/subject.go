package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
)

// Link is an account at a provider that signs a person in.
type Link struct {
	Provider string // its Issuer
	Subject  string
	Created  time.Time
	Used     time.Time
}

// enterBySubject is the end of a sign-in at a provider: what the subject may become here was said at its beginning.
func (i *Identity) enterBySubject(ctx context.Context, state string, expires int64, c oidcCeremony, subject string) (p Person, err error) {
	err = i.update(ctx, func(tx *sql.Tx) error {
		if err := i.use(ctx, tx, state, expires); err != nil {
			return err
		}
		id, err := linked(ctx, tx, c.Provider, subject)
		var joined channel.ID
		switch {
		case err != nil:
			return err
		case c.Invitation != nil:
			id, joined, err = i.enterInvited(ctx, tx, c, subject, id)
		case c.Person != "":
			id, err = c.Person, i.linkOwn(ctx, tx, c, subject, id)
		case id == "":
			err = ErrUnknownSubject
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE subjects SET used_ms = $3 WHERE provider = $1 AND subject = $2", c.Provider, subject, i.o.Now().UnixMilli())
		if err != nil {
			return err
		}
		p, err = person(ctx, tx, id)
		p.Joined = joined
		return err
	})
	return p, err
}

// linked returns who has the account; "" for nobody.
func linked(ctx context.Context, tx *sql.Tx, provider, subject string) (id string, err error) {
	err = tx.QueryRowContext(ctx, "SELECT person FROM subjects WHERE provider = $1 AND subject = $2", provider, subject).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// enterInvited redeems the invitation for who has the account already, or makes the person who will.
func (i *Identity) enterInvited(ctx context.Context, tx *sql.Tx, c oidcCeremony, subject, id string) (_ string, joined channel.ID, err error) {
	v, err := i.redeem(ctx, tx, c.Invitation)
	if err != nil {
		return "", joined, err
	}
	if id != "" {
		return id, v.Issuer, enter(ctx, tx, v, id)
	}
	if id, err = i.random(idBytes); err != nil {
		return "", joined, err
	}
	if err := i.admit(ctx, tx, v, id); err != nil {
		return "", joined, err
	}
	return id, v.Issuer, i.link(ctx, tx, c.Provider, subject, id)
}

// linkOwn links the account to who began that while he was signed in; id is who has it already.
func (i *Identity) linkOwn(ctx context.Context, tx *sql.Tx, c oidcCeremony, subject, id string) error {
	if id == c.Person {
		return nil
	}
	if id != "" {
		return ErrLinkedElsewhere
	}
	p, err := person(ctx, tx, c.Person)
	if err != nil {
		return err
	}
	if len(p.Roles) == 0 {
		return ErrUnknownPerson
	}
	return i.link(ctx, tx, c.Provider, subject, c.Person)
}

func (i *Identity) link(ctx context.Context, tx *sql.Tx, provider, subject, person string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO subjects (provider, subject, person, created_ms, used_ms) VALUES ($1, $2, $3, $4, 0)",
		provider, subject, person, i.o.Now().UnixMilli())
	return err
}

// Links returns the accounts at providers that sign the person in, the oldest first.
func (i *Identity) Links(ctx context.Context, person string) ([]Link, error) {
	all, err := query(ctx, i.db.Read(), func(scan func(...any) error) (Link, error) {
		var l Link
		var created, used int64
		err := scan(&l.Provider, &l.Subject, &created, &used)
		l.Created, l.Used = fromMillis(created), fromMillis(used)
		return l, err
	}, "SELECT provider, subject, created_ms, used_ms FROM subjects WHERE person = $1 ORDER BY created_ms, provider, subject", person)
	if err != nil {
		return nil, fmt.Errorf("listing accounts at providers: %w", err)
	}
	return all, nil
}

// Unlink takes an account at a provider away from the person. Errors: ErrUnknownSubject, ErrLastWayIn.
func (i *Identity) Unlink(ctx context.Context, person, provider, subject string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, "DELETE FROM subjects WHERE person = $1 AND provider = $2 AND subject = $3", person, provider, subject))
		if err == nil && n == 0 {
			err = ErrUnknownSubject
		}
		if err != nil {
			return err
		}
		return i.needWayIn(ctx, tx, person)
	})
	if err != nil {
		return fmt.Errorf("unlinking an account: %w", err)
	}
	return nil
}
