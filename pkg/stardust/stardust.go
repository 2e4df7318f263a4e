// Package stardust reads the part of the IOTA Stardust protocol that a proof
// needs: a block with a transaction that makes alias outputs, the milestone that
// applied it, and the Merkle path between the two (TIP-4, 18, 20, 24, 29).
//
// It is a verifier's decoder: strict, without any writing side but [NewPath], and
// with no more of the protocol than a channel on that ledger uses. Everything else
// is [ErrMalformed], above all what it does not know: other payloads and output
// types, native tokens, addresses other than Ed25519.
//
// # Concurrency
//
// All types are values. What is parsed refers to the bytes it was parsed from.
//
// # Limitations
//
// That a transaction was applied, its inputs unspent and its amounts right, is the
// word of the coordinator, whose keys sign the milestone.
package stardust

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/blake2b"
)

// ProtocolVersion is the version of the protocol that this package reads.
const ProtocolVersion = 2

// MaxBlock is the size in bytes that no block exceeds, and no milestone either.
const MaxBlock = 32768

var (
	// ErrMalformed refuses bytes that are not exactly what a proof needs.
	ErrMalformed = errors.New("malformed Stardust object")
	// ErrNotSigned refuses a milestone that too few of the trusted keys have signed.
	ErrNotSigned = errors.New("milestone is not signed by the coordinator")
)

// Hash is BLAKE2b-256, and names what it is the hash of: a block, a transaction, a
// milestone, an alias. Text form: 0x and 64 hexadecimal digits.
type Hash [32]byte

// String returns the text form.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// MarshalText returns the text form.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// Address is an Ed25519 address: the hash of a public key. Text form: that of a
// Hash.
type Address Hash

// AddressOf returns the address of an Ed25519 public key.
func AddressOf(key ed25519.PublicKey) Address { return blake2b.Sum256(key) }

// String returns the text form.
func (a Address) String() string { return Hash(a).String() }

// MarshalText returns the text form.
func (a Address) MarshalText() ([]byte, error) { return Hash(a).MarshalText() }

// NetworkID returns what the transactions of a network carry for its name.
func NetworkID(name string) uint64 {
	h := blake2b.Sum256([]byte(name))
	return binary.LittleEndian.Uint64(h[:])
}

// Signature is an Ed25519 signature with its key.
type Signature struct {
	Key  ed25519.PublicKey // 32 bytes
	Text []byte            // 64 bytes, over a hash
}

// verify reports whether the signature is one of these 32 bytes.
func (s Signature) verify(signed Hash) bool { return ed25519.Verify(s.Key, signed[:], s.Text) }
