package tap

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
)

// Algorithm says how a card signs. Its number is part of the signed bytes and of the card id.
type Algorithm byte

// The algorithms of version 1.
const (
	// P256 is ECDSA on P-256 with SHA-256; key 04 ‖ X ‖ Y (65 bytes), signature r ‖ s (64 bytes).
	P256 Algorithm = 1
	// RSA2048 is RSASSA-PKCS1-v1_5 with SHA-256; key modulus ‖ 010001 (259 bytes), signature 256 bytes.
	RSA2048 Algorithm = 2
	// Ed25519 is used by keys that are not on a card; key 32 bytes, signature 64 bytes.
	Ed25519 Algorithm = 3
)

// String returns "p256", "rsa2048", "ed25519", or the number of an algorithm that is none of these.
func (a Algorithm) String() string {
	switch a {
	case P256:
		return "p256"
	case RSA2048:
		return "rsa2048"
	case Ed25519:
		return "ed25519"
	}
	return fmt.Sprintf("algorithm %02X", byte(a))
}

// ParseAlgorithm reads what Algorithm.String writes, in either case. The error is ErrUnsupported.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range []Algorithm{P256, RSA2048, Ed25519} {
		if strings.EqualFold(name, a.String()) {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%w algorithm %q: want p256, rsa2048 or ed25519", ErrUnsupported, name)
}

// SignatureLen returns the length of a signature in bytes, 0 for an unknown algorithm.
func (a Algorithm) SignatureLen() int {
	switch a {
	case P256, Ed25519:
		return 64
	case RSA2048:
		return 256
	}
	return 0
}

// Key is a public key that was checked: right length, a point on the curve, a modulus of 2048 bits. It cannot be changed. The
// zero value is no key; it verifies nothing.
type Key struct {
	algorithm Algorithm
	id        CardID
	bytes     string
	public    crypto.PublicKey
}

const (
	rsaModulusLen = 256
	rsaExponent   = "\x01\x00\x01" // 65537, the only one allowed
)

// ParseKey reads a public key in the form that the algorithm's comment names. The error is ErrMalformed, or ErrUnsupported for
// an unknown algorithm.
func ParseKey(a Algorithm, b []byte) (Key, error) {
	public, err := parsePublic(a, b)
	if err != nil {
		return Key{}, err
	}
	sum := sha256.Sum256(append([]byte{byte(a)}, b...))
	return Key{algorithm: a, id: CardID(sum[:len(CardID{})]), bytes: string(b), public: public}, nil
}

func parsePublic(a Algorithm, b []byte) (crypto.PublicKey, error) {
	switch a {
	case P256:
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b)
		if err != nil {
			return nil, fmt.Errorf("%w: p256 key: want a point on the curve in 65 bytes", ErrMalformed)
		}
		return public, nil
	case RSA2048:
		return parseRSA(b)
	case Ed25519:
		if len(b) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: ed25519 key: want 32 bytes", ErrMalformed)
		}
		return ed25519.PublicKey(append([]byte(nil), b...)), nil
	}
	return nil, fmt.Errorf("%w: key of %v", ErrUnsupported, a)
}

func parseRSA(b []byte) (*rsa.PublicKey, error) {
	if len(b) != rsaModulusLen+len(rsaExponent) || string(b[rsaModulusLen:]) != rsaExponent {
		return nil, fmt.Errorf("%w: rsa2048 key: want a modulus of 256 bytes and the exponent 010001", ErrMalformed)
	}
	odd, full := b[rsaModulusLen-1]&1 == 1, b[0]&0x80 != 0
	if !odd || !full {
		return nil, fmt.Errorf("%w: rsa2048 key: want an odd modulus of 2048 bits", ErrMalformed)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(b[:rsaModulusLen]), E: 65537}, nil
}

// ID returns the id of the card that holds the private key.
func (k Key) ID() CardID { return k.id }

// Algorithm returns how the key signs.
func (k Key) Algorithm() Algorithm { return k.algorithm }

// Bytes returns a copy of the key in the form that ParseKey reads.
func (k Key) Bytes() []byte { return []byte(k.bytes) }

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k.algorithm == 0 }

// Equal reports whether both are the same key of the same algorithm. Registries compare whole keys, not ids.
func (k Key) Equal(other Key) bool { return k.algorithm == other.algorithm && k.bytes == other.bytes }
