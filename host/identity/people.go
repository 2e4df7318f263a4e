package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

// Why nothing is done about a person.
const (
	// ErrUnknownPerson says that nobody has this id, or not at this issuer.
	ErrUnknownPerson = refusal("nobody of this id has a role there")
	// ErrLastOwner keeps an issuer from having no owner.
	ErrLastOwner = refusal("the last owner stays one: make somebody else an owner first")
	// ErrUnknownRole refuses a role that is none.
	ErrUnknownRole = refusal("a role is owner, operator or auditor")
)

// Person is somebody who signs in. ID is random, names nobody and never changes.
type Person struct {
	ID       string
	Name     string
	Created  time.Time
	LastSeen time.Time // to the minute; zero until he first signs in
	Roles    map[channel.ID]Role
	// Joined is the issuer whose invitation this very call redeemed, where FinishEnrol, FinishOIDC or Accept returned the person; else zero.
	Joined channel.ID
}

// Actor is the person with what his roles allow.
func (p Person) Actor() Actor {
	grants := make(map[channel.ID][]Scope, len(p.Roles))
	for issuer, role := range p.Roles {
		grants[issuer] = role.Scopes()
	}
	return NewActor(Human, p.ID, p.Name, grants)
}

// Person returns one person with all his roles. Errors: ErrUnknownPerson.
func (i *Identity) Person(ctx context.Context, id string) (Person, error) {
	p, err := person(ctx, i.db.Read(), id)
	if err != nil {
		return p, fmt.Errorf("reading person %q: %w", id, err)
	}
	return p, nil
}

// person reads one person by a database or inside a transaction.
func person(ctx context.Context, q querier, id string) (Person, error) {
	p := Person{ID: id, Roles: map[channel.ID]Role{}}
	var created, seen int64
	err := q.QueryRowContext(ctx, "SELECT name, created_ms, seen_ms FROM people WHERE id = $1", id).Scan(&p.Name, &created, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, ErrUnknownPerson
	}
	if err != nil {
		return Person{}, store.Explain(err)
	}
	p.Created, p.LastSeen = fromMillis(created), fromMillis(seen)
	roles, err := query(ctx, q, scanRole, "SELECT issuer, role FROM roles WHERE person = $1", id)
	for _, r := range roles {
		p.Roles[r.issuer] = r.role
	}
	return p, err
}

type heldRole struct {
	issuer channel.ID
	role   Role
}

func scanRole(scan func(...any) error) (heldRole, error) {
	var issuer []byte
	var r heldRole
	if err := scan(&issuer, &r.role); err != nil {
		return r, err
	}
	var err error
	r.issuer, err = issuerOf(issuer)
	return r, err
}

// People returns who has a role at the issuer, those who came first standing first. Of their Roles it holds this issuer's alone.
func (i *Identity) People(ctx context.Context, issuer channel.ID) ([]Person, error) {
	all, err := query(ctx, i.db.Read(), func(scan func(...any) error) (Person, error) {
		var p Person
		var role Role
		var created, seen int64
		err := scan(&p.ID, &p.Name, &created, &seen, &role)
		p.Created, p.LastSeen, p.Roles = fromMillis(created), fromMillis(seen), map[channel.ID]Role{issuer: role}
		return p, err
	}, `SELECT p.id, p.name, p.created_ms, p.seen_ms, r.role FROM roles r JOIN people p ON p.id = r.person
		WHERE r.issuer = $1 ORDER BY p.created_ms, p.id`, issuer[:])
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	return all, nil
}

// SetRole gives somebody who has a role at the issuer another one, at once. Errors: ErrUnknownPerson, ErrUnknownRole,
// ErrLastOwner.
func (i *Identity) SetRole(ctx context.Context, issuer channel.ID, person string, role Role) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		if role.Scopes() == nil {
			return ErrUnknownRole
		}
		n, err := changed(tx.ExecContext(ctx, "UPDATE roles SET role = $3 WHERE issuer = $1 AND person = $2", issuer[:], person, role))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrUnknownPerson
		}
		return needOwner(ctx, tx, issuer)
	})
	if err != nil {
		return fmt.Errorf("setting a role: %w", err)
	}
	return nil
}

// Rename calls a person something else, everywhere but in his authenticators. Errors: ErrUnknownPerson, ErrName.
func (i *Identity) Rename(ctx context.Context, person, name string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		name, err := checkName(name)
		if err != nil {
			return err
		}
		n, err := changed(tx.ExecContext(ctx, "UPDATE people SET name = $2 WHERE id = $1", person, name))
		if err == nil && n == 0 {
			err = ErrUnknownPerson
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("renaming a person: %w", err)
	}
	return nil
}

// RemoveRole takes somebody's role at the issuer away, at once. With his last role go his passkeys, his links to providers, his
// recovery codes and his sessions: only his name stays, for those who read who did what. Errors: ErrUnknownPerson, ErrLastOwner.
func (i *Identity) RemoveRole(ctx context.Context, issuer channel.ID, person string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, "DELETE FROM roles WHERE issuer = $1 AND person = $2", issuer[:], person))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrUnknownPerson
		}
		if err := needOwner(ctx, tx, issuer); err != nil {
			return err
		}
		var left int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM roles WHERE person = $1", person).Scan(&left); err != nil || left > 0 {
			return err
		}
		for _, table := range []string{"passkeys", "subjects", "recovery", "sessions", "invitations"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE person = $1", person); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("removing a role: %w", err)
	}
	return nil
}

// needOwner ends a transaction that would leave the issuer without an owner.
func needOwner(ctx context.Context, tx *sql.Tx, issuer channel.ID) error {
	n, err := owners(ctx, tx, issuer)
	if err == nil && n == 0 {
		err = ErrLastOwner
	}
	return err
}

func owners(ctx context.Context, q querier, issuer channel.ID) (n int, err error) {
	err = q.QueryRowContext(ctx, "SELECT count(*) FROM roles WHERE issuer = $1 AND role = $2", issuer[:], Owner).Scan(&n)
	return n, err
}
