package stardust

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"time"

	"golang.org/x/crypto/blake2b"
)

// Milestone is what a network's coordinator signs: from which blocks on it counts
// everything they refer to as decided, and what of that it applied to the ledger.
type Milestone struct {
	ID            Hash // of the essence, which is what Signatures sign
	Index         uint32
	Time          time.Time // in seconds, UTC
	Previous      Hash      // id of the milestone before; zero for the first
	Parents       []Hash    // 1 to 8, ascending
	InclusionRoot Hash      // of the ids of all blocks that it refers to first
	AppliedRoot   Hash      // of those of them whose transactions changed the ledger
	Metadata      []byte
	Signatures    []Signature // 1 to 255, keys ascending
}

// ParseMilestone reads the bytes of a milestone payload, or returns ErrMalformed.
// It checks no signature: see Verify.
func ParseMilestone(b []byte) (Milestone, error) {
	if len(b) > MaxBlock {
		return Milestone{}, fmt.Errorf("reading milestone of %d bytes: %w", len(b), ErrMalformed)
	}
	r := reader{b: b}
	if kind := r.u32("type of payload"); kind != payloadMilestone {
		r.fail("payload of type %d is no milestone", kind)
	}
	begin := r.off
	m := Milestone{Index: r.u32("index"), Time: time.Unix(int64(r.u32("timestamp")), 0).UTC()}
	r.expect(ProtocolVersion, "protocol version")
	m.Previous, m.Parents = r.hash("previous milestone"), r.parents()
	m.InclusionRoot, m.AppliedRoot = r.hash("inclusion root"), r.hash("applied root")
	m.Metadata = r.sized(0, maxMetadata, "metadata")
	readOptions(&r)
	m.ID = blake2b.Sum256(b[begin:r.off])
	for range r.count(int(r.u8("number of signatures")), 1, 255, "signatures") {
		s := r.signature()
		if n := len(m.Signatures); n > 0 && bytes.Compare(m.Signatures[n-1].Key, s.Key) >= 0 {
			r.fail("signatures are not in the order of their keys")
		}
		m.Signatures = append(m.Signatures, s)
	}
	r.end()
	if r.err != nil {
		return Milestone{}, fmt.Errorf("reading milestone: %w", r.err)
	}
	return m, nil
}

// readOptions passes over the one option that a network of its own can have: its
// coordinator announces other protocol parameters.
func readOptions(r *reader) {
	const protocolParameters = 1
	for range r.count(int(r.u8("number of options")), 0, 1, "options") {
		r.expect(protocolParameters, "type of option")
		r.u32("milestone of the parameters")
		r.u8("version of the parameters")
		r.sized(0, maxMetadata, "parameters")
	}
}

// Verify returns ErrNotSigned unless at least threshold of the keys have signed the
// milestone. A key counts once, however often it is given. Signatures by other keys
// are ignored, a wrong one by a trusted key is not.
func (m Milestone) Verify(threshold int, keys ...ed25519.PublicKey) error {
	if threshold < 1 {
		return fmt.Errorf("verifying milestone %d: threshold %d: %w", m.Index, threshold, ErrNotSigned)
	}
	signed := 0
	for _, s := range m.Signatures {
		if !contains(keys, s.Key) {
			continue
		}
		if !s.verify(m.ID) {
			return fmt.Errorf("verifying milestone %d: signature by %x is wrong: %w", m.Index, s.Key, ErrNotSigned)
		}
		signed++
	}
	if signed < threshold {
		return fmt.Errorf("verifying milestone %d: %d of %d signatures: %w", m.Index, signed, threshold, ErrNotSigned)
	}
	return nil
}

func contains(keys []ed25519.PublicKey, key ed25519.PublicKey) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}
