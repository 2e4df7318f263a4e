package stardust

import (
	"fmt"

	"golang.org/x/crypto/blake2b"
)

// Numbers of TIP-19 and TIP-20.
const (
	payloadTransaction = 6
	payloadMilestone   = 7
	essenceNormal      = 1
	inputUTXO          = 0
	unlockSignature    = 0
	unlockReference    = 1
	maxInputs          = 128
	maxOutputs         = 128
)

// Block is a block whose payload is a transaction.
type Block struct {
	ID          Hash   // of all its bytes
	Parents     []Hash // 1 to 8, ascending
	Transaction Transaction
	Nonce       uint64
}

// Transaction is what moves tokens and, with them, alias outputs.
type Transaction struct {
	ID               Hash
	Network          uint64 // as NetworkID gives it
	Inputs           []OutputID
	InputsCommitment Hash
	Aliases          []Alias // those among the outputs, in their order
	// Essence is the hash of what the transaction does: this is what Signatures sign.
	Essence    Hash
	Signatures []Signature // no key twice
}

// OutputID names an output by the transaction that made it.
type OutputID struct {
	Transaction Hash
	Index       uint16
}

// alias returns the id of the alias that this output created.
func (o OutputID) alias() Hash {
	return blake2b.Sum256(append(o.Transaction[:], byte(o.Index), byte(o.Index>>8)))
}

// ParseBlock reads the bytes of a block, or returns ErrMalformed for a block that
// is no alias transaction as a channel needs it. It checks no signature and no
// proof of work.
func ParseBlock(b []byte) (Block, error) {
	if len(b) > MaxBlock {
		return Block{}, fmt.Errorf("reading block of %d bytes: %w", len(b), ErrMalformed)
	}
	r := reader{b: b}
	r.expect(ProtocolVersion, "protocol version")
	block := Block{ID: blake2b.Sum256(b), Parents: r.parents()}
	payload := r.take(int(min(r.u32("length of payload"), MaxBlock)), "payload")
	block.Nonce = r.u64("nonce")
	r.end()
	if r.err != nil {
		return Block{}, fmt.Errorf("reading block: %w", r.err)
	}
	var err error
	if block.Transaction, err = parseTransaction(payload); err != nil {
		return Block{}, fmt.Errorf("reading block %v: transaction %w", block.ID, err)
	}
	return block, nil
}

func parseTransaction(b []byte) (Transaction, error) {
	r := reader{b: b}
	if kind := r.u32("type of payload"); kind != payloadTransaction {
		r.fail("payload of type %d is no transaction", kind)
	}
	t := Transaction{ID: blake2b.Sum256(b)}
	begin := r.off
	t.readEssence(&r)
	t.Essence = blake2b.Sum256(b[begin:r.off])
	t.readUnlocks(&r)
	r.end()
	if r.err != nil {
		return Transaction{}, r.err
	}
	return t, nil
}

func (t *Transaction) readEssence(r *reader) {
	r.expect(essenceNormal, "type of essence")
	t.Network = r.u64("network")
	n := r.count(int(r.u16("number of inputs")), 1, maxInputs, "inputs")
	t.Inputs = make([]OutputID, 0, n)
	seen := make(map[OutputID]bool, n)
	for range n {
		r.expect(inputUTXO, "type of input")
		in := OutputID{r.hash("input"), r.u16("output of input")}
		if in.Index >= maxOutputs || seen[in] {
			r.fail("input twice, or of output %d", in.Index)
		}
		seen[in] = true
		t.Inputs = append(t.Inputs, in)
	}
	t.InputsCommitment = r.hash("commitment to inputs")
	for i := range r.count(int(r.u16("number of outputs")), 1, maxOutputs, "outputs") {
		t.readOutput(r, uint16(i))
	}
	if size := r.u32("length of essence's payload"); size != 0 {
		r.fail("the essence has a payload")
	}
}

// readUnlocks reads one unlock for each input: a signature, or a reference to one.
func (t *Transaction) readUnlocks(r *reader) {
	inputs := len(t.Inputs)
	signed := make(map[int]bool, inputs)
	keys := make(map[string]bool, inputs)
	for i := range r.count(int(r.u16("number of unlocks")), inputs, inputs, "unlocks") {
		switch kind := r.u8("type of unlock"); kind {
		case unlockSignature:
			s := r.signature()
			if keys[string(s.Key)] {
				r.fail("a key signs twice")
			}
			signed[i], keys[string(s.Key)] = true, true
			t.Signatures = append(t.Signatures, s)
		case unlockReference:
			if to := r.u16("reference"); !signed[int(to)] {
				r.fail("unlock %d refers to %d, which is no signature before it", i, to)
			}
		default:
			r.fail("unlock of type %d", kind)
		}
	}
}

// SignedBy reports whether the holder of an address has signed the transaction.
func (t Transaction) SignedBy(a Address) bool {
	for _, s := range t.Signatures {
		if AddressOf(s.Key) == a {
			return s.verify(t.Essence)
		}
	}
	return false
}
