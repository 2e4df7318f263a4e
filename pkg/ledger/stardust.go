package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/stardust"
)

// KindStardust is the kind of proofs by a milestone of an IOTA Stardust network:
// see StardustProof.
const KindStardust = "stardust"

// Lines of a Stardust proof.
const (
	stardustHeader = "productid.dev/stardust-proof@v1"
	stardustSize   = "size "
)

// maxStardustProof bounds the text of a proof: a block and a milestone, each of at
// most 32 KiB in base64, and 32 hashes.
const maxStardustProof = 92 << 10

// StardustProof is a proof that a milestone of a Stardust network applied a
// transaction, one of whose outputs is the state of a channel's alias with the
// message in it. It is the text of a Proof of kind KindStardust.
type StardustProof struct {
	Path      stardust.Path // from the block to the milestone's AppliedRoot
	Milestone []byte        // the milestone payload
	Block     []byte
}

// Proof returns the proof as the contract has it.
func (p StardustProof) Proof() Proof { return Proof{KindStardust, p.Marshal()} }

// Marshal returns the proof's text, with the path as Path.Normal has it.
func (p StardustProof) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString(stardustHeader + "\n")
	b.WriteString(proofIndex + strconv.FormatUint(uint64(p.Path.Index), 10) + "\n")
	b.WriteString(stardustSize + strconv.FormatUint(uint64(p.Path.Normal().Size), 10) + "\n")
	for _, h := range p.Path.Hashes {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.WriteString(base64.StdEncoding.EncodeToString(p.Milestone) + "\n")
	b.WriteString(base64.StdEncoding.EncodeToString(p.Block) + "\n")
	return b.Bytes()
}

// ParseStardustProof reads the text of a proof, or returns ErrInvalidProof when it
// is not exactly what Marshal writes. It does not look at milestone and block.
func ParseStardustProof(text []byte) (StardustProof, error) {
	p, err := parseStardustProof(text)
	if err != nil {
		return StardustProof{}, fmt.Errorf("Stardust proof: %w: %w", err, ErrInvalidProof)
	}
	return p, nil
}

func parseStardustProof(text []byte) (p StardustProof, err error) {
	if len(text) > maxStardustProof {
		return StardustProof{}, fmt.Errorf("text of %d bytes", len(text))
	}
	top, objects, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(top, "\n")
	if !found || len(lines) < 3 || len(lines) > 3+32 || lines[0] != stardustHeader {
		return StardustProof{}, fmt.Errorf("not a text of %s", stardustHeader)
	}
	if p.Path.Index, err = parseLine(lines[1], proofIndex); err != nil {
		return StardustProof{}, err
	}
	if p.Path.Size, err = parseLine(lines[2], stardustSize); err != nil {
		return StardustProof{}, err
	}
	for _, line := range lines[3:] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(h) != len(stardust.Hash{}) {
			return StardustProof{}, fmt.Errorf("hash %.50q", line)
		}
		p.Path.Hashes = append(p.Path.Hashes, stardust.Hash(h))
	}
	milestone, block, _ := strings.Cut(objects, "\n")
	if p.Milestone, err = base64.StdEncoding.DecodeString(milestone); err != nil {
		return StardustProof{}, fmt.Errorf("milestone: %w", err)
	}
	if p.Block, err = base64.StdEncoding.DecodeString(strings.TrimSuffix(block, "\n")); err != nil {
		return StardustProof{}, fmt.Errorf("block: %w", err)
	}
	// The decoders take several spellings of one value, and several sizes lead to one
	// root; a proof has one text.
	if !bytes.Equal(p.Marshal(), text) {
		return StardustProof{}, fmt.Errorf("spelling is not canonical")
	}
	return p, nil
}

// parseLine reads a number of 32 bits behind its name.
func parseLine(line, name string) (uint32, error) {
	digits, found := strings.CutPrefix(line, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !found || err != nil {
		return 0, fmt.Errorf("line %.50q is not %s<number>", line, name)
	}
	return uint32(n), nil
}

// StardustState is what a StardustProof says of a message.
type StardustState struct {
	Network   uint64 // stardust.NetworkID of its name
	Block     stardust.Hash
	Alias     stardust.Alias // whose state the message is
	Milestone stardust.Milestone
	// Index is Entry.Index: the milestone's in the upper 32 bits, the block's place
	// among those that the milestone applied in the lower. The milestone commits to
	// the upper part; the lower is the prover's word where the path leaves it open.
	Index uint64
}

// Open checks all that a proof says of a message but the signatures of the
// milestone, which need a Policy: the block lies under the milestone's AppliedRoot;
// exactly one of its outputs is an alias of the message's channel whose state is the
// message under its number; and whoever the ledger asks has signed the transaction:
// the channel's author, or for number 0, which creates the alias, its issuer. It
// returns ErrInvalidProof otherwise.
//
// Who has shown all messages of a channel to lie on one alias has shown that no
// number of it was ever given twice: an alias has one state with each number.
// Whether another alias was made for the channel before that one, no proof tells;
// that it was made by the same Alias.Issuer, it does.
func (p StardustProof) Open(m channel.Message) (StardustState, error) {
	s, err := p.open(m)
	if err != nil {
		return StardustState{}, fmt.Errorf("Stardust proof of message %d of channel %s: %w: %w", m.Number(), m.Channel(), err, ErrInvalidProof)
	}
	return s, nil
}

func (p StardustProof) open(m channel.Message) (StardustState, error) {
	if m.IsZero() {
		return StardustState{}, fmt.Errorf("no message")
	}
	milestone, err := stardust.ParseMilestone(p.Milestone)
	if err != nil {
		return StardustState{}, err
	}
	block, err := stardust.ParseBlock(p.Block)
	if err != nil {
		return StardustState{}, err
	}
	root, err := p.Path.Root(block.ID)
	if err != nil {
		return StardustState{}, err
	}
	if root != milestone.AppliedRoot {
		return StardustState{}, fmt.Errorf("milestone %d did not apply block %v", milestone.Index, block.ID)
	}
	alias, err := stateOf(block.Transaction, m)
	if err != nil {
		return StardustState{}, err
	}
	return StardustState{
		Network:   block.Transaction.Network,
		Block:     block.ID,
		Alias:     alias,
		Milestone: milestone,
		Index:     uint64(milestone.Index)<<32 | uint64(p.Path.Index),
	}, nil
}

// stateOf returns the one alias of the transaction whose state is the message.
func stateOf(t stardust.Transaction, m channel.Message) (found stardust.Alias, err error) {
	id := m.Channel()
	author := stardust.AddressOf(id[:])
	n := 0
	for _, a := range t.Aliases {
		if uint64(a.StateIndex) == m.Number() && a.StateController == author && a.Issuer != (stardust.Address{}) &&
			bytes.Equal(a.Metadata, id[:]) && bytes.Equal(a.StateMetadata, m.Bytes()) {
			found, n = a, n+1
		}
	}
	if n != 1 {
		return stardust.Alias{}, fmt.Errorf("%d outputs of its transaction are the channel's alias with this message", n)
	}
	signer := author
	if m.Number() == 0 {
		signer = found.Issuer
		if !found.Created {
			return stardust.Alias{}, fmt.Errorf("its transaction does not create alias %v", found.ID)
		}
	}
	if !t.SignedBy(signer) {
		return stardust.Alias{}, fmt.Errorf("address %v has not signed its transaction", signer)
	}
	return found, nil
}

// verifyStardust is Verify for a proof of kind KindStardust.
func (p Policy) verifyStardust(m channel.Message, proof Proof) (Receipt, error) {
	parsed, err := ParseStardustProof(proof.Text)
	if err != nil {
		return Receipt{}, err
	}
	state, err := parsed.Open(m)
	if err != nil {
		return Receipt{}, err
	}
	network, err := p.Network(state)
	if err != nil {
		return Receipt{}, fmt.Errorf("message %d of channel %s: %w", m.Number(), m.Channel(), err)
	}
	entry := Entry{Message: m, Time: state.Milestone.Time, Index: state.Index}
	return entry.Receipt(network, Final, proof), nil
}

// Network returns the name of the network whose coordinator, one that the policy
// trusts, has signed the milestone of a state. With StardustProof.Open it is all of
// Verify, for whoever needs the state too. It returns ErrInvalidProof otherwise.
func (p Policy) Network(s StardustState) (string, error) {
	err := fmt.Errorf("policy trusts no coordinator of the network with id %d", s.Network)
	for _, c := range p.Coordinators {
		if stardust.NetworkID(c.Network) != s.Network {
			continue
		}
		var keys []ed25519.PublicKey
		if keys, err = c.keys(); err != nil {
			break
		}
		if err = s.Milestone.Verify(c.Threshold, keys...); err == nil {
			return c.Network, nil
		}
	}
	return "", fmt.Errorf("%w: %w", err, ErrInvalidProof)
}
