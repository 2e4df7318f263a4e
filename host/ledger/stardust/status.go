package stardust

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// lowFunds is below how many more channels Info warns.
const lowFunds = 10

// Status is how ledger, issuer's money and nodes are now.
type Status struct {
	Network   string       `json:"network"`
	Address   string       `json:"address"` // that funds and governs, bech32
	Balance   uint64       `json:"balance"` // of it, in base units, confirmed
	Deposit   uint64       `json:"deposit"` // that each channel locks, in base units
	Channels  uint64       `json:"channels"`
	Undecided uint64       `json:"undecided"` // messages that are taken and not final
	Ignored   uint64       `json:"ignored"`   // outputs under our issuer that are no message
	Missing   uint64       `json:"missing"`   // channels of whose history a part is not archived
	Milestone uint32       `json:"milestone"` // up to which the archive goes
	Nodes     []NodeStatus `json:"nodes"`
}

// NodeStatus is how one node is.
type NodeStatus struct {
	Node
	InUse     bool   `json:"inUse"`
	Error     string `json:"error,omitempty"` // why it does not answer
	Milestone uint32 `json:"milestone"`       // that it has applied
	Pruned    uint32 `json:"pruned"`          // milestones up to it are forgotten
	Synced    bool   `json:"synced"`
}

// Status describes ledger, money and nodes. That no node answers is no error of it.
func (l *Ledger) Status(ctx context.Context) (Status, error) {
	if err := l.usable(ctx); err != nil {
		return Status{}, err
	}
	s := Status{Network: l.params.NetworkName, Address: l.address(), Deposit: l.deposit, Nodes: make([]NodeStatus, len(l.nodes.all))}
	for query, to := range map[string]*uint64{
		"SELECT coalesce(sum(amount), 0) FROM funding":  &s.Balance,
		"SELECT count(*) FROM channel WHERE next > 0":   &s.Channels,
		"SELECT count(*) FROM channel WHERE first > 0":  &s.Missing,
		"SELECT count(*) FROM pending":                  &s.Undecided,
		"SELECT coalesce(sum(ignored), 0) FROM archive": &s.Ignored,
	} {
		if err := l.db.Read().QueryRowContext(ctx, query).Scan(to); err != nil {
			return Status{}, unreadable(ctx, err)
		}
	}
	s.Milestone = l.now()
	var wg sync.WaitGroup
	for i, n := range l.nodes.all {
		wg.Go(func() { s.Nodes[i] = n.describe(ctx) })
	}
	wg.Wait()
	s.Nodes[l.nodes.current.Load()].InUse = true
	return s, ctx.Err()
}

func (n *node) describe(ctx context.Context) NodeStatus {
	s := NodeStatus{Node: n.Node}
	status, err := n.status(ctx)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	s.Milestone, s.Pruned, s.Synced = status.GetLedgerIndex(), status.GetLedgerPruningIndex(), status.GetIsSynced()
	return s
}

// address returns the issuer's address as wallets write it.
func (l *Ledger) address() string { return l.issuer.Bech32(l.params.Bech32HRP) }

// Info describes the ledger. Its VerifierKey is the network's coordinator as a
// member of a policy's coordinators, in JSON.
func (l *Ledger) Info(ctx context.Context) (ledger.Info, error) {
	if err := l.current(ctx); err != nil {
		return ledger.Info{}, err
	}
	key, err := json.Marshal(l.coordinators(l.now())[0])
	if err != nil {
		return ledger.Info{}, err
	}
	info := ledger.Info{
		Kind:        "stardust",
		Origin:      l.params.NetworkName,
		VerifierKey: string(key),
		MaxMessage:  channel.MaxMessage,
		Highest:     ledger.Final,
		Uniqueness:  "the network's ledger: a channel is one alias, a number one of its states, and of two transactions that spend a state the later in white-flag order is refused",
		Retention:   "nodes forget; messages and their proofs are archived here, for ever, before they are called final",
		Finality:    "when a milestone has applied the transaction; until then nothing is known",
	}
	if err := l.db.Read().QueryRowContext(ctx, "SELECT size FROM archive").Scan(&info.Size); err != nil {
		return ledger.Info{}, unreadable(ctx, err)
	}
	info.Warnings, err = l.warnings(ctx)
	return info, err
}

// warnings say what whoever runs the ledger should see to.
func (l *Ledger) warnings(ctx context.Context) ([]string, error) {
	var warnings []string
	var balance, missing uint64
	if err := l.db.Read().QueryRowContext(ctx, "SELECT coalesce(sum(amount), 0) FROM funding").Scan(&balance); err != nil {
		return nil, unreadable(ctx, err)
	}
	if err := l.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM channel WHERE first > 0").Scan(&missing); err != nil {
		return nil, unreadable(ctx, err)
	}
	if more := balance / l.deposit; more < lowFunds {
		warnings = append(warnings, fmt.Sprintf("address %s has enough for %d more channels (%d each)", l.address(), more, l.deposit))
	}
	if missing > 0 {
		warnings = append(warnings, fmt.Sprintf("archive lacks history of %d channels that the nodes have forgotten: import it from an archive that has it", missing))
	}
	if down := l.nodes.downNow(); down > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d nodes do not answer", down, len(l.nodes.all)))
	}
	if l.params.MinPoWScore > 0 {
		warnings = append(warnings, fmt.Sprintf("network asks for proof of work (score %d): each submission takes that long", l.params.MinPoWScore))
	}
	return warnings, nil
}

func (p *nodes) downNow() (down int) {
	for _, n := range p.all {
		if n.down.Load() {
			down++
		}
	}
	return down
}
