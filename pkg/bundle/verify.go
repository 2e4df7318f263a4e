package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/stardust"
)

// Verify checks a bundle under a policy, at the time now, and says what it proves. It
// needs nothing else. The error names the first thing that does not hold; Class
// tells its class. A record that does not hold is no error: as in a registry, it is named and
// changes nothing. Nothing is believed of a bundle that is refused.
func Verify(data []byte, policy ledger.Policy, now time.Time) (Report, error) {
	f, err := parse(data)
	if err != nil {
		return Report{}, err
	}
	v := &verifier{file: f, policy: policy, now: now}
	for _, check := range []func() error{
		v.messages, v.issuerChannel, v.tapChannel, v.recorded, v.issuer, v.fold, v.checkHead, v.checkAnchor,
	} {
		if err := check(); err != nil {
			return Report{}, fmt.Errorf("bundle of card %v: %w", f.card, err)
		}
	}
	return v.report(), nil
}

// verifier is a bundle on its way through the checks.
type verifier struct {
	*file
	policy ledger.Policy
	now    time.Time

	verdict
	states     *record.Map
	result     record.Card
	anchoredIn string // the ledger
}

// verdict is what proofs amount to.
type verdict struct {
	origin  string // of the log, or name of the network
	phase   ledger.Phase
	size    uint64 // what a signed head names: the log's size and root, or index and id of the last milestone
	root    [32]byte
	aliases map[channel.ID]stardust.Alias // on a Stardust network
}

// messages reads every message and checks its signature.
func (v *verifier) messages() error { return v.read(v.entries()) }

// read reads messages by themselves, and finds their places.
func (p proofs) read(entries []*entry) error {
	if p.stardust != nil {
		if err := p.stardust.readMilestones(entries); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if p.stardust != nil {
			if err := p.stardust.openBlock(e); err != nil {
				return err
			}
		}
		if err := e.read(); err != nil {
			return fmt.Errorf("message at index %d: %w", e.index, err)
		}
	}
	return nil
}

// read reads the message, or what is left of it.
func (e *entry) read() (err error) {
	if e.stub == nil {
		e.message, err = channel.Parse(e.raw)
		return err
	}
	stub, err := channel.ParseStub(e.stub)
	e.message = channel.Tombstone(stub)
	return err
}

// entries are all the messages of the bundle, in its order.
func (f *file) entries() []*entry {
	all := []*entry{&f.opening, &f.registration}
	for i := range f.taps {
		all = append(all, &f.taps[i])
	}
	return all
}

// issuerChannel wants opening and registration on one public channel. What stands between them is not in the bundle.
func (v *verifier) issuerChannel() error {
	opening, m := v.opening.message, v.registration.message
	if err := opening.Check(opening.Channel(), channel.Public, 0, channel.Hash{}); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	number, prev := max(m.Number(), 1), m.Prev()
	if number == 1 {
		prev = opening.Hash()
	}
	if err := m.Check(opening.Channel(), channel.Public, number, prev); err != nil {
		return fmt.Errorf("registration: %w", err)
	}
	return inOrder(v.opening, v.registration)
}

// tapChannel wants the messages of one public channel, from the first on and without a gap.
func (v *verifier) tapChannel() error {
	var prev channel.Hash
	for i, e := range v.taps {
		if err := e.message.Check(v.taps[0].message.Channel(), channel.Public, uint64(i), prev); err != nil {
			return fmt.Errorf("tap channel: %w", err)
		}
		if i > 0 {
			if err := inOrder(v.taps[i-1], e); err != nil {
				return fmt.Errorf("tap channel: %w", err)
			}
		}
		prev = e.message.Hash()
	}
	return nil
}

// inOrder wants two messages of one channel at places of the ledger in the same order.
func inOrder(a, b entry) error {
	if a.index >= b.index || a.time.After(b.time) {
		return fmt.Errorf("message %d stands in the ledger before message %d: %w",
			b.message.Number(), a.message.Number(), channel.ErrBrokenChain)
	}
	return nil
}

// inLedger are the entries in the ledger's order.
func (f *file) inLedger() []*entry {
	all := f.entries()
	slices.SortStableFunc(all, func(a, b *entry) int { return cmp.Compare(a.index, b.index) })
	return all
}

// recorded checks that the ledger recorded every message at the place where the bundle says.
func (v *verifier) recorded() (err error) {
	all := v.inLedger()
	for i := 1; i < len(all); i++ {
		if all[i-1].index == all[i].index {
			return fmt.Errorf("two messages at index %d: %w", all[i].index, ledger.ErrInvalidProof)
		}
	}
	v.verdict, err = v.proofs.verify(v.policy, all)
	return err
}

// verify checks entries, in the order of the ledger.
func (p proofs) verify(policy ledger.Policy, entries []*entry) (verdict, error) {
	if p.stardust != nil {
		return p.stardust.verify(policy, entries)
	}
	end, phase, err := policy.Checkpoint([]byte(p.log.checkpoint))
	if err == nil {
		err = p.log.covers(entries, end)
	}
	return verdict{origin: end.Origin, phase: phase, size: end.Size, root: end.Root}, err
}

// covers wants every message to be the leaf that it says in the checkpoint's tree.
func (p *logPart) covers(entries []*entry, end ledger.Checkpoint) error {
	var leaves []leafHash
	for _, e := range entries {
		leaves = append(leaves, leafHash{e.index, ledger.Leaf{Time: e.time, Stub: e.message.Stub()}.Hash()})
	}
	computed, err := root(end.Size, leaves, p.hashes)
	if err == nil && computed != end.Root {
		err = errTree
	}
	if err != nil {
		return fmt.Errorf("log %s: %w: %w", end.Origin, err, ledger.ErrInvalidProof)
	}
	return nil
}

// issuer wants an issuer of the policy, where that names any.
func (v *verifier) issuer() error {
	issuer := v.opening.message.Channel()
	if len(v.policy.Issuers) > 0 && !slices.Contains(v.policy.Issuers, issuer) {
		return fmt.Errorf("issuer %s: %w", issuer, ErrUntrustedIssuer)
	}
	return nil
}

// fold gives the messages to the one reducer, in the ledger's order.
func (v *verifier) fold() error {
	if err := v.opensItself(); err != nil {
		return err
	}
	v.states = record.NewMap()
	for _, e := range v.inLedger() {
		if e.index == v.registration.index {
			if err := v.skipToRegistration(); err != nil {
				return err
			}
		}
		if err := record.Fold(v.states, ledger.Entry{Message: e.message, Time: e.time, Index: e.index}); err != nil {
			return err
		}
	}
	card, found, err := v.states.Card(v.card)
	if err != nil {
		return err
	}
	if !found || card.Registered.Index != v.registration.index {
		return fmt.Errorf("%w%s", ErrNotRegistered, v.reason())
	}
	if len(v.taps) > 0 && v.taps[0].message.Channel() != card.Taps {
		return fmt.Errorf("messages of channel %s, and the card's is %s: %w", v.taps[0].message.Channel(), card.Taps, channel.ErrWrongChannel)
	}
	v.result = card.On(v.origin)
	return nil
}

// opensItself refuses an issuer's channel that succeeded a lost one: what stood on that, a bundle of this version does not show.
func (v *verifier) opensItself() error {
	body, err := v.opening.message.Body()
	if err != nil {
		return nil // removed: it opens nothing
	}
	r, err := record.Parse(body)
	if _, succeeds := r.Value.(record.IssuerSucceeded); err == nil && succeeds {
		return fmt.Errorf("issuer %s: its history before was lost: %w", v.opening.message.Channel(), ErrUnsupported)
	}
	return nil
}

// skipToRegistration goes over the messages of the issuer's channel that are not in the bundle: the ledger numbers them, the
// registration names the one before it, and none of them makes it hold. That none of them moved the issuer is the ledger's and the
// issuer's word.
func (v *verifier) skipToRegistration() error {
	issuer, found, err := v.states.Issuer(v.registration.message.Channel())
	if err != nil || !found {
		return err
	}
	m := v.registration.message
	issuer.Head.Number, issuer.Head.Hash = m.Number()-1, m.Prev()
	return v.states.PutIssuer(issuer)
}

// reason says why the registration does not hold, as far as that is known.
func (v *verifier) reason() string {
	for _, r := range v.states.Rejections() {
		if r.Index == v.registration.index {
			return ": " + string(r.Reason)
		}
	}
	return ""
}

// checkHead checks the author's word that the last message is the newest.
func (v *verifier) checkHead() error {
	if v.head == nil {
		return nil
	}
	newest := v.taps[len(v.taps)-1].message
	signed := channel.SignedHead{
		Channel: newest.Channel(), Number: newest.Number(), Hash: newest.Hash(), Time: v.head.time,
		LogSize: v.size, LogRoot: v.root, Signature: v.head.signature,
	}
	if err := signed.Verify(); err != nil {
		return err
	}
	if v.head.time.After(v.now.Add(Skew)) {
		return fmt.Errorf("signed at %s: %w", v.head.time.Format(time.RFC3339), ErrFutureHead)
	}
	return nil
}

// checkAnchor checks that another ledger recorded the bundle's checkpoint.
func (v *verifier) checkAnchor() error {
	if v.anchor == nil {
		return nil
	}
	entries := []*entry{&v.anchor.entry}
	if err := v.anchor.read(entries); err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	there, err := v.anchor.verify(v.policy, entries)
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	if there.origin == v.origin {
		return fmt.Errorf("anchor: the log is its own: %w", ledger.ErrInvalidProof)
	}
	body, err := v.anchor.entry.message.Body()
	if err != nil {
		return fmt.Errorf("anchor: %w: %w", err, ledger.ErrInvalidProof)
	}
	if !v.anchors(body) {
		return fmt.Errorf("anchor: of another checkpoint: %w", ledger.ErrInvalidProof)
	}
	v.anchoredIn = there.origin
	return nil
}
