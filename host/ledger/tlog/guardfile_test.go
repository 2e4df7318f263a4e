package tlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGuardIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guard")
	require.NoError(t, createGuard(path, []byte("o\n1\nfirst\n")))
	assert.ErrorIs(t, createGuard(path, []byte("o\n0\nsecond\n")), fs.ErrExist)
	text, err := ReadGuard(path)
	require.NoError(t, err)
	assert.Equal(t, "o\n1\nfirst\n", string(text))
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 1, "nothing is left behind")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())
}

// A guard whose writing is cut at any byte still tells the checkpoint before, or the
// new one: never nothing, and never another.
func TestTornGuardTellsTheCheckpointBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guard")
	require.NoError(t, createGuard(path, []byte("o\n1\nroot of 1\n")))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	before, err := guardFile{f}.read()
	require.NoError(t, err)
	require.NoError(t, guardFile{f}.write(&before, []byte("o\n2\nroot of 2\n")))
	after, err := guardFile{f}.read()
	require.NoError(t, err)
	for cut := range guardSize + 1 {
		torn := after
		copy(torn[cut:], before[cut:])
		text, err := torn.newest()
		require.NoError(t, err, cut)
		if want := "o\n1\nroot of 1\n"; string(text) != want {
			require.Equal(t, "o\n2\nroot of 2\n", string(text), cut)
		}
		third := guardFile{f}
		_, err = f.WriteAt(torn[:], 0)
		require.NoError(t, err)
		if cut%512 == 0 || cut < 64 {
			require.NoError(t, third.write(&torn, []byte("o\n3\nroot of 3\n")), cut)
			text, err = ReadGuard(path)
			require.NoError(t, err)
			require.Equal(t, "o\n3\nroot of 3\n", string(text))
		}
	}
}

// FuzzGuard reads a guard's file of any bytes: an error, or a text that was written
// there.
func FuzzGuard(f *testing.F) {
	slot, err := encodeSlot([]byte("origin\n7\nroot\n"))
	require.NoError(f, err)
	other, err := encodeSlot([]byte("origin\n8\nroot\n"))
	require.NoError(f, err)
	f.Add(slot, other)
	f.Add(slot, make([]byte, slotSize))
	f.Add([]byte("PIDG\x01\xff\xff"), other)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var s slots
		copy(s[:slotSize], a)
		copy(s[slotSize:], b)
		text, next, err := s.pick()
		if err != nil {
			require.ErrorIs(t, err, ErrBadGuard)
			return
		}
		counts := s[slotSize*(1-next):][:slotSize]
		again, err := encodeSlot(text)
		require.NoError(t, err)
		end := offText + len(text) + 32
		require.Equal(t, again[:end], counts[:end])
		_, err = decodeSlot(s[slotSize*next:][:slotSize])
		require.True(t, err == nil || errors.Is(err, errSlot))
	})
}
