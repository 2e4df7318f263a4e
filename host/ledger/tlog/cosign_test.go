package tlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func witness(t testing.TB, n byte) ledger.WitnessSigner {
	s, err := ledger.NewWitnessSigner(fmt.Sprintf("witness.example/%d", n), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	require.NoError(t, err)
	return s
}

// witnessedBy are the options of a log that two of three witnesses make Witnessed.
func witnessedBy(t testing.TB) Options {
	o := options(t)
	o.Quorum = 2
	for n := range byte(3) {
		o.Witnesses = append(o.Witnesses, witness(t, n+1).VerifierKey())
	}
	return o
}

// cosigned is the log's newest checkpoint with the signatures of these witnesses.
func cosigned(t testing.TB, l *Log, witnesses ...byte) []byte {
	text, err := l.Checkpoint(context.Background())
	require.NoError(t, err)
	text = text[:bytes.Index(text, []byte("\n\n"))+2]
	checkpoint, err := ledger.SignCheckpoint(mustCheckpoint(t, l), l.o.Signer)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(checkpoint, text))
	for _, n := range witnesses {
		line, err := witness(t, n).Cosign(checkpoint, time.Now())
		require.NoError(t, err)
		checkpoint = append(checkpoint, line...)
	}
	return checkpoint
}

func mustCheckpoint(t testing.TB, l *Log) ledger.Checkpoint {
	text, err := l.Checkpoint(context.Background())
	require.NoError(t, err)
	c, err := ledger.ParseCheckpoint(text, origin, l.verifier)
	require.NoError(t, err)
	return c
}

func TestQuorumMakesWitnessed(t *testing.T) {
	o := witnessedBy(t)
	path := newPath(t)
	l := openWith(t, path, o)
	trusted := policy(t)
	trusted.Witnesses, trusted.Quorum = o.Witnesses, o.Quorum
	messages := write(t, l, author(1), 3)
	info, err := l.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ledger.Witnessed, info.Highest)
	r := ledger.Receipt{Channel: messages[2].Channel(), Number: 2, Hash: messages[2].Hash()}

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.NoError(t, l.Cosign(t.Context(), cosigned(t, l, 1)))
	_, err = l.Await(ctx, r, ledger.Witnessed)
	assert.ErrorIs(t, err, context.DeadlineExceeded, "one of two")
	require.NoError(t, l.Cosign(t.Context(), cosigned(t, l, 1, 9)))
	_, err = l.Await(ctx, r, ledger.Witnessed)
	assert.ErrorIs(t, err, context.DeadlineExceeded, "one and a stranger")

	text := cosigned(t, l, 1, 3)
	time.AfterFunc(50*time.Millisecond, func() { assert.NoError(t, l.Cosign(context.Background(), text)) })
	witnessed, err := l.Await(t.Context(), r, ledger.Witnessed)
	require.NoError(t, err)
	verified, err := trusted.Verify(messages[2], witnessed.Proof)
	require.NoError(t, err)
	assert.Equal(t, witnessed, verified)
	checkpoint, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	assert.Equal(t, string(text), string(checkpoint), "published with the cosignatures")

	// What comes later is not covered; what was is proved so, also after a restart.
	later := sign(t, author(1), 3, messages[2].Hash(), "later")
	_, err = l.Submit(t.Context(), later)
	require.NoError(t, err)
	for _, l := range []*Log{l, openWith(t, path, o)} {
		proof, err := l.Prove(t.Context(), r.Channel, 2)
		require.NoError(t, err)
		_, err = trusted.Verify(messages[2], proof)
		assert.NoError(t, err)
		proof, err = l.Prove(t.Context(), r.Channel, 3)
		require.NoError(t, err)
		_, err = trusted.Verify(later, proof)
		assert.ErrorIs(t, err, ledger.ErrInvalidProof)
		_, err = policy(t).Verify(later, proof)
		assert.NoError(t, err, "under the newest checkpoint of all")
		evidence, err := l.Evidence(t.Context(), r.Channel, 0, 10)
		require.NoError(t, err)
		require.Len(t, evidence, 4)
		_, err = evidence[0].Verify(trusted)
		assert.NoError(t, err)
	}
}

func TestLesserCosignedCheckpointChangesNothing(t *testing.T) {
	o := witnessedBy(t)
	l := openWith(t, newPath(t), o)
	write(t, l, author(1), 2)
	small := cosigned(t, l, 1, 2)
	write(t, l, author(2), 2)
	large := cosigned(t, l, 2, 3)
	require.NoError(t, l.Cosign(t.Context(), large))
	require.NoError(t, l.Cosign(t.Context(), small))
	require.NoError(t, l.Cosign(t.Context(), cosigned(t, l, 2)))
	text, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	assert.Equal(t, string(large), string(text))
}

func TestForeignCosignedCheckpointsAreRefused(t *testing.T) {
	l, other := openWith(t, newPath(t), witnessedBy(t)), openWith(t, newPath(t), witnessedBy(t))
	write(t, l, author(1), 3)
	write(t, other, author(2), 3)
	assert.ErrorIs(t, l.Cosign(t.Context(), cosigned(t, other, 1, 2)), ledger.ErrNoPosition, "another history of this key")
	write(t, other, author(3), 3)
	assert.ErrorIs(t, l.Cosign(t.Context(), cosigned(t, other, 1, 2)), ledger.ErrNoPosition, "a longer one")
	text := cosigned(t, l, 1, 2)
	for name, bad := range map[string][]byte{
		"nothing": nil, "another size": bytes.Replace(text, []byte("\n3\n"), []byte("\n2\n"), 1),
		"wrong cosignature": bytes.Replace(text, text[len(text)-9:len(text)-5], []byte("AAAA"), 1),
	} {
		assert.ErrorIs(t, l.Cosign(t.Context(), bad), ledger.ErrInvalidProof, name)
	}
}

func TestAlteredCosignedCheckpointIsNotUsed(t *testing.T) {
	path := newPath(t)
	o := witnessedBy(t)
	l := openWith(t, path, o)
	m := write(t, l, author(1), 3)
	require.NoError(t, l.Cosign(t.Context(), cosigned(t, l, 1, 2)))
	alter(t, path, "UPDATE cosigned SET checkpoint = "+fmt.Sprintf("CAST(replace(%[1]s, 'witness.example/2', 'witness.example/3') AS BLOB)", "checkpoint"))
	_, err := openWith(t, path, o).Prove(t.Context(), m[0].Channel(), 0)
	assert.NoError(t, err, "signatures of nobody count as none")
	alter(t, path, "UPDATE cosigned SET checkpoint = CAST('x' || checkpoint AS BLOB)")
	_, err = openWith(t, path, o).Prove(t.Context(), m[0].Channel(), 0)
	assert.ErrorIs(t, err, ErrCorrupt)
}

func TestWitnessesAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"more than there are": func(o *Options) { o.Quorum = 4 },
		"twice":               func(o *Options) { o.Witnesses[1] = o.Witnesses[0] },
		"no key":              func(o *Options) { o.Witnesses[1] = "x" },
	} {
		o := witnessedBy(t)
		change(&o)
		_, err := Open(t.Context(), newPath(t), o)
		assert.Error(t, err, name)
	}
	l := openAt(t, newPath(t))
	_, err := l.Await(t.Context(), ledger.Receipt{Channel: channel.ID{1}}, ledger.Witnessed)
	assert.ErrorIs(t, err, ledger.ErrNoPhase, "nobody witnesses")
}
