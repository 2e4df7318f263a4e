package apduscript_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/apduscript"
	"github.com/productid/productid/pkg/card/cardtest"
)

// onReader gives the software card the shape of a reader's.
type onReader struct{ *cardtest.Card }

func (r onReader) Reset() error { r.Card.Reset(); return nil }

// locked returns a P-256 card with this MaxRead that serves taps.
func locked(t testing.TB, maxRead uint16) *cardtest.Card {
	t.Helper()
	return withMaxRead(t, cardtest.NewLocked("card"), maxRead)
}

func withMaxRead(t testing.TB, c *cardtest.Card, maxRead uint16) *cardtest.Card {
	t.Helper()
	c.State = cardtest.Keyed
	client, err := card.Open(c)
	require.NoError(t, err)
	require.NoError(t, client.PutProfile(card.Profile{MaxRead: maxRead}))
	require.NoError(t, client.Lock(c.Soft.ID()))
	return c
}

func scripts(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../../testdata/apdu/*.apdu")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestEveryReaderGetsItsMessage(t *testing.T) {
	for _, file := range scripts(t) {
		for _, maxRead := range []uint16{card.DefaultMaxRead, card.OldReaderMaxRead} {
			for _, c := range []*cardtest.Card{cardtest.NewLocked("card"), cardtest.NewLockedRSA("card")} {
				script, err := os.Open(file)
				require.NoError(t, err)
				err = apduscript.Run(onReader{withMaxRead(t, c, maxRead)}, script)
				assert.NoError(t, err, "%s, %v, MLe %d", file, c.Soft.Key().Algorithm(), maxRead)
				require.NoError(t, script.Close())
			}
		}
	}
}

const (
	selected = "> 00A4040007D276000085010100\n< 9000\n> 00A4000C02E104\n< 9000\n> 00B0000002\n< {nlen} 9000\n"
	one      = selected + "read 246\n"
)

func TestRunNamesTheLineThatDoesNotHold(t *testing.T) {
	for name, row := range map[string]struct{ script, want string }{
		"nothing":               {"", "does not end with its count"},
		"no count":              {one, "does not end with its count"},
		"wrong count":           {one + "expect counts 2\n", "line 8: expect counts 2: it was: counts 1"},
		"count without reading": {"expect counts 0\n", "no message was read"},
		"line behind the count": {one + "expect counts 1\nactivate\n", "behind the count"},
		"wrong status":          {"\n# comment\nactivate\n> 00B0000001\n< 9000\n", "line 5: < 9000: the answer is 6986"},
		"unknown line":          {"wait 3\n", "no such line"},
		"no hexadecimal":        {"> 00zz\n", "line 1"},
		"broken pattern":        {"> 00B0000001\n< (\n", "line 2"},
		"chunk of none":         {selected + "read 0\n", "chunk"},
		"no chunk":              {selected + "read many\n", "chunk"},
		"read when not allowed": {"activate\nread 10 overrun\n", "6986"},
		"same is not new":       {one + one[len(selected):] + "expect new message\n", "it is an old one"},
		"new is not same":       {one + one + "expect same message\n", "the messages differ"},
	} {
		err := apduscript.Run(onReader{locked(t, 246)}, strings.NewReader(row.script))
		assert.ErrorContains(t, err, row.want, name)
	}
}

func TestRunNoticesABadCard(t *testing.T) {
	reads := 0
	spoil := func(change func([]byte) []byte) *cardtest.Card {
		c := locked(t, 246)
		c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
			if command.INS != apdu.InsReadBinary || len(answer) < 60 {
				return answer, nil
			}
			reads++
			return change(answer), nil
		}
		return c
	}
	short := spoil(func(b []byte) []byte { return b[1:] })
	assert.ErrorContains(t, apduscript.Run(onReader{short}, strings.NewReader(one)), "when asked for")
	assert.ErrorContains(t, apduscript.Run(onReader{short}, strings.NewReader(selected+"read 60 overrun\n")), "before the end")
	forged := spoil(func(b []byte) []byte { b[len(b)-10] ^= 1; return b })
	assert.Error(t, apduscript.Run(onReader{forged}, strings.NewReader(one+"expect counts 1\n")))
	assert.Positive(t, reads)
}

func FuzzRun(f *testing.F) {
	for _, file := range scripts(f) {
		script, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(string(script))
	}
	f.Fuzz(func(t *testing.T, script string) {
		if apduscript.Run(onReader{cardtest.NewLocked("card")}, strings.NewReader(script)) == nil {
			assert.Contains(t, script, "expect counts")
		}
	})
}
