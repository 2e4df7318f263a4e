package secrets

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Move returns the secrets of the same installation on another ledger. They are Unbegun, with a key for a log of this origin; issuers
// are those whose channels come along, and former is whom to trust for what the old ledger recorded.
func (s Secrets) Move(origin string, issuers []channel.ID, former ledger.Policy, random io.Reader) (Secrets, error) {
	key, _, err := note.GenerateKey(random, origin)
	if err == nil {
		_, err = note.NewSigner(key)
	}
	if err != nil {
		return Secrets{}, fmt.Errorf("making secrets for %q: %w", origin, err)
	}
	s.Log, s.Unbegun, s.Keys, s.Issuers = LogKey(key), true, maps.Clone(s.Keys), slices.Clone(s.Issuers)
	for i := range s.Issuers {
		if slices.Contains(issuers, s.Issuers[i].Author().Channel()) {
			s.Issuers[i].Moved = true
		}
	}
	s.Former = ledger.Policy{
		Logs: slices.Concat(former.Logs, s.Former.Logs), Coordinators: slices.Concat(former.Coordinators, s.Former.Coordinators),
	}
	return s, nil
}

// Trusts returns whom the installation's own receipts ask to trust: its log, and former ledgers.
func (s Secrets) Trusts() (ledger.Policy, error) {
	signer, err := ledger.NewSigner(string(s.Log))
	if err != nil {
		return ledger.Policy{}, err
	}
	own := ledger.LogKey{Origin: signer.Name(), Key: signer.VerifierKey()}
	return ledger.Policy{Logs: append([]ledger.LogKey{own}, s.Former.Logs...), Coordinators: s.Former.Coordinators}, nil
}

// CameFrom reports whether the installation moved from this ledger, at some time.
func (s Secrets) CameFrom(origin string) bool {
	return slices.ContainsFunc(s.Former.Logs, func(k ledger.LogKey) bool { return k.Origin == origin }) ||
		slices.ContainsFunc(s.Former.Coordinators, func(c ledger.Coordinator) bool { return c.Network == origin })
}

// former is what a file of secrets holds of Former: nothing where it trusts nobody.
func (s Secrets) former() *ledger.Policy {
	if len(s.Former.Logs) == 0 && len(s.Former.Coordinators) == 0 {
		return nil
	}
	return &s.Former
}
