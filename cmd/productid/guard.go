package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/tlog"
)

// guardFile is where this machine remembers the newest state of a log: outside the data folder, so that an old copy of that does not
// take the memory back too. Only what is gone at the end keeps it inside.
func (a *app) guardFile(origin string) (string, error) {
	switch {
	case a.flags.guard != "":
		return a.flags.guard, nil
	case a.temporary:
		return filepath.Join(a.flags.data, "ledger.guard"), nil
	}
	folder, err := stateFolder(a.env, "guards")
	if err != nil {
		return "", fmt.Errorf("%w: --guard FILE names another place", err)
	}
	return filepath.Join(folder, url.PathEscape(origin)+".guard"), nil
}

// lookAtLog opens a log to be looked at, whatever its guard says and without its signer: the installation's own, or a copy of
// anybody's under the key that was given.
func (a *app) lookAtLog(ctx context.Context, p place, trust trustFlags) (*book, error) {
	policy, _, err := trust.policy(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(policy.Logs) == 0 {
		return nil, console.Misuse("opening the ledger "+p.String(), "the policy trusts no log", "give --policy FILE, or --origin and --key")
	}
	log, err := tlog.OpenReader(ctx, p.name, policy.Logs[0].Origin, policy.Logs[0].Key)
	if err != nil {
		return nil, missing(p, err)
	}
	return &book{Ledger: log, log: log}, nil
}

// unlike says in how far a log is not what this machine remembers of it, or not what somebody kept a checkpoint of: each in one
// line. An error says that it could not be compared.
func (a *app) unlike(ctx context.Context, log *tlog.Log, kept []byte) (findings []string, err error) {
	path, err := a.guardFile(log.Origin())
	if err != nil {
		return nil, err
	}
	remembered, err := tlog.ReadGuard(path)
	switch {
	case errors.Is(err, tlog.ErrBadGuard):
		findings = append(findings, err.Error())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	for _, c := range []struct {
		whose string
		text  []byte
	}{{"what this machine remembers", remembered}, {"the checkpoint that was given", kept}} {
		if c.text == nil {
			continue
		}
		err := log.Against(ctx, c.text)
		if errors.Is(err, tlog.ErrRolledBack) || errors.Is(err, tlog.ErrForked) {
			findings = append(findings, fmt.Sprintf("compared with %s: %v", c.whose, err))
		} else if err != nil {
			return nil, fmt.Errorf("comparing the ledger with %s: %w", c.whose, err)
		}
	}
	return findings, nil
}
