package tap

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
)

// The signed bytes: "PIDT" ‖ version ‖ purpose ‖ algorithm ‖ card id ‖ be32 counter ‖ tail.
const (
	signedMagic   = "PIDT"
	signedVersion = 1
	signedLen     = len(signedMagic) + 3 + len(CardID{}) + 4

	purposeTap       = 1
	purposeChallenge = 2
	purposeRehearsal = 7 // what a card signs before it is locked; never valid in public
)

func appendSigned(dst []byte, purpose byte, a Algorithm, id CardID, counter uint32) []byte {
	dst = append(dst, signedMagic...)
	dst = append(dst, signedVersion, purpose, byte(a))
	dst = append(dst, id[:]...)
	return binary.BigEndian.AppendUint32(dst, counter)
}

// SignedBytes returns what the card signs for this tap.
func (u URL) SignedBytes(a Algorithm) []byte {
	return appendSigned(make([]byte, 0, signedLen), purposeTap, a, u.ID, u.Counter)
}

// RehearsalBytes returns what the card signs in place of SignedBytes before it is locked.
func (u URL) RehearsalBytes(a Algorithm) []byte {
	return appendSigned(make([]byte, 0, signedLen), purposeRehearsal, a, u.ID, u.Counter)
}

// Verify checks that the card with this key signed the tap. The error is ErrUnsigned, ErrWrongKey or ErrBadSignature. It says
// nothing about whether the counter was used before.
func (u URL) Verify(k Key) error { return u.verify(k, purposeTap) }

// VerifyRehearsal checks a URL that a card served before it was locked, at the station that makes it. Never accept such a URL
// from the public: it is not a tap.
func (u URL) VerifyRehearsal(k Key) error { return u.verify(k, purposeRehearsal) }

func (u URL) verify(k Key, purpose byte) error {
	if u.Unsigned != "" {
		return ErrUnsigned
	}
	if k.IsZero() || k.id != u.ID {
		return ErrWrongKey
	}
	signed := appendSigned(make([]byte, 0, signedLen), purpose, k.algorithm, u.ID, u.Counter)
	return k.verify(signed, u.Signature)
}

// verify checks a signature of the card's raw form over signed.
func (k Key) verify(signed, signature []byte) error {
	if len(signature) != k.algorithm.SignatureLen() {
		return ErrBadSignature
	}
	valid := false
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(signed)
		valid = ecdsa.VerifyASN1(public, digest[:], appendDER(make([]byte, 0, maxDER), signature))
	case *rsa.PublicKey:
		digest := sha256.Sum256(signed)
		valid = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	case ed25519.PublicKey:
		valid = ed25519.Verify(public, signed, signature)
	}
	if !valid {
		return ErrBadSignature
	}
	return nil
}

// maxDER is the longest SEQUENCE of two INTEGERs of 32 bytes.
const maxDER = 2 + 2*(2+1+32)

// appendDER turns r ‖ s into the SEQUENCE that Go verifies. It is written by hand because ecdsa.Verify would take both through
// big.Int first.
func appendDER(dst, raw []byte) []byte {
	const sequence = 0x30
	start := len(dst)
	dst = append(dst, sequence, 0)
	dst = appendInteger(dst, raw[:len(raw)/2])
	dst = appendInteger(dst, raw[len(raw)/2:])
	dst[start+1] = byte(len(dst) - start - 2)
	return dst
}

func appendInteger(dst, value []byte) []byte {
	const integer = 0x02
	value = bytes.TrimLeft(value, "\x00")
	if len(value) == 0 || value[0] >= 0x80 {
		dst = append(dst, integer, byte(len(value)+1), 0)
	} else {
		dst = append(dst, integer, byte(len(value)))
	}
	return append(dst, value...)
}

// CanonicalSignature returns the signature as it is recorded: of the two values of s that verify, the lower one. Signatures of
// other algorithms, and of a wrong length, are returned as they are. The result may share memory with u.
func (u URL) CanonicalSignature(a Algorithm) []byte {
	if a != P256 || len(u.Signature) != P256.SignatureLen() {
		return u.Signature
	}
	n := elliptic.P256().Params().N
	s := new(big.Int).SetBytes(u.Signature[32:])
	half := new(big.Int).Rsh(n, 1)
	if s.Cmp(half) <= 0 || s.Cmp(n) >= 0 {
		return u.Signature
	}
	low := append([]byte(nil), u.Signature...)
	s.Sub(n, s).FillBytes(low[32:])
	return low
}
