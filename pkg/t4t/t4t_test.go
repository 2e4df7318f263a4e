package t4t_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// tag is a small Type 4 Tag with hooks for what readers and bad tags do.
type tag struct {
	cc, file []byte
	limit    int // the reader refuses longer answers
	status   apdu.Status
	most     int // the tag never gives more at once
	extra    int // bytes it gives beyond what was asked

	selected []byte
	reads    []int
}

func good() *tag {
	return &tag{cc: unhex("000f2000f600f60406e10400e800ff"), file: []byte("\x00\xC8" + string(bytes.Repeat([]byte("m"), 200)))}
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

func (g *tag) Transmit(b []byte) ([]byte, error) {
	c, err := apdu.ParseCommand(b)
	if err != nil {
		return nil, err
	}
	switch {
	case c.INS == apdu.InsSelect && len(c.Data) == 7:
		return []byte{0x90, 0x00}, nil
	case c.INS == apdu.InsSelect && c.Data[1] == 0x03:
		g.selected = g.cc
		return []byte{0x90, 0x00}, nil
	case c.INS == apdu.InsSelect:
		g.selected = g.file
		return []byte{0x90, 0x00}, nil
	}
	if g.limit > 0 && c.Ne > g.limit {
		return []byte{byte(g.status >> 8), byte(g.status)}, nil
	}
	g.reads = append(g.reads, c.Ne)
	at, n := int(c.P1)<<8|int(c.P2), c.Ne
	if g.most > 0 {
		n = min(n, g.most)
	}
	data := g.selected[min(at, len(g.selected)):min(at+n, len(g.selected))]
	data = append(bytes.Clone(data), make([]byte, g.extra)...)
	return append(data, 0x90, 0x00), nil
}

func TestReadOneCountForOneSelection(t *testing.T) {
	readsOneCount(t, cardtest.NewLocked("card"), 232)
	readsOneCount(t, cardtest.NewLockedRSA("card"), 491)
}

func readsOneCount(t *testing.T, card *cardtest.Card, fileSize int) {
	t.Helper()
	for counter := uint32(1); counter <= 3; counter++ {
		message, err := t4t.Read(card)
		require.NoError(t, err)
		text, err := ndef.ParseURI(message.NDEF)
		require.NoError(t, err)
		u, err := tap.Parse(text)
		require.NoError(t, err)
		assert.Equal(t, counter, u.Counter)
		assert.NoError(t, u.Verify(card.Soft.Key()))
		container, err := t4t.ParseContainer(message.CC)
		require.NoError(t, err)
		assert.Equal(t, t4t.Container{MaxRead: 246, MaxWrite: 246, File: 0xE104, FileSize: fileSize, ReadOnly: true}, container)
	}
}

// sizes notes how much each READ BINARY of a file with messages asks for.
func sizes(card *cardtest.Card) *[]int {
	var asked []int
	card.Before = func(c apdu.Command) error {
		if c.INS == apdu.InsReadBinary {
			asked = append(asked, c.Ne)
		}
		return nil
	}
	return &asked
}

func TestReadOfALongRecordTakesTwoChunks(t *testing.T) {
	card := cardtest.NewLockedRSA("card")
	asked := sizes(card)
	message, err := t4t.Read(card)
	require.NoError(t, err)
	assert.Equal(t, []byte("\xC1\x01\x00\x00"), message.NDEF[:4], "a long record")
	assert.Equal(t, []int{15, 2, 246, len(message.NDEF) - 246}, *asked)
}

func TestReadOfALongRecordInShortAnswers(t *testing.T) {
	card := cardtest.NewLockedRSA("card")
	asked := sizes(card)
	card.After = func(c apdu.Command, answer []byte) ([]byte, error) {
		if c.INS == apdu.InsReadBinary && c.Ne > 0x3B {
			return []byte{0x6F, 0x00}, nil
		}
		return answer, nil
	}
	message, err := t4t.Read(card)
	require.NoError(t, err)
	text, err := ndef.ParseURI(message.NDEF)
	require.NoError(t, err)
	u, err := tap.Parse(text)
	require.NoError(t, err)
	assert.NoError(t, u.Verify(card.Soft.Key()))
	assert.Equal(t, uint32(1), card.Soft.Counter)
	assert.Equal(t, []int{15, 2, 246, 48, 48, 48, 48, 48, 48, 48, 48, len(message.NDEF) - 8*48}, *asked)
}

func TestReadFallsBackToShortAnswersInTheSameSelection(t *testing.T) {
	for _, status := range []apdu.Status{apdu.StatusUnknown, apdu.StatusWrongLength} {
		card := cardtest.NewLocked("card")
		card.After = func(c apdu.Command, answer []byte) ([]byte, error) {
			if c.Ne > 0x3B && c.INS == apdu.InsReadBinary {
				return []byte{byte(status >> 8), byte(status)}, nil
			}
			return answer, nil
		}
		message, err := t4t.Read(card)
		require.NoError(t, err)
		_, err = ndef.ParseURI(message.NDEF)
		require.NoError(t, err)
		assert.Equal(t, uint32(1), card.Soft.Counter)
	}
}

func TestReadGivesUpWhenShortAnswersAreRefusedToo(t *testing.T) {
	g := good()
	g.limit, g.status = 0x0F, apdu.StatusUnknown
	_, err := t4t.Read(g)
	assert.ErrorIs(t, err, apdu.StatusUnknown)
}

func TestReadAsksForNoMoreThanTheContainerAllows(t *testing.T) {
	g := good()
	g.cc[4] = 59
	message, err := t4t.Read(g)
	require.NoError(t, err)
	assert.Equal(t, g.file[2:], message.NDEF)
	assert.Equal(t, []int{15, 2, 59, 59, 59, 23}, g.reads)

	g = good()
	g.cc[3], g.most = 0x01, 100 // MLe above 255, and a tag that gives less than asked
	message, err = t4t.Read(g)
	require.NoError(t, err)
	assert.Equal(t, g.file[2:], message.NDEF)
}

func TestReadOfACardWithoutAURL(t *testing.T) {
	message, err := t4t.Read(cardtest.New("card"))
	require.NoError(t, err)
	assert.Empty(t, message.NDEF)
}

func TestReadRefusesTagsThatPhonesRefuse(t *testing.T) {
	for name, change := range map[string]func(*tag){
		"container too short":         func(g *tag) { g.cc = g.cc[:14] },
		"container length 14":         func(g *tag) { g.cc[1] = 14 },
		"mapping version 3":           func(g *tag) { g.cc[2] = 0x30 },
		"extended NDEF control":       func(g *tag) { g.cc[7] = 0x06 },
		"NDEF control of length 8":    func(g *tag) { g.cc[8] = 0x08 },
		"MLe 14":                      func(g *tag) { g.cc[4] = 14 },
		"MLc 0":                       func(g *tag) { g.cc[6] = 0 },
		"reserved file":               func(g *tag) { g.cc[10] = 0x02 },
		"file of 4 bytes":             func(g *tag) { g.cc[12] = 4 },
		"file of 32768 bytes":         func(g *tag) { g.cc[11] = 0x80 },
		"file that must not be read":  func(g *tag) { g.cc[13] = 0x80 },
		"length of one byte":          func(g *tag) { g.file = g.file[:1] },
		"length beyond the file":      func(g *tag) { g.file[0] = 1 },
		"message of 4097 bytes":       func(g *tag) { g.cc[11], g.file[0], g.file[1] = 0x7F, 0x10, 0x01 },
		"message shorter than length": func(g *tag) { g.file = g.file[:100] },
		"more than was asked for":     func(g *tag) { g.extra = 1 },
	} {
		g := good()
		change(g)
		_, err := t4t.Read(g)
		assert.ErrorIs(t, err, t4t.ErrMalformed, name)
	}
}

// transmit answers by a function.
type transmit func([]byte) ([]byte, error)

func (f transmit) Transmit(b []byte) ([]byte, error) { return f(b) }

func TestReadWithoutATag(t *testing.T) {
	_, err := t4t.Read(transmit(func([]byte) ([]byte, error) { return []byte{0x6A, 0x82}, nil }))
	assert.ErrorIs(t, err, t4t.ErrNoTag)
	assert.ErrorIs(t, err, apdu.StatusNotFound)
	_, err = t4t.Read(transmit(func([]byte) ([]byte, error) { return []byte{0x6A}, nil }))
	assert.ErrorIs(t, err, t4t.ErrMalformed)
}

func TestReadPassesOnThatTheCardIsGoneAtEachCommand(t *testing.T) {
	gone := errors.New("card removed")
	for after := range 6 {
		g, sent := good(), 0
		_, err := t4t.Read(transmit(func(b []byte) ([]byte, error) {
			if sent++; sent > after {
				return nil, gone
			}
			return g.Transmit(b)
		}))
		assert.ErrorIs(t, err, gone, "after %d commands", after)
	}
}

// long is a tag with a message in a long record, as an RSA card has it.
func long() *tag {
	message, err := ndef.EncodeURI("https://tap.example.com/" + strings.Repeat("m", 460))
	if err != nil {
		panic(err)
	}
	return &tag{cc: unhex("000f2000f600f60406e10401eb00ff"), file: append([]byte{byte(len(message) >> 8), byte(len(message))}, message...)}
}

func FuzzRead(f *testing.F) {
	g := good()
	f.Add(g.cc, g.file, 0)
	f.Add(long().cc, long().file, 0)
	f.Add(g.cc, []byte{0, 0}, 7)
	f.Fuzz(func(t *testing.T, cc, file []byte, most int) {
		g := &tag{cc: cc, file: file, most: most & 0xFF}
		message, err := t4t.Read(g)
		if err != nil {
			assert.ErrorIs(t, err, t4t.ErrMalformed)
			return
		}
		assert.Equal(t, file[2:2+len(message.NDEF)], append([]byte{}, message.NDEF...))
	})
}
