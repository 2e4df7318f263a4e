package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/host/validation"
)

// house is one installation, opened: its secrets, its ledger and what works on them.
type house struct {
	secrets    secrets.Secrets
	authors    *secrets.Authors
	ledger     *book
	registry   *registry.Registry
	validation *validation.Service
}

// opening says what to do where there is no installation yet.
type opening int

const (
	existing opening = iota // say so
	create                  // make one
)

// openHouse opens the installation in the data folder and brings its registry up to the ledger.
func (a *app) openHouse(ctx context.Context, o opening) (*house, error) {
	own, err := a.loadSecrets(ctx)
	if errors.Is(err, fs.ErrNotExist) && o == create {
		own, err = a.createSecrets(ctx)
	}
	if err != nil {
		return nil, err
	}
	h := &house{secrets: own, authors: secrets.NewAuthors(own)}
	p, err := a.ledgerPlace()
	if err != nil {
		return nil, err
	}
	if h.ledger, err = a.openBook(ctx, p, own, h.authors, o == create && own.Unbegun); err != nil {
		return nil, err
	}
	if err := h.open(ctx, a.registryName(p), a.console); err != nil {
		h.Close()
		return nil, err
	}
	if own.Unbegun {
		if err := a.begun(ctx); err != nil {
			h.Close()
			return nil, err
		}
	}
	return h, nil
}

// begun notes that the ledger exists, before anything is recorded on it.
func (a *app) begun(ctx context.Context) error {
	safe, err := a.safe(ctx)
	if err != nil {
		return err
	}
	_, err = safe.Change(func(s *secrets.Secrets) error {
		s.Unbegun = false
		return nil
	})
	return err
}

func (h *house) open(ctx context.Context, name string, c *console.Console) (err error) {
	h.registry, err = registry.Open(ctx, name, registry.Options{
		Ledger: h.ledger, Master: h.secrets.Master,
		Report: func(t registry.Tampered) { c.Say("%v", t) },
	})
	if err != nil {
		return err
	}
	h.validation = validation.New(validation.Options{
		Ledger: h.ledger, Registry: h.registry, Authors: h.authors, Master: h.secrets.Master, Now: time.Now, Random: rand.Reader,
	})
	return h.registry.Sync(ctx)
}

// Close closes what was opened. What was answered is durable already, so its errors change nothing.
func (h *house) Close() {
	if h.registry != nil {
		h.registry.Close()
	}
	if h.ledger != nil {
		h.ledger.Close()
	}
}

// station makes cards for one of the installation's issuers.
func (h *house) station(a *app, issuer secrets.Issuer) *station.Station {
	if issuer.Name == "" {
		issuer.Name, issuer.URL = a.flags.issuerName, a.flags.issuerURL
	}
	return station.New(station.Options{
		Ledger: h.ledger, List: h.ledger, Registry: h.registry,
		Issuer: issuer, Authors: h.authors,
		Name: a.flags.station, Random: rand.Reader, Now: time.Now,
	})
}

// rebuild makes the registry anew and says whether it is as it was.
func (h *house) rebuild(ctx context.Context) (same bool, err error) {
	before, err := h.registry.Dump(ctx)
	if err != nil {
		return false, err
	}
	if err := h.registry.Rebuild(ctx); err != nil {
		return false, err
	}
	after, err := h.registry.Dump(ctx)
	return bytes.Equal(before, after), err
}

// loadSecrets reads the installation's secrets as loadAll does, and lets nothing be done between two ledgers.
func (a *app) loadSecrets(ctx context.Context) (secrets.Secrets, error) {
	own, err := a.loadAll(ctx)
	if err == nil && own.Resuming {
		err = &console.Problem{Code: "recovery_cut_off", What: "opening " + a.flags.data, Why: "its ledger was given up, and the new one does not hold its cards yet",
			Next: "productid ledger recover --lost finishes it", Exit: console.Failure}
	}
	return own, err
}

// loadAll reads the installation's secrets; fs.ErrNotExist in the chain when there is no installation. A ledger or a
// registry without them is one that lost them, or whose disk is not mounted: no place to begin another.
func (a *app) loadAll(ctx context.Context) (secrets.Secrets, error) {
	left, err := a.leftBehind() // before the secrets: another process that begins here makes them first
	if err != nil {
		return secrets.Secrets{}, err
	}
	safe, err := a.safe(ctx)
	if err != nil {
		return secrets.Secrets{}, err
	}
	own, err := safe.Load()
	switch {
	case err == nil:
		a.warnPlain(safe)
		return own, nil
	case !errors.Is(err, fs.ErrNotExist):
		return own, err
	case left != "":
		return own, &console.Problem{Code: "secrets_missing", What: "opening " + a.flags.data, Why: left + " is there, and its secrets are not",
			Next: "put them back into " + a.flags.data + " with productid keys restore, or as a file; a new installation begins in another --data DIR", Exit: console.Failure}
	}
	return own, &console.Problem{Code: "no_installation", What: "opening " + a.flags.data, Why: "there is no installation in that folder",
		Next: "give --data DIR, or begin one with productid card personalise", Exit: console.Failure, Cause: err}
}

// leftBehind is a file that only an installation makes; empty where there is none.
func (a *app) leftBehind() (string, error) {
	p, err := a.ledgerPlace()
	if err != nil {
		return "", err
	}
	files := map[string][]string{kindSQLite: {p.name, a.registryName(p)}, kindStardust: {a.archivePath(), a.registryName(p)}}
	for _, file := range files[p.kind] {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return file, nil // what cannot be looked at is taken to be there
		}
	}
	return "", nil
}

// logName is a name that no other log has.
func logName() string {
	tag := make([]byte, 4)
	rand.Read(tag) // never errs
	return fmt.Sprintf("productid-%x", tag)
}

// createSecrets begins an installation. Its log has a name of its own, so that receipts of two are told apart.
func (a *app) createSecrets(ctx context.Context) (secrets.Secrets, error) {
	safe, err := a.safe(ctx)
	if err != nil {
		return secrets.Secrets{}, err
	}
	if err := os.MkdirAll(a.flags.data, 0o700); err != nil {
		return secrets.Secrets{}, fmt.Errorf("beginning an installation: %w", err)
	}
	own, err := secrets.New(logName(), a.flags.issuerName, a.flags.issuerURL, rand.Reader, time.Now())
	if err == nil {
		err = a.addFunding(&own)
	}
	if err == nil {
		err = safe.Create(own)
	}
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return a.loadSecrets(ctx)
	}
	if err != nil {
		return secrets.Secrets{}, fmt.Errorf("beginning an installation: %w", err)
	}
	if !a.temporary {
		a.console.Say("new installation in %s, issuer %q (--issuer-name): its secrets make your cards yours, productid keys backup FILE keeps a copy",
			a.flags.data, a.flags.issuerName)
		a.warnPlain(safe)
	}
	return own, nil
}
