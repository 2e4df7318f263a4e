package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// Lister admits channels to a ledger: durable on return, and to admit one again changes nothing.
type Lister interface {
	List(ctx context.Context, ids ...channel.ID) error
}

// Destination is the ledger to which an export goes.
type Destination struct {
	Ledger ledger.Ledger
	List   Lister
	Now    func() time.Time
	// Progress, when set, is told how many messages were recorded.
	Progress func(done uint64)
	// Hook, when set, is called before each message is recorded: to break the import off in tests.
	Hook func(m channel.Message) error
}

// Imported counts what was recorded, now or before.
type Imported struct {
	Messages, Continued uint64
	// Foreign are channels that stay behind because this ledger wants their authors, whose secrets are not here.
	Foreign []channel.ID
}

// Import records the messages of the export that was checked, read again from its beginning, in their order and byte for byte, and then
// lets the channels go on. The ledger has to be the one for which they were ended: else the error is ErrNotMoved and nothing was
// written. It returns when all is final. A channel that went on otherwise is ErrTaken.
func (p *Plan) Import(ctx context.Context, file io.Reader, d Destination) (Imported, error) {
	done, err := p.importAll(ctx, file, d)
	if err != nil {
		return done, fmt.Errorf("importing: %w", err)
	}
	return done, nil
}

func (p *Plan) importAll(ctx context.Context, file io.Reader, d Destination) (Imported, error) {
	info, err := d.Ledger.Info(ctx)
	if err != nil {
		return Imported{}, err
	}
	if info.Origin != p.To {
		return Imported{}, fmt.Errorf("%w: it moved to %s, and this is %s", ErrNotMoved, p.To, info.Origin)
	}
	i := &importing{Plan: p, Destination: d, ctx: ctx, signs: info.Kind == "stardust", batch: make(map[*passage][]channel.Message)}
	if i.Hook == nil {
		i.Hook = func(channel.Message) error { return nil }
	}
	for _, c := range p.channels {
		c.sent, c.sentHash, c.listed = 0, channel.Hash{}, false
	}
	err = read(file, func(h Header) error {
		if h != p.Header {
			return errOther
		}
		return nil
	}, func(_ uint64, _ []byte, e ledger.Evidence) error { return i.take(e) })
	if err == nil {
		err = i.flush()
	}
	if err == nil {
		err = i.goOn()
	}
	return i.done, err
}

// errOther says that somebody changed the file meanwhile.
var errOther = fmt.Errorf("%w: it is not what was checked", ErrDoubtful)

type importing struct {
	*Plan
	Destination
	ctx   context.Context
	signs bool // the ledger wants each message's author to sign again
	// batch holds messages that may be recorded in any order, but for those of one channel.
	batch map[*passage][]channel.Message
	held  int
	done  Imported
}

// hold is how many messages are in memory at once.
const hold = 1024

// take puts a message into the batch, after it has made sure again that it is one to believe. A message of an issuer is recorded by
// itself: what stands before a registration is none of the card's, what stands behind it is.
func (i *importing) take(e ledger.Evidence) error {
	m := e.Message
	p := i.channels[m.Channel()]
	if p == nil || m.Check(p.id, p.mode, p.sent, p.sentHash) != nil || p.sent >= p.next {
		return errOther
	}
	if _, err := e.Verify(i.policy); err != nil {
		return err
	}
	p.sent, p.sentHash = p.sent+1, m.Hash()
	if p.left || m.Number() >= p.until || i.foreign(p) {
		return nil
	}
	if i.held == hold || p.issuer {
		if err := i.flush(); err != nil {
			return err
		}
	}
	i.batch[p] = append(i.batch[p], m)
	i.held++
	if p.issuer {
		return i.flush()
	}
	return nil
}

// foreign reports whether this ledger cannot take the channel, and notes it.
func (i *importing) foreign(p *passage) bool {
	if !i.signs || p.author != nil {
		return false
	}
	if !p.listed {
		p.listed = true
		i.done.Foreign = append(i.done.Foreign, p.id)
	}
	return true
}

// flush records what was taken.
func (i *importing) flush() error {
	var channels []*passage
	var list []channel.ID
	for p := range i.batch {
		channels = append(channels, p)
		if !p.listed {
			list, p.listed = append(list, p.id), true
		}
	}
	if err := i.List.List(i.ctx, list...); err != nil {
		return err
	}
	err := each(i.ctx, channels, func(ctx context.Context, p *passage) error {
		for _, m := range i.batch[p] {
			if err := i.record(ctx, p, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	i.done.Messages += uint64(i.held)
	clear(i.batch)
	i.held = 0
	if i.Progress != nil {
		i.Progress(i.done.Messages)
	}
	return nil
}

// record records one message. What stands there already, to the byte, is as good; another one is ErrTaken.
func (i *importing) record(ctx context.Context, p *passage, m channel.Message) error {
	if err := i.Hook(m); err != nil {
		return err
	}
	if p.author != nil {
		if _, err := p.author(); err != nil { // a ledger that needs him finds whom somebody asked for lately
			return err
		}
	}
	_, err := ledger.Record(ctx, i.Ledger, m)
	if _, taken := errors.AsType[*ledger.Conflict](err); taken {
		err = fmt.Errorf("%w: %w", ErrTaken, err)
	}
	if err != nil {
		return fmt.Errorf("message %d of channel %v: %w", m.Number(), m.Channel(), err)
	}
	return nil
}

// goOn lets the channels go on that were ended for this ledger: the issuers' before their cards'.
func (i *importing) goOn() error {
	n := len(i.Issuers)
	for _, some := range [][]*passage{i.moving[:n], i.moving[n:]} {
		if err := each(i.ctx, some, i.goOnOne); err != nil {
			return err
		}
	}
	i.done.Continued = uint64(len(i.moving))
	return nil
}

// goOnOne writes the first message that the channel has on this ledger alone, unless it is there.
func (i *importing) goOnOne(ctx context.Context, p *passage) error {
	for {
		there, err := i.goesOn(ctx, p)
		if there || err != nil {
			return err
		}
		body, err := p.continuation(i.Header.Origin)
		if err != nil {
			return err
		}
		author, err := p.author()
		if err != nil {
			return err
		}
		m, err := author.Sign(channel.Draft{Number: p.next, Prev: p.head, Time: i.Now(), Body: body})
		if err != nil {
			return err
		}
		if err := i.record(ctx, p, m); !errors.Is(err, ErrTaken) {
			return err
		}
	}
}

// goesOn looks whether an earlier import wrote the message.
func (i *importing) goesOn(ctx context.Context, p *passage) (bool, error) {
	entries, err := i.Ledger.Range(ctx, p.id, p.next, 1)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	body, err := entries[0].Message.Body()
	if err == nil {
		var r record.Record
		if r, err = record.Parse(body); err == nil && comesFrom(r) == i.Header.Origin {
			return true, nil
		}
	}
	return false, errors.Join(fmt.Errorf("message %d of channel %v: %w", p.next, p.id, ErrTaken), err)
}

// comesFrom is the ledger that a channel is continued from, or nothing.
func comesFrom(r record.Record) string {
	switch v := r.Value.(type) {
	case record.IssuerContinued:
		return v.From
	case record.ChannelContinued:
		return v.From
	}
	return ""
}

// continuation is the body of the message with which the channel goes on.
func (p *passage) continuation(from string) ([]byte, error) {
	if moved, ok := p.endedAs.(record.ChannelMoved); ok {
		return record.ChannelContinued{Last: moved.Last, State: moved.Was, Settings: moved.Settings, From: from, Evidence: p.ended}.Encode()
	}
	return record.IssuerContinued{From: from, Evidence: p.ended}.Encode()
}
