package anchor

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

func TestWhatIsAnchoredIsProvedOnBothLedgers(t *testing.T) {
	log, in := openLog(t, newPath(t), logOptions(t)), newOther(t)
	a := New(options(log, in, nil))
	r := write(t, log, 1, "fine", "rain")
	_, err := log.Await(t.Context(), r, ledger.Anchored)
	require.ErrorIs(t, err, ledger.ErrNoPhase, "nothing was ever anchored, and nobody said that it will be")

	require.NoError(t, a.Publish(t.Context()))
	anchoredReceipt, err := log.Await(t.Context(), r, ledger.Anchored)
	require.NoError(t, err)
	assert.Equal(t, ledger.Anchored, anchoredReceipt.Phase)
	head, err := log.Head(t.Context(), r.Channel)
	require.NoError(t, err)
	_, err = trusts(t).Verify(head.Message, anchoredReceipt.Proof)
	require.NoError(t, err)

	checkpoint, evidence, err := Newest(t.Context(), log)
	require.NoError(t, err)
	there, err := evidence.Verify(trusts(t))
	require.NoError(t, err)
	assert.Equal(t, otherName, there.Ledger)
	assert.Equal(t, a.Channel(), there.Channel)
	body, err := evidence.Message.Body()
	require.NoError(t, err)
	said, err := record.ParseLogCheckpoint(body)
	require.NoError(t, err)
	assert.Equal(t, string(checkpoint), said.Checkpoint)
	assert.True(t, strings.HasSuffix(string(anchoredReceipt.Proof.Text), "\n\n"+said.Checkpoint), "the receipt's proof is under the anchored checkpoint")
	info, err := log.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ledger.Anchored, info.Highest)
}

func TestAwaitComesWithTheAnchor(t *testing.T) {
	o := logOptions(t)
	o.Anchored = true
	log, in := openLog(t, newPath(t), o), newOther(t)
	a := New(options(log, in, nil))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	for i := range 3 {
		r, err := log.Await(t.Context(), write(t, log, 1, fmt.Sprint(i)), ledger.Anchored)
		require.NoError(t, err)
		assert.Equal(t, ledger.Anchored, r.Phase)
	}
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	ended, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := log.Await(ended, write(t, log, 1, "later"), ledger.Anchored)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestOnlyALogThatHasGrownIsPublished(t *testing.T) {
	log, in := openLog(t, newPath(t), logOptions(t)), newOther(t)
	a := New(options(log, in, nil))
	require.NoError(t, a.Publish(t.Context()))
	assert.Zero(t, count(t, in), "an empty log")
	write(t, log, 1, "fine")
	for range 3 {
		require.NoError(t, a.Publish(t.Context()))
		assert.Equal(t, 1, count(t, in))
	}
	write(t, log, 1, "rain")
	require.NoError(t, a.Publish(t.Context()))
	assert.Equal(t, 2, count(t, in))
}

func TestOneOfSeveralProcessesPublishes(t *testing.T) {
	path, in := newPath(t), newOther(t)
	now := time.Now()
	var anchors []*Anchor
	for _, holder := range []string{"one", "two"} {
		o := options(openLog(t, path, logOptions(t)), in, nil)
		o.Holder, o.Every, o.Now = holder, time.Second, func() time.Time { return now }
		anchors = append(anchors, New(o))
	}
	log := anchors[0].o.Log
	write(t, log, 1, "fine")
	require.NoError(t, anchors[0].Publish(t.Context()))
	write(t, log, 1, "rain")
	require.NoError(t, anchors[1].Publish(t.Context()))
	assert.Equal(t, 1, count(t, in), "the first holds the lease")
	now = now.Add(time.Minute) // it is dead, or was: then both are right
	require.NoError(t, anchors[1].Publish(t.Context()))
	assert.Equal(t, 2, count(t, in))
	write(t, log, 1, "snow")
	require.NoError(t, anchors[0].Publish(t.Context()))
	assert.Equal(t, 2, count(t, in), "the second holds it now")
	require.NoError(t, anchors[1].Cover(t.Context()))
	assert.Equal(t, 3, count(t, in))
}

func TestUncertainIsTriedAgainWithTheSameBytes(t *testing.T) {
	log, in := openLog(t, newPath(t), logOptions(t)), newOther(t)
	var told []error
	a := New(options(log, in, &told))
	write(t, log, 1, "fine")
	in.lost = ledger.ErrUncertain
	err := a.Publish(t.Context())
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorIs(t, err, ledger.ErrUncertain)
	write(t, log, 1, "rain")
	require.NoError(t, a.Publish(t.Context()))
	assert.Equal(t, 2, count(t, in), "the first was recorded: the next is the log as it is now")
	require.Len(t, told, 1)

	// Not recorded, and nobody knows: the same bytes, and nothing else with that number.
	write(t, log, 1, "snow")
	in.fail(ledger.ErrUncertain)
	ctx := t.Context()
	last, err := a.compareWith(ctx, in)
	require.NoError(t, err)
	_, err = a.record(ctx, last, mustCheckpoint(t, log))
	require.ErrorIs(t, err, ledger.ErrUncertain)
	signed := a.pending
	in.fail(nil)
	write(t, log, 1, "hail")
	require.NoError(t, a.Publish(t.Context()))
	assert.Equal(t, signed.Hash(), in.submitted[len(in.submitted)-1].Hash())
	require.NoError(t, a.Cover(t.Context()))
	assert.Equal(t, 4, count(t, in))
}

// compareWith is compare while the ledger fails.
func (a *Anchor) compareWith(ctx context.Context, in *other) (*anchored, error) {
	err := in.failing()
	in.fail(nil)
	defer in.fail(err)
	return a.compare(ctx)
}

func mustCheckpoint(t testing.TB, log *tlog.Log) []byte {
	text, err := log.Checkpoint(t.Context())
	require.NoError(t, err)
	return text
}

func TestAnchorThatIsAwayStopsNothing(t *testing.T) {
	log, in := openLog(t, newPath(t), logOptions(t)), newOther(t)
	now := time.Now()
	var told []error
	o := options(log, in, &told)
	o.Now = func() time.Time { return now }
	away := errors.New("no route")
	o.Open = func(context.Context) (Ledger, error) {
		if away != nil {
			return nil, away
		}
		return in, nil
	}
	a := New(o)
	write(t, log, 1, "fine")
	for range 3 {
		require.ErrorIs(t, a.Publish(t.Context()), ErrUnreachable)
	}
	require.Len(t, told, 1, "once, not each second")
	write(t, log, 1, "the log goes on")
	now = now.Add(time.Hour)
	require.ErrorIs(t, a.Publish(t.Context()), ErrUnreachable)
	require.Len(t, told, 2)
	assert.ErrorIs(t, told[1], ErrLate)
	info, err := a.Info(t.Context())
	require.NoError(t, err)
	require.Len(t, info.Warnings, 1)
	assert.Contains(t, info.Warnings[0], "no route")
	assert.Contains(t, info.Warnings[0], "anchor is late")

	away = nil
	require.NoError(t, a.Publish(t.Context()))
	in.fail(ledger.ErrUnavailable)
	require.ErrorIs(t, a.Publish(t.Context()), ErrUnreachable)
	in.fail(nil)
	require.NoError(t, a.Publish(t.Context()))
	require.NoError(t, a.Alarm())
	write(t, log, 1, "and on")
}

func TestAnchorThatHasForgottenIsToldAndGoesOn(t *testing.T) {
	log := openLog(t, newPath(t), logOptions(t))
	write(t, log, 1, "fine")
	require.NoError(t, New(options(log, newOther(t), nil)).Publish(t.Context()))
	var told []error
	in := newOther(t) // an empty one under the same name
	a := New(options(log, in, &told))
	require.ErrorIs(t, a.Publish(t.Context()), ErrForgot)
	require.Len(t, told, 1)
	assert.Equal(t, 1, count(t, in), "what it forgot is anchored again")
	require.NoError(t, a.Publish(t.Context()))
	write(t, log, 1, "the log goes on")
}

func TestStrangeMessageOnTheChannelIsTold(t *testing.T) {
	log, in := openLog(t, newPath(t), logOptions(t)), newOther(t)
	write(t, log, 1, "fine")
	stranger, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: "log.example/other", Size: 1}, signer(t, otherKey))
	require.NoError(t, err)
	body, err := record.LogCheckpoint{Checkpoint: string(stranger)}.Encode()
	require.NoError(t, err)
	require.NoError(t, in.List(t.Context(), anchorAuthor.Channel()))
	var prev channel.Hash
	for n, b := range [][]byte{[]byte("{}"), body, []byte(`{"kind":"log.checkpoint"}`)} {
		m, err := anchorAuthor.Sign(channel.Draft{Number: uint64(n), Prev: prev, Time: time.Now(), Body: b})
		require.NoError(t, err)
		_, err = in.Submit(t.Context(), m)
		require.NoError(t, err)
		prev = m.Hash()
		require.ErrorIs(t, New(options(log, in, nil)).Publish(t.Context()), ErrStrange)
	}
	write(t, log, 1, "the log goes on")
	report, err := New(options(log, in, nil)).Verify(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, report.Findings, 3)
}

func TestAlteredEvidenceIsNotPassedOn(t *testing.T) {
	log, in := openLog(t, newPath(t), logOptions(t)), newOther(t)
	write(t, log, 1, "fine")
	require.NoError(t, New(options(log, in, nil)).Publish(t.Context()))
	checkpoint, evidence, err := log.Anchored(t.Context())
	require.NoError(t, err)
	write(t, log, 1, "rain")
	newer := mustCheckpoint(t, log)
	for _, bad := range [][2][]byte{{checkpoint, evidence[1:]}, {checkpoint, []byte("null")}, {newer, evidence}} {
		require.NoError(t, log.KeepAnchor(t.Context(), bad[0], bad[1]))
		_, _, err := Newest(t.Context(), log)
		assert.ErrorIs(t, err, tlog.ErrCorrupt)
	}
}

// With witnesses, what they cosigned is anchored: one proof shows both.
func TestWhatWitnessesCosignedIsAnchored(t *testing.T) {
	w, err := ledger.NewWitnessSigner("witness.example/one", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	require.NoError(t, err)
	o := logOptions(t)
	o.Witnesses, o.Quorum = []string{w.VerifierKey()}, 1
	log, in := openLog(t, newPath(t), o), newOther(t)
	now := time.Now()
	var told []error
	with := options(log, in, &told)
	with.Now = func() time.Time { return now }
	a := New(with)
	r := write(t, log, 1, "fine", "rain")
	require.NoError(t, a.Publish(t.Context()))
	assert.Zero(t, count(t, in), "no witness has spoken")
	now = now.Add(time.Hour)
	require.NoError(t, a.Publish(t.Context()))
	require.Len(t, told, 1)
	assert.ErrorIs(t, told[0], ErrLate, "witnesses that are silent keep the anchor back")

	text := mustCheckpoint(t, log)
	line, err := w.Cosign(text, time.Now())
	require.NoError(t, err)
	require.NoError(t, log.Cosign(t.Context(), append(text, line...)))
	write(t, log, 1, "not cosigned")
	require.NoError(t, a.Publish(t.Context()))
	anchoredReceipt, err := log.Await(t.Context(), r, ledger.Anchored)
	require.NoError(t, err)
	head, err := log.Range(t.Context(), r.Channel, r.Number, 1)
	require.NoError(t, err)
	policy := trusts(t)
	policy.Witnesses, policy.Quorum = o.Witnesses, 1
	verified, err := policy.Verify(head[0].Message, anchoredReceipt.Proof)
	require.NoError(t, err)
	assert.Equal(t, ledger.Witnessed, verified.Phase)
	_, evidence, err := Newest(t.Context(), log)
	require.NoError(t, err)
	_, err = evidence.Verify(trusts(t))
	require.NoError(t, err)
}
