package main

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// book is an opened ledger of whatever kind, with what verbs need beside the contract.
type book struct {
	ledger.Ledger
	registry.Lister                  // nil where nothing can be written
	log             *tlog.Log        // nil where the ledger is no log of ours
	stardust        *stardust.Ledger // nil where it is not on such a network
}

// The kinds of ledgers that --ledger can name.
const (
	kindSQLite   = "sqlite"
	kindPostgres = "postgres"
	kindStardust = "stardust"
	kindServed   = "https"
)

// place is a --ledger that was taken apart.
type place struct {
	kind string
	name string // the file, or the address
}

// String names the place without passwords.
func (p place) String() string {
	switch p.kind {
	case kindPostgres:
		return store.Name(p.name)
	case kindServed:
		u, err := url.Parse(p.name)
		if err != nil {
			return p.kind + "://…"
		}
		return u.Redacted()
	}
	return p.name // a Stardust network's has none
}

// ledgerPlace is where the ledger is.
func (a *app) ledgerPlace() (place, error) {
	if a.flags.ledger == "" {
		return place{kindSQLite, filepath.Join(a.flags.data, "ledger.db")}, nil
	}
	return parsePlace(a.flags.ledger)
}

// parsePlace takes the name of a ledger apart.
func parsePlace(text string) (place, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case scheme == kindSQLite && rest != "":
		return place{kindSQLite, rest}, nil
	case (scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(rest, "//"):
		return place{kindPostgres, text}, nil
	case scheme == kindStardust:
		if _, err := stardust.ParseName(text); err != nil {
			return place{}, console.Misuse("opening the ledger", "malformed: "+err.Error(), "give "+stardustForm)
		}
		return place{kindStardust, text}, nil
	case (scheme == "https" || scheme == "http") && strings.HasPrefix(rest, "//"):
		return place{kindServed, text}, nil
	}
	return place{}, console.Misuse("opening the ledger", "malformed: --ledger names none", "give sqlite:PATH, postgres://HOST/DATABASE, "+stardustForm+", or https://… to read what others serve")
}

// registryName is where the registry is: beside the log where several processes share that, else in the data folder.
func (a *app) registryName(p place) string {
	if p.kind == kindPostgres {
		return p.name
	}
	return filepath.Join(a.flags.data, "registry.db")
}

// openBook opens the ledger alone. Only an installation that begins has none yet.
func (a *app) openBook(ctx context.Context, p place, own secrets.Secrets, authors *secrets.Authors, begins bool) (*book, error) {
	switch p.kind {
	case kindStardust:
		return a.openStardust(ctx, p, own, authors)
	case kindServed:
		return nil, console.Misuse("opening the ledger "+p.String(), "others serve it, and it can only be read: this verb needs the installation's own",
			"give --ledger sqlite:PATH or postgres://…, or none for the one in the data folder; channel read, ledger get, prove, info and verify read what others serve")
	}
	log, err := a.openLog(ctx, p, own, begins)
	if err != nil {
		return nil, err
	}
	return &book{Ledger: log, Lister: log, log: log}, nil
}

func (a *app) openLog(ctx context.Context, p place, own secrets.Secrets, begins bool) (*tlog.Log, error) {
	o, err := a.logOptions(own)
	if err != nil {
		return nil, err
	}
	o.Create = begins
	log, err := tlog.Open(ctx, p.name, o)
	return log, missing(p, err)
}

// logOptions are those of the installation's own log.
func (a *app) logOptions(own secrets.Secrets) (tlog.Options, error) {
	signer, err := ledger.NewSigner(string(own.Log))
	if err != nil {
		return tlog.Options{}, err
	}
	guard, err := a.guardFile(signer.Name())
	return tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Guard: guard, Removable: record.Removable,
		Witnesses: a.witnesses, Quorum: min(1, len(a.witnesses))}, err
}

// missing gives words to a log that is not there.
func missing(p place, err error) error {
	if errors.Is(err, tlog.ErrMissing) {
		return &console.Problem{Code: "ledger_missing", What: "opening the ledger " + p.String(), Why: "the installation's secrets are there, and its ledger is not", Exit: console.Failure, Cause: err,
			Next: "mount it, or put it back from its backup; if no card was ever made here, delete the secrets and begin again"}
	}
	return err
}

// ownLog is the log behind a ledger, for verbs that only a log of one's own has.
func (b *book) ownLog(what string) (*tlog.Log, error) {
	if b.log == nil {
		return nil, console.Misuse(what, "this ledger is no log of this installation", "give --ledger sqlite:PATH or postgres://…, or none for the one in the data folder")
	}
	return b.log, nil
}

// withBook opens the ledger without the registry: one looks at it also when it is no more what the registry knows.
func (a *app) withBook(ctx context.Context, trust trustFlags, use func(*book) error) error {
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	open := a.openOwn
	switch p.kind {
	case kindServed:
		open = a.openServed
	case kindSQLite, kindPostgres:
		open = a.lookAtLog
	}
	b, err := open(ctx, p, trust)
	if err != nil {
		return err
	}
	defer b.Close() // nothing was written
	return use(b)
}

func (a *app) openOwn(ctx context.Context, p place, _ trustFlags) (*book, error) {
	own, err := a.loadSecrets(ctx)
	if err != nil {
		return nil, err
	}
	return a.openBook(ctx, p, own, secrets.NewAuthors(own), false)
}
