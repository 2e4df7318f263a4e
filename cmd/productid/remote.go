package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/registry"
)

// reading is a ledger that messages are read from, and what is known about its cards: nothing where others serve it.
type reading struct {
	*book
	registry *registry.Registry
}

// withReading opens the installation's own ledger as every verb does, or one that others serve, for which nothing is needed but to
// know whom to trust.
func (a *app) withReading(ctx context.Context, trust trustFlags, use func(reading) error) error {
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	if p.kind == kindServed {
		b, err := a.openServed(ctx, p, trust)
		if err != nil {
			return err
		}
		defer b.Close() // nothing was written
		return use(reading{b, nil})
	}
	h, err := a.openHouse(ctx, existing)
	if err != nil {
		return err
	}
	defer h.Close()
	return use(reading{h.ledger, h.registry})
}

// openServed opens a log that others serve. The newest checkpoint that was verified is kept, so that a log which is not what it was
// is found out the next time too.
func (a *app) openServed(ctx context.Context, p place, trust trustFlags) (*book, error) {
	const what = "opening the ledger"
	if !trust.chosen() {
		return nil, console.Misuse(what+" "+p.String(), "it is served by others, and nothing says which key signs it", "give --policy FILE, or --origin and --key as whoever you trust told you")
	}
	policy, _, err := trust.policy(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(policy.Logs) == 0 {
		return nil, console.Misuse(what+" "+p.String(), "the policy trusts no log", "give --policy FILE, or --origin and --key")
	}
	origin := policy.Logs[0].Origin
	if trust.origin != "" {
		origin = trust.origin
	}
	folder, err := stateFolder(a.env, "seen")
	if err != nil {
		return nil, err
	}
	client, err := tiles.NewClient(tiles.Options{
		URL: p.name, Policy: policy, Origin: origin, State: filepath.Join(folder, url.PathEscape(origin)),
	})
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, p, err)
	}
	return &book{Ledger: client}, nil
}

// stateFolder is the user's folder for what one of our jobs has to remember outside every data folder: a backup of that, put back,
// must not take the memory back too (XDG Base Directory Specification). A service of systemd has no home: it has a StateDirectory=.
func stateFolder(env func(string) string, job string) (string, error) {
	base := env("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		given := filepath.SplitList(env("STATE_DIRECTORY"))
		switch {
		case len(given) > 0 && (err != nil || home == "/"):
			base = given[len(given)-1]
		case err != nil:
			return "", fmt.Errorf("finding the user's state folder: %w", err)
		default:
			base = filepath.Join(home, ".local", "state")
		}
	}
	folder := filepath.Join(base, "productid", job)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("making the user's state folder: %w", err)
	}
	return folder, nil
}
