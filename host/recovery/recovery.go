// Package recovery lets an installation go on whose log has lost its newest messages, and no copy has them.
//
// The log is written no more: its key has signed what is lost, and others may hold that. A new log takes its place, with an
// origin, a key and a guard of its own; the old database is kept beside it. Each issuer goes on in the channel that its opening
// committed to, because nobody knows the newest message of its own, and lists its cards there once more. Which taps of
// them were used is not known, so none counts until the card itself has shown how far its counter is: see
// station.Station.Reinstate.
//
// # Durability
//
// [GiveUp] stores what was decided, in one step that is on the disk when it returns. [Resume] does the rest. It may be broken off at any
// moment and run again any number of times: what it writes is the same to the byte each time.
//
// # Concurrency
//
// One process recovers at a time. While secrets are Resuming no other is to write.
package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// ErrNothingLost says that the log holds all that its guard remembers.
var ErrNothingLost = errors.New("the log has lost nothing")

// Loss is what a log has lost.
type Loss struct {
	Origin string    `json:"origin"`
	Known  uint64    `json:"known"` // messages that are there
	Held   uint64    `json:"held"`  // messages that there were, at least
	Since  time.Time `json:"since"` // of the last one that is there, by the log's clock; zero when there is none
}

// Look compares a log that anybody may have put back to an older state with its guard. It changes nothing. Errors: ErrNothingLost;
// tlog.ErrForked when the log is another one than the guard's, not an older state of it: then both have to be looked at by a person; tlog.ErrNoGuard;
// those of tlog.ReadGuard and tlog.OpenReader.
func Look(ctx context.Context, name string, o tlog.Options) (Loss, error) {
	loss, err := look(ctx, name, o)
	if err != nil {
		return Loss{}, fmt.Errorf("looking at what log %s has lost: %w", o.Origin, err)
	}
	return loss, nil
}

func look(ctx context.Context, name string, o tlog.Options) (Loss, error) {
	text, err := tlog.ReadGuard(o.Guard)
	if errors.Is(err, fs.ErrNotExist) {
		return Loss{}, fmt.Errorf("%s: %w: %w", o.Guard, tlog.ErrNoGuard, err)
	}
	if err != nil {
		return Loss{}, err
	}
	policy := ledger.Policy{Logs: []ledger.LogKey{{Origin: o.Origin, Key: o.Signer.VerifierKey()}}}
	held, _, err := policy.Checkpoint(text)
	if err != nil {
		return Loss{}, fmt.Errorf("%w: %w", tlog.ErrBadGuard, err)
	}
	log, err := tlog.OpenReader(ctx, name, o.Origin, o.Signer.VerifierKey())
	if err != nil {
		return Loss{}, err
	}
	defer log.Close() // nothing was written
	switch err := log.Against(ctx, text); {
	case err == nil:
		return Loss{}, ErrNothingLost
	case !errors.Is(err, tlog.ErrRolledBack):
		return Loss{}, err
	}
	info, err := log.Info(ctx)
	if err != nil {
		return Loss{}, err
	}
	loss := Loss{Origin: o.Origin, Known: info.Size, Held: held.Size}
	if info.Size > 0 {
		last, err := log.Leaves(ctx, info.Size-1, 1)
		if err != nil {
			return Loss{}, err
		}
		loss.Since = last[0].Time.UTC()
	}
	return loss, nil
}

// GiveUp decides, for good, that what the log has lost will not be found: the secrets are those of a new log from then on, see
// secrets.Secrets.GiveUp, and Resume has to follow. Nothing else is touched. Nobody can take it back. The error is
// record.ErrMust where this version cannot read all of the log, registry.ErrMoved where an issuer lives on another ledger.
func GiveUp(ctx context.Context, safe secrets.Safe, name string, loss Loss, origin string, random io.Reader, now time.Time) (secrets.Secrets, error) {
	own, err := safe.Change(func(s *secrets.Secrets) error {
		if s.Resuming || s.Origin() != loss.Origin {
			return errors.New("another process gave the log up")
		}
		signer, err := ledger.NewSigner(string(s.Log))
		if err != nil {
			return err
		}
		old, err := read(ctx, name, loss.Origin, signer.VerifierKey())
		if err != nil {
			return err
		}
		defer old.log.Close() // nothing was written
		if old.size != loss.Known {
			return errors.New("the log is not the one that was looked at")
		}
		for _, i := range s.Issuers {
			issuer, known, _ := old.states.Issuer(i.Author().Channel()) // a Map has no errors
			if known && !issuer.IsOn(loss.Origin) {
				return fmt.Errorf("issuer %v: %w: %s", issuer.Channel, registry.ErrMoved, issuer.Place)
			}
		}
		lost := secrets.LostLog{Key: signer.VerifierKey(), Lost: now, Since: loss.Since, Size: loss.Known}
		return s.GiveUp(lost, origin, func(id channel.ID) (name, url string, known bool) {
			issuer, known, _ := old.states.Issuer(id)
			return issuer.Name, issuer.URL, known
		}, random)
	})
	if err != nil {
		return secrets.Secrets{}, fmt.Errorf("giving up log %s: %w", loss.Origin, err)
	}
	return own, nil
}

// remains is what is known of a log, folded.
type remains struct {
	log    *tlog.Log
	states *record.Map
	size   uint64
}

func read(ctx context.Context, name, origin, key string) (remains, error) {
	log, err := tlog.OpenReader(ctx, name, origin, key)
	if err != nil {
		return remains{}, err
	}
	r := remains{log: log, states: record.NewMap()}
	err = log.Follow(ctx, ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		for _, e := range batch {
			if err := record.Fold(r.states, e); err != nil {
				return err // record.ErrMust too: who knows what that says of the cards
			}
			r.size++
		}
		return nil
	})
	if err != nil {
		return remains{}, errors.Join(fmt.Errorf("reading log %s: %w", origin, err), log.Close())
	}
	return r, nil
}
