package ledger_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// written returns a log with a channel of 600 messages, whose key was rotated at 300.
func written(t *testing.T, mode channel.Mode) (*ledger.Memory, *channel.Author) {
	ctx, author := context.Background(), channel.NewAuthor(channel.Seed{1}, mode)
	l := ledger.NewMemory(origin, signer(t, signerKey), time.Now)
	require.NoError(t, l.List(ctx, author.Channel()))
	draft := channel.Draft{Time: recorded, Random: rand.Reader}
	for range 600 {
		draft.Body = fmt.Append(nil, draft.Number)
		if mode == channel.Restricted {
			draft.KeyStart = draft.Number / 300 * 300
		}
		m, err := author.Sign(draft)
		require.NoError(t, err)
		_, err = l.Submit(ctx, m)
		require.NoError(t, err)
		draft.Number, draft.Prev = draft.Number+1, m.Hash()
	}
	return l, author
}

func TestRead(t *testing.T) {
	public, publicAuthor := written(t, channel.Public)
	restricted, author := written(t, channel.Restricted)
	for name, row := range map[string]struct {
		log        ledger.Ledger
		capability channel.Capability
		from, end  uint64
		want       error
	}{
		"all of a public channel":   {public, publicAuthor.Capability(0, 0), 0, 600, nil},
		"the end":                   {public, publicAuthor.Capability(0, 0), 599, 600, nil},
		"behind the end":            {public, publicAuthor.Capability(0, 0), 700, 700, nil},
		"to the rotation":           {restricted, author.Capability(10, 0), 20, 300, channel.ErrCannotOpen},
		"after the rotation":        {restricted, author.Capability(310, 300), 310, 600, nil},
		"before the capability":     {restricted, author.Capability(10, 0), 9, 9, channel.ErrCannotOpen},
		"without a key":             {restricted, channel.Capability{Channel: author.Channel()}, 0, 0, channel.ErrBrokenChain},
		"channel without a message": {public, channel.Capability{Channel: channel.ID{1}}, 0, 0, ledger.ErrNoChannel},
	} {
		t.Run(name, func(t *testing.T) {
			next := row.from
			var last error
			for opened, err := range ledger.Read(context.Background(), row.log, row.capability, row.from) {
				if last = err; err == nil {
					assert.Equal(t, fmt.Sprint(next), string(opened.Body))
					next++
				}
			}
			assert.Equal(t, row.end, next)
			assert.ErrorIs(t, last, row.want)
		})
	}
}

// lying is a ledger that changes what it says of a channel.
type lying struct {
	ledger.Ledger
	change func([]ledger.Entry) []ledger.Entry
}

func (l lying) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	entries, err := l.Ledger.Range(ctx, id, from, n)
	return l.change(entries), err
}

func TestReadRefusesWhatDoesNotContinue(t *testing.T) {
	l, author := written(t, channel.Public)
	fork, err := author.Sign(channel.Draft{Number: 5, Prev: channel.Hash{1}, Time: recorded})
	require.NoError(t, err)
	foreign, err := channel.NewAuthor(channel.Seed{2}, channel.Public).Sign(channel.Draft{Number: 5, Time: recorded})
	require.NoError(t, err)
	for name, row := range map[string]struct {
		change func([]ledger.Entry) []ledger.Entry
		want   error
	}{
		"left out": {func(e []ledger.Entry) []ledger.Entry { return append(e[:5], e[6:]...) }, channel.ErrBrokenChain},
		"fork":     {func(e []ledger.Entry) []ledger.Entry { e[5].Message = fork; return e }, channel.ErrBrokenChain},
		"foreign":  {func(e []ledger.Entry) []ledger.Entry { e[5].Message = foreign; return e }, channel.ErrWrongChannel},
	} {
		read := 0
		var last error
		for _, last = range ledger.Read(context.Background(), lying{l, row.change}, author.Capability(0, 0), 0) {
			read++
		}
		assert.Equal(t, 6, read, name)
		assert.ErrorIs(t, last, row.want, name)
	}
}

func TestReadStopsWhereAsked(t *testing.T) {
	l, author := written(t, channel.Public)
	read := 0
	for range ledger.Read(context.Background(), l, author.Capability(0, 0), 0) {
		if read++; read == 3 {
			break
		}
	}
	assert.Equal(t, 3, read)
}

// TestWatchGoesOn begins before the channel has a message and ends with its context.
func TestWatchGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l, author := ledger.NewMemory(origin, signer(t, signerKey), time.Now), channel.NewAuthor(channel.Seed{1}, channel.Restricted)
	other := channel.NewAuthor(channel.Seed{2}, channel.Public)
	require.NoError(t, l.List(ctx, author.Channel(), other.Channel()))
	drafts := map[*channel.Author]*channel.Draft{author: {Time: recorded, Random: rand.Reader}, other: {Time: recorded}}
	write := func(a *channel.Author) {
		d := drafts[a]
		d.Body = fmt.Append(nil, d.Number)
		m, err := a.Sign(*d)
		require.NoError(t, err)
		_, err = l.Submit(ctx, m)
		require.NoError(t, err)
		d.Number, d.Prev = d.Number+1, m.Hash()
	}
	write(other)
	next := uint64(0)
	for _, first := range []uint64{0, 3} { // an empty channel, and one with messages
		end := first + 3
		ctx, cancel := context.WithCancel(ctx)
		if first == 0 {
			time.AfterFunc(20*time.Millisecond, func() { write(author); write(other) })
		}
		for opened, err := range ledger.Watch(ctx, l, author.Capability(0, 0), next) {
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprint(next), string(opened.Body))
			if next++; next == end {
				cancel()
			} else if drafts[author].Number == next {
				write(author)
				write(other)
			}
		}
		cancel()
		assert.Equal(t, end, next)
		write(author)
	}
}

func TestWatchEndsWithWhatDoesNotHold(t *testing.T) {
	l, author := written(t, channel.Restricted)
	var last error
	for _, last = range ledger.Watch(t.Context(), l, author.Capability(10, 0), 290) {
	}
	require.ErrorIs(t, last, channel.ErrCannotOpen)
	require.NoError(t, l.Close())
	for _, last = range ledger.Watch(t.Context(), l, author.Capability(10, 0), 290) {
	}
	require.ErrorIs(t, last, ledger.ErrUnavailable)
	read := 0
	l, author = written(t, channel.Public)
	for range ledger.Watch(t.Context(), l, author.Capability(0, 0), 598) {
		if read++; read == 1 {
			break
		}
	}
	assert.Equal(t, 1, read)
}
