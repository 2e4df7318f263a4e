package bundle

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/stardust/stardusttest"
	"github.com/productid/productid/pkg/tap/taptest"
)

const network = "private network"

// tangle is a Stardust network with an issuer and a card: a ledger as far as Make needs one.
type tangle struct {
	ledger.Ledger
	t       testing.TB
	keys    []ed25519.PrivateKey
	aliases map[channel.ID]*stardusttest.Chain
	entries map[channel.ID][]ledger.Entry
	proofs  map[channel.ID][]ledger.Proof
	number  uint32 // of the last milestone

	issuer, taps *recordtest.Chain
	card         *taptest.Card
}

// spoken is a message that waits for a milestone.
type spoken struct {
	m     channel.Message
	block []byte
}

// newTangle is one whose card is in service and was tapped n times, two taps a milestone.
func newTangle(t testing.TB, n int) *tangle {
	w := &tangle{t: t, keys: []ed25519.PrivateKey{stardusttest.Key(3), stardusttest.Key(4)}, number: 4_000_000, aliases: map[channel.ID]*stardusttest.Chain{},
		entries: map[channel.ID][]ledger.Entry{}, proofs: map[channel.ID][]ledger.Proof{},
		issuer: recordtest.NewChain("issuer"), taps: recordtest.NewChain("taps"), card: taptest.NewCard("card")}
	w.milestone(w.say(w.issuer, recordtest.Body(recordtest.Opened("Example Dairy"))))
	w.milestone(w.say(w.issuer, []byte(`{"kind":"weather"}`)))
	w.milestone(w.say(w.issuer, recordtest.Body(recordtest.Registered(w.card, w.issuer.ID(), w.taps.ID()))))
	w.milestone(w.say(w.taps, recordtest.Body(recordtest.InService(3))))
	for i := 0; i < n; i += 2 {
		w.milestone(w.tap(uint32(4+i)), w.tap(uint32(5+i)))
	}
	return w
}

func (w *tangle) tap(counter uint32) spoken {
	return w.say(w.taps, recordtest.Body(recordtest.Tapped(w.card, counter)))
}

func (w *tangle) say(c *recordtest.Chain, body []byte) spoken {
	id := c.ID()
	if w.aliases[id] == nil {
		w.aliases[id] = &stardusttest.Chain{Network: network, Channel: id[:], Author: stardusttest.Signer{Public: id[:], Sign: c.Author.SignDigest},
			Issuer: stardusttest.SignerOf(stardusttest.Key(2))}
	}
	m := c.Say(body)
	return spoken{m, w.aliases[id].Next(w.t, m.Bytes())}
}

// milestone applies transactions, among others.
func (w *tangle) milestone(applied ...spoken) {
	w.number++
	blocks := stardusttest.Blocks(nil, 0, 3)
	for _, s := range applied {
		b, err := stardust.ParseBlock(s.block)
		require.NoError(w.t, err)
		blocks = append(blocks, b.ID)
	}
	blocks = append(blocks, stardusttest.Blocks(nil, 0, 4)...)
	at := begin.Truncate(time.Second).Add(time.Duration(w.number-4_000_000) * time.Second)
	milestone := stardusttest.Milestone(w.t, w.number, at, blocks, nil, w.keys...)
	for i, s := range applied {
		index := 3 + i
		path, err := stardust.NewPath(blocks, index)
		require.NoError(w.t, err)
		id := s.m.Channel()
		w.entries[id] = append(w.entries[id], ledger.Entry{Message: s.m, Time: at, Index: uint64(w.number)<<32 | uint64(index)})
		w.proofs[id] = append(w.proofs[id], ledger.StardustProof{Path: path, Milestone: milestone, Block: s.block}.Proof())
	}
}

func (w *tangle) Range(_ context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	all := w.entries[id]
	if len(all) == 0 {
		return nil, ledger.ErrNoChannel
	}
	all = all[min(from, uint64(len(all))):]
	return all[:min(n, len(all))], nil
}

func (w *tangle) Prove(_ context.Context, id channel.ID, n uint64) (ledger.Proof, error) {
	return w.proofs[id][n], nil
}

func (w *tangle) policy() ledger.Policy {
	c := ledger.Coordinator{Network: network, Threshold: 2}
	for _, k := range w.keys {
		c.Keys = append(c.Keys, hex.EncodeToString(k.Public().(ed25519.PublicKey)))
	}
	return ledger.Policy{Coordinators: []ledger.Coordinator{c}, Issuers: []channel.ID{w.issuer.ID()}}
}

func (w *tangle) now() time.Time { return begin.Add(time.Hour) }

func (w *tangle) make() []byte {
	data, err := Make(w.t.Context(), w, w.issuer.ID(), w.card.ID(), Options{Author: w.taps.Author, Now: w.now})
	require.NoError(w.t, err)
	return data
}

func TestABundleOnStardust(t *testing.T) {
	w := newTangle(t, 4)
	data := w.make()
	r, err := Verify(data, w.policy(), w.now())
	require.NoError(t, err)
	assert.Equal(t, network, r.Ledger)
	assert.Equal(t, uint64(4), r.Taps)
	assert.Equal(t, uint32(7), r.Last)
	assert.Equal(t, record.StateInService, r.State)
	assert.Equal(t, &Alias{w.aliases[w.taps.ID()].Alias(), stardust.AddressOf(stardusttest.Key(2).Public().(ed25519.PublicKey))}, r.Alias)
	assert.Equal(t, w.now(), r.AsOf)

	f, err := parse(data)
	require.NoError(t, err)
	assert.Len(t, f.stardust.raw, 5, "milestones are stated once")
	assert.Equal(t, string(data), string(f.marshal()))
}

// TestAChangedByteOnStardust leaves out what no verifier looks at: signatures by keys that nobody trusts, and a position
// within a milestone that its root leaves open.
func TestAChangedByteOnStardust(t *testing.T) {
	w := newTangle(t, 1)
	requireFirm(t, w.make(), w.policy(), w.now())
}

// anchoredOnStardust is a log's bundle whose checkpoint is recorded on a network, and the policy that trusts both.
func anchoredOnStardust(t testing.TB) ([]byte, ledger.Policy, *world) {
	w, n, anchors := tapped(t, 1), newTangle(t, 0), recordtest.NewChain("anchors")
	n.milestone(n.say(anchors, []byte(w.checkpointBody())))
	o := w.options()
	o.Anchored = func(context.Context, []byte) (ledger.Evidence, error) {
		return ledger.Evidence{Message: n.entries[anchors.ID()][0].Message, Proof: n.proofs[anchors.ID()][0]}, nil
	}
	policy := w.policy
	policy.Coordinators = n.policy().Coordinators
	return w.make(o), policy, w
}

func TestABundleAnchoredOnStardust(t *testing.T) {
	data, policy, w := anchoredOnStardust(t)
	r, err := Verify(data, policy, w.now)
	require.NoError(t, err)
	assert.Equal(t, &Anchor{network, recordtest.NewChain("anchors").ID(), begin.Truncate(time.Second).Add(5 * time.Second)}, r.Anchor)
	assert.Equal(t, ledger.Anchored, r.Phase)
}

// badTangles are the kinds of bad bundles that only a Stardust network has.
func badTangles(t testing.TB) []bad {
	w := newTangle(t, 4)
	changed := func(class, name string, change func(f *file)) bad {
		f, err := parse(w.make())
		require.NoError(t, err)
		change(f)
		return bad{name, class, f.marshal(), w.policy(), w.now()}
	}
	text := func(name, old, new string) bad {
		return bad{name, "malformed", bytes.Replace(w.make(), []byte(old), []byte(new), 1), w.policy(), w.now()}
	}
	under := func(class, name string, change func(*ledger.Policy)) bad {
		p := w.policy()
		change(&p)
		return bad{name, class, w.make(), p, w.now()}
	}
	all := []bad{
		changed("malformed", "a message of a log among blocks", func(f *file) { f.taps[1] = entry{raw: []byte("x"), time: begin} }),
		text("a log and a network", `"stardust":`, `"log":{"checkpoint":"","hashes":""},"stardust":`),
		text("neither log nor network", `"stardust":`, `"stardusd":`),
		text("an anchor of a network", `"stardust":`, `"anchor":{"message":{"index":0,"time":0,"message":""},"log":{"checkpoint":"","hashes":""}},"stardust":`),
		changed("malformed", "a milestone that is not there", func(f *file) { f.taps[4].block.milestone = 5 }),
		changed("malformed", "a milestone that nobody needs", func(f *file) { f.stardust.raw = append(f.stardust.raw, f.stardust.raw[4]) }),
		changed("malformed", "a later milestone that nobody needs", func(f *file) {
			f.stardust.raw = append(f.stardust.raw, stardusttest.Milestone(t, 5_000_000, w.now(), stardusttest.Blocks(nil, 0, 1), nil, w.keys...))
		}),
		changed("malformed", "milestones exchanged", func(f *file) {
			f.stardust.raw[0], f.stardust.raw[1] = f.stardust.raw[1], f.stardust.raw[0]
			f.opening.block.milestone, f.registration.block.milestone = 1, 0
		}),
		changed("broken_chain", "a tap left out on a network", func(f *file) { f.taps = append(f.taps[:2], f.taps[3:]...) }),
		changed("broken_chain", "a position that puts taps out of order", func(f *file) { f.taps[1].block.path.Index = 7 }),
		changed("invalid_proof", "a milestone cut off", func(f *file) { f.stardust.raw[2] = f.stardust.raw[2][:100] }),
		changed("invalid_proof", "a milestone's signature", func(f *file) { last(f.stardust.raw[2])[3] ^= 1 }),
		changed("invalid_proof", "a milestone with another root", func(f *file) { f.stardust.raw[2][len(f.stardust.raw[2])-2*97-1-1-2-32] ^= 1 }),
		changed("invalid_proof", "a block cut off", func(f *file) { f.taps[1].block.raw = f.taps[1].block.raw[:200] }),
		changed("invalid_proof", "a block with a byte more", func(f *file) { f.taps[1].block.raw = append(f.taps[1].block.raw, 0) }),
		changed("invalid_proof", "another nonce of a block", func(f *file) { last(f.taps[1].block.raw)[63] ^= 1 }),
		changed("invalid_proof", "another output", func(f *file) { f.taps[1].block.output = 3 }),
		changed("invalid_proof", "a path too short", func(f *file) { p := &f.taps[1].block.path; p.Hashes = p.Hashes[1:] }),
		changed("invalid_proof", "a path changed", func(f *file) { f.taps[1].block.path.Hashes[0][0] ^= 1 }),
		changed("invalid_proof", "an index beyond the size", func(f *file) { f.taps[4].block.path.Index = 9 }),
		changed("invalid_proof", "a size with the same turns that is not the least", func(f *file) { f.opening.block.path.Size++ }),
		changed("invalid_proof", "a size of zero", func(f *file) { f.taps[4].block.path.Size = 0 }),
		changed("bad_signature", "the newest taps kept back on a network", func(f *file) { f.taps, f.stardust.raw = f.taps[:3], f.stardust.raw[:4] }),
		under("invalid_proof", "under a policy with another network", func(p *ledger.Policy) { p.Coordinators[0].Network = "another" }),
		under("invalid_proof", "under another coordinator's key", func(p *ledger.Policy) {
			p.Coordinators[0].Keys[0] = hex.EncodeToString(stardusttest.Key(9).Public().(ed25519.PublicKey))
		}),
		under("untrusted_issuer", "of an issuer that is not trusted, on a network", func(p *ledger.Policy) { p.Issuers[0] = w.taps.ID() }),
	}
	return append(all, editedTangles(t)...)
}

// editedTangles are bundles of transactions that a ledger would not have applied, or that were not the channel's alias.
func editedTangles(t testing.TB) []bad {
	edited := func(class, name string, edit func(c *stardusttest.Chain)) bad {
		w := newTangle(t, 0)
		f, err := parse(w.make())
		require.NoError(t, err)
		require.NoError(t, f.stardust.readMilestones(f.entries()))
		edit(w.aliases[w.taps.ID()])
		w.milestone(w.tap(4))
		id := w.taps.ID()
		e := entry{raw: w.entries[id][1].Message.Bytes()}
		require.NoError(t, f.stardust.add(&e, w.proofs[id][1].Text))
		f.taps, f.head = append(f.taps, e), nil
		return bad{name, class, f.marshal(), w.policy(), w.now()}
	}
	essence := func(change func(a *iotago.AliasOutput)) func(c *stardusttest.Chain) {
		return func(c *stardusttest.Chain) {
			c.Edit = func(e *iotago.TransactionEssence) { change(e.Outputs[0].(*iotago.AliasOutput)) }
		}
	}
	return []bad{
		edited("invalid_proof", "a tap on a second alias", essence(func(a *iotago.AliasOutput) { a.AliasID = iotago.AliasID{9} })),
		edited("invalid_proof", "a tap under another state index", essence(func(a *iotago.AliasOutput) { a.StateIndex++ })),
		edited("invalid_proof", "an alias of another channel", essence(func(a *iotago.AliasOutput) { a.ImmutableFeatures[1] = &iotago.MetadataFeature{Data: []byte("x")} })),
		edited("invalid_proof", "an alias without an issuer", essence(func(a *iotago.AliasOutput) { a.ImmutableFeatures = a.ImmutableFeatures[1:] })),
		edited("invalid_proof", "a transaction that the author did not sign", func(c *stardusttest.Chain) { c.Author = c.Issuer }),
		edited("invalid_proof", "a tap on another network", func(c *stardusttest.Chain) { c.Network = "another" }),
		edited("malformed", "an alias with no message", essence(func(a *iotago.AliasOutput) { a.StateMetadata = a.StateMetadata[:9] })),
	}
}

func TestEveryBadBundleOnStardustIsRefused(t *testing.T) {
	for _, b := range badTangles(t) {
		r, err := Verify(b.data, b.policy, b.now)
		assert.Equal(t, b.class, Class(err), "%s: %v", b.name, err)
		assert.Equal(t, Report{}, r, b.name)
	}
}

func TestStardustReportNamesNoIssuerThatThePolicyDoesNot(t *testing.T) {
	w := newTangle(t, 1)
	p := w.policy()
	p.Issuers = nil
	r, err := Verify(w.make(), p, w.now())
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(r.Trusted), "the policy names none")
}
