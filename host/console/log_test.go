package console_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
)

// TestLogIsOneHarmlessLineOfJSONWhereNobodyReads holds what foreign text must not do: end a line, or turn the direction of writing.
func TestLogIsOneHarmlessLineOfJSONWhereNobodyReads(t *testing.T) {
	var talk bytes.Buffer
	log := console.Open(console.Options{In: strings.NewReader(""), Out: new(bytes.Buffer), Err: &talk}).Logger(slog.LevelInfo)
	const foreign = "a\nb\x1b[2J\u202ec"
	log.Info("request", "url", foreign)
	log.Debug("nobody asked")
	line := talk.String()
	assert.Equal(t, 1, strings.Count(line, "\n"))
	assert.NotContains(t, line, "\x1b")
	assert.NotContains(t, line, "\u202e")
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &v))
	assert.Equal(t, foreign, v["url"], "nothing is lost by it")
}
