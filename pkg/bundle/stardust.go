package bundle

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust"
)

// stardustPart is what proves all the entries to be applied by milestones of one Stardust network.
type stardustPart struct {
	raw        [][]byte             // milestone payloads, ascending by index
	milestones []stardust.Milestone // of raw, once they were read
}

// blockPart is a message on a Stardust network: the block that holds it, and the path to its milestone.
type blockPart struct {
	raw       []byte
	output    uint64 // the alias with the message, among the transaction's outputs
	milestone uint64 // place among the bundle's
	path      stardust.Path
}

func (r *reader) stardustPart() *stardustPart {
	p := &stardustPart{}
	r.exactly([]string{"milestones"}, func(name string) bool {
		if name != "milestones" {
			return false
		}
		r.list(func() { p.raw = append(p.raw, r.bytes()) })
		return true
	})
	return p
}

func (r *reader) blockMember(b *blockPart, name string) bool {
	switch name {
	case "size":
		b.path.Size = uint32(r.number(math.MaxUint32))
	case "path":
		b.path.Hashes = readHashes[stardust.Hash](r)
	case "milestone":
		b.milestone = r.number(maxNumber)
	case "block":
		b.raw = r.bytes()
	case "output":
		b.output = r.number(math.MaxUint16)
	default:
		return false
	}
	return true
}

func (r *reader) atIndex(b blockPart, index uint64) *blockPart {
	if index > math.MaxUint32 {
		r.fail("index beyond 32 bits")
	}
	b.path.Index = uint32(index)
	return &b
}

func (b *blockPart) text() string {
	return fmt.Sprintf(`{"milestone":%d,"index":%d,"size":%d,"path":"%s","output":%d,"block":"%s"}`,
		b.milestone, b.path.Index, b.path.Size, hashText(b.path.Hashes), b.output, base64url(b.raw))
}

func (p *stardustPart) text() string {
	var texts []string
	for _, raw := range p.raw {
		texts = append(texts, `"`+base64url(raw)+`"`)
	}
	return "\"stardust\":{\"milestones\":[\n" + strings.Join(texts, ",\n") + "\n]}"
}

// readMilestones wants them ascending, and no more than the messages need.
func (p *stardustPart) readMilestones(entries []*entry) error {
	used := make([]bool, len(p.raw))
	p.milestones = nil
	for _, e := range entries {
		if e.block.milestone >= uint64(len(used)) {
			return fmt.Errorf("milestone %d of %d: %w", e.block.milestone, len(used), ErrMalformed)
		}
		used[e.block.milestone] = true
	}
	for i, raw := range p.raw {
		m, err := stardust.ParseMilestone(raw)
		if err != nil {
			return fmt.Errorf("%w: %w", err, ledger.ErrInvalidProof)
		}
		if !used[i] || i > 0 && p.milestones[i-1].Index >= m.Index {
			return fmt.Errorf("milestone %d is not needed, or out of order: %w", m.Index, ErrMalformed)
		}
		p.milestones = append(p.milestones, m)
	}
	return nil
}

// openBlock finds the message in its block, and its place in the ledger.
func (p *stardustPart) openBlock(e *entry) error {
	block, err := stardust.ParseBlock(e.block.raw)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ledger.ErrInvalidProof)
	}
	for _, a := range block.Transaction.Aliases {
		if uint64(a.Output) == e.block.output {
			m := p.milestones[e.block.milestone]
			e.raw, e.time, e.index = a.StateMetadata, m.Time, uint64(m.Index)<<32|uint64(e.block.path.Index)
			return nil
		}
	}
	return fmt.Errorf("output %d of block %v is no alias: %w", e.block.output, block.ID, ledger.ErrInvalidProof)
}

// verify checks the messages against the milestones, and that those of a channel lie on one alias.
func (p *stardustPart) verify(policy ledger.Policy, entries []*entry) (verdict, error) {
	v := verdict{phase: ledger.Final, aliases: map[channel.ID]stardust.Alias{}}
	networks := make([]string, len(p.raw))
	var network uint64
	for i, e := range entries {
		at := e.block.milestone
		if e.block.path.Size != e.block.path.Normal().Size { // a proof has one form
			return v, fmt.Errorf("path of leaf %d of %d is not the least: %w", e.block.path.Index, e.block.path.Size, ledger.ErrInvalidProof)
		}
		state, err := ledger.StardustProof{Path: e.block.path, Milestone: p.raw[at], Block: e.block.raw}.Open(e.message)
		if err != nil {
			return v, err
		}
		if networks[at] == "" { // a milestone's signatures are checked once
			if networks[at], err = policy.Network(state); err != nil {
				return v, err
			}
		}
		if i == 0 {
			v.origin, network = networks[at], state.Network
		}
		if state.Network != network || networks[at] != v.origin {
			return v, fmt.Errorf("messages on two networks: %w", ledger.ErrInvalidProof)
		}
		id := e.message.Channel()
		if first, found := v.aliases[id]; found && first.ID != state.Alias.ID {
			return v, fmt.Errorf("channel %s on two aliases, %v and %v: %w", id, first.ID, state.Alias.ID, ledger.ErrInvalidProof)
		}
		v.aliases[id] = state.Alias
	}
	v.size, v.root = p.end()
	return v, nil
}

// end is what a signed head names of a network: index and id of the last milestone.
func (p *stardustPart) end() (uint64, [32]byte) {
	m := p.milestones[len(p.milestones)-1]
	return uint64(m.Index), m.ID
}

// add takes a proof into the bundle. Milestones are to come in their order.
func (p *stardustPart) add(e *entry, text []byte) error {
	proof, err := ledger.ParseStardustProof(text)
	if err != nil {
		return err
	}
	block, err := stardust.ParseBlock(proof.Block)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ledger.ErrInvalidProof)
	}
	e.block = &blockPart{raw: proof.Block, path: proof.Path}
	for _, a := range block.Transaction.Aliases {
		if bytes.Equal(a.StateMetadata, e.raw) {
			e.block.output = uint64(a.Output)
		}
	}
	return p.addMilestone(proof.Milestone, e.block)
}

// addMilestone takes the milestone of a block, unless it is the last one taken.
func (p *stardustPart) addMilestone(raw []byte, b *blockPart) error {
	m, err := stardust.ParseMilestone(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ledger.ErrInvalidProof)
	}
	if n := len(p.milestones); n == 0 || p.milestones[n-1].ID != m.ID {
		p.raw, p.milestones = append(p.raw, raw), append(p.milestones, m)
	}
	b.milestone = uint64(len(p.raw) - 1)
	return nil
}
