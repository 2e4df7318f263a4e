package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/move"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/ledger"
)

// secretsIn reads the secrets in another data folder.
func (a *app) secretsIn(ctx context.Context, dir string) (secrets.Secrets, error) {
	here := a.flags.data
	defer func() { a.flags.data = here }()
	a.flags.data = dir
	safe, err := a.safe(ctx)
	if err != nil {
		return secrets.Secrets{}, err
	}
	return safe.Load()
}

// importPolicy is whom to trust for the old ledger: who was named, else its own key.
func (a *app) importPolicy(ctx context.Context, f io.ReaderAt, source secrets.Secrets, trust trustFlags) (ledger.Policy, error) {
	if trust.chosen() {
		policy, _, err := trust.policy(ctx, a)
		return policy, err
	}
	head, err := move.ReadHeader(whole(f))
	if err != nil {
		return ledger.Policy{}, err
	}
	if head.Kind == kindStardust {
		return ledger.Policy{}, console.Misuse("choosing whom to trust", "the export is of a Stardust network, and nothing says who coordinates that", "give --policy FILE with its coordinator")
	}
	return source.Trusts()
}

// arrive makes the secrets of the installation on its new ledger, or finds those that an earlier import made.
func (a *app) arrive(ctx context.Context, p place, source secrets.Secrets, plan *move.Plan, policy ledger.Policy) (secrets.Secrets, error) {
	const what = "beginning the new data folder"
	own, err := a.loadSecrets(ctx)
	switch {
	case err == nil:
		if own.Master != source.Master || !own.CameFrom(plan.Header.Origin) {
			return own, console.Misuse(what+" "+a.flags.data, "there is another installation in it", "give --data NEW, a folder that is not there yet")
		}
		return own, nil
	case !errors.Is(err, fs.ErrNotExist):
		return own, err
	}
	origin := plan.To
	if p.kind == kindStardust {
		origin = logName() // of no log: it has one key, for nothing
	}
	if own, err = source.Move(origin, plan.Issuers, policy, rand.Reader); err != nil {
		return own, err
	}
	if err := a.fund(p, &own); err != nil {
		return own, err
	}
	if err := os.MkdirAll(a.flags.data, 0o700); err != nil {
		return own, fmt.Errorf("%s: %w", what, err)
	}
	safe, err := a.safe(ctx)
	if err == nil {
		err = safe.Create(own)
	}
	if err != nil {
		return own, fmt.Errorf("%s: %w", what, err)
	}
	return own, nil
}

// fund gives secrets that go to a network the key that pays there; one that they have stays, unless another was named.
func (a *app) fund(p place, own *secrets.Secrets) error {
	if _, kept := own.Keys[fundingPurpose]; p.kind != kindStardust || kept && a.flags.fundingKey == "" {
		return nil
	}
	return a.addFunding(own)
}

// whole reads a file from its beginning, wherever others are in it.
func whole(f io.ReaderAt) io.Reader { return io.NewSectionReader(f, 0, math.MaxInt64) }
