package bundle

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/stardust/stardusttest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// Keys for tests alone.
const (
	origin    = "log.example/test"
	signerKey = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az"
	otherKey  = "PRIVATE+KEY+witness.example/test+1e9619bc+AaF/U7K/ARjytXH4PV0DYEjPC0wjI/skU7Ds+HHJcf4w"
)

// begin is the log's time at its first message; it goes on by a second a message.
var begin = time.UnixMilli(1_795_000_000_007).UTC()

// world is a log with an issuer, a card and others' messages in between.
type world struct {
	t      testing.TB
	log    *ledger.Memory
	signer ledger.Signer
	policy ledger.Policy
	now    time.Time
	issuer *recordtest.Chain
	taps   *recordtest.Chain
	others *recordtest.Chain
	card   *taptest.Card
}

// newWorld is one with an opened issuer.
func newWorld(t testing.TB) *world {
	signer, err := ledger.NewSigner(signerKey)
	require.NoError(t, err)
	w := &world{t: t, signer: signer, now: begin, card: taptest.NewCard("card"),
		issuer: recordtest.NewChain("issuer"), taps: recordtest.NewChain("taps"), others: recordtest.NewChain("others"),
		policy: ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: signer.VerifierKey()}}},
	}
	w.log = ledger.NewMemory(origin, signer, func() time.Time { w.now = w.now.Add(time.Second); return w.now })
	require.NoError(t, w.log.List(t.Context(), w.issuer.ID(), w.taps.ID(), w.others.ID()))
	w.say(w.issuer, recordtest.Body(recordtest.Opened("Example Dairy")))
	return w
}

// say records the next message of a channel.
func (w *world) say(c *recordtest.Chain, body []byte) {
	_, err := w.log.Submit(w.t.Context(), c.Say(body))
	require.NoError(w.t, err)
}

// noise records messages of somebody else.
func (w *world) noise(n int) {
	for range n {
		w.say(w.others, []byte(`{"kind":"weather"}`))
	}
}

// inService is a world whose card is in service, with the counters up to 3 used up.
func inService(t testing.TB) *world {
	w := newWorld(t)
	w.noise(2)
	w.say(w.issuer, recordtest.Body(recordtest.Registered(taptest.NewCard("first"), w.issuer.ID(), w.others.ID())))
	w.register()
	w.noise(1)
	w.say(w.taps, recordtest.Body(recordtest.InService(3)))
	return w
}

func (w *world) register() {
	w.say(w.issuer, recordtest.Body(recordtest.Registered(w.card, w.issuer.ID(), w.taps.ID())))
}

// tap records a tap, and others' messages before it.
func (w *world) tap(counter uint32) {
	w.noise(int(counter) % 3)
	w.say(w.taps, recordtest.Body(recordtest.Tapped(w.card, counter)))
}

// tapped is a world with n taps.
func tapped(t testing.TB, n int) *world {
	w := inService(t)
	for i := range n {
		w.tap(uint32(4 + i))
	}
	w.noise(3)
	return w
}

// options are those of a bundle with the author's word.
func (w *world) options() Options {
	return Options{Author: w.taps.Author, Now: func() time.Time { return w.now }}
}

func (w *world) make(o Options) []byte {
	data, err := Make(w.t.Context(), w.log, w.issuer.ID(), w.card.ID(), o)
	require.NoError(w.t, err)
	return data
}

// file is the world's bundle, to be changed.
func (w *world) file() *file {
	f, err := parse(w.make(w.options()))
	require.NoError(w.t, err)
	v := &verifier{file: f}
	require.NoError(w.t, v.messages())
	return f
}

// verify checks a bundle as whoever trusts the log does.
func (w *world) verify(data []byte) (Report, error) { return Verify(data, w.policy, w.now) }

// printed is a report as others read it.
func printed(t testing.TB, r Report) string {
	text, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	return string(text)
}

// cosigned is a log whose newest checkpoint witnesses have cosigned.
type cosigned struct {
	ledger.Ledger
	witnesses []ledger.WitnessSigner
}

func (l cosigned) Await(ctx context.Context, r ledger.Receipt, _ ledger.Phase) (ledger.Receipt, error) {
	proof, err := l.Prove(ctx, r.Channel, r.Number)
	if err != nil {
		return r, err
	}
	parsed, err := ledger.ParseLogProof(proof.Text)
	if err != nil {
		return r, err
	}
	for _, w := range l.witnesses {
		line, err := w.Cosign(parsed.Checkpoint, begin)
		if err != nil {
			return r, err
		}
		parsed.Checkpoint = append(parsed.Checkpoint, line...)
	}
	r.Proof = ledger.Proof{Kind: ledger.KindTlog, Text: parsed.Marshal()}
	return r, nil
}

// witnessed is the world's bundle with the cosignatures of two witnesses, and the policy that asks for both.
func (w *world) witnessed() ([]byte, ledger.Policy) {
	policy := w.policy
	var witnesses []ledger.WitnessSigner
	for _, name := range []string{"witness.example/one", "witness.example/two"} {
		s, err := ledger.NewWitnessSigner(name, stardusttest.Key(byte(len(witnesses)+20)))
		require.NoError(w.t, err)
		witnesses = append(witnesses, s)
		policy.Witnesses = append(policy.Witnesses, s.VerifierKey())
	}
	policy.Quorum = 2
	o := w.options()
	o.Phase = ledger.Witnessed
	data, err := Make(w.t.Context(), cosigned{w.log, witnesses}, w.issuer.ID(), w.card.ID(), o)
	require.NoError(w.t, err)
	return data, policy
}
