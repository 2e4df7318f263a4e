package card_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

var (
	nonce    = []byte("0123456789abcdef")
	template = tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}
)

func open(t testing.TB, on apdu.Transmitter) *card.Client {
	t.Helper()
	client, err := card.Open(on)
	require.NoError(t, err)
	return client
}

// readURL reads the tap in the present selection.
func readURL(t testing.TB, on apdu.Transmitter) tap.URL {
	t.Helper()
	_, err := apdu.Send(on, apdu.SelectFile(0xE104))
	require.NoError(t, err)
	var file []byte
	for len(file) < 2 || len(file) < 2+int(binary.BigEndian.Uint16(file)) {
		part, err := apdu.Send(on, apdu.ReadBinary(uint16(len(file)), apdu.MaxAnswer))
		require.NoError(t, err)
		require.NotEmpty(t, part)
		file = append(file, part...)
	}
	text, err := ndef.ParseURI(file[2:])
	require.NoError(t, err)
	u, err := tap.Parse(text)
	require.NoError(t, err)
	return u
}

// both are the algorithms that a card makes keys of.
var both = []tap.Algorithm{tap.P256, tap.RSA2048}

func TestCardFromInstalledToLocked(t *testing.T) {
	for _, algorithm := range both {
		t.Run(algorithm.String(), func(t *testing.T) { fromInstalledToLocked(t, algorithm) })
	}
}

func fromInstalledToLocked(t *testing.T, algorithm tap.Algorithm) {
	soft := cardtest.New("card")
	client := open(t, soft)
	info, err := client.Info()
	require.NoError(t, err)
	assert.Equal(t, card.Info{
		Version: card.Version{Major: 1}, Algorithms: both, State: card.Installed,
		Profile: card.Profile{MaxRead: card.DefaultMaxRead}, CounterMax: 400_000,
	}, info)

	id, err := client.Generate(algorithm)
	require.NoError(t, err)
	answer, err := client.Challenge(nonce, []byte("right after the key"))
	require.NoError(t, err)
	key, err := client.Key()
	require.NoError(t, err)
	assert.Equal(t, id, key.ID())
	assert.Equal(t, algorithm, key.Algorithm())
	assert.NoError(t, answer.Verify(key))
	require.NoError(t, client.PutTemplate(template))
	require.NoError(t, client.PutProfile(card.Profile{MaxRead: card.OldReaderMaxRead}))
	read, err := client.Template()
	require.NoError(t, err)
	assert.Equal(t, template, read)

	client = open(t, soft)
	assert.NoError(t, readURL(t, soft).VerifyRehearsal(key))
	client = open(t, soft)
	answer, err = client.Challenge(nonce, []byte("context"))
	require.NoError(t, err)
	assert.NoError(t, answer.Verify(key))

	require.NoError(t, client.Lock(id))
	open(t, soft)
	assert.NoError(t, readURL(t, soft).Verify(key))
	info, err = client.Info()
	require.NoError(t, err)
	assert.Equal(t, card.Info{
		Version: card.Version{Major: 1}, Algorithms: both, State: card.Locked, Algorithm: algorithm,
		Profile: card.Profile{MaxRead: card.OldReaderMaxRead}, ID: id, Counter: 4, CounterMax: 400_000,
	}, info)
	assert.False(t, info.Exhausted())
}

// Each row is a card, a command that it refuses, and the two things a caller may ask the error for.
func TestRefusalsNameReasonAndStatus(t *testing.T) {
	generate := func(c *card.Client) error { _, err := c.Generate(tap.P256); return err }
	generateRSA := func(c *card.Client) error { _, err := c.Generate(tap.RSA2048); return err }
	challenge := func(c *card.Client) error { _, err := c.Challenge(nonce, nil); return err }
	key := func(c *card.Client) error { _, err := c.Key(); return err }
	getTemplate := func(c *card.Client) error { _, err := c.Template(); return err }
	put := func(c *card.Client) error { return c.PutTemplate(template) }
	profile := func(c *card.Client) error { return c.PutProfile(card.Profile{MaxRead: 100}) }
	lock := func(c *card.Client) error { return c.Lock(taptest.NewCard("card").ID()) }
	lockOther := func(c *card.Client) error { return c.Lock(tap.CardID{1}) }

	installed, locked := cardtest.New("card"), cardtest.NewLocked("card")
	keyed := with(func(c *cardtest.Card) { c.State = cardtest.Keyed })
	noRSA := with(func(c *cardtest.Card) { c.Lacks = []tap.Algorithm{tap.RSA2048} })
	cannot := with(func(c *cardtest.Card) { c.CannotKey = true })
	worn := with(func(c *cardtest.Card) { c.State, c.NoMemory = cardtest.Keyed, true })
	used := with(func(c *cardtest.Card) { c.State, c.CounterMax = cardtest.Keyed, 0 })
	air := with(func(c *cardtest.Card) { c.ContactOnly = true })
	keyedAir := with(func(c *cardtest.Card) { c.State, c.ContactOnly = cardtest.Keyed, true })

	for _, row := range []struct {
		name   string
		card   *cardtest.Card
		do     func(*card.Client) error
		want   error
		status apdu.Status
	}{
		{"second key", locked, generate, card.ErrState, apdu.StatusConditions},
		{"no key generation", cannot, generate, card.ErrAlgorithm, apdu.StatusFunctionNotSupported},
		{"no such algorithm", noRSA, generateRSA, card.ErrAlgorithm, apdu.StatusFunctionNotSupported},
		{"key over the air", air, generate, card.ErrContactOnly, apdu.StatusSecurity},
		{"template without a key", installed, put, card.ErrState, apdu.StatusConditions},
		{"template after lock", locked, put, card.ErrState, apdu.StatusConditions},
		{"template over the air", keyedAir, put, card.ErrContactOnly, apdu.StatusSecurity},
		{"profile after lock", locked, profile, card.ErrState, apdu.StatusConditions},
		{"no template yet", keyed, getTemplate, card.ErrAbsent, apdu.StatusConditions},
		{"no key yet", installed, key, card.ErrAbsent, 0},
		{"challenge without a key", installed, challenge, card.ErrState, apdu.StatusConditions},
		{"no count left", used, challenge, card.ErrState, apdu.StatusConditions},
		{"counter cannot be written", worn, challenge, card.ErrMemory, apdu.StatusMemoryFailure},
		{"lock without a template", keyed, lock, card.ErrState, apdu.StatusConditions},
		{"lock another card", keyed, lockOther, card.ErrRefused, apdu.StatusWrongData},
		{"lock twice", locked, lock, card.ErrState, apdu.StatusConditions},
	} {
		err := row.do(open(t, row.card))
		require.ErrorIs(t, err, row.want, row.name)
		var status apdu.Status
		errors.As(err, &status)
		assert.Equal(t, row.status, status, row.name)
		assert.NotRegexp(t, "[0-9]", err.Error(), "status words are for programs")
	}
}

func with(change func(*cardtest.Card)) *cardtest.Card {
	c := cardtest.New("card")
	change(c)
	return c
}

func TestTapAndChallengeExcludeEachOtherInASelection(t *testing.T) {
	for _, soft := range []*cardtest.Card{cardtest.NewLocked("card"), cardtest.NewLockedRSA("card")} {
		client := open(t, soft)
		readURL(t, soft)
		_, err := client.Challenge(nonce, nil)
		assert.ErrorIs(t, err, card.ErrState)

		client = open(t, soft)
		_, err = client.Challenge(nonce, nil)
		require.NoError(t, err)
		_, err = apdu.Send(soft, apdu.SelectFile(0xE104))
		require.NoError(t, err)
		_, err = apdu.Send(soft, apdu.ReadBinary(0, 2))
		assert.ErrorIs(t, err, apdu.StatusConditions)
	}
}

func TestNothingIsSentThatTheCardMustRefuse(t *testing.T) {
	soft := cardtest.New("card")
	client := open(t, soft)
	soft.Before = func(c apdu.Command) error { t.Fatalf("sent %v", c); return nil }
	assert.ErrorIs(t, client.PutTemplate(tap.Template{Prefix: "http://h/?i=", Middle: "&c="}), tap.ErrMalformed)
	for _, most := range []uint16{0, 14, 247} {
		assert.ErrorIs(t, client.PutProfile(card.Profile{MaxRead: most}), card.ErrRefused)
	}
	_, err := client.Challenge(nonce[:15], nil)
	assert.ErrorIs(t, err, tap.ErrMalformed)
}

func TestOpenTellsForeignCardsApart(t *testing.T) {
	for name, row := range map[string]struct {
		answers []string
		want    error
	}{
		"no tag":             {[]string{"\x6A\x82"}, card.ErrNotOurs},
		"another's tag":      {[]string{"\x90\x00", "\x6E\x00"}, card.ErrNotOurs},
		"other instructions": {[]string{"\x90\x00", "\x6D\x00"}, card.ErrNotOurs},
		"later version":      {[]string{"\x90\x00", "\x02\x00\x90\x00"}, card.ErrVersion},
		"says everything":    {[]string{"\x90\x00", "\x90\x00"}, card.ErrMalformed},
		"no status":          {[]string{""}, card.ErrMalformed},
	} {
		_, err := card.Open(&script{answers: row.answers})
		assert.ErrorIs(t, err, row.want, name)
	}
}

func TestTornCardIsTheTransmittersError(t *testing.T) {
	torn := errors.New("card removed")
	soft := cardtest.New("card")
	client := open(t, soft)
	soft.After = func(c apdu.Command, answer []byte) ([]byte, error) { return nil, torn }
	_, err := client.Generate(tap.P256)
	require.ErrorIs(t, err, torn)
	_, err = card.Open(soft)
	require.ErrorIs(t, err, torn)

	soft.After = nil
	info, err := open(t, soft).Info()
	require.NoError(t, err)
	assert.Equal(t, card.Keyed, info.State, "the answer was lost, the key was made")
}

func TestWordsOfStates(t *testing.T) {
	for state, word := range map[card.State]string{card.Installed: "installed", card.Keyed: "keyed", card.Locked: "locked", card.Unknown: "unknown"} {
		text, err := state.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, word, string(text))
	}
	assert.True(t, card.Info{Counter: 7, CounterMax: 7}.Exhausted())
}

func TestCapabilities(t *testing.T) {
	soft := with(func(c *cardtest.Card) { c.ContactOnly, c.Lacks = true, []tap.Algorithm{tap.P256} })
	capabilities, err := open(t, soft).Capabilities()
	require.NoError(t, err)
	assert.Equal(t, card.Capabilities{Asked: both, Present: []tap.Algorithm{tap.RSA2048}, ContactOnly: true}, capabilities)
}
