package bundle

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// prove takes the ledger's proof of each message, in the ledger's order, and puts them together.
func (f *file) prove(ctx context.Context, l ledger.Ledger, phase ledger.Phase) error {
	all, known := f.inLedger(), parts{}
	for i, e := range all {
		wanted := ledger.Final
		if i == len(all)-1 {
			wanted = phase
		}
		proof, err := proofOf(ctx, l, e.message, wanted)
		if err == nil {
			err = f.add(e, proof, known)
		}
		if err != nil {
			return fmt.Errorf("proving message %d of channel %s: %w", e.message.Number(), e.message.Channel(), err)
		}
	}
	return f.finish(all, known)
}

// finish puts the hashes of a log's proofs together, under the last checkpoint.
func (p *proofs) finish(entries []*entry, known parts) error {
	if p.log == nil {
		return nil
	}
	end, err := claimed(p.log.checkpoint)
	if err == nil {
		p.log.hashes, err = known.prove(end.Size, indexes(entries))
	}
	if err != nil {
		return fmt.Errorf("putting the log's proofs together: %w: %w", err, ledger.ErrInvalidProof)
	}
	return nil
}

// proofOf asks the ledger for the proof of a message, waiting for a phase beyond Final.
func proofOf(ctx context.Context, l ledger.Ledger, m channel.Message, phase ledger.Phase) (ledger.Proof, error) {
	if phase <= ledger.Final {
		return l.Prove(ctx, m.Channel(), m.Number())
	}
	r, err := l.Await(ctx, ledger.Receipt{Channel: m.Channel(), Number: m.Number(), Hash: m.Hash()}, phase)
	return r.Proof, err
}

func indexes(all []*entry) (indexes []uint64) {
	for _, e := range all {
		indexes = append(indexes, e.index)
	}
	return indexes
}

// add takes the proof of one message. Of a log's checkpoints the last one stays.
func (p *proofs) add(e *entry, proof ledger.Proof, known parts) error {
	if proof.Kind == ledger.KindStardust {
		if p.stardust == nil {
			p.stardust = &stardustPart{}
		}
		return p.stardust.add(e, proof.Text)
	}
	parsed, err := ledger.ParseLogProof(proof.Text)
	if err != nil {
		return err
	}
	p.log = &logPart{checkpoint: string(parsed.Checkpoint)}
	end, err := claimed(p.log.checkpoint)
	if err == nil && parsed.Index != e.index {
		err = errTree
	}
	if err == nil {
		err = known.add(e.index, end.Size, parsed.Hashes)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, ledger.ErrInvalidProof)
	}
	return nil
}

// claimed reads what a checkpoint says, whoever signed it.
func claimed(note string) (c ledger.Checkpoint, err error) {
	lines := strings.SplitN(note, "\n", 4)
	if len(lines) < 4 {
		return c, fmt.Errorf("checkpoint of %d lines", len(lines))
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil {
		return c, fmt.Errorf("checkpoint's size: %w", err)
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, fmt.Errorf("checkpoint's root: %w", err)
	}
	return c, nil
}

// check wants of the ledger's answers the structure that Verify will want, and knows what a head has to name.
func (f *file) check() (*verifier, error) {
	v := &verifier{file: f}
	for _, check := range []func() error{v.proved, v.issuerChannel, v.tapChannel} {
		if err := check(); err != nil {
			return nil, fmt.Errorf("checking what the ledger answered: %w", err)
		}
	}
	return v, nil
}

// proved is proofs without a policy.
func (v *verifier) proved() error {
	if v.log == nil {
		if err := v.messages(); err != nil {
			return err
		}
		v.size, v.root = v.stardust.end()
		return nil
	}
	end, err := claimed(v.log.checkpoint)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ledger.ErrInvalidProof)
	}
	v.size, v.root = end.Size, end.Root
	return v.log.covers(v.inLedger(), end)
}

// anchorWith takes the message that records the checkpoint on another ledger.
func (f *file) anchorWith(e ledger.Evidence) error {
	a := &anchor{entry: newEntry(ledger.Entry{Message: e.Message})}
	if p, err := ledger.ParseLogProof(e.Proof.Text); err == nil && len(p.Extra) == 8 {
		a.entry.index, a.entry.time = p.Index, time.UnixMilli(int64(binary.BigEndian.Uint64(p.Extra))).UTC()
	}
	known := parts{}
	err := a.add(&a.entry, e.Proof, known)
	if err == nil {
		err = a.finish([]*entry{&a.entry}, known)
	}
	if err != nil {
		return fmt.Errorf("proof of the checkpoint's anchor: %w", err)
	}
	f.anchor = a
	return nil
}

// signHead lets the author say that the last message is the newest, as of when the channel was read.
func (v *verifier) signHead(author *channel.Author, asOf time.Time) error {
	newest := v.taps[len(v.taps)-1].message
	if author.Channel() != newest.Channel() {
		return fmt.Errorf("signing the head of channel %s: the author's is %s: %w", newest.Channel(), author.Channel(), channel.ErrWrongChannel)
	}
	signed, err := author.SignHead(channel.SignedHead{
		Number: newest.Number(), Hash: newest.Hash(), Time: asOf, LogSize: v.size, LogRoot: v.root,
	})
	if err != nil {
		return fmt.Errorf("signing the head: %w", err)
	}
	v.head = &head{signed.Time, signed.Signature}
	return nil
}
