// Package cardbench measures how long a card takes: command by command, for a tap as a phone reads it, and for a challenge.
//
// A time is that from a command's first byte given to the reader to its answer: card, reader and driver together. The activation of
// the card by the reader is not in it. A bench makes no key, writes nothing and locks nothing; what it takes from the card are counts,
// one for each tap and one for each challenge, and those are gone for good. Every tap and answer is verified, so that no time is that
// of a failure.
//
// # Concurrency
//
// A card serves one caller at a time, and so does a Bench.
package cardbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

var (
	// ErrFewCounts says that the card has fewer counts left than the bench would use up. Nothing was used up.
	ErrFewCounts = errors.New("the card has too few counts left")
	// ErrTap says that the card served a tap that is none of its own.
	ErrTap = errors.New("the card's tap does not hold")
)

// Bench is a card on a reader, with the clock and the randomness to measure it by.
type Bench struct {
	Card   apdu.Transmitter
	Now    func() time.Time // monotonic, as time.Now is
	Random io.Reader        // of nonces
	Begins func(run int)    // is told that this run begins, from 1 on; may be nil
}

// Plan is what a bench will do to a card.
type Plan struct {
	Info       card.Info
	Runs       int
	Taps       uint32 // counts that taps will use up
	Challenges uint32 // counts that challenges will use up

	key tap.Key
}

// Counts returns how many counts of the card the bench uses up.
func (p Plan) Counts() uint64 { return uint64(p.Taps) + uint64(p.Challenges) }

// Left returns how many counts the card has now.
func (p Plan) Left() uint64 {
	if p.Info.Exhausted() {
		return 0
	}
	return uint64(p.Info.CounterMax - p.Info.Counter)
}

// MaxRuns is the most runs of one bench.
const MaxRuns = 10_000

// Plan looks at the card and says what so many runs (1 to MaxRuns) would use up. It uses up nothing. The error is ErrFewCounts, one of
// package card, or the Transmitter's.
func (b Bench) Plan(runs int) (Plan, error) {
	if runs < 1 || runs > MaxRuns {
		return Plan{}, fmt.Errorf("a bench of %d runs: want 1 to %d", runs, MaxRuns)
	}
	client, err := card.Open(b.Card)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Runs: runs}
	if p.Info, err = client.Info(); err != nil {
		return Plan{}, err
	}
	if p.Info.Algorithm == 0 {
		return p, nil
	}
	if p.key, err = client.Key(); err != nil {
		return Plan{}, err
	}
	p.Challenges = uint32(runs)
	if _, err := client.Template(); err == nil && !p.Info.Profile.ChallengeOnly {
		p.Taps = uint32(runs)
	} else if err != nil && !errors.Is(err, card.ErrAbsent) {
		return Plan{}, err
	}
	if p.Counts() > p.Left() {
		return Plan{}, fmt.Errorf("%w: %d runs use up %d, and it has %d", ErrFewCounts, runs, p.Counts(), p.Left())
	}
	return p, nil
}

// Run measures. Between two runs it looks whether ctx has ended. After an error, that of ctx among them, some of the counts of the plan
// are used up and nothing else has happened to the card.
func (b Bench) Run(ctx context.Context, p Plan) (Report, error) {
	m := measurement{bench: b, plan: p, watch: &watch{card: b.Card, now: b.Now}}
	for run := 1; run <= p.Runs; run++ {
		if err := ctx.Err(); err != nil {
			return Report{}, fmt.Errorf("measuring the card, after %d of %d runs: %w", run-1, p.Runs, err)
		}
		if b.Begins != nil {
			b.Begins(run)
		}
		if err := m.run(); err != nil {
			return Report{}, fmt.Errorf("measuring the card, run %d of %d: %w", run, p.Runs, err)
		}
	}
	return m.report(), nil
}

// measurement is a bench in the middle.
type measurement struct {
	bench           Bench
	plan            Plan
	watch           *watch
	taps, questions []time.Duration
	message         int // bytes of the last NDEF message
}

func (m *measurement) run() error {
	if err := m.tap(); err != nil {
		return err
	}
	client, err := m.ask()
	if err != nil {
		return err
	}
	if _, err := client.Capabilities(); err != nil {
		return err
	}
	if m.plan.key.IsZero() {
		return nil
	}
	_, err = client.Key()
	return err
}

// tap reads the card as a phone does.
func (m *measurement) tap() error {
	start := m.bench.Now()
	message, err := t4t.Read(m.watch)
	took := m.bench.Now().Sub(start)
	if err != nil {
		return err
	}
	if m.message = len(message.NDEF); m.message == 0 {
		return nil
	}
	m.taps = append(m.taps, took)
	return m.verify(message.NDEF)
}

func (m *measurement) verify(message []byte) error {
	text, err := ndef.ParseURI(message)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTap, err)
	}
	u, err := tap.Parse(text)
	switch {
	case errors.Is(err, tap.ErrUnsigned) && m.plan.Info.Profile.ChallengeOnly:
		return nil
	case err != nil:
	case m.plan.Info.State == card.Locked:
		err = u.Verify(m.plan.key)
	default:
		err = u.VerifyRehearsal(m.plan.key)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTap, err)
	}
	return nil
}

// ask selects the card and challenges it, as a check point does.
func (m *measurement) ask() (*card.Client, error) {
	nonce := make([]byte, tap.MinNonce)
	if _, err := io.ReadFull(m.bench.Random, nonce); err != nil {
		return nil, fmt.Errorf("making a nonce: %w", err)
	}
	start := m.bench.Now()
	client, err := card.Open(m.watch)
	if err != nil || m.plan.key.IsZero() {
		return client, err
	}
	answer, err := client.Challenge(nonce, nil)
	if err != nil {
		return nil, err
	}
	m.questions = append(m.questions, m.bench.Now().Sub(start))
	return client, answer.Verify(m.plan.key)
}

// quantile returns the nearest rank: of n sorted values the one at ⌈n·q⌉. There must be one.
func quantile(sorted []time.Duration, q float64) time.Duration {
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}
