package cardbench_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/cardbench"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// zeros is randomness that can be foreseen.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// bench puts a card on a reader on which each command takes 1 ms, and signing as long as it says: the nth signature n times that.
func bench(c *cardtest.Card, signing time.Duration) cardbench.Bench {
	now, signed := time.Unix(0, 0), time.Duration(0)
	c.Before = func(command apdu.Command) error {
		now = now.Add(time.Millisecond)
		reads := command.INS == apdu.InsReadBinary && command.Ne == 2
		if reads || command.CLA == 0x80 && command.INS == 0x30 {
			signed++
			now = now.Add(signed * signing)
		}
		return nil
	}
	return cardbench.Bench{Card: c, Now: func() time.Time { return now }, Random: zeros{}}
}

func run(t *testing.T, b cardbench.Bench, runs int) cardbench.Report {
	t.Helper()
	plan, err := b.Plan(runs)
	require.NoError(t, err)
	report, err := b.Run(t.Context(), plan)
	require.NoError(t, err)
	return report
}

// row finds what was measured of a command.
func row(t *testing.T, r cardbench.Report, name string) cardbench.Times {
	t.Helper()
	for _, times := range r.Commands {
		if times.Name == name {
			return times
		}
	}
	require.Fail(t, "not measured", name)
	return cardbench.Times{}
}

func TestBenchMeasuresEachCommandAndTheWholeTap(t *testing.T) {
	soft := cardtest.NewLocked("card")
	r := run(t, bench(soft, time.Millisecond), 20)
	assert.Equal(t, uint64(40), r.Counts)
	assert.Equal(t, uint32(40), soft.Soft.Counter, "what was said beforehand")
	assert.Equal(t, cardbench.Times{Name: "SELECT application", Sent: 13, Answered: 2, N: 40, MedianMS: 1, P95MS: 1}, row(t, r, "SELECT application"))
	assert.Equal(t, cardbench.Times{Name: "READ capability container", Sent: 5, Answered: 17, N: 20, MedianMS: 1, P95MS: 1}, row(t, r, "READ capability container"))
	// Taps are the signatures 1, 3, … 39, challenges 2, 4, … 40: by nearest rank the 10th and the 19th of twenty.
	assert.Equal(t, cardbench.Times{Name: "READ NLEN", Sent: 5, Answered: 4, N: 20, MedianMS: 1 + 19, P95MS: 1 + 37}, row(t, r, "READ NLEN"))
	assert.Equal(t, cardbench.Times{Name: "CHALLENGE", Sent: 23, Answered: 70, N: 20, MedianMS: 1 + 20, P95MS: 1 + 38}, row(t, r, "CHALLENGE"))
	assert.Equal(t, &cardbench.Times{Name: "whole tap", N: 20, MedianMS: 6 + 19, P95MS: 6 + 37}, r.Tap)
	assert.Equal(t, &cardbench.Times{Name: "whole challenge", N: 20, MedianMS: 3 + 20, P95MS: 3 + 38}, r.Challenge)
	assert.Equal(t, 141, r.Message)
	assert.Equal(t, "p256", r.Algorithm)
	assert.Empty(t, r.Warnings)
}

func TestBenchOfAnRSACardReadsInParts(t *testing.T) {
	r := run(t, bench(cardtest.NewLockedRSA("card"), time.Millisecond), 3)
	assert.Equal(t, "rsa2048", r.Algorithm)
	assert.Equal(t, 400, r.Message)
	assert.Equal(t, 248, row(t, r, "READ message at 2").Answered)
	assert.Equal(t, 400-246+2, row(t, r, "READ message at 248").Answered)
	assert.Equal(t, 6, row(t, r, "CHALLENGE").Answered)
	assert.Equal(t, 244, row(t, r, "GET DATA signature, part 1").Answered)
	assert.Equal(t, 20, row(t, r, "GET DATA signature, part 2").Answered)
	assert.Equal(t, 23, row(t, r, "GET DATA key, part 2").Answered)
}

func TestBenchTakesWhatACardHas(t *testing.T) {
	installed := cardtest.New("card")
	r := run(t, bench(installed, 0), 2)
	assert.Equal(t, "installed", r.State)
	assert.Zero(t, r.Counts)
	assert.Nil(t, r.Tap)
	assert.Nil(t, r.Challenge)
	assert.Nil(t, r.SigningRead)
	assert.Equal(t, cardtest.Installed, installed.State, "it makes no key")

	keyed := cardtest.New("card")
	keyed.State = cardtest.Keyed
	r = run(t, bench(keyed, 0), 2)
	assert.Equal(t, uint64(2), r.Counts, "challenges alone: there is no template")
	assert.Nil(t, r.Tap)
	assert.NotNil(t, r.Challenge)

	client, err := card.Open(keyed)
	require.NoError(t, err)
	require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
	r = run(t, bench(keyed, 0), 2)
	assert.Equal(t, uint64(4), r.Counts, "rehearsals count")
	assert.Equal(t, cardtest.Keyed, keyed.State, "it locks nothing")

	require.NoError(t, client.PutProfile(card.Profile{ChallengeOnly: true, MaxRead: card.OldReaderMaxRead}))
	r = run(t, bench(keyed, 0), 2)
	assert.Equal(t, uint64(2), r.Counts)
	assert.NotNil(t, r.Tap, "an unsigned one")
	assert.Nil(t, r.SigningRead)
	assert.Equal(t, uint16(59), r.MaxRead)
	assert.Equal(t, uint32(2+4+2), keyed.Soft.Counter)
}

func TestBenchRefusesBeforeItUsesUpTooMuch(t *testing.T) {
	soft := cardtest.NewLocked("card")
	soft.Soft.Counter, soft.CounterMax = 90, 100
	b := bench(soft, 0)
	_, err := b.Plan(6)
	assert.ErrorIs(t, err, cardbench.ErrFewCounts)
	assert.ErrorContains(t, err, "6 runs use up 12, and it has 10")
	for _, runs := range []int{0, -1, cardbench.MaxRuns + 1} {
		_, err = b.Plan(runs)
		assert.ErrorContains(t, err, "want 1 to 10000")
	}
	assert.Equal(t, uint32(90), soft.Soft.Counter)
	assert.Equal(t, uint64(10), run(t, b, 5).Counts)
	_, err = b.Plan(1)
	assert.ErrorIs(t, err, cardbench.ErrFewCounts)
}

func TestBenchTakesNoTimeOfAFailure(t *testing.T) {
	torn := errors.New("card removed")
	for name, row := range map[string]struct {
		after func(apdu.Command, []byte) ([]byte, error)
		want  error
	}{
		"torn":    {func(c apdu.Command, a []byte) ([]byte, error) { return nil, torn }, torn},
		"refused": {func(c apdu.Command, a []byte) ([]byte, error) { return []byte{0x69, 0x85}, nil }, apdu.StatusConditions},
		"forged tap": {func(c apdu.Command, a []byte) ([]byte, error) {
			if c.INS == apdu.InsReadBinary && c.P2 == 2 {
				a = bytes.Replace(a, []byte("c=0000"), []byte("c=0001"), 1)
			}
			return a, nil
		}, cardbench.ErrTap},
		"no URL": {func(c apdu.Command, a []byte) ([]byte, error) {
			if c.INS == apdu.InsReadBinary && c.P2 == 2 {
				a[0] = 0
			}
			return a, nil
		}, cardbench.ErrTap},
		"forged answer": {func(c apdu.Command, a []byte) ([]byte, error) {
			if c.CLA == 0x80 && c.INS == 0x30 {
				a[10] ^= 1
			}
			return a, nil
		}, tap.ErrBadSignature},
	} {
		soft := cardtest.NewLocked("card")
		b := bench(soft, 0)
		plan, err := b.Plan(3)
		require.NoError(t, err)
		soft.After = row.after
		_, err = b.Run(t.Context(), plan)
		assert.ErrorIs(t, err, row.want, name)
		assert.ErrorContains(t, err, "run 1 of 3", name)
	}
	b := bench(cardtest.NewLocked("card"), 0)
	plan, err := b.Plan(1)
	require.NoError(t, err)
	b.Random = strings.NewReader("short")
	_, err = b.Run(t.Context(), plan)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestBenchEndsWithItsContext(t *testing.T) {
	soft := cardtest.NewLocked("card")
	b := bench(soft, 0)
	plan, err := b.Plan(50)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	b.Begins = func(run int) {
		if run == 3 {
			cancel()
		}
	}
	_, err = b.Run(ctx, plan)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "after 3 of 50 runs")
	assert.Equal(t, uint32(6), soft.Soft.Counter)
}

func TestSlowCardIsWarnedOf(t *testing.T) {
	assert.Empty(t, run(t, bench(cardtest.NewLocked("card"), 249*time.Millisecond), 1).Warnings)
	r := run(t, bench(cardtest.NewLocked("card"), 500*time.Millisecond), 1)
	require.Len(t, r.Warnings, 2)
	assert.Contains(t, r.Warnings[0], "READ NLEN takes 501 ms: hands move sooner")
	assert.Contains(t, r.Warnings[1], "CHALLENGE takes 1001 ms: phones give up after 1000 ms")
}

func TestMarkdownHoldsTheTablesAndNothingElseCanGetIn(t *testing.T) {
	r := run(t, bench(cardtest.NewLocked("card"), time.Millisecond), 2)
	r.Reader, r.ATR = "ACR|122\n\u202e`U", "3B80800101"
	var text strings.Builder
	r.WriteMarkdown(&text)
	lines := strings.Split(text.String(), "\n")
	assert.Equal(t, "| card | reader | ATR | applet | algorithm | MLe | message, bytes | signing read, ms | whole tap, ms | challenge, ms | runs |", lines[0])
	assert.Equal(t, "| (its name) | ACR/122??'U | 3B80800101 | 1.0 | p256 | 246 | 141 | 2.0 / 4.0 | 7.0 / 9.0 | 5.0 / 7.0 | 2 |", lines[2])
	assert.Equal(t, "| SELECT application | 13 | 2 | 1.0 | 1.0 | 4 |", lines[6])
	assert.Contains(t, text.String(), "\n| **whole tap** |  |  | 7.0 | 9.0 | 2 |\n")
	for _, line := range lines[:3] {
		assert.Equal(t, 12, strings.Count(line, "|"), line)
	}

	text.Reset()
	run(t, bench(cardtest.New("card"), 0), 1).WriteMarkdown(&text)
	assert.Contains(t, text.String(), "| (its name) |  |  | 1.0 |  | 246 | 0 | – | – | – | 1 |")
}
