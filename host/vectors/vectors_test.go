package vectors_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/vectors"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors/" + name)
	require.NoError(t, err)
	return text
}

func TestSharedVectorsHold(t *testing.T) {
	var tally vectors.Tally
	require.NoError(t, tally.Run("tap.json", read(t, "tap.json")))
	taps := tally.Vectors
	require.NoError(t, tally.Run("channel.json", read(t, "channel.json")))
	channels := tally.Vectors
	require.NoError(t, tally.Run("stardust.json", read(t, "stardust.json")))
	require.NoError(t, tally.Run("log.json", read(t, "log.json")))
	assert.Greater(t, taps, 50)
	assert.Greater(t, channels, taps+50)
	assert.Greater(t, tally.Vectors, channels+50)
	assert.Empty(t, tally.Differ)
}

// TestWhatAGoodProofAmountsToIsCompared: a receipt other than the vector's is a difference.
func TestWhatAGoodProofAmountsToIsCompared(t *testing.T) {
	for _, member := range []string{"index", "unixMs", "ledger", "phase", "alias"} {
		text := regexp.MustCompile(`"`+member+`": [^,\n]*(,?)\n`).ReplaceAll(read(t, "stardust.json"), []byte(`"x": 0$1`))
		var tally vectors.Tally
		require.NoError(t, tally.Run("x", text))
		require.Len(t, tally.Differ, 7, member)
		assert.Equal(t, "ok, with other bytes", tally.Differ[0].Got)
	}
}

// TestEveryVectorIsCompared: a file that expects something else of each vector agrees with none.
func TestEveryVectorIsCompared(t *testing.T) {
	expect := regexp.MustCompile(`"expect": *"[a-z_]*"`)
	for _, name := range []string{"tap.json", "channel.json", "stardust.json", "log.json"} {
		text := read(t, name)
		want := len(expect.FindAll(text, -1))
		var tally vectors.Tally
		require.NoError(t, tally.Run(name, expect.ReplaceAll(text, []byte(`"expect": "another"`))))
		require.Len(t, tally.Differ, want, name)
		for _, d := range tally.Differ {
			assert.Equal(t, name, d.File)
			assert.NotEmpty(t, d.Name)
			assert.Equal(t, "another", d.Want)
		}
	}
}

func TestInclusionThatDoesNotHoldDiffers(t *testing.T) {
	text := []byte(`{"format": "pidc1", "log": {"leaves": ["00"], "roots": ["", "00"], "inclusion": [
		{"index": 0, "size": 1, "proof": []}, {"index": 5, "size": 1, "proof": []}, {"index": -1, "size": -1, "proof": []}]}}`)
	var tally vectors.Tally
	require.NoError(t, tally.Run("x", text))
	assert.Equal(t, 3, tally.Vectors)
	assert.Len(t, tally.Differ, 3)
}

func TestWhatIsNoFileOfVectorsIsRefused(t *testing.T) {
	for _, text := range []string{``, `{`, `[]`, `{}`, `{"format": "tap v9"}`, `{"format": "tap v1", "taps": 7}`,
		`{"format": "tap v1", "taps": [{"key": "not hex"}]}`, `{"format": "pidc1", "channels": [{"channel": "x"}]}`,
		`{"format": "proofs v1"}`, `{"format": "proofs v1", "proofs": [{"phase": "never"}]}`, `{"format": "proofs v1", "policies": {"x": {"y": 1}}}`,
		`{"format": "tap v1"}`, `{"format": "tap v1", "tap": [{}]}`, `{"format": "pidc1", "channels": [{"messages": []}]}`} {
		var tally vectors.Tally
		assert.ErrorIs(t, tally.Run("x", []byte(text)), vectors.ErrMalformed, text)
		assert.Zero(t, tally.Vectors, text)
	}
}

// FuzzRun: whatever the file holds, it is run or refused.
func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"format": "tap v1", "taps": [{"name": "no url", "url": "x", "alg": 1, "key": "04", "cardId": "x", "expect": "ok"}]}`))
	f.Add([]byte(`{"format": "pidc1", "channels": [{"mode": 1, "messages": [{"n": 0}], "bad": [{"mode": 1}]}]}`))
	f.Add([]byte(`{"format": "proofs v1", "policies": {"p": {}}, "proofs": [{"policy": "p", "kind": "stardust", "text": "x", "message": "00"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var tally vectors.Tally
		if err := tally.Run("fuzz", text); err != nil {
			assert.ErrorIs(t, err, vectors.ErrMalformed)
			assert.Zero(t, tally.Vectors)
		}
		assert.LessOrEqual(t, len(tally.Differ), tally.Vectors)
	})
}
