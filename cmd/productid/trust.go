package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/ledger"
)

// trustFlags say which log's signature a proof has to carry.
type trustFlags struct{ file, origin, key string }

func (f *trustFlags) declare(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "policy", "", "JSON `file` of the ledgers, witnesses and issuers to trust")
	c.Flags().StringVar(&f.origin, "origin", "", "`name` of the one log to trust, with --key")
	c.Flags().StringVar(&f.key, "key", "", "the log's verifier `key`, as productid ledger info shows it")
}

// chosen says that somebody was named.
func (f trustFlags) chosen() bool { return f != trustFlags{} }

// policy is what to trust, and in words whose choice that is.
func (f trustFlags) policy(ctx context.Context, a *app) (ledger.Policy, string, error) {
	const what = "choosing whom to trust"
	switch {
	case f.file != "":
		text, err := os.ReadFile(f.file)
		if err != nil {
			return ledger.Policy{}, "", fmt.Errorf("%s: %w", what, err)
		}
		p, err := ledger.ParsePolicy(text)
		if err != nil {
			return ledger.Policy{}, "", console.Misuse(what, "malformed: "+err.Error(), `give a file like {"logs":[{"origin":"…","key":"…"}]}`)
		}
		return p, "the policy " + f.file, nil
	case f.origin != "" && f.key != "":
		return ledger.Policy{Logs: []ledger.LogKey{{Origin: f.origin, Key: f.key}}}, "the key given for " + f.origin, nil
	case f.origin != "" || f.key != "":
		return ledger.Policy{}, "", console.Misuse(what, "--origin and --key go together", "give both, or --policy FILE")
	}
	p, err := a.ledgerPlace()
	if err != nil {
		return ledger.Policy{}, "", err
	}
	if p.kind == kindStardust {
		return a.ownCoordinator(ctx, p)
	}
	own, err := a.loadSecrets(ctx)
	if err != nil {
		return ledger.Policy{}, "", err
	}
	policy, err := own.Trusts()
	return policy, "the own log of " + a.flags.data, err
}

// policyOn is policy where the ledger is open already.
func (f trustFlags) policyOn(ctx context.Context, a *app, b *book) (ledger.Policy, string, error) {
	if f.chosen() || b.stardust == nil {
		return f.policy(ctx, a)
	}
	policy, err := b.coordinator(ctx)
	if err != nil {
		return ledger.Policy{}, "", err
	}
	own, err := a.loadSecrets(ctx)
	policy.Logs, policy.Coordinators = own.Former.Logs, append(policy.Coordinators, own.Former.Coordinators...)
	return policy, "the coordinator that the nodes of --ledger follow", err
}

// ownCoordinator trusts whom the nodes of the installation's own ledger follow.
func (a *app) ownCoordinator(ctx context.Context, p place) (ledger.Policy, string, error) {
	b, err := a.openOwn(ctx, p, trustFlags{})
	if err != nil {
		return ledger.Policy{}, "", err
	}
	defer b.Close() // nothing was written
	return trustFlags{}.policyOn(ctx, a, b)
}
