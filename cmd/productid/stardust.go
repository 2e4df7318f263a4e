package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// fundingPurpose names the key in the installation's secrets that pays for channels on a Stardust network.
const fundingPurpose = "stardust funding"

// stardustForm is how --ledger names a network.
const stardustForm = "stardust:URL?inx=HOST:PORT, several nodes with commas between them"

// openStardust opens the network's ledger for this installation. Its archive is in the data folder.
func (a *app) openStardust(ctx context.Context, p place, own secrets.Secrets, authors *secrets.Authors) (*book, error) {
	nodes, err := stardust.ParseName(p.name)
	if err != nil {
		return nil, err
	}
	funding, err := a.fundingKey(own)
	if err != nil {
		return nil, err
	}
	l, err := stardust.Open(ctx, stardust.Options{
		Nodes: nodes, Archive: a.archivePath(), Funding: funding, Author: authors.Of, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	return &book{Ledger: l, Lister: l, stardust: l}, nil
}

func (a *app) archivePath() string { return filepath.Join(a.flags.data, "archive.db") }

// fundingKey is that of --funding-key, else the installation's own.
func (a *app) fundingKey(own secrets.Secrets) (ed25519.PrivateKey, error) {
	if a.flags.fundingKey != "" {
		return readFundingKey(a.flags.fundingKey)
	}
	seed, kept := own.Keys[fundingPurpose]
	if !kept {
		return nil, console.Misuse("opening the ledger", "nothing pays for channels there: this installation has no funding key", "give --funding-key FILE")
	}
	return ed25519.NewKeyFromSeed(seed[:]), nil
}

// readFundingKey reads a file with the 32 bytes of an Ed25519 seed in hex.
func readFundingKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the funding key: %w", err)
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, console.Misuse("reading the funding key "+path, "malformed: it is not 32 bytes in hex", "give the file that productid devnet up names, or one like it")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// addFunding gives the secrets of an installation that begins on a network the key that pays there, so that it is in their backup.
func (a *app) addFunding(own *secrets.Secrets) error {
	p, err := a.ledgerPlace()
	if err != nil || p.kind != kindStardust {
		return err
	}
	var seed channel.Seed
	if a.flags.fundingKey != "" {
		key, err := readFundingKey(a.flags.fundingKey)
		if err != nil {
			return err
		}
		seed = channel.Seed(key.Seed())
	} else {
		rand.Read(seed[:]) // never errs
	}
	if own.Keys == nil {
		own.Keys = make(map[string]channel.Seed)
	}
	own.Keys[fundingPurpose] = seed
	return nil
}

// coordinator is who decides the order on the network, as the nodes that --ledger names say.
func (b *book) coordinator(ctx context.Context) (ledger.Policy, error) {
	info, err := b.Info(ctx)
	if err != nil {
		return ledger.Policy{}, err
	}
	var c ledger.Coordinator
	if err := json.Unmarshal([]byte(info.VerifierKey), &c); err != nil {
		return ledger.Policy{}, fmt.Errorf("reading the coordinator's keys: %w", err)
	}
	return ledger.Policy{Coordinators: []ledger.Coordinator{c}}, nil
}

// stardustWords says whose money pays on the network, how much is left, and how its nodes are.
func stardustWords(w io.Writer, s stardust.Status) {
	console.Fields(w, "funding address", s.Address, "balance", fmt.Sprintf("%d, enough for %d channels", s.Balance, s.Balance/max(s.Deposit, 1)),
		"deposit", fmt.Sprintf("%d for each channel, locked for good", s.Deposit), "channels", fmt.Sprint(s.Channels), "undecided", fmt.Sprint(s.Undecided),
		"milestone", fmt.Sprint(s.Milestone))
	var rows [][]string
	for _, n := range s.Nodes {
		state := fmt.Sprintf("at milestone %d", n.Milestone)
		if n.Error != "" {
			state = console.Clean(n.Error)
		}
		rows = append(rows, []string{n.REST, map[bool]string{true: "in use"}[n.InUse], state})
	}
	console.Table(w, []string{"NODE", "", "STATE"}, rows)
}
