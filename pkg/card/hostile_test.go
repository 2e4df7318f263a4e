package card_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// script answers one command after the other; after its end the card is gone.
type script struct{ answers []string }

var errGone = errors.New("card gone")

func (s *script) Transmit([]byte) ([]byte, error) {
	if len(s.answers) == 0 {
		return nil, errGone
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return []byte(answer), nil
}

// liar changes what a good card answers to one instruction.
func liar(ins byte, lie func(good []byte) []byte) *cardtest.Card {
	c := cardtest.NewLocked("card")
	c.Soft.Counter = 5
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		if command.CLA != 0x80 || command.INS != ins {
			return answer, nil
		}
		return append(lie(answer[:len(answer)-2]), 0x90, 0x00), nil
	}
	return c
}

// questions are all that is asked of a locked card, by instruction.
var questions = map[byte]struct {
	name string
	ask  func(*card.Client) error
}{
	0x01: {"Info", func(c *card.Client) error { _, err := c.Info(); return err }},
	0x02: {"Capabilities", func(c *card.Client) error { _, err := c.Capabilities(); return err }},
	0x21: {"Key", func(c *card.Client) error { _, err := c.Key(); return err }},
	0x30: {"Challenge", func(c *card.Client) error { _, err := c.Challenge(nonce, nil); return err }},
}

func TestAnswersOfEveryWrongLengthAreRefused(t *testing.T) {
	for ins, question := range questions {
		var good int
		honest := liar(ins, func(b []byte) []byte { good = len(b); return b })
		require.NoError(t, question.ask(open(t, honest)), question.name)
		for n := 0; n <= apdu.MaxAnswer; n++ {
			if n == good {
				continue
			}
			asked := 0
			c := liar(ins, func(b []byte) []byte { // Open asks INFO too, and must get the truth
				if asked++; ins == 0x01 && asked == 1 {
					return b
				}
				return append(b, make([]byte, apdu.MaxAnswer)...)[:n]
			})
			assert.ErrorIs(t, question.ask(open(t, c)), card.ErrMalformed, "%s answered by %d bytes", question.name, n)
		}
	}
}

func TestKeyMustBelongToTheID(t *testing.T) {
	other := cardtest.NewLocked("another card").Soft.Key().Bytes()
	c := liar(0x21, func(good []byte) []byte { return append(good[:2:2], other...) })
	_, err := open(t, c).Key()
	assert.ErrorIs(t, err, tap.ErrWrongKey)

	c = liar(0x21, func(good []byte) []byte { good[40] ^= 1; return good })
	_, err = open(t, c).Key()
	assert.ErrorIs(t, err, card.ErrMalformed)

	c = liar(0x01, func(good []byte) []byte { good[10] ^= 1; return good })
	_, err = open(t, c).Key()
	assert.ErrorIs(t, err, tap.ErrWrongKey)
}

func TestTemplateOfAnImitationIsRefused(t *testing.T) {
	c := liar(0x21, func([]byte) []byte { return []byte("\x00\x07http://") })
	_, err := open(t, c).Template()
	assert.ErrorIs(t, err, card.ErrMalformed)
}

func TestInfoRefusesWhatNoCardSays(t *testing.T) {
	for name, lie := range map[string]func([]byte){
		"state 03":                    func(b []byte) { b[3] = 3 },
		"locked without an algorithm": func(b []byte) { b[4] = 0 },
		"key of ed25519":              func(b []byte) { b[4] = 3 },
	} {
		c := liar(0x01, func(good []byte) []byte { lie(good); return good })
		_, err := card.Open(c)
		assert.ErrorIs(t, err, card.ErrMalformed, name)
	}
	c := liar(0x01, func(good []byte) []byte { good[3], good[4] = 0xFF, 0; return good })
	info, err := open(t, c).Info()
	require.NoError(t, err)
	assert.Equal(t, card.Unknown, info.State)
}

func TestCardThatLostItsCounterIsExhausted(t *testing.T) {
	c := liar(0x01, func(good []byte) []byte { return append(append(good[:20:20], "\xFF\xFF\xFF\xFF"...), good[24:]...) })
	info, err := open(t, c).Info()
	require.NoError(t, err)
	assert.True(t, info.Exhausted())
}

func TestChallengeAnswerWithCounterZeroIsRefused(t *testing.T) {
	c := liar(0x30, func(good []byte) []byte { return append(make([]byte, 4), good[4:]...) })
	_, err := open(t, c).Challenge(nonce, nil)
	assert.ErrorIs(t, err, card.ErrMalformed)
}

func TestUnforeseenStatusIsMalformed(t *testing.T) {
	c := cardtest.NewLocked("card")
	client := open(t, c)
	c.After = func(apdu.Command, []byte) ([]byte, error) { return []byte{0x6F, 0x00}, nil }
	_, err := client.Challenge(nonce, nil)
	assert.ErrorIs(t, err, card.ErrMalformed)
	assert.ErrorIs(t, err, apdu.StatusUnknown)
}

func TestSelectionLostByAResetIsAState(t *testing.T) {
	c := cardtest.NewLocked("card")
	client := open(t, c)
	c.Reset()
	_, err := client.Info()
	assert.ErrorIs(t, err, card.ErrState)
}

// known are the errors that a hostile card can cause.
func known(err error) bool {
	for _, want := range []error{
		card.ErrNotOurs, card.ErrVersion, card.ErrState, card.ErrAbsent, card.ErrContactOnly, card.ErrAlgorithm, card.ErrRefused,
		card.ErrMemory, card.ErrTooLong, card.ErrMalformed, tap.ErrWrongKey, errGone,
	} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// FuzzAnswers gives a locked card's client any three answers after an honest start.
func FuzzAnswers(f *testing.F) {
	c := cardtest.NewLocked("card")
	client, record := open(f, c), [][]byte(nil)
	c.After = func(_ apdu.Command, answer []byte) ([]byte, error) {
		record = append(record, answer)
		return answer, nil
	}
	_, err := client.Key()
	require.NoError(f, err)
	f.Add(record[0], record[1], record[1])
	f.Add([]byte{0x69, 0x85}, []byte{}, []byte{0x90, 0x00})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		for _, question := range questions {
			honest := cardtest.NewLocked("card")
			client := open(t, honest)
			answers := &script{answers: []string{string(a), string(b), string(c)}}
			honest.After = func(apdu.Command, []byte) ([]byte, error) { return answers.Transmit(nil) }
			if err := question.ask(client); err != nil {
				assert.True(t, known(err), "%s: %v", question.name, err)
			}
		}
	})
}
