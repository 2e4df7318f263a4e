package bundle

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// prove takes the ledger's proof of each message, that of the last leaf last, and puts them together under its checkpoint.
func (f *file) prove(ctx context.Context, l ledger.Ledger, phase ledger.Phase) (end ledger.Checkpoint, err error) {
	all, known := f.inLedger(), parts{}
	var indexes []uint64
	for i, e := range all {
		wanted := ledger.Final
		if i == len(all)-1 {
			wanted = phase
		}
		proof, err := proofOf(ctx, l, e.message, wanted)
		if err == nil {
			end, err = known.addProof(e.index, proof)
		}
		if err != nil {
			return end, fmt.Errorf("proving message %d of channel %s: %w", e.message.Number(), e.message.Channel(), err)
		}
		indexes = append(indexes, e.index)
		f.log.checkpoint = string(proof.Checkpoint)
	}
	if f.log.hashes, err = known.prove(end.Size, indexes); err != nil {
		return end, fmt.Errorf("putting the log's proofs together: %w: %w", err, ledger.ErrInvalidProof)
	}
	return end, f.check(end)
}

// proofOf asks the ledger for the proof of a message, waiting for a phase beyond Final.
func proofOf(ctx context.Context, l ledger.Ledger, m channel.Message, phase ledger.Phase) (ledger.LogProof, error) {
	var proof ledger.Proof
	var err error
	if phase > ledger.Final {
		var r ledger.Receipt
		r, err = l.Await(ctx, ledger.Receipt{Channel: m.Channel(), Number: m.Number(), Hash: m.Hash()}, phase)
		proof = r.Proof
	} else {
		proof, err = l.Prove(ctx, m.Channel(), m.Number())
	}
	if err != nil {
		return ledger.LogProof{}, err
	}
	return ledger.ParseLogProof(proof.Text)
}

// addProof takes the parts that a proof tells, and returns the checkpoint that it is of.
func (known parts) addProof(index uint64, p ledger.LogProof) (ledger.Checkpoint, error) {
	c, err := claimed(p.Checkpoint)
	if err == nil && p.Index != index {
		err = errTree
	}
	if err == nil {
		err = known.add(index, c.Size, p.Hashes)
	}
	if err != nil {
		return c, fmt.Errorf("%w: %w", err, ledger.ErrInvalidProof)
	}
	return c, nil
}

// claimed reads what a checkpoint says, whoever signed it.
func claimed(note []byte) (c ledger.Checkpoint, err error) {
	lines := strings.SplitN(string(note), "\n", 4)
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

// check wants of the ledger's answers what Verify will want.
func (f *file) check(end ledger.Checkpoint) error {
	v := &verifier{file: f, checkpoint: end}
	for _, check := range []func() error{v.issuerChannel, v.tapChannel, v.inTree} {
		if err := check(); err != nil {
			return fmt.Errorf("checking what the ledger answered: %w", err)
		}
	}
	return nil
}

// signHead lets the author say that the last message is the newest, as of when the channel was read.
func (f *file) signHead(author *channel.Author, asOf time.Time, end ledger.Checkpoint) error {
	newest := f.taps[len(f.taps)-1].message
	if author.Channel() != newest.Channel() {
		return fmt.Errorf("signing the head of channel %s: the author's is %s: %w", newest.Channel(), author.Channel(), channel.ErrWrongChannel)
	}
	signed, err := author.SignHead(channel.SignedHead{
		Number: newest.Number(), Hash: newest.Hash(), Time: asOf, LogSize: end.Size, LogRoot: channel.Hash(end.Root),
	})
	if err != nil {
		return fmt.Errorf("signing the head: %w", err)
	}
	f.head = &head{signed.Time, signed.Signature}
	return nil
}
