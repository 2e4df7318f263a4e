package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

// Why an invitation is not made or does not count.
const (
	// ErrUnknownInvitation says that there is no such invitation: it was used, withdrawn, or never made.
	ErrUnknownInvitation = refusal("the link was used already, or was never made here; ask for a new one")
	// ErrExpiredInvitation says that it came too late.
	ErrExpiredInvitation = refusal("the link has expired; ask for a new one")
	// ErrHasOwner refuses to set up an issuer that has an owner: he invites others.
	ErrHasOwner = refusal("there is an owner already, who can invite others")
	// ErrHasRole refuses an invitation to somebody who has a role at the issuer.
	ErrHasRole = refusal("he has a role there already; an owner can change it")
	// ErrLifetime refuses an invitation that is over before it begins, or stays for longer than a month.
	ErrLifetime = refusal("an invitation lasts for at most 31 days")
)

// maxInvitation is how long an unused link may lie in a mailbox.
const maxInvitation = 31 * 24 * time.Hour

// wayBackLife is how long somebody has to make a passkey after he gave a recovery code.
const wayBackLife = 15 * time.Minute

// Invitation is a way in for one person, once. Token is set where it was made, and nowhere else. One that a recovery code gave
// has a Person, and neither Issuer nor Role.
type Invitation struct {
	ID      string
	Token   Secret
	Issuer  channel.ID
	Role    Role
	Name    string
	Person  string
	Created time.Time
	Expires time.Time

	setup bool
}

// SetupPath is where an invitation is redeemed, below the base URL.
const SetupPath = "office/setup"

// Link is the address that redeems the invitation at a service. The token stands in the fragment: browsers send that to no server,
// so no log and no proxy has it.
func (v Invitation) Link(base *url.URL) Secret {
	u := base.JoinPath(SetupPath)
	u.Fragment = v.Token.Reveal()
	return Secret(u.String())
}

// Invite makes an invitation to a role at the issuer for somebody of that name. Errors: ErrUnknownRole, ErrName, ErrLifetime.
func (i *Identity) Invite(ctx context.Context, issuer channel.ID, role Role, name string, life time.Duration) (Invitation, error) {
	v, err := i.invite(ctx, Invitation{Issuer: issuer, Role: role, Name: name}, life)
	if err != nil {
		return Invitation{}, fmt.Errorf("inviting: %w", err)
	}
	return v, nil
}

// Setup makes the invitation of an issuer's first owner, and voids those that Setup made before. It counts only while the issuer
// has no owner. Errors: ErrHasOwner, ErrName, ErrLifetime.
func (i *Identity) Setup(ctx context.Context, issuer channel.ID, name string, life time.Duration) (Invitation, error) {
	v, err := i.invite(ctx, Invitation{Issuer: issuer, Role: Owner, Name: name, setup: true}, life)
	if err != nil {
		return Invitation{}, fmt.Errorf("setting up the first owner: %w", err)
	}
	return v, nil
}

// CheckInvitation says whether somebody of that name can be invited for so long: to be asked before the act is recorded. Errors:
// ErrName, ErrLifetime.
func CheckInvitation(name string, life time.Duration) error {
	if _, err := checkName(name); err != nil {
		return err
	}
	if life <= 0 || life > maxInvitation {
		return ErrLifetime
	}
	return nil
}

func (i *Identity) invite(ctx context.Context, v Invitation, life time.Duration) (_ Invitation, err error) {
	if v.Role.Scopes() == nil {
		return v, ErrUnknownRole
	}
	if err := CheckInvitation(v.Name, life); err != nil {
		return v, err
	}
	v.Name, _ = checkName(v.Name)
	err = i.update(ctx, func(tx *sql.Tx) error {
		if v.setup {
			n, err := owners(ctx, tx, v.Issuer)
			if err != nil {
				return err
			}
			if n > 0 {
				return ErrHasOwner
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM invitations WHERE issuer = $1 AND setup = 1", v.Issuer[:]); err != nil {
				return err
			}
		}
		v, err = i.putInvitation(ctx, tx, v, life)
		return err
	})
	return v, err
}

// putInvitation stores an invitation under a fresh token, and forgets those that expired.
func (i *Identity) putInvitation(ctx context.Context, tx *sql.Tx, v Invitation, life time.Duration) (Invitation, error) {
	token, err := i.random(secretBytes)
	if err != nil {
		return v, err
	}
	if v.ID, err = i.random(idBytes); err != nil {
		return v, err
	}
	now := i.o.Now()
	v.Token, v.Created, v.Expires = Secret(token), fromMillis(now.UnixMilli()), fromMillis(now.Add(life).UnixMilli())
	if _, err := tx.ExecContext(ctx, "DELETE FROM invitations WHERE expires_ms < $1", now.Add(-maxInvitation).UnixMilli()); err != nil {
		return v, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO invitations (hash, id, issuer, role, name, person, setup, created_ms, expires_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		hashed(token), v.ID, v.Issuer[:], v.Role, v.Name, v.Person, bit(v.setup), millis(v.Created), millis(v.Expires))
	return v, err
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const selectInvitation = "SELECT id, issuer, role, name, person, setup, created_ms, expires_ms FROM invitations "

func scanInvitation(scan func(...any) error) (Invitation, error) {
	var v Invitation
	var issuer []byte
	var setup, created, expires int64
	if err := scan(&v.ID, &issuer, &v.Role, &v.Name, &v.Person, &setup, &created, &expires); err != nil {
		return v, err
	}
	v.setup, v.Created, v.Expires = setup == 1, fromMillis(created), fromMillis(expires)
	var err error
	v.Issuer, err = issuerOf(issuer)
	return v, err
}

// Invitation returns what a token invites to, and uses nothing up. Errors: ErrUnknownInvitation, ErrExpiredInvitation.
func (i *Identity) Invitation(ctx context.Context, token Secret) (Invitation, error) {
	v, err := i.invitation(ctx, i.db.Read(), hashed(token.Reveal()))
	if err != nil {
		return Invitation{}, fmt.Errorf("reading an invitation: %w", err)
	}
	return v, nil
}

func (i *Identity) invitation(ctx context.Context, q querier, hash []byte) (Invitation, error) {
	v, err := scanInvitation(q.QueryRowContext(ctx, selectInvitation+"WHERE hash = $1", hash).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return v, ErrUnknownInvitation
	}
	if err != nil {
		return v, store.Explain(err)
	}
	if !i.o.Now().Before(v.Expires) {
		return v, ErrExpiredInvitation
	}
	return v, nil
}

// Invitations returns the issuer's invitations that nobody has used and that have not expired, the oldest first.
func (i *Identity) Invitations(ctx context.Context, issuer channel.ID) ([]Invitation, error) {
	all, err := query(ctx, i.db.Read(), scanInvitation,
		selectInvitation+"WHERE issuer = $1 AND expires_ms > $2 AND person = '' ORDER BY created_ms, id", issuer[:], i.o.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("listing invitations: %w", err)
	}
	return all, nil
}

// Withdraw voids an invitation of the issuer. Errors: ErrUnknownInvitation.
func (i *Identity) Withdraw(ctx context.Context, issuer channel.ID, id string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, "DELETE FROM invitations WHERE issuer = $1 AND id = $2", issuer[:], id))
		if err == nil && n == 0 {
			err = ErrUnknownInvitation
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("withdrawing an invitation: %w", err)
	}
	return nil
}

// Accept gives somebody who is signed in the role that a token invites to. Errors: ErrUnknownInvitation, ErrExpiredInvitation,
// ErrHasRole, ErrHasOwner.
func (i *Identity) Accept(ctx context.Context, id string, token Secret) (p Person, err error) {
	err = i.update(ctx, func(tx *sql.Tx) error {
		if _, err := person(ctx, tx, id); err != nil {
			return err
		}
		v, err := i.redeem(ctx, tx, hashed(token.Reveal()))
		if err != nil {
			return err
		}
		if v.Person != "" {
			return ErrUnknownInvitation // somebody's way back is for a passkey alone
		}
		if err := enter(ctx, tx, v, id); err != nil {
			return err
		}
		p, err = person(ctx, tx, id)
		p.Joined = v.Issuer
		return err
	})
	if err != nil {
		return Person{}, fmt.Errorf("accepting an invitation: %w", err)
	}
	return p, nil
}

// redeem uses an invitation up. The transaction holds the write lock, so one of two gets it.
func (i *Identity) redeem(ctx context.Context, tx *sql.Tx, hash []byte) (Invitation, error) {
	v, err := i.invitation(ctx, tx, hash)
	if err != nil {
		return v, err
	}
	if v.setup {
		n, err := owners(ctx, tx, v.Issuer)
		if err != nil {
			return v, err
		}
		if n > 0 {
			return v, ErrHasOwner
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM invitations WHERE hash = $1", hash)
	return v, err
}

// enter gives a person the role that he was invited to.
func enter(ctx context.Context, tx *sql.Tx, v Invitation, person string) error {
	n, err := changed(tx.ExecContext(ctx, "INSERT INTO roles (issuer, person, role) VALUES ($1, $2, $3) ON CONFLICT (issuer, person) DO NOTHING",
		v.Issuer[:], person, v.Role))
	if err == nil && n == 0 {
		err = ErrHasRole
	}
	return err
}

// admit makes the person that an invitation is for, with the role.
func (i *Identity) admit(ctx context.Context, tx *sql.Tx, v Invitation, id string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO people (id, name, created_ms, seen_ms) VALUES ($1, $2, $3, 0)", id, v.Name, i.o.Now().UnixMilli())
	if err != nil {
		return err
	}
	return enter(ctx, tx, v, id)
}
