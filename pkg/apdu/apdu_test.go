package apdu_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/apdu"
)

// card answers each command by a function.
type card func(command []byte) ([]byte, error)

func (c card) Transmit(command []byte) ([]byte, error) { return c(command) }

func answering(text string) card {
	return func([]byte) ([]byte, error) { return hex.DecodeString(text) }
}

var forms = []struct {
	hex     string
	command apdu.Command
	words   string
}{
	{"80010000", apdu.Command{CLA: 0x80, INS: 0x01}, "80 01 00 00, 0 bytes of data"},
	{"00b000020f", apdu.ReadBinary(2, 15), "READ BINARY at 2, 15 bytes"},
	{"00b07fff00", apdu.ReadBinary(0x7FFF, 256), "READ BINARY at 32767, 256 bytes"},
	{"00b0820001", apdu.ReadBinary(0x8200, 1), "00 B0 82 00, 0 bytes of data"},
	{"00a4000c02e104", apdu.SelectFile(0xE104), "SELECT file E104"},
	{"00a4040007d276000085010100", apdu.Select([]byte{0xD2, 0x76, 0, 0, 0x85, 1, 1}), "SELECT D2760000850101"},
}

func TestCommandForms(t *testing.T) {
	for _, form := range forms {
		b, err := form.command.Bytes()
		require.NoError(t, err)
		assert.Equal(t, form.hex, hex.EncodeToString(b))
		read, err := apdu.ParseCommand(b)
		require.NoError(t, err)
		assert.Equal(t, form.command, read)
		assert.Equal(t, form.words, read.String())
	}
}

func TestCommandRefusesWhatTheShortFormCannotHold(t *testing.T) {
	for _, c := range []apdu.Command{{Data: make([]byte, 256)}, {Ne: -1}, {Ne: 257}} {
		_, err := c.Bytes()
		assert.ErrorIs(t, err, apdu.ErrMalformed)
		_, err = apdu.Send(answering("9000"), c)
		assert.ErrorIs(t, err, apdu.ErrMalformed)
	}
}

func TestParseCommandRefuses(t *testing.T) {
	for _, text := range []string{"", "00a404", "00a40400020a", "00a4040001aabbcc", "00a40400000001aa"} {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		_, err = apdu.ParseCommand(b)
		assert.ErrorIs(t, err, apdu.ErrMalformed, text)
	}
}

func TestCommandRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := apdu.Command{
			CLA: rapid.Byte().Draw(t, "cla"), INS: rapid.Byte().Draw(t, "ins"),
			P1: rapid.Byte().Draw(t, "p1"), P2: rapid.Byte().Draw(t, "p2"),
			Data: rapid.SliceOfN(rapid.Byte(), 0, apdu.MaxData).Draw(t, "data"),
			Ne:   rapid.IntRange(0, apdu.MaxAnswer).Draw(t, "ne"),
		}
		b, err := c.Bytes()
		require.NoError(t, err)
		read, err := apdu.ParseCommand(b)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(c.Data, read.Data))
		read.Data = c.Data
		assert.Equal(t, c, read)
	})
}

func TestSend(t *testing.T) {
	data, err := apdu.Send(answering("01029000"), apdu.ReadBinary(0, 2))
	require.NoError(t, err)
	assert.Equal(t, []byte{1, 2}, data)

	data, err = apdu.Send(answering("01026985"), apdu.ReadBinary(0, 2))
	assert.Equal(t, apdu.StatusConditions, err)
	assert.Nil(t, data)

	torn := errors.New("card removed")
	_, err = apdu.Send(card(func([]byte) ([]byte, error) { return nil, torn }), apdu.SelectFile(0xE104))
	assert.ErrorIs(t, err, torn)
	assert.ErrorContains(t, err, "SELECT file E104")
}

func TestSendRefusesWhatIsNoAnswer(t *testing.T) {
	for _, text := range []string{"", "90", strings.Repeat("00", 257) + "9000"} {
		_, err := apdu.Send(answering(text), apdu.ReadBinary(0, 256))
		assert.ErrorIs(t, err, apdu.ErrMalformed, "%d bytes", len(text)/2)
	}
}

func TestStatusIsAnErrorInWords(t *testing.T) {
	for status, words := range map[apdu.Status]string{
		apdu.StatusSecurity:     "6982: security status not satisfied",
		apdu.StatusNotFound:     "6A82: file or application not found",
		0x6100:                  "6100: 256 more bytes wait",
		0x6C0F:                  "6C0F: wrong length, 15 bytes wait",
		0x63C2:                  "63C2: warning",
		0x6400:                  "6400: execution error",
		0x1234:                  "1234: unknown status",
		apdu.StatusDataNotFound: "6A88: data not found",
	} {
		assert.Equal(t, words, status.Error())
		assert.ErrorIs(t, fmt.Errorf("selecting: %w", status), status)
		assert.NotErrorIs(t, fmt.Errorf("selecting: %w", status), apdu.StatusOK)
	}
}

func TestEveryNamedStatusHasItsOwnWords(t *testing.T) {
	seen := map[string]apdu.Status{}
	for _, status := range []apdu.Status{
		apdu.StatusOK, apdu.StatusMemoryFailure, apdu.StatusWrongLength, apdu.StatusSecurity, apdu.StatusConditions,
		apdu.StatusNoFileSelected, apdu.StatusWrongData, apdu.StatusFunctionNotSupported, apdu.StatusNotFound,
		apdu.StatusWrongParameters, apdu.StatusDataNotFound, apdu.StatusWrongOffset, apdu.StatusInstruction,
		apdu.StatusClass, apdu.StatusUnknown, 0x6200, 0x6400, 0x9999,
	} {
		words := status.Error()[len("9000: "):]
		other, double := seen[words]
		assert.False(t, double, "%v and %v say the same", other, status)
		seen[words] = status
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, form := range forms {
		b, err := form.command.Bytes()
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := apdu.ParseCommand(b)
		if err != nil {
			assert.ErrorIs(t, err, apdu.ErrMalformed)
			return
		}
		again, err := c.Bytes()
		require.NoError(t, err)
		assert.Equal(t, b, again)
		assert.NotEmpty(t, c.String())
	})
}
