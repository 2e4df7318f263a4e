//go:build cgo && linux

package pcsc_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// facts is what scripts/read_tag.py says of a card.
type facts struct{ URI, Card, Algorithm, Signature string }

// readTag lets Python read the card on the reader. The exit code is 0 for a tag that is as it should be.
func readTag(t *testing.T) (facts, int, string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	python := filepath.Join(cache, "productid", "ndeflib-0.3.3", "bin", "python")
	_, err = os.Stat(python)
	needs(t, "ndeflib (make setup)", err)
	command := exec.Command(python, "../../scripts/read_tag.py", "--reader", virtual.name)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit)
	}
	var f facts
	if len(out) > 0 {
		require.NoError(t, json.Unmarshal(out, &f), "%s", out)
	}
	return f, command.ProcessState.ExitCode(), complaint.String()
}

func TestPythonReadsTheTagAndChecksItsSignature(t *testing.T) {
	for _, algorithm := range []tap.Algorithm{tap.P256, tap.RSA2048} {
		t.Run(algorithm.String(), func(t *testing.T) {
			key := insertMade(t, algorithm)
			f, code, complaint := readTag(t)
			require.Zero(t, code, complaint)
			id := key.ID()
			assert.Equal(t, facts{f.URI, hex.EncodeToString(id[:]), algorithm.String(), "good"}, f)
			u, err := tap.Parse(f.URI)
			require.NoError(t, err)
			assert.NoError(t, u.Verify(key))
			assert.Equal(t, uint32(1), u.Counter, "read twice in one selection")
		})
	}
}

func TestPythonSaysWhyATagIsNotSigned(t *testing.T) {
	insert(t)
	f, code, complaint := readTag(t)
	require.Zero(t, code, complaint)
	assert.Equal(t, facts{Signature: "none: empty"}, f)

	c := open(t)
	makeCard(t, c, tap.P256, card.Profile{ChallengeOnly: true, MaxRead: card.OldReaderMaxRead})
	require.NoError(t, c.Close())
	f, code, complaint = readTag(t)
	require.Zero(t, code, complaint)
	assert.Equal(t, "none: challenge", f.Signature)
	_, err := tap.Parse(f.URI)
	assert.ErrorIs(t, err, tap.ErrUnsigned)
}

// Behind an old reader, a tag is read by others if its capability container asks for short reads; that is what MLe 3B is for.
func TestPythonReadsThroughAnOldReaderByShortReads(t *testing.T) {
	t.Run("MLe F6", func(t *testing.T) {
		insertMade(t, tap.P256, "--reader", "acr122u")
		_, code, complaint := readTag(t)
		assert.Equal(t, 1, code)
		assert.Contains(t, complaint, "is answered 6f00")
	})
	t.Run("MLe 3B", func(t *testing.T) {
		insert(t, "--reader", "acr122u")
		c := open(t)
		makeCard(t, c, tap.P256, card.Profile{MaxRead: card.OldReaderMaxRead})
		require.NoError(t, c.Close())
		f, code, complaint := readTag(t)
		require.Zero(t, code, complaint)
		assert.Equal(t, "good", f.Signature)
	})
}

// insertSoft puts a card in software on the reader, as a virtual card is: in vpcd's framing, which asks and is answered.
func insertSoft(t *testing.T, c *cardtest.Card) {
	t.Helper()
	virtual.once.Do(startReader)
	needs(t, "pcscd with vpcd", virtual.err)
	conn, err := net.Dial("tcp", virtual.vpcd)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for answerVPCD(conn, c) == nil {
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
		waitFor(t, false)
	})
	waitFor(t, true)
}

func answerVPCD(conn io.ReadWriter, c *cardtest.Card) error {
	const getATR = 0x04
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	frame := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, frame); err != nil {
		return err
	}
	var answer []byte
	var err error
	switch {
	case len(frame) > 1:
		answer, err = c.Transmit(frame)
	case len(frame) == 1 && frame[0] == getATR:
		answer = []byte{0x3B, 0x80, 0x80, 0x01, 0x01}
	case len(frame) == 1: // power or reset, which is not answered
		c.Reset()
		return nil
	default:
		err = errors.New("an empty frame")
	}
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// TestPythonNoticesABadTag shows that the check above can fail.
func TestPythonNoticesABadTag(t *testing.T) {
	const nlen, signatureEnd = 2, 20
	type change func(command apdu.Command, answer []byte) []byte
	var changed atomic.Pointer[change] // the card answers in a goroutine of its own
	spoil := func(c change) { changed.Store(&c) }
	spoil(func(_ apdu.Command, answer []byte) []byte { return answer })
	soft := cardtest.NewLocked("card")
	soft.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		if command.INS != apdu.InsReadBinary || len(answer) < 60 {
			return answer, nil
		}
		return (*changed.Load())(command, answer), nil
	}
	insertSoft(t, soft)
	f, code, complaint := readTag(t)
	require.Zero(t, code, complaint)
	require.Equal(t, "good", f.Signature)

	spoil(func(_ apdu.Command, answer []byte) []byte {
		answer[len(answer)-signatureEnd] ^= 1 // one character of the signature
		return answer
	})
	f, code, _ = readTag(t)
	assert.Equal(t, 3, code)
	assert.Equal(t, "bad", f.Signature)

	reads := 0
	spoil(func(_ apdu.Command, answer []byte) []byte {
		reads++
		answer[len(answer)-signatureEnd] += byte(reads)
		return answer
	})
	_, code, complaint = readTag(t)
	assert.Equal(t, 1, code)
	assert.Contains(t, complaint, "two messages in one selection")

	spoil(func(_ apdu.Command, answer []byte) []byte { return answer[1:] })
	_, code, complaint = readTag(t)
	assert.Equal(t, 1, code)
	assert.Contains(t, complaint, "when asked for")

	spoil(func(command apdu.Command, answer []byte) []byte {
		if command.P2 == nlen {
			answer[3] = 'T' // no URI record
		}
		return answer
	})
	_, code, complaint = readTag(t)
	assert.Equal(t, 1, code)
	assert.Contains(t, complaint, "are not one URI")
}
