package bundle

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

func TestABundleTellsACardsStory(t *testing.T) {
	w := tapped(t, 3)
	data := w.make(w.options())
	r, err := w.verify(data)
	require.NoError(t, err)
	assert.Equal(t, Report{
		Card: w.card.ID(), Issuer: w.issuer.ID(), IssuerName: "Example Dairy", Channel: w.taps.ID(), Ledger: origin,
		Phase: ledger.Final, Registered: begin.Add(5 * time.Second), Newest: begin.Add(13 * time.Second), AsOf: begin.Add(16 * time.Second),
		State: record.StateInService, Last: 6, Taps: 3, Messages: 4, Proved: r.Proved, Trusted: r.Trusted,
	}, r)
	assert.Len(t, r.Proved, 4)
	assert.Len(t, r.Trusted, 4)

	f, err := parse(data)
	require.NoError(t, err)
	assert.Equal(t, string(data), string(f.marshal()), "what was read is written again")
}

// TestTheReportSaysWhatIsMissing: without the author's word nobody says that nothing newer exists.
func TestTheReportSaysWhatIsMissing(t *testing.T) {
	w := tapped(t, 1)
	r, err := w.verify(w.make(Options{}))
	require.NoError(t, err)
	assert.Zero(t, r.AsOf)
	assert.Contains(t, r.Trusted, "nobody says that the tap channel has nothing newer")
	_, err = Verify(w.make(w.options()), w.policy, w.now.Add(-Skew))
	require.NoError(t, err, "clocks differ")
}

// TestABundleFoldsAsARegistryDoes compares with a fold of the whole ledger: records that hold, that do not, that are unknown.
func TestABundleFoldsAsARegistryDoes(t *testing.T) {
	for name, w := range goodWorlds(t) {
		t.Run(name, func(t *testing.T) {
			all := record.NewMap()
			require.NoError(t, w.log.Follow(t.Context(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
				for _, e := range batch {
					if err := record.Fold(all, e); err != nil {
						return err
					}
				}
				if len(batch) == 0 {
					return ledger.ErrStop
				}
				return nil
			}))
			want, found, err := all.Card(w.card.ID())
			require.NoError(t, err)
			require.True(t, found)

			r, err := w.verify(w.make(w.options()))
			require.NoError(t, err)
			got := []any{r.State, r.Last, r.Taps, r.Settings, r.Channel, r.Issuer, r.Registered}
			want = want.On(origin)
			assert.Equal(t, []any{want.State, want.Last, want.Recorded, want.Settings, want.Taps, want.Issuer, want.Registered.Time}, got)
			var rejected []Rejection
			for _, x := range all.Rejections() {
				if x.Channel == w.taps.ID() {
					rejected = append(rejected, Rejection{x.Number, x.Kind, x.Reason})
				}
			}
			assert.Equal(t, rejected, r.Rejected)
		})
	}
}

// goodWorlds are worlds whose bundles hold, each with something of its own.
func goodWorlds(t testing.TB) map[string]*world {
	worlds := map[string]*world{"taps": tapped(t, 3), "in service": inService(t), "one tap in much": tapped(t, 1)}
	worlds["one tap in much"].noise(300)
	worlds["moved away"], worlds["moved here"], worlds["copied back"] = movedTo(t, "log.example.org", 0), movedTo(t, origin, 2), movedTo(t, "log.example.org", 2)

	w := newWorld(t)
	w.register()
	worlds["nothing but its registration"] = w

	w = newWorld(t)
	w.say(w.taps, []byte(`{"kind":"weather","must":true}`))
	w.say(w.taps, recordtest.Body(recordtest.InService(3)))
	w.register()
	w.tap(4)
	worlds["messages from before the registration"] = w

	w = tapped(t, 1)
	for _, body := range []string{`{}`, `no record`, `{"kind":"tap"}`, `{"kind":"card.dreamt"}`, `{"kind":"card.dreamt","last":9,"state":"completed"}`,
		`{"kind":"card.dreamt","last":1,"state":"revoked"}`, `{"kind":"card.dreamt","last":"9","state":"revoked"}`} {
		w.say(w.taps, []byte(body))
	}
	w.say(w.taps, recordtest.Body(recordtest.Opened("a thief")))
	w.say(w.taps, recordtest.Body(recordtest.Tapped(w.card, 9)))
	w.say(w.taps, recordtest.Body(recordtest.InService(12)))
	late := recordtest.Tapped(w.card, 12)
	late.State, late.Skipped = record.StateCompleted, &record.Range{10, 11}
	w.say(w.taps, recordtest.Body(late))
	worlds["records that do not hold"] = w

	w = tapped(t, 1)
	w.say(w.taps, []byte(`{"kind":"visitor","name":"Anna","salt":"AAAAAAAAAAAAAAAAAAAAAA"}`))
	w.tap(6)
	require.NoError(t, w.log.Remove(t.Context(), w.taps.ID(), 2))
	worlds["a payload that was removed"] = w

	w = tapped(t, 2)
	w.say(w.taps, recordtest.Body(recordtest.Configured(5, channel.Hash{7})))
	configured := recordtest.Tapped(w.card, 8)
	configured.Settings, configured.Payload = channel.Hash{7}.String(), []byte(`{"shop":["Milano",3,-1.5e3,true,null,"\u2014 \ud83d\ude00"]}`)
	configured.Skipped, configured.Salt, configured.Operator = &record.Range{6, 7}, make([]byte, 16), "Ünal"
	w.say(w.taps, recordtest.Body(configured))
	w.say(w.taps, []byte(`{"kind":"card.later","last":8,"state":"moved"}`))
	w.tap(9)
	worlds["settings, and the end"] = w

	worlds["a device, forms, and a revocation"] = revoked(t)
	return worlds
}

// TestMakeLooksForTheRegistration also passes over one that does not hold.
func TestMakeLooksForTheRegistration(t *testing.T) {
	w := newWorld(t)
	for range 2 * page {
		w.say(w.issuer, []byte(`{"kind":"weather"}`))
	}
	stolen := recordtest.Registered(w.card, w.others.ID(), w.taps.ID())
	w.say(w.issuer, recordtest.Body(stolen))
	w.register()
	w.say(w.taps, recordtest.Body(recordtest.InService(3)))
	looked := w.make(Options{})
	r, err := w.verify(looked)
	require.NoError(t, err)
	assert.Equal(t, record.StateInService, r.State)
	assert.Equal(t, string(looked), string(w.make(Options{Registration: 2*page + 2})))

	for name, o := range map[string]Options{"another number": {Registration: 1}, "one that does not hold": {Registration: 2*page + 1}, "beyond the end": {Registration: 5000}} {
		_, err = Make(t.Context(), w.log, w.issuer.ID(), w.card.ID(), o)
		require.ErrorIs(t, err, ErrNotRegistered, name)
	}
	_, err = Make(t.Context(), w.log, w.issuer.ID(), taptest.NewCard("nobody").ID(), Options{})
	require.ErrorIs(t, err, ErrNotRegistered)
	_, err = Make(t.Context(), w.log, w.taps.ID(), w.card.ID(), Options{})
	require.ErrorIs(t, err, ErrNotRegistered, "not an issuer")
	_, err = Make(t.Context(), w.log, recordtest.NewChain("nobody").ID(), w.card.ID(), Options{})
	require.ErrorIs(t, err, ledger.ErrNoChannel)
	_, err = Make(t.Context(), w.log, w.issuer.ID(), w.card.ID(), Options{Phase: ledger.Witnessed})
	require.ErrorIs(t, err, ledger.ErrNoPhase)
	o := w.options()
	o.Author = w.issuer.Author
	_, err = Make(t.Context(), w.log, w.issuer.ID(), w.card.ID(), o)
	require.ErrorIs(t, err, channel.ErrWrongChannel, "another channel's author")
}

// growing is a log that others write to while a bundle is made: each proof is under a checkpoint of its own.
type growing struct {
	ledger.Ledger
	write func()
}

func (g growing) Prove(ctx context.Context, id channel.ID, n uint64) (ledger.Proof, error) {
	g.write()
	return g.Ledger.Prove(ctx, id, n)
}

func TestABundleOfAGrowingLog(t *testing.T) {
	w := tapped(t, 20)
	l := growing{w.log, func() { w.noise(3); w.tap(uint32(w.now.Unix() - begin.Unix() + 100)) }}
	data, err := Make(t.Context(), l, w.issuer.ID(), w.card.ID(), w.options())
	require.NoError(t, err)
	r, err := w.verify(data)
	require.NoError(t, err)
	assert.Equal(t, uint64(20), r.Taps, "those that were there when it was read")
}

// lying is a ledger that answers what it did not record.
type lying struct {
	ledger.Ledger
	entries func([]ledger.Entry) []ledger.Entry
}

func (l lying) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	entries, err := l.Ledger.Range(ctx, id, from, n)
	return l.entries(entries), err
}

func TestMakeGivesNothingThatDoesNotHold(t *testing.T) {
	w := tapped(t, 3)
	for name, lie := range map[string]func([]ledger.Entry) []ledger.Entry{
		"a gap":          func(e []ledger.Entry) []ledger.Entry { return append(e[:len(e)/2:len(e)/2], e[len(e)/2+len(e)/3:]...) },
		"other indexes":  func(e []ledger.Entry) []ledger.Entry { e[len(e)-1].Index++; return e },
		"other times":    func(e []ledger.Entry) []ledger.Entry { e[len(e)-1].Time = e[len(e)-1].Time.Add(1e9); return e },
		"two at a place": func(e []ledger.Entry) []ledger.Entry { e[0].Index = 4; return e },
	} {
		_, err := Make(t.Context(), lying{w.log, lie}, w.issuer.ID(), w.card.ID(), Options{})
		assert.Contains(t, []string{"invalid_proof", "broken_chain"}, Class(err), "%s: %v", name, err)
	}
}

func TestAWitnessedBundle(t *testing.T) {
	w := tapped(t, 1)
	data, policy := w.witnessed()
	r, err := Verify(data, policy, w.now)
	require.NoError(t, err)
	assert.Equal(t, ledger.Witnessed, r.Phase)
	r, err = Verify(data, w.policy, w.now)
	require.NoError(t, err)
	assert.Equal(t, ledger.Final, r.Phase, "the policy asks for no witness")
}

func TestAnAnchoredBundle(t *testing.T) {
	data, policy, w := anchored(t)
	r, err := Verify(data, policy, w.now)
	require.NoError(t, err)
	assert.Equal(t, ledger.Anchored, r.Phase)
	assert.Equal(t, "log.example/anchor", r.Anchor.Ledger)
	assert.Equal(t, recordtest.NewChain("anchors").ID(), r.Anchor.Channel)
	_, err = Verify(data, w.policy, w.now)
	assert.ErrorIs(t, err, ledger.ErrInvalidProof, "the anchor's ledger is not trusted")
}

// anchored is a bundle whose checkpoint is recorded in another log.
func anchored(t testing.TB) ([]byte, ledger.Policy, *world) {
	w := tapped(t, 1)
	s, err := ledger.NewSigner(otherKey)
	require.NoError(t, err)
	b := w.anchoredBy("", s, "log.example/anchor", w.checkpointBody())
	return b.data, b.policy, w
}

func TestAChangedByteIsRefusedOrChangesNothing(t *testing.T) {
	data, policy, w := anchored(t)
	requireFirm(t, data, policy, w.now)
}

// TestAStubInAMessagesPlaceIsNamed: whoever passes a bundle on can leave a payload out, and the report says so.
func TestAStubInAMessagesPlaceIsNamed(t *testing.T) {
	w := tapped(t, 3)
	f := w.file()
	f.taps[2].strip()
	r, err := w.verify(f.marshal())
	require.NoError(t, err)
	assert.Equal(t, []Rejection{{2, "", record.ReasonRemoved}}, r.Rejected)
	assert.Equal(t, uint64(2), r.Taps)
	assert.Contains(t, r.Trusted, "1 messages whose payload is not in the bundle decided nothing")
}

// TestTheFormatNamesEveryClass reads docs/formats/bundle.md.
func TestTheFormatNamesEveryClass(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats/bundle.md")
	require.NoError(t, err)
	for _, b := range append(badBundles(t), badTangles(t)...) {
		assert.Contains(t, string(page), "`"+b.class+"`", b.name)
	}
}

// requireFirm changes each byte of a bundle, and leaves some out: it is refused, or what is reported is the same.
func requireFirm(t *testing.T, data []byte, policy ledger.Policy, now time.Time) {
	want, err := Verify(data, policy, now)
	require.NoError(t, err)
	var held []string
	try := func(changed []byte, at int) {
		got, err := Verify(changed, policy, now)
		if err == nil {
			held = append(held, string(changed[max(0, at-9):min(at+9, len(changed))]))
			require.Equal(t, want, got, "byte %d: %q", at, held[len(held)-1])
		} else {
			require.NotEmpty(t, Class(err), "%v", err)
		}
	}
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 1 << (i % 7)
		try(changed, i)
		if i%5 == 0 {
			try(append(bytes.Clone(data[:i]), data[i+1:]...), i)
		}
	}
	t.Logf("of each byte of %d changed, %d changed nothing that is reported", len(data), len(held))
	assert.Less(t, len(held), 60, "%q", held)
}
