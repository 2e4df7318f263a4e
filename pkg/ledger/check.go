package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/channel"
)

// Report is what Check found.
type Report struct {
	Size     uint64   // messages
	Channels int      // how many channels they are of
	Findings []string // what does not hold, each in one line; the first hundred
	Further  int      // how many more findings there are
}

// Clean reports whether everything holds.
func (r Report) Clean() bool { return len(r.Findings) == 0 }

// maxFindings bounds Report.Findings.
const maxFindings = 100

func (r *Report) find(format string, args ...any) {
	if len(r.Findings) == maxFindings {
		r.Further++
		return
	}
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// Check reads a ledger from its beginning to its present end as somebody who does not trust it: every message continues its
// channel, the ledger's times and places never go down, and each message has a proof that holds under the policy and says what
// the ledger says. progress, when set, is told how many messages were checked. It holds one hash for each channel. The error is the
// ledger's own when it does not answer; what does not hold stands in the report.
func Check(ctx context.Context, l Ledger, p Policy, progress func(done uint64)) (Report, error) {
	c := check{ledger: l, policy: p, heads: map[channel.ID]Entry{}}
	err := l.Follow(ctx, Position{}, func(batch []Entry, _ Position) error {
		if len(batch) == 0 {
			return ErrStop
		}
		for _, e := range batch {
			if err := c.entry(ctx, e); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(c.report.Size)
		}
		return nil
	})
	c.report.Channels = len(c.heads)
	return c.report, err
}

type check struct {
	ledger Ledger
	policy Policy
	report Report
	heads  map[channel.ID]Entry // newest of each channel
	last   Entry                // in the ledger's order
}

func (c *check) entry(ctx context.Context, e Entry) error {
	m := e.Message
	if c.report.Size > 0 && (e.Index <= c.last.Index || e.Time.Before(c.last.Time)) {
		c.report.find("message %d of channel %s: place %d at %s is not after %d at %s", m.Number(), m.Channel(), e.Index, e.Time, c.last.Index, c.last.Time)
	}
	var err error
	if head, known := c.heads[m.Channel()]; known {
		err = m.Check(m.Channel(), head.Message.Mode(), head.Message.Number()+1, head.Message.Hash())
	} else {
		err = m.Check(m.Channel(), m.Mode(), 0, channel.Hash{})
	}
	if err != nil {
		c.report.find("message %d of channel %s: %v", m.Number(), m.Channel(), err)
	}
	c.heads[m.Channel()], c.last = e, e
	c.report.Size++
	return c.proof(ctx, e)
}

// proof checks that the ledger proves what it says.
func (c *check) proof(ctx context.Context, e Entry) error {
	m := e.Message
	proof, err := c.ledger.Prove(ctx, m.Channel(), m.Number())
	if errors.Is(err, ErrNoMessage) || errors.Is(err, ErrNoChannel) {
		c.report.find("message %d of channel %s: %v", m.Number(), m.Channel(), err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("proving message %d of channel %s: %w", m.Number(), m.Channel(), err)
	}
	r, err := c.policy.Verify(m, proof)
	switch {
	case err != nil:
		c.report.find("message %d of channel %s: %v", m.Number(), m.Channel(), err)
	case r.Index != e.Index || !r.Time.Equal(e.Time):
		c.report.find("message %d of channel %s: place %d at %s, proved is %d at %s", m.Number(), m.Channel(), e.Index, e.Time, r.Index, r.Time)
	}
	return nil
}
