package main

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// meddler is a reader that does not pass on what it is given.
type meddler func(c *cardtest.Card, command []byte) ([]byte, error)

// isChallenge and isSignature tell the two commands by which an answer comes: that of RSA is fetched by a command of its own.
func isChallenge(command []byte) bool { return bytes.HasPrefix(command, []byte{0x80, 0x30}) }
func isSignature(command []byte) bool {
	return bytes.HasPrefix(command, []byte{0x80, 0x21}) && command[3] == 0x05
}

// replays gives, from the second challenge on, the answers to the first one.
func replays() meddler {
	kept := map[string][]byte{}
	return func(c *cardtest.Card, command []byte) ([]byte, error) {
		if !isChallenge(command) && !isSignature(command) {
			return c.Transmit(command)
		}
		name := string(command[:4])
		answer, err := c.Transmit(command)
		if old, known := kept[name]; known {
			return old, err
		}
		kept[name] = answer
		return answer, err
	}
}

// rewrites changes the challenge on its way to the card.
func rewrites(change func(apdu.Command) apdu.Command) meddler {
	return func(c *cardtest.Card, command []byte) ([]byte, error) {
		if parsed, err := apdu.ParseCommand(command); err == nil && isChallenge(command) {
			parsed.Data = bytes.Clone(parsed.Data)
			if command, err = change(parsed).Bytes(); err != nil {
				return nil, err
			}
		}
		return c.Transmit(command)
	}
}

// answers changes the answer on its way back.
func answers(change func(answer []byte)) meddler {
	return func(c *cardtest.Card, command []byte) ([]byte, error) {
		answer, err := c.Transmit(command)
		if isChallenge(command) && len(answer) > 4 {
			change(answer)
		}
		return answer, err
	}
}

// asksAnother lets another card answer the challenge.
func asksAnother(other *cardtest.Card) meddler {
	return func(c *cardtest.Card, command []byte) ([]byte, error) {
		if isChallenge(command) || isSignature(command) {
			return other.Transmit(command)
		}
		if answer, err := other.Transmit(command); err != nil { // it stays selected as the first one is
			return answer, err
		}
		return c.Transmit(command)
	}
}

// showsTap gives the signature of a tap for that of the challenge, with the counter of the tap.
func showsTap() meddler {
	var taken tap.URL
	return func(c *cardtest.Card, command []byte) ([]byte, error) {
		switch {
		case isChallenge(command):
			taken, _ = tap.Parse(c.Soft.Tap())
			answer := []byte{0, 0, 0, byte(taken.Counter)}
			if len(taken.Signature) == 64 {
				answer = append(answer, taken.Signature...)
			}
			return append(answer, 0x90, 0x00), nil
		case isSignature(command):
			rest := taken.Signature[240*int(command[2]):]
			return append(append([]byte{1, 0}, rest[:min(240, len(rest))]...), 0x90, 0x00), nil
		}
		return c.Transmit(command)
	}
}

func TestChallengeRefusesWhatAReaderMadeOfIt(t *testing.T) {
	for name, meddles := range map[string]func(soft *cardtest.Card) meddler{
		"an old answer, replayed": func(*cardtest.Card) meddler { return replays() },
		"another nonce": func(*cardtest.Card) meddler {
			return rewrites(func(c apdu.Command) apdu.Command { c.Data[1] ^= 1; return c })
		},
		"a longer nonce, the context cut to fit": func(*cardtest.Card) meddler {
			return rewrites(func(c apdu.Command) apdu.Command { c.Data[0]++; return c })
		},
		"another context": func(*cardtest.Card) meddler {
			return rewrites(func(c apdu.Command) apdu.Command {
				c.Data = bytes.Replace(c.Data, []byte("door 7"), []byte("door 8"), 1)
				return c
			})
		},
		"no context": func(*cardtest.Card) meddler {
			return rewrites(func(c apdu.Command) apdu.Command { c.Data = c.Data[:17]; return c })
		},
		"another counter":  func(*cardtest.Card) meddler { return answers(func(answer []byte) { answer[3]++ }) },
		"another card's":   func(soft *cardtest.Card) meddler { return asksAnother(otherCard(soft.Soft.Key().Algorithm())) },
		"a tap's, no more": func(*cardtest.Card) meddler { return showsTap() },
	} {
		for _, soft := range []*cardtest.Card{cardtest.NewLocked("card"), cardtest.NewLockedRSA("card")} {
			name := soft.Soft.Key().Algorithm().String() + ", " + name
			reader := between(t, soft, nil)
			require.Zero(t, challengeOn(t, reader, nil), name)

			reader = between(t, soft, meddles(soft))
			if strings.Contains(name, "old answer") {
				require.Zero(t, challengeOn(t, reader, nil), "%s: the first one is true", name)
			}
			var talk bytes.Buffer
			assert.Equal(t, console.No, challengeOn(t, reader, &talk), name)
			assert.Contains(t, talk.String(), "why: bad_signature: this is no answer of the card to this nonce and context", name)
			assert.Contains(t, talk.String(), "next: do not trust the card, nor the reader", name)
		}
	}
}

// otherCard is a card that has nothing to do with the one on the reader, and is selected.
func otherCard(a tap.Algorithm) *cardtest.Card {
	other := cardtest.NewLocked("other")
	if a == tap.RSA2048 {
		other = cardtest.NewLockedRSA("other")
	}
	if _, err := card.Open(other); err != nil {
		panic(err)
	}
	return other
}

// between puts a card behind a reader and returns how --reader names it.
func between(t *testing.T, soft *cardtest.Card, m meddler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go (&cardServer{card: soft, between: m}).serve(l)
	return "sim:" + l.Addr().String()
}

// challengeOn runs card challenge with a context and returns its exit code.
func challengeOn(t *testing.T, reader string, talk *bytes.Buffer) console.Exit {
	t.Helper()
	var out, quiet bytes.Buffer
	if talk == nil {
		talk = &quiet
	}
	code := run(t.Context(), []string{"--reader", reader, "card", "challenge", "--context", "door 7"},
		streams{strings.NewReader(""), &out, talk, func(string) string { return "" }})
	assert.Equal(t, code == 0, strings.Contains(out.String(), "its signature verifies"), "nothing is said of an answer that is none")
	return code
}

// A broken source of randomness gives one nonce twice; the counter still tells the answers apart.
func TestChallengeWithOneNonceTwiceHasTwoAnswers(t *testing.T) {
	for _, soft := range []*cardtest.Card{cardtest.NewLocked("card"), cardtest.NewLockedRSA("card")} {
		reader := between(t, soft, nil)
		var answers []string
		for range 2 {
			var out, talk bytes.Buffer
			code := run(t.Context(), []string{"--json", "--reader", reader, "card", "challenge", "--nonce", "000102030405060708090a0b0c0d0e0f"},
				streams{strings.NewReader(""), &out, &talk, func(string) string { return "" }})
			require.Zero(t, code, talk.String())
			answers = append(answers, out.String())
		}
		assert.Contains(t, answers[0], `"counter":1,`)
		assert.Contains(t, answers[1], `"counter":2,`)
		assert.NotEqual(t, answers[0], answers[1])
	}
}
