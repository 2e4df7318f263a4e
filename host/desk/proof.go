package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

func noService(err error) bool { return errors.Is(err, settings.ErrNoService) }

// prove returns the newest message of the card's tap channel with its proof, and its author's word that it is the newest as of a time
// before the channel was read.
func (d *Desk) prove(ctx context.Context, card record.Card, asOf time.Time) (*Proof, error) {
	at := card.Head
	entries, err := d.Ledger.Range(ctx, at.Channel, at.Number, 1)
	if err == nil && len(entries) == 0 {
		err = ledger.ErrNoMessage
	}
	if err != nil {
		return nil, err
	}
	m := entries[0].Message
	proof, err := d.Ledger.Prove(ctx, at.Channel, at.Number)
	if err != nil {
		return nil, err
	}
	p := &Proof{Evidence: ledger.Evidence{Message: m, Proof: proof}}
	author, err := d.Authors.Taps(card.Issuer, card.ID)
	if errors.Is(err, secrets.ErrElsewhere) || err == nil && author.Channel() != at.Channel {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	head := channel.SignedHead{Number: m.Number(), Hash: m.Hash(), Time: asOf}
	if head.LogSize, head.LogRoot, err = d.covered(ctx, p.Evidence); err != nil {
		return nil, fmt.Errorf("reading the ledger's proof: %w", err)
	}
	head, err = author.SignHead(head)
	p.Head = &head
	return p, err
}

// covered is what a signed head names of a ledger, as docs/formats/channel.md has it: size and root of the log that the proof shows, or
// index and id of the milestone.
func (d *Desk) covered(ctx context.Context, e ledger.Evidence) (uint64, channel.Hash, error) {
	if e.Proof.Kind == ledger.KindStardust {
		p, err := ledger.ParseStardustProof(e.Proof.Text)
		if err != nil {
			return 0, channel.Hash{}, err
		}
		s, err := p.Open(e.Message)
		return uint64(s.Milestone.Index), channel.Hash(s.Milestone.ID), err
	}
	p, err := ledger.ParseLogProof(e.Proof.Text)
	if err != nil {
		return 0, channel.Hash{}, err
	}
	info, err := d.Ledger.Info(ctx)
	if err != nil {
		return 0, channel.Hash{}, err
	}
	own := ledger.Policy{Logs: []ledger.LogKey{{Origin: info.Origin, Key: info.VerifierKey}}}
	c, _, err := own.Checkpoint(p.Checkpoint)
	return c.Size, channel.Hash(c.Root), err
}
