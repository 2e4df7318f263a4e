package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/ledger"
)

// book is an opened ledger of whatever kind, with what verbs need beside the contract.
type book struct {
	ledger.Ledger
	registry.Lister
	log *tlog.Log // nil where the ledger is no log of ours
}

// The kinds of ledgers that --ledger can name.
const (
	kindSQLite   = "sqlite"
	kindPostgres = "postgres"
)

// place is a --ledger that was taken apart.
type place struct {
	kind string
	name string // the file, or the address
}

// String names the place without passwords.
func (p place) String() string {
	if u, err := url.Parse(p.name); err == nil && p.kind == kindPostgres {
		return u.Redacted()
	}
	return p.name
}

// ledgerPlace is where the ledger is.
func (a *app) ledgerPlace() (place, error) {
	text := a.flags.ledger
	if text == "" {
		return place{kindSQLite, filepath.Join(a.flags.data, "ledger.db")}, nil
	}
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case scheme == kindSQLite && rest != "":
		return place{kindSQLite, rest}, nil
	case (scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(rest, "//"):
		return place{kindPostgres, text}, nil
	}
	return place{}, console.Misuse("opening the ledger", "malformed: --ledger names none", "give sqlite:PATH or postgres://HOST/DATABASE")
}

// registryName is where the registry is: beside the log where several processes share that, else in the data folder.
func (a *app) registryName(p place) string {
	if p.kind == kindPostgres {
		return p.name
	}
	return filepath.Join(a.flags.data, "registry.db")
}

// openBook opens the ledger alone. Only an installation that begins has none yet.
func (a *app) openBook(ctx context.Context, p place, own secrets.Secrets, begins bool) (*book, error) {
	log, err := openLog(ctx, p, own, begins)
	if err != nil {
		return nil, err
	}
	return &book{Ledger: log, Lister: log, log: log}, nil
}

func openLog(ctx context.Context, p place, own secrets.Secrets, begins bool) (*tlog.Log, error) {
	signer, err := ledger.NewSigner(string(own.Log))
	if err != nil {
		return nil, err
	}
	log, err := tlog.Open(ctx, p.name, tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Create: begins})
	if errors.Is(err, tlog.ErrMissing) {
		return nil, &console.Problem{Code: "ledger_missing", What: "opening the ledger " + p.String(), Why: "the installation's secrets are there, and its ledger is not", Exit: console.Failure, Cause: err,
			Next: "mount it, or put it back from its backup; if no card was ever made here, delete " + secrets.File + " and begin again"}
	}
	return log, err
}

// ownLog is the log behind a ledger, for verbs that only a log of one's own has.
func (b *book) ownLog(what string) (*tlog.Log, error) {
	if b.log == nil {
		return nil, console.Misuse(what, "this ledger is no log of this installation", "give --ledger sqlite:PATH or postgres://…, or none for the one in the data folder")
	}
	return b.log, nil
}

// withBook opens the ledger without the registry: one looks at it also when it is no more what the registry knows.
func (a *app) withBook(ctx context.Context, use func(*book) error) error {
	own, err := a.loadSecrets(ctx)
	if err != nil {
		return err
	}
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	b, err := a.openBook(ctx, p, own, false)
	if err != nil {
		return err
	}
	defer b.Close() // nothing was written
	return use(b)
}

// withLog is withBook for what only a log of one's own has.
func (a *app) withLog(ctx context.Context, what string, use func(*tlog.Log) error) error {
	return a.withBook(ctx, func(b *book) error {
		log, err := b.ownLog(what)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return use(log)
	})
}
