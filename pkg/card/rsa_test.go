package card_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

const (
	insGetData, insChallenge = 0x21, 0x30
	itemKey, itemSignature   = 0x04, 0x05
)

// part is the answer to GET DATA: the item's total length, and some bytes.
func part(total, n int) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(total))) + string(bytes.Repeat([]byte("x"), n)) + "\x90\x00"
}

// lyingParts is an RSA card that answers GET DATA of an item by these parts, and how many it was asked for.
func lyingParts(item byte, parts ...string) (c *cardtest.Card, asked *int) {
	c, asked = cardtest.NewLockedRSA("card"), new(int)
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		if command.CLA != 0x80 || command.INS != insGetData || command.P2 != item {
			return answer, nil
		}
		*asked++
		return []byte(parts[min(*asked, len(parts))-1]), nil
	}
	return c, asked
}

func TestPartsThatNoCardSendsAreRefused(t *testing.T) {
	for name, row := range map[string]struct {
		parts []string
		asked int
	}{
		"no length":                   {[]string{"\x01\x90\x00"}, 1},
		"nothing":                     {[]string{part(0, 0)}, 1},
		"first part too short":        {[]string{part(256, 239)}, 1},
		"first part too long":         {[]string{part(256, 241)}, 1},
		"longer than any item":        {[]string{part(260, 240)}, 1},
		"endless":                     {[]string{part(0xFFFF, 240)}, 1},
		"second part empty":           {[]string{part(259, 240), part(259, 0)}, 2},
		"second part too short":       {[]string{part(259, 240), part(259, 18)}, 2},
		"second part too long":        {[]string{part(259, 240), part(259, 20)}, 2},
		"second part like the first":  {[]string{part(256, 240)}, 2},
		"shrinks at the second part":  {[]string{part(256, 240), part(255, 15)}, 2},
		"grows at the second part":    {[]string{part(256, 240), part(259, 19)}, 2},
		"ends before it began":        {[]string{part(256, 240), part(100, 0)}, 2},
		"an ed25519 or p256 one":      {[]string{part(64, 64)}, 1},
		"one byte too few at the end": {[]string{part(255, 240), part(255, 15)}, 2},
		"one byte too many":           {[]string{part(257, 240), part(257, 17)}, 2},
	} {
		c, asked := lyingParts(itemSignature, row.parts...)
		_, err := open(t, c).Challenge(nonce, nil)
		assert.ErrorIs(t, err, card.ErrMalformed, name)
		assert.Equal(t, row.asked, *asked, name)

		c, asked = lyingParts(itemKey, row.parts...)
		_, err = open(t, c).Key()
		assert.ErrorIs(t, err, card.ErrMalformed, name)
		assert.Equal(t, row.asked, *asked, name)
	}
}

// A key that would be right is refused too if its first part announced another length.
func TestEveryPartAnnouncesTheSameTotal(t *testing.T) {
	for _, lie := range []uint16{258, 257, 241} {
		c := cardtest.NewLockedRSA("card")
		_, err := open(t, c).Key()
		require.NoError(t, err)
		c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
			if command.CLA == 0x80 && command.INS == insGetData && command.P1 == 0 {
				binary.BigEndian.PutUint16(answer, lie)
			}
			return answer, nil
		}
		_, err = open(t, c).Key()
		assert.ErrorIs(t, err, card.ErrMalformed, "%d", lie)
	}
}

func TestChallengeAnswerMustBeOfTheKeysAlgorithm(t *testing.T) {
	for n := 0; n <= apdu.MaxAnswer; n++ {
		c := cardtest.NewLockedRSA("card")
		c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
			if command.CLA == 0x80 && command.INS == insChallenge {
				return append(bytes.Repeat([]byte{1}, n), 0x90, 0x00), nil
			}
			return answer, nil
		}
		_, err := open(t, c).Challenge(nonce, nil)
		if n == 4 {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, card.ErrMalformed, "%d bytes", n)
	}
	for name, lie := range map[string]byte{"of a p256 card": 1, "of a card without a key": 0} {
		c := cardtest.NewLockedRSA("card")
		c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
			if command.CLA == 0x80 && command.INS == 0x01 {
				answer[4] = lie
				if lie == 0 {
					answer[3] = byte(cardtest.Installed)
				}
			}
			return answer, nil
		}
		_, err := open(t, c).Challenge(nonce, nil)
		assert.ErrorIs(t, err, card.ErrMalformed, name)
	}
}

func TestRSAChallengeWithCounterZeroIsRefused(t *testing.T) {
	c := cardtest.NewLockedRSA("card")
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		if command.CLA == 0x80 && command.INS == insChallenge {
			return []byte{0, 0, 0, 0, 0x90, 0x00}, nil
		}
		return answer, nil
	}
	_, err := open(t, c).Challenge(nonce, nil)
	assert.ErrorIs(t, err, card.ErrMalformed)
}

// A signature belongs to the selection in which it was made.
func TestSignatureOfAnotherSelectionIsAState(t *testing.T) {
	for name, between := range map[string]func(*cardtest.Card){
		"card taken off":  (*cardtest.Card).Reset,
		"selected anew":   func(c *cardtest.Card) { _, _ = apdu.Send(c, apdu.Select([]byte("\xD2\x76\x00\x00\x85\x01\x01"))) },
		"other selection": func(c *cardtest.Card) { _, _ = card.Open(c) },
	} {
		c := cardtest.NewLockedRSA("card")
		client := open(t, c)
		c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
			if command.CLA == 0x80 && command.INS == insChallenge {
				c.After = nil
				between(c)
			}
			return answer, nil
		}
		_, err := client.Challenge(nonce, nil)
		assert.ErrorIs(t, err, card.ErrState, name)
		assert.Equal(t, uint32(1), c.Soft.Counter, name)
		answer, err := open(t, c).Challenge(nonce, nil)
		require.NoError(t, err, name)
		assert.Equal(t, uint32(2), answer.Counter, "the first number is lost")
	}
}

// withReader puts a reader before a card that answers for it to what it does not pass on.
func withReader(c *cardtest.Card, refuses func(apdu.Command, []byte) bool, status apdu.Status) *cardtest.Card {
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		if refuses(command, answer) {
			return []byte{byte(status >> 8), byte(status)}, nil
		}
		return answer, nil
	}
	return c
}

func TestReaderOfShortAnswersIsNamedInWords(t *testing.T) {
	const most = 0x3B
	for name, refuses := range map[string]func(apdu.Command, []byte) bool{
		"by what is asked for or comes": func(c apdu.Command, answer []byte) bool { return c.CLA == 0x80 && c.Ne > most || len(answer)-2 > most },
		"by what comes":                 func(_ apdu.Command, answer []byte) bool { return len(answer)-2 > most },
	} {
		for _, make := range []func(string) *cardtest.Card{cardtest.NewLocked, cardtest.NewLockedRSA} {
			c := withReader(make("card"), refuses, apdu.StatusUnknown)
			client := open(t, c)
			_, err := client.Info()
			require.NoError(t, err, name)
			_, err = client.Capabilities()
			require.NoError(t, err, name)
			_, err = client.Template()
			require.NoError(t, err, "%s: it is short", name)
			_, err = client.Key()
			assert.ErrorIs(t, err, card.ErrTooLong, name)
			assert.ErrorContains(t, err, "use another reader", name)
			assert.ErrorIs(t, err, apdu.StatusUnknown, name)
			_, err = client.Challenge(nonce, nil)
			assert.ErrorIs(t, err, card.ErrTooLong, name)
		}
	}
}

// A card with a small buffer says 6700 to a long context. One that fails at signing says 6F00: that is not the reader's fault.
func TestFailureOfTheCardIsNotBlamedOnTheReader(t *testing.T) {
	challenges := func(c apdu.Command, _ []byte) bool { return c.CLA == 0x80 && c.INS == insChallenge }
	_, err := open(t, withReader(cardtest.NewLocked("card"), challenges, apdu.StatusWrongLength)).Challenge(nonce, bytes.Repeat([]byte{1}, 200))
	assert.ErrorIs(t, err, card.ErrTooLong)
	for _, make := range []func(string) *cardtest.Card{cardtest.NewLocked, cardtest.NewLockedRSA} {
		_, err = open(t, withReader(make("card"), challenges, apdu.StatusUnknown)).Challenge(nonce, nil)
		assert.ErrorIs(t, err, card.ErrMalformed)
		assert.NotErrorIs(t, err, card.ErrTooLong)
	}
}

// FuzzAnswersRSA gives a locked RSA card's client any three answers after an honest start. What it takes for an answer to a challenge
// has a counter and a signature of the right length.
func FuzzAnswersRSA(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x90\x00"), []byte(part(256, 240)), []byte(part(256, 16)))
	f.Add([]byte("\x00\x00\x00\x01\x90\x00"), []byte(part(256, 240)), []byte(part(257, 17)))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		for _, question := range questions {
			honest := cardtest.NewLockedRSA("card")
			client := open(t, honest)
			answers := &script{answers: []string{string(a), string(b), string(c)}}
			honest.After = func(apdu.Command, []byte) ([]byte, error) { return answers.Transmit(nil) }
			if err := question.ask(client); err != nil {
				assert.True(t, known(err), "%s: %v", question.name, err)
			}
		}
		honest := cardtest.NewLockedRSA("card")
		client := open(t, honest)
		answers := &script{answers: []string{string(a), string(b), string(c)}}
		honest.After = func(apdu.Command, []byte) ([]byte, error) { return answers.Transmit(nil) }
		if answer, err := client.Challenge(nonce, nil); err == nil {
			assert.NotZero(t, answer.Counter)
			assert.Len(t, answer.Signature, tap.RSA2048.SignatureLen())
		}
	})
}
