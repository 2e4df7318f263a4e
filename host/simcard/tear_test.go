package simcard_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/host/simcard/simcardtest"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// maker makes a card, whatever happens to the connection: it asks the card where it stands and goes on from there.
type maker struct {
	algorithm tap.Algorithm
	key       tap.Key // as soon as the card told it
	counter   uint32  // the highest that it was seen to use up
	cuts      int     // connections that broke
}

var template = tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}

// make goes on until the card is locked, was tapped and challenged. An error other than a broken connection ends it.
func (m *maker) make(t *testing.T, address string) error {
	t.Helper()
	for m.cuts < 5 {
		err := m.attempt(dial(t, address))
		if !errors.Is(err, simcard.ErrTorn) {
			return err
		}
		m.cuts++
	}
	return errors.New("cut too often")
}

func (m *maker) attempt(c *simcard.Card) error {
	defer func() { _ = c.Close() }()
	client, err := card.Open(c)
	if err != nil {
		return err
	}
	info, err := client.Info()
	if err != nil {
		return err
	}
	if info.State == card.Installed {
		if _, err := client.Generate(m.algorithm); err != nil {
			return err
		}
	}
	if err := m.knows(client); err != nil {
		return err
	}
	if info.State != card.Locked {
		if err := client.PutTemplate(template); err != nil {
			return err
		}
		if err := client.Lock(m.key.ID()); err != nil {
			return err
		}
	}
	return m.use(c, client)
}

// knows reads the card's key, which must be the one that it had before.
func (m *maker) knows(client *card.Client) error {
	key, err := client.Key()
	if err == nil && m.key.ID() != (tap.CardID{}) && key.ID() != m.key.ID() {
		return fmt.Errorf("card %v became %v", m.key.ID(), key.ID())
	}
	if err == nil {
		m.key = key
	}
	return err
}

// use reads a tap and asks a challenge; both must verify, with numbers that were not there before.
func (m *maker) use(c *simcard.Card, client *card.Client) error {
	answer, err := client.Challenge([]byte("0123456789abcdef"), nil)
	if err != nil {
		return err
	}
	if err := answer.Verify(m.key); err != nil {
		return err
	}
	if err := m.counts(answer.Counter); err != nil {
		return err
	}
	message, err := t4t.Read(c)
	if err != nil {
		return err
	}
	text, err := ndef.ParseURI(message.NDEF)
	if err != nil {
		return err
	}
	u, err := tap.Parse(text)
	if err != nil {
		return err
	}
	return errors.Join(u.Verify(m.key), m.counts(u.Counter))
}

func (m *maker) counts(n uint32) error {
	if n <= m.counter {
		return fmt.Errorf("number %d after %d", n, m.counter)
	}
	m.counter = n
	return nil
}

// each makes as many cards as there are, each of which loses power at another place, and returns how many were cut.
func each(t *testing.T, option string, cards int, algorithm tap.Algorithm, options ...string) int {
	t.Helper()
	for n := range cards {
		options = append(options, option, strconv.Itoa(n+1))
	}
	addresses, _ := simcardtest.Start(t, cards, options...)
	cut := 0
	for n, address := range addresses {
		m := maker{algorithm: algorithm}
		assert.NoError(t, m.make(t, address), "%s %d", option, n+1)
		assert.LessOrEqual(t, m.cuts, 1)
		cut += m.cuts
	}
	return cut
}

// A card is made in some twenty commands, of which seven write: key, id, counter 0, state, prefix, middle, lock; then each use writes once.
func TestCardIsMadeWhateverWriteIsTorn(t *testing.T) {
	const writes = 9
	assert.Equal(t, writes, each(t, "--tear", writes+2, tap.P256), "and two cards that are never cut")
	assert.Equal(t, 1, each(t, "--tear", 1, tap.RSA2048), "within the key of RSA, of which every part can be left half made")
}

func TestCardIsMadeWhateverAnswerIsLost(t *testing.T) {
	const commands = 22
	cut := each(t, "--drop-response", commands, tap.P256)
	assert.Greater(t, cut, commands/2)
	assert.Less(t, cut, commands, "the last ones are never cut")
}

func TestCardIsMadeThroughAPoorReaderWhateverAnswerIsLost(t *testing.T) {
	const commands = 28
	cut := each(t, "--drop-response", commands, tap.P256, "--reader", "acr122u")
	assert.Less(t, cut, commands, "the last ones are never cut")
}

// A reader that cannot be had again is as good as a card taken away: the next process finds the card in its file.
func TestKilledCardIsFoundAgain(t *testing.T) {
	state := filepath.Join(t.TempDir(), "card")
	m := maker{algorithm: tap.P256}
	for range 2 {
		addresses, kill := simcardtest.Start(t, 1, "--state", state)
		require.NoError(t, m.make(t, addresses[0]))
		kill()
	}
	assert.Equal(t, uint32(4), m.counter)
}
