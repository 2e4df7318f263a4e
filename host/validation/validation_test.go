package validation

import (
	"context"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func TestValidateWritesNothing(t *testing.T) {
	s := newShop(t)
	url, before := s.card.Tap(), s.size()
	for range 3 {
		v := s.validate(url)
		assert.Equal(t, Valid, v.Code)
		assert.Equal(t, s.card.Counter, v.Counter)
		assert.Nil(t, v.Receipt)
	}
	assert.Equal(t, before, s.size())
}

func TestUpdateRecordsOnceWithEvidence(t *testing.T) {
	s := newShop(t)
	url := s.card.Tap()
	first := s.update(Request{URL: url})
	require.Equal(t, Recorded, first.Code)
	assert.Equal(t, s.card.Counter, first.Last)
	receipt, err := first.Evidence().Verify(s.policy)
	require.NoError(t, err)
	assert.Equal(t, first.Receipt.Index, receipt.Index)

	for _, again := range []Verdict{s.update(Request{URL: url}), s.validate(url)} {
		assert.Equal(t, AlreadyUsed, again.Code)
		require.NotNil(t, again.When)
		assert.Equal(t, *first.When, *again.When)
		assert.Nil(t, again.Receipt)
	}
	assert.Len(t, s.recorded(), 1)
}

func TestUpdateNamesSkippedCountersAndSupersedes(t *testing.T) {
	s := newShop(t)
	last := s.card.Counter
	old := s.card.Tap()
	s.card.Tap()
	v := s.update(Request{URL: s.card.Tap()})
	require.Equal(t, Recorded, v.Code)
	assert.Equal(t, &record.Range{last + 1, last + 2}, v.Skipped)
	assert.Equal(t, v.Skipped, s.recorded()[0].Skipped)

	for _, late := range []Verdict{s.update(Request{URL: old}), s.validate(old)} {
		assert.Equal(t, Superseded, late.Code)
		require.NotNil(t, late.When)
		assert.Equal(t, *v.When, *late.When)
	}
	assert.Equal(t, Superseded, s.validate(s.card.TapAt(last)).Code, "the counter of the registration")
}

func TestRefusalsAreNamedAndWriteNothing(t *testing.T) {
	s := newShop(t)
	good := s.card.Tap()
	id := s.card.ID().String()
	before := s.size()
	for name, row := range map[string]struct {
		url  string
		want Code
	}{
		"empty":               {"", MalformedURL},
		"no URL":              {"hello", MalformedURL},
		"http":                {strings.Replace(good, "https", "http", 1), MalformedURL},
		"cut":                 {good[:len(good)-1], MalformedURL},
		"counter twice":       {good + "&c=00000001", MalformedURL},
		"version 2":           {good + "&v=2", UnsupportedVersion},
		"exhausted":           {"https://tap.example.com/t?i=" + id + "&c=00000000&x=exhausted", UnsignedURL},
		"challenge only":      {"https://tap.example.com/t?i=" + id + "&c=00000000&x=challenge", UnsignedURL},
		"unknown card":        {taptest.NewCard("a stranger").TapAt(9), UnknownCard},
		"another's signature": {strings.Replace(taptest.NewCard("a stranger").TapAt(9), taptest.NewCard("a stranger").ID().String(), id, 1), BadSignature},
		"another counter":     {strings.Replace(good, "&c=0000000", "&c=0000001", 1), BadSignature},
		"rehearsal":           {s.card.Rehearse(), BadSignature},
	} {
		assert.Equal(t, row.want, s.validate(row.url).Code, name)
		assert.Equal(t, row.want, s.update(Request{URL: row.url}).Code, name)
	}
	assert.Equal(t, before, s.size())
	assert.Equal(t, Recorded, s.update(Request{URL: good}).Code)
}

func TestStateOfTheChannelDecides(t *testing.T) {
	for state, want := range map[string]Code{
		record.StateInService: Recorded, record.StateCompleted: Recorded, record.StateRevoked: Revoked, record.StateMoved: Moved,
	} {
		s := newShop(t)
		s.putInState(state)
		before := s.size()
		assert.Equal(t, want, s.update(Request{URL: s.card.Tap()}).Code, state)
		if want == Recorded {
			before++
			assert.Equal(t, state, s.recorded()[0].State)
		}
		assert.Equal(t, before, s.size(), state)
	}
}

func TestCardWithoutChannelIsNotInService(t *testing.T) {
	signer, _ := logKeys(t)
	l := ledger.NewMemory(origin, signer, time.Now)
	s := openShop(t, l, t.TempDir())
	assert.Equal(t, UnknownCard, s.update(Request{URL: s.card.TapAt(1)}).Code)
	s.register()
	assert.Equal(t, NotInService, s.update(Request{URL: s.card.Tap()}).Code)
	s.putInService()
	assert.Equal(t, Recorded, s.update(Request{URL: s.card.Tap()}).Code)
}

func TestOtherFormOfASignatureIsTheSameTap(t *testing.T) {
	s := newShop(t)
	parsed, err := tap.Parse(s.card.Tap())
	require.NoError(t, err)
	low := parsed.CanonicalSignature(tap.P256)
	high := append([]byte{}, low...)
	new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(low[32:])).FillBytes(high[32:])
	url := func(signature []byte) string { return s.card.Template.URL(parsed.ID, parsed.Counter, signature) }

	require.Equal(t, Recorded, s.update(Request{URL: url(high)}).Code)
	assert.Equal(t, AlreadyUsed, s.update(Request{URL: url(low)}).Code)
	assert.Equal(t, record.Bytes(low), s.recorded()[0].Signature)
}

func TestRetryGetsTheFirstAnswer(t *testing.T) {
	s := newShop(t)
	r := Request{URL: s.card.Tap(), Payload: json.RawMessage(`{"phase":"packed"}`), Retry: &Retry{"station 1", retryKey("k1")}}
	first := s.update(r)
	require.Equal(t, Recorded, first.Code)
	require.Equal(t, Recorded, s.update(Request{URL: s.card.Tap()}).Code)

	again := s.update(r)
	require.Equal(t, Recorded, again.Code)
	assert.True(t, again.Replayed)
	assert.Equal(t, first.Receipt.Index, again.Receipt.Index)
	assert.Equal(t, first.Message.Hash(), again.Message.Hash())
	_, err := again.Evidence().Verify(s.policy)
	require.NoError(t, err)

	for name, change := range map[string]func(*Request){
		"no key":        func(r *Request) { r.Retry = nil },
		"another key":   func(r *Request) { r.Retry = &Retry{"station 1", retryKey("k2")} },
		"another scope": func(r *Request) { r.Retry = &Retry{"station 2", retryKey("k1")} },
	} {
		other := r
		change(&other)
		assert.Equal(t, AlreadyUsed, s.update(other).Code, name)
	}
	for name, change := range map[string]func(*Request){
		"another payload": func(r *Request) { r.Payload = nil },
		"another action":  func(r *Request) { r.Action = "complete" },
		"another tap":     func(r *Request) { r.URL = s.card.Tap() },
	} {
		other := r
		change(&other)
		assert.Equal(t, RetryMismatch, s.update(other).Code, name)
	}
	assert.Len(t, s.recorded(), 2)
}

func TestPayloadThatCannotBeRecordedIsRejected(t *testing.T) {
	s := newShop(t)
	url, before := s.card.Tap(), s.size()
	deep := strings.Repeat("[", 16) + strings.Repeat("]", 16)
	for _, payload := range []string{`{`, `{"a":1,"a":2}`, `null`, ` null `, deep, `"` + strings.Repeat("x", 8000) + `"`} {
		assert.Equal(t, PayloadRejected, s.update(Request{URL: url, Payload: json.RawMessage(payload)}).Code, "%.20s", payload)
	}
	assert.Equal(t, before, s.size())
	require.Equal(t, Recorded, s.update(Request{URL: url, Payload: json.RawMessage(`[1,"due"]`)}).Code)
	assert.JSONEq(t, `[1,"due"]`, string(s.recorded()[0].Payload))
}

func TestFiftyAtOnceRecordOne(t *testing.T) {
	s := newShop(t)
	url := s.card.Tap()
	verdicts := s.fiftyAtOnce(func(int) Request { return Request{URL: url} })
	assert.Equal(t, map[Code]int{Recorded: 1, AlreadyUsed: 49}, count(verdicts))
	assert.Len(t, s.recorded(), 1)
}

func TestFiftyAtOnceWithOneRetryKeyGetOneReceipt(t *testing.T) {
	s := newShop(t)
	url := s.card.Tap()
	verdicts := s.fiftyAtOnce(func(int) Request { return Request{URL: url, Retry: &Retry{"shop", retryKey("one")}} })
	assert.Equal(t, map[Code]int{Recorded: 50}, count(verdicts))
	for _, v := range verdicts {
		assert.Equal(t, verdicts[0].Receipt.Hash, v.Receipt.Hash)
		assert.Equal(t, verdicts[0].Receipt.Index, v.Receipt.Index)
	}
	assert.Len(t, s.recorded(), 1)
}

// TestFiftyAtOnceOfWhomHalfRetryAgree lets 25 repetitions of one request race with 25 strangers who have the same URL.
func TestFiftyAtOnceOfWhomHalfRetryAgree(t *testing.T) {
	for range 5 {
		s := newShop(t)
		url := s.card.Tap()
		verdicts := s.fiftyAtOnce(func(i int) Request {
			if i%2 == 0 {
				return Request{URL: url, Retry: &Retry{"shop", retryKey("one")}}
			}
			return Request{URL: url}
		})
		want := map[Code]int{Recorded: 1, AlreadyUsed: 49}
		if s.recorded()[0].Retry != "" {
			want = map[Code]int{Recorded: 25, AlreadyUsed: 25}
		}
		assert.Equal(t, want, count(verdicts))
		assert.Len(t, s.recorded(), 1)
	}
}

func TestFiftyTapsOfOneCardAtOnceKeepTheOrder(t *testing.T) {
	s := newShop(t)
	last := s.card.Counter
	urls := make([]string, 50)
	for i := range urls {
		urls[i] = s.card.Tap()
	}
	s.fiftyAtOnce(func(i int) Request { return Request{URL: urls[i]} })
	for _, one := range s.recorded() {
		assert.Greater(t, uint32(one.Counter), last)
		last = uint32(one.Counter)
	}
	assert.Equal(t, s.card.Counter, last, "the newest tap is always good")
}

func (s *shop) fiftyAtOnce(request func(i int) Request) []Verdict {
	verdicts, start, done := make([]Verdict, 50), make(chan struct{}), sync.WaitGroup{}
	for i := range verdicts {
		done.Go(func() {
			<-start
			v, err := s.Update(context.Background(), request(i))
			assert.NoError(s.t, err)
			verdicts[i] = v
		})
	}
	close(start)
	done.Wait()
	return verdicts
}

func count(verdicts []Verdict) map[Code]int {
	n := map[Code]int{}
	for _, v := range verdicts {
		n[v.Code]++
	}
	return n
}

func TestForeignInstallationCannotRecord(t *testing.T) {
	s := newShop(t)
	s.Authors = authors(channel.Seed{1})
	_, err := s.Update(t.Context(), Request{URL: s.card.Tap()})
	require.ErrorContains(t, err, "another installation")
}

// TestCardOfAnIssuerWithoutSecretsIsValidatedAndNotRecorded: what is used up is told here too.
func TestCardOfAnIssuerWithoutSecretsIsValidatedAndNotRecorded(t *testing.T) {
	s := newShop(t)
	used := s.card.Tap()
	require.Equal(t, Recorded, s.update(Request{URL: used}).Code)
	s.Authors = secrets.NewAuthors(secrets.Secrets{})
	fresh := s.card.Tap()
	assert.Equal(t, Valid, s.validate(fresh).Code)
	size := s.size()
	_, err := s.Update(t.Context(), Request{URL: fresh})
	require.ErrorIs(t, err, secrets.ErrElsewhere)
	assert.Equal(t, size, s.size())
	assert.Equal(t, AlreadyUsed, s.update(Request{URL: used}).Code)
}

// TestRetryKeyIsGoodForOneCard: what was recorded with it on another issuer's card, or another card, is another request.
func TestRetryKeyIsGoodForOneCard(t *testing.T) {
	s := newShop(t)
	other := &shop{Service: s.Service, t: t, ledger: s.ledger, issuer: recordtest.NewChain("issuer of others"), card: taptest.NewCard("of others")}
	taps := channel.Seed{7}
	other.taps = recordtest.ChainOf(channel.DeriveSeed(taps, 0, "card/"+other.card.ID().String()+"/taps"))
	other.register()
	other.putInService()
	both := secrets.Secrets{Issuers: []secrets.Issuer{{Seed: sha256.Sum256([]byte("issuer")), Taps: master()}, {Seed: sha256.Sum256([]byte("issuer of others")), Taps: taps}}}
	s.Authors = secrets.NewAuthors(both)
	retry := &Retry{Scope: "shop", Key: retryKey("one")}
	mine, theirs := Request{URL: s.card.Tap(), Retry: retry}, Request{URL: other.card.Tap(), Retry: retry}
	for _, r := range []Request{mine, theirs} {
		require.Equal(t, Recorded, s.update(r).Code)
		again := s.update(r)
		require.Equal(t, Recorded, again.Code)
		assert.True(t, again.Replayed)
	}
	assert.NotEqual(t, s.update(mine).Receipt.Channel, s.update(theirs).Receipt.Channel)
}

// TestCardThatCannotBeReadOnIsAnError: too old is no verdict on a tap, and nothing is recorded.
func TestCardThatCannotBeReadOnIsAnError(t *testing.T) {
	s := newShop(t)
	url := s.card.Tap()
	require.Equal(t, Valid, s.validate(url).Code)
	_, err := s.ledger.Submit(t.Context(), s.issuer.Say([]byte(`{"kind":"later","must":true}`)))
	require.NoError(t, err)
	require.NoError(t, s.Registry.Sync(t.Context()))
	size := s.size()
	_, err = s.Validate(t.Context(), url)
	require.ErrorIs(t, err, record.ErrMust)
	_, err = s.Update(t.Context(), Request{URL: url})
	require.ErrorIs(t, err, record.ErrMust)
	assert.Equal(t, size, s.size())
}

// TestBisectionFindsWhatAScanFinds compares the answer for every counter with the plain reading of the whole channel.
func TestBisectionFindsWhatAScanFinds(t *testing.T) {
	s := newShop(t)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(rt, "taps") {
			s.card.Counter += uint32(rapid.IntRange(0, 3).Draw(rt, "skip"))
			require.Equal(rt, Recorded, s.update(Request{URL: s.card.Tap()}).Code)
		}
		used := map[uint32]bool{}
		for _, one := range s.recorded() {
			used[uint32(one.Counter)] = true
		}
		counter := uint32(rapid.IntRange(1, int(s.card.Counter)).Draw(rt, "counter"))
		want := Superseded
		if used[counter] {
			want = AlreadyUsed
		}
		assert.Equal(rt, want, s.validate(s.card.TapAt(counter)).Code)
	})
}
