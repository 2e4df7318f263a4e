package simcard_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// pair is the applet and the card in software that stands in for it, given the same commands.
type pair struct {
	applet  *simcard.Card
	soft    *cardtest.Card
	history []string
}

// both sends a command to both and wants the same status and as much data.
func (p *pair) both(t *testing.T, command []byte) {
	t.Helper()
	p.history = append(p.history, fmt.Sprintf("> %X", command))
	want, err := p.applet.Transmit(command)
	require.NoError(t, err)
	got, err := p.soft.Transmit(command)
	require.NoError(t, err)
	last := p.history[max(0, len(p.history)-12):]
	require.Equal(t, fmt.Sprintf("%d bytes, %X", len(want)-2, want[len(want)-2:]), fmt.Sprintf("%d bytes, %X", len(got)-2, got[len(got)-2:]), "%q", last)
}

func (p *pair) reset(t *testing.T) {
	t.Helper()
	p.history = append(p.history, "activate")
	require.NoError(t, p.applet.Reset())
	p.soft.Reset()
}

// open opens both cards anew.
func (p *pair) open(t *testing.T) []*card.Client {
	t.Helper()
	p.reset(t)
	var clients []*card.Client
	for _, c := range []apdu.Transmitter{p.applet, p.soft} {
		client, err := card.Open(c)
		require.NoError(t, err)
		clients = append(clients, client)
	}
	return clients
}

// randomCommand makes commands that are often right and often not.
func randomCommand(r *rand.Rand) apdu.Command {
	pick := func(values ...string) []byte { return []byte(values[r.IntN(len(values))]) }
	rare := func(b byte) byte { // now and then another parameter
		if r.IntN(12) == 0 {
			return b + byte(r.IntN(256))
		}
		return b
	}
	fill := make([]byte, r.IntN(254)) // 255 bytes and an Le are too much for jCardSim, which then answers 6F00
	nonce := append([]byte{byte(15 + r.IntN(19))}, fill...)
	value := [][]byte{
		pick("https://h/?i=", "https://h/21/", "http://h/?i=", "https://h/?c=1&i=", ""),
		pick("&c=", "?c=", "&c", "?q=1&c=", "&x=1&c="),
		pick("\x00\x00\xF6", "\x00\x00\x3B", "\x00\x01\x00", "\x02\x00\xF6", "\x01\x00\xF6", "\x00\x00", "\x00\x00\xF6\x00"),
		fill,
	}
	item := r.IntN(len(value))
	commands := []apdu.Command{
		apdu.Select([]byte("\xD2\x76\x00\x00\x85\x01\x01")),
		apdu.SelectFile(0xE104),
		apdu.SelectFile(0xE103),
		{INS: apdu.InsSelect, P1: rare(0), P2: rare(0), Data: pick("\xE1\x03", "\xE1\x04", "\xE1\x05", "\xE1", "\xE1\x04\x00"), Ne: r.IntN(2) * 256},
		apdu.ReadBinary(uint16(r.IntN(520)), 1+r.IntN(256)),
		apdu.ReadBinary(uint16(r.IntN(1<<16)), 2),
		{CLA: 0x80, INS: 0x01, P1: rare(0), P2: rare(0), Ne: 256},
		{CLA: 0x80, INS: 0x02, P1: rare(0), Ne: 256},
		{CLA: 0x80, INS: 0x20, P1: rare(0), P2: rare(byte(item + 1)), Data: value[item]},
		{CLA: 0x80, INS: 0x21, P1: rare(byte(r.IntN(2))), P2: byte(r.IntN(7)), Ne: 256},
		{CLA: 0x80, INS: 0x30, P1: rare(0), Data: nonce, Ne: 256},
		{CLA: 0x80, INS: 0x40, P2: rare(0), Data: fill[:min(len(fill), 11+r.IntN(3))]},
		{CLA: rare(0x80), INS: rare(0x50)},
	}
	return commands[r.IntN(len(commands))]
}

func (p *pair) play(t *testing.T, r *rand.Rand, commands int) {
	t.Helper()
	for range commands {
		if r.IntN(30) == 0 {
			p.reset(t)
		}
		command := randomCommand(r)
		if command.CLA&^0x80 != 0 || command.INS == 0x10 {
			continue // other logical channels are the system's; the key is made once, below
		}
		b, err := command.Bytes()
		require.NoError(t, err)
		p.both(t, b)
	}
}

// The card in software is what other rooms are tested with, so it must answer as the applet does, in each state of its life and
// with either key.
func TestSoftwareCardAnswersAsTheApplet(t *testing.T) {
	for _, algorithm := range []tap.Algorithm{tap.P256, tap.RSA2048} {
		t.Run(algorithm.String(), func(t *testing.T) {
			p := &pair{applet: applet(t), soft: cardtest.New("card")}
			r := rand.New(rand.NewPCG(1, uint64(algorithm)))
			p.play(t, r, 500)

			var ids []tap.CardID
			for _, client := range p.open(t) {
				id, err := client.Generate(algorithm)
				require.NoError(t, err)
				ids = append(ids, id)
			}
			p.play(t, r, 2000)

			for i, client := range p.open(t) {
				require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
				require.NoError(t, client.PutProfile(card.Profile{MaxRead: card.DefaultMaxRead}))
				require.NoError(t, client.Lock(ids[i]))
			}
			p.play(t, r, 2000)
		})
	}
}

// What the applet was not asked for, or its chip lacks, neither makes a key of.
func TestSoftwareCardLacksWhatTheAppletLacks(t *testing.T) {
	p := &pair{applet: applet(t, "--install", "01"), soft: cardtest.New("card")}
	p.soft.Lacks = []tap.Algorithm{tap.RSA2048}
	for _, client := range p.open(t) {
		_, err := client.Generate(tap.RSA2048)
		require.ErrorIs(t, err, card.ErrAlgorithm)
		_, err = client.Generate(tap.P256)
		require.NoError(t, err)
	}
	p.play(t, rand.New(rand.NewPCG(5, 6)), 200)
}

func TestSoftwareCardEndsAsTheAppletDoes(t *testing.T) {
	for _, algorithm := range []tap.Algorithm{tap.P256, tap.RSA2048} {
		t.Run(algorithm.String(), func(t *testing.T) {
			p := &pair{applet: applet(t, "--install", "030000000005"), soft: cardtest.New("card")} // five counts
			p.soft.CounterMax = 5
			for _, client := range p.open(t) {
				_, err := client.Generate(algorithm)
				require.NoError(t, err)
				require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
			}
			p.play(t, rand.New(rand.NewPCG(3, 4)), 1000)
			for _, client := range p.open(t) {
				info, err := client.Info()
				require.NoError(t, err)
				require.True(t, info.Exhausted())
				require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
			}
			p.sameTag(t, card.Profile{MaxRead: card.OldReaderMaxRead})
			p.sameTag(t, card.Profile{MaxRead: card.DefaultMaxRead, ChallengeOnly: true})
		})
	}
}

// sameTag reads both cards as a phone does and wants byte for byte the same but for the card's id.
func (p *pair) sameTag(t *testing.T, profile card.Profile) {
	t.Helper()
	var messages []string
	for _, client := range p.open(t) {
		require.NoError(t, client.PutProfile(profile))
	}
	for _, c := range []apdu.Transmitter{p.applet, p.soft} {
		client, err := card.Open(c)
		require.NoError(t, err)
		info, err := client.Info()
		require.NoError(t, err)
		message, err := t4t.Read(c)
		require.NoError(t, err)
		text := string(message.CC) + string(message.NDEF)
		require.Contains(t, text, info.ID.String())
		messages = append(messages, strings.Replace(text, info.ID.String(), "ID", 1))
	}
	require.Equal(t, messages[0], messages[1])
}
