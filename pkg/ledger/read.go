package ledger

import (
	"context"
	"errors"
	"iter"

	"github.com/productid/productid/pkg/channel"
)

// readPage is the number of messages that Read asks a ledger for at once.
const readPage = 256

// Opened is a message as recorded, with its body.
type Opened struct {
	Entry
	Body []byte
}

// Read returns the messages of a channel from number from on that a capability
// opens, in order, to the channel's present end. The ledger need not be trusted: each
// message is the author's and continues the one before, or Read ends with an error:
// channel.ErrWrongChannel, ErrBrokenChain, ErrCannotOpen (where the author has
// rotated the key, or before the capability's number), ErrMalformed, or the
// ledger's own. A message whose payload was removed continues the channel and is
// passed over: that it was removed is the ledger's word, as is that nothing newer
// exists.
func Read(ctx context.Context, l Ledger, c channel.Capability, from uint64) iter.Seq2[Opened, error] {
	return func(yield func(Opened, error) bool) {
		r := reader{capability: c, next: from}
		r.toEnd(ctx, l, yield)
	}
}

// Watch is Read that goes on: at the channel's end it waits for the next message, until ctx ends, which is no error. A channel
// without messages is waited for too.
func Watch(ctx context.Context, l Ledger, c channel.Capability, from uint64) iter.Seq2[Opened, error] {
	return func(yield func(Opened, error) bool) {
		r := reader{capability: c, next: from}
		more := r.toEnd(ctx, l, func(o Opened, err error) bool {
			if errors.Is(err, ErrNoChannel) || err != nil && ctx.Err() != nil {
				return true
			}
			return yield(o, err) && err == nil
		})
		if !more || ctx.Err() != nil {
			return
		}
		err := l.Follow(ctx, r.behind, func(batch []Entry, _ Position) error {
			for _, e := range batch {
				if e.Message.Channel() != c.Channel || e.Message.Number() < r.next {
					continue
				}
				if !r.pass(e, yield) {
					return ErrStop
				}
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			yield(Opened{}, err)
		}
	}
}

// reader is a capability on its way along a channel.
type reader struct {
	capability channel.Capability
	next       uint64
	prev       *channel.Hash // unknown before the first message
	behind     Position      // behind the newest message read
}

// toEnd reads to the channel's present end. It reports false when yield wants no more.
func (r *reader) toEnd(ctx context.Context, l Ledger, yield func(Opened, error) bool) bool {
	for {
		entries, err := l.Range(ctx, r.capability.Channel, r.next, readPage)
		if err != nil {
			return yield(Opened{}, err)
		}
		for _, e := range entries {
			if !r.pass(e, yield) {
				return false
			}
		}
		if len(entries) < readPage {
			return true
		}
	}
}

// pass yields an entry that has a body, or why it cannot be read. It reports false
// when that was the last.
func (r *reader) pass(e Entry, yield func(Opened, error) bool) bool {
	body, err := r.read(e)
	if errors.Is(err, channel.ErrRemoved) {
		return true
	}
	if err != nil {
		yield(Opened{}, err)
		return false
	}
	return yield(Opened{e, body}, nil)
}

// read returns the body of the next message, and takes its place.
func (r *reader) read(e Entry) ([]byte, error) {
	mode, prev := channel.Public, e.Message.Prev()
	if r.capability.Restricted {
		mode = channel.Restricted
	}
	if r.prev != nil {
		prev = *r.prev
	}
	if err := e.Message.Check(r.capability.Channel, mode, r.next, prev); err != nil {
		return nil, err
	}
	at, err := r.capability.At(r.next)
	if err != nil {
		return nil, err
	}
	body, err := at.Open(e.Message)
	if err != nil && !errors.Is(err, channel.ErrRemoved) {
		return nil, err
	}
	hash := e.Message.Hash()
	r.capability, r.prev, r.next = at, &hash, r.next+1
	r.behind = Position{e.Index + 1}
	return body, err
}
