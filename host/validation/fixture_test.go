package validation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

const origin = "log.example.com/test"

// master is the secret of the installation under test.
func master() channel.Seed { return sha256.Sum256([]byte("validation test")) }

// authors are those of the issuer under test.
func authors(taps channel.Seed) *secrets.Authors {
	return secrets.NewAuthors(secrets.Secrets{Issuers: []secrets.Issuer{{Seed: sha256.Sum256([]byte("issuer")), Taps: taps}}})
}

// lister is a ledger that admits channels, as all ours do.
type lister interface {
	ledger.Ledger
	List(ctx context.Context, ids ...channel.ID) error
}

// shop is an installation with one card in service.
type shop struct {
	*Service
	t      testing.TB
	ledger lister
	issuer *recordtest.Chain
	taps   *recordtest.Chain
	card   *taptest.Card
	policy ledger.Policy
}

func logKeys(t testing.TB) (ledger.Signer, ledger.Policy) {
	t.Helper()
	private, public, err := note.GenerateKey(strings.NewReader(strings.Repeat("validation", 10)), origin)
	require.NoError(t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(t, err)
	return signer, ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: public}}}
}

// newShop is an installation as it is used: the embedded log, in a file.
func newShop(t testing.TB) *shop {
	t.Helper()
	dir := t.TempDir()
	l := openLog(t, dir, nil)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return newShopOn(t, l, dir)
}

// newShopOn has its ledger given.
func newShopOn(t testing.TB, l lister, dir string) *shop {
	t.Helper()
	s := openShop(t, l, dir)
	_, s.policy = logKeys(t)
	s.register()
	s.putInService()
	return s
}

// openShop opens the service over a ledger, whatever that holds.
func openShop(t testing.TB, l lister, dir string) *shop {
	t.Helper()
	return openShopIn(t, l, filepath.Join(dir, "registry.db"))
}

// openShopIn has its registry's place given.
func openShopIn(t testing.TB, l lister, name string) *shop {
	t.Helper()
	r, err := registry.Open(t.Context(), name, registry.Options{Ledger: l, Master: master()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	card := taptest.NewCard("validation test")
	return &shop{
		Service: New(Options{Ledger: l, Registry: r, Authors: authors(master()), Master: master(), Now: time.Now, Random: rand.Reader}),
		t:       t, ledger: l, card: card,
		issuer: recordtest.NewChain("issuer"),
		taps:   recordtest.ChainOf(channel.DeriveSeed(master(), 0, "card/"+card.ID().String()+"/taps")),
	}
}

func (s *shop) say(c *recordtest.Chain, body interface{ Encode() ([]byte, error) }) {
	s.t.Helper()
	_, err := ledger.Record(context.Background(), s.ledger, c.Say(recordtest.Body(body)))
	require.NoError(s.t, err)
}

func (s *shop) register() {
	s.t.Helper()
	require.NoError(s.t, s.ledger.List(context.Background(), s.issuer.ID(), s.taps.ID()))
	s.say(s.issuer, recordtest.Opened("shop"))
	s.say(s.issuer, recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))
}

func (s *shop) putInService() {
	s.t.Helper()
	s.say(s.taps, recordtest.InService(s.card.Counter))
}

// putInState continues the tap channel with a record that only later versions write, as its newest message.
func (s *shop) putInState(state string) {
	s.t.Helper()
	body := `{"kind":"card.later","last":` + itoa(s.card.Counter) + `,"state":"` + state + `"}`
	_, err := s.ledger.Submit(context.Background(), s.taps.Say([]byte(body)))
	require.NoError(s.t, err)
}

func (s *shop) size() uint64 {
	s.t.Helper()
	info, err := s.ledger.Info(context.Background())
	require.NoError(s.t, err)
	return info.Size
}

func (s *shop) validate(url string) Verdict {
	s.t.Helper()
	v, err := s.Validate(context.Background(), url)
	require.NoError(s.t, err)
	return v
}

func (s *shop) update(r Request) Verdict {
	s.t.Helper()
	v, err := s.Update(context.Background(), r)
	require.NoError(s.t, err)
	return v
}

// recorded returns the taps that the card's channel holds, in order.
func (s *shop) recorded() []record.Tap {
	s.t.Helper()
	entries, err := s.ledger.Range(context.Background(), s.taps.ID(), 0, 10_000)
	require.NoError(s.t, err)
	var taps []record.Tap
	for _, e := range entries {
		body, err := e.Message.Body()
		require.NoError(s.t, err)
		r, err := record.Parse(body)
		require.NoError(s.t, err)
		if one, ok := r.Value.(record.Tap); ok {
			taps = append(taps, one)
		}
	}
	return taps
}

// faulty is a ledger whose Submit can be made to fail before or after the message is stored.
type faulty struct {
	lister
	before, after error
}

func (f *faulty) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if f.before != nil {
		return ledger.Receipt{}, f.before
	}
	r, err := f.lister.Submit(ctx, m)
	if err == nil && f.after != nil {
		return ledger.Receipt{}, f.after
	}
	return r, err
}

// noRandom is a source of randomness that fails.
type noRandom struct{}

func (noRandom) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// retryKey makes a name into a key that is long enough.
func retryKey(name string) string { return name + strings.Repeat("-", minRetryKey) }
