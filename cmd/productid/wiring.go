package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/ledger"
)

// house is one installation, opened: its secrets, its ledger and what works on them.
type house struct {
	secrets    secrets.Secrets
	authors    *secrets.Authors
	log        *tlog.Log
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
	own, err := a.loadSecrets()
	begins := errors.Is(err, fs.ErrNotExist) && o == create
	if begins {
		own, err = a.createSecrets()
	}
	if err != nil {
		return nil, err
	}
	h := &house{secrets: own, authors: secrets.NewAuthors(own)}
	if h.log, err = a.openLog(ctx, own, begins); err != nil {
		return nil, err
	}
	if err := h.open(ctx, a.registryPath(), a.console); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// openLog opens the ledger alone. Only an installation that begins has none yet.
func (a *app) openLog(ctx context.Context, s secrets.Secrets, begins bool) (*tlog.Log, error) {
	path, err := a.ledgerPath()
	if err != nil {
		return nil, err
	}
	signer, err := ledger.NewSigner(string(s.Log))
	if err != nil {
		return nil, err
	}
	log, err := tlog.Open(ctx, path, tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Create: begins})
	if errors.Is(err, tlog.ErrMissing) {
		return nil, &console.Problem{Code: "ledger_missing", What: "opening the ledger " + path, Why: "the installation's secrets are there, and its ledger is not", Exit: console.Failure, Cause: err,
			Next: "mount it, or put it back from its backup; if no card was ever made here, delete " + secrets.File + " and begin again"}
	}
	return log, err
}

// withLog opens the ledger without the registry: one looks at it also when it is no more what the registry knows.
func (a *app) withLog(ctx context.Context, use func(*tlog.Log) error) error {
	own, err := a.loadSecrets()
	if err != nil {
		return err
	}
	log, err := a.openLog(ctx, own, false)
	if err != nil {
		return err
	}
	defer log.Close() // nothing was written
	return use(log)
}

func (h *house) open(ctx context.Context, path string, c *console.Console) (err error) {
	h.registry, err = registry.Open(ctx, path, registry.Options{
		Ledger: h.log, Master: h.secrets.Master,
		Report: func(t registry.Tampered) { c.Say("%v", t) },
	})
	if err != nil {
		return err
	}
	h.validation = validation.New(validation.Options{
		Ledger: h.log, Registry: h.registry, Authors: h.authors, Master: h.secrets.Master, Now: time.Now, Random: rand.Reader,
	})
	return h.registry.Sync(ctx)
}

// Close closes what was opened. What was answered is durable already, so its errors change nothing.
func (h *house) Close() {
	if h.registry != nil {
		h.registry.Close()
	}
	if h.log != nil {
		h.log.Close()
	}
}

// station makes cards for this installation.
func (h *house) station(a *app) *station.Station {
	issuer := h.secrets.Issuers[0]
	if issuer.Name == "" {
		issuer.Name, issuer.URL = a.flags.issuerName, a.flags.issuerURL
	}
	return station.New(station.Options{
		Ledger: h.log, List: h.log, Registry: h.registry,
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

// loadSecrets reads the installation's secrets; fs.ErrNotExist in the chain when there is no installation. A ledger or a
// registry without them is one that lost them, or whose disk is not mounted: no place to begin another.
func (a *app) loadSecrets() (secrets.Secrets, error) {
	left, err := a.leftBehind() // before the secrets: another process that begins here makes them first
	if err != nil {
		return secrets.Secrets{}, err
	}
	own, err := secrets.Safe{Dir: a.flags.data}.Load()
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return own, err
	case left != "":
		return own, &console.Problem{Code: "secrets_missing", What: "opening " + a.flags.data, Why: left + " is there, and its " + secrets.File + " is not",
			Next: "put " + secrets.File + " back into " + a.flags.data + " from its backup; a new installation begins in another --data DIR", Exit: console.Failure}
	}
	return own, &console.Problem{Code: "no_installation", What: "opening " + a.flags.data, Why: "there is no installation in that folder",
		Next: "give --data DIR, or begin one with productid card personalise", Exit: console.Failure, Cause: err}
}

// leftBehind is a file that only an installation makes; empty where there is none.
func (a *app) leftBehind() (string, error) {
	path, err := a.ledgerPath()
	if err != nil {
		return "", err
	}
	for _, file := range []string{path, a.registryPath()} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return file, nil // what cannot be looked at is taken to be there
		}
	}
	return "", nil
}

// createSecrets begins an installation. Its log has a name of its own, so that receipts of two are told apart.
func (a *app) createSecrets() (secrets.Secrets, error) {
	if err := os.MkdirAll(a.flags.data, 0o700); err != nil {
		return secrets.Secrets{}, fmt.Errorf("beginning an installation: %w", err)
	}
	tag := make([]byte, 4)
	rand.Read(tag) // never errs
	own, err := secrets.New(fmt.Sprintf("productid-%x", tag), a.flags.issuerName, a.flags.issuerURL, rand.Reader, time.Now())
	if err == nil {
		err = secrets.Safe{Dir: a.flags.data}.Create(own)
	}
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return a.loadSecrets()
	}
	if err != nil {
		return secrets.Secrets{}, fmt.Errorf("beginning an installation: %w", err)
	}
	if !a.temporary {
		a.console.Say("new installation in %s, issuer %q (--issuer-name): keep its %s safe, it makes your cards yours",
			a.flags.data, a.flags.issuerName, secrets.File)
	}
	return own, nil
}

func (a *app) registryPath() string { return filepath.Join(a.flags.data, "registry.db") }

// ledgerPath is the file of the embedded ledger, the only kind there is.
func (a *app) ledgerPath() (string, error) {
	if a.flags.ledger == "" {
		return filepath.Join(a.flags.data, "ledger.db"), nil
	}
	path, ok := strings.CutPrefix(a.flags.ledger, "sqlite:")
	if !ok || path == "" {
		return "", console.Misuse("opening the ledger "+a.flags.ledger, "malformed: it is not sqlite:PATH", "give --ledger sqlite:PATH")
	}
	return path, nil
}
