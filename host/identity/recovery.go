package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/productid/productid/host/edge"
)

// ErrBadCode says that nobody has this recovery code, or that it was used.
const ErrBadCode = refusal("this is no recovery code, or it was used already")

// ErrTooManyTries says that the client's network tried too many codes; see TryLater.
var ErrTooManyTries = errors.New("too many recovery codes were tried")

// TryLater is ErrTooManyTries with how long to wait.
type TryLater struct{ After time.Duration }

func (e *TryLater) Error() string {
	return fmt.Sprintf("%v: wait %v", ErrTooManyTries, e.After.Round(time.Second))
}

// Unwrap returns ErrTooManyTries.
func (e *TryLater) Unwrap() error { return ErrTooManyTries }

// RecoveryCode lets a person who lost his passkeys make a new one, once. It prints as "[redacted]"; Reveal gives it as it is to be
// written down: xxxx-xxxx-xxxx-xxxx, 80 random bits.
type RecoveryCode = Secret

// recoveryCodes is how many a person has.
const recoveryCodes = 10

// Codes cannot be guessed, so the limit is there for the database's sake: a network may try five, and one more every 20 seconds.
const (
	triesAtOnce = 5
	tryEvery    = 20 * time.Second
)

func newTries(o Options) *edge.Limiter {
	return edge.NewLimiter(edge.LimiterOptions{Rate: 1 / tryEvery.Seconds(), Burst: triesAtOnce, Now: o.Now})
}

// putRecovery gives a person new codes, and voids those of before.
func (i *Identity) putRecovery(ctx context.Context, tx *sql.Tx, person string) (codes []RecoveryCode, err error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM recovery WHERE person = $1", person); err != nil {
		return nil, err
	}
	for range recoveryCodes {
		code, err := i.random(idBytes)
		if err != nil {
			return nil, err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO recovery (hash, person) VALUES ($1, $2)", hashed(code), person); err != nil {
			return nil, err
		}
		codes = append(codes, RecoveryCode(code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:]))
	}
	return codes, nil
}

// NewRecoveryCodes gives the person ten new codes, which nobody can be shown again; those of before are void. Errors:
// ErrUnknownPerson.
func (i *Identity) NewRecoveryCodes(ctx context.Context, id string) (codes []RecoveryCode, err error) {
	err = i.update(ctx, func(tx *sql.Tx) error {
		p, err := person(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(p.Roles) == 0 {
			return ErrUnknownPerson
		}
		codes, err = i.putRecovery(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making recovery codes: %w", err)
	}
	return codes, nil
}

// RecoveryCodesLeft counts the person's codes that were not used.
func (i *Identity) RecoveryCodesLeft(ctx context.Context, person string) (n int, err error) {
	if err := i.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM recovery WHERE person = $1", person).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting recovery codes: %w", err)
	}
	return n, nil
}

// Recover uses a recovery code up and returns its owner's way back: an invitation for himself, good for 15 minutes, which BeginEnrol
// takes. The code alone signs nobody in. Spaces, hyphens and capitals do not matter. Attempts are limited for each network as
// edge.Client knows it. Errors: ErrBadCode, and TryLater, which is ErrTooManyTries.
func (i *Identity) Recover(ctx context.Context, code string) (v Invitation, err error) {
	const what = "recovering by code"
	if wait, ok := i.tries.Allow(edge.Network(edge.Client(ctx))); !ok {
		return v, fmt.Errorf("%s: %w", what, &TryLater{wait})
	}
	text, ok := parseCode(code)
	if !ok {
		return v, fmt.Errorf("%s: %w", what, ErrBadCode)
	}
	err = i.update(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT p.id, p.name FROM recovery r JOIN people p ON p.id = r.person WHERE r.hash = $1", hashed(text)).Scan(&v.Person, &v.Name)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrBadCode
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM recovery WHERE hash = $1", hashed(text)); err != nil {
			return err
		}
		v, err = i.putInvitation(ctx, tx, v, wayBackLife)
		return err
	})
	if err != nil {
		return Invitation{}, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

// parseCode reads a code as people type it.
func parseCode(text string) (string, bool) {
	if len(text) > 100 {
		return "", false
	}
	text = strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\u00a0", "", "\t", "", "\n", "", "\r", "").Replace(text))
	text = strings.NewReplacer("0", "o", "1", "l", "8", "b").Replace(text) // no code has these: who typed one misread it
	return text, spelled(text, idLetters)
}
