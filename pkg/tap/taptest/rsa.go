package taptest

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"sync"
)

const (
	modulusLength = 256
	primeLength   = modulusLength / 2
	exponent      = 65537
)

// rsaKeys remembers the keys of names, because looking for primes takes long and a test may make many cards of one name.
var rsaKeys sync.Map // string → *rsa.PrivateKey

// rsaKey returns the key of a name. crypto/rsa makes keys from nothing but the system's randomness, so the primes are looked for
// here: the first two in a stream of SHA-256 that fit.
func rsaKey(name string) *rsa.PrivateKey {
	if known, ok := rsaKeys.Load(name); ok {
		return known.(*rsa.PrivateKey)
	}
	random := &stream{name: name}
	p, q := random.prime(), random.prime()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent},
		D:         new(big.Int).ModInverse(big.NewInt(exponent), phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		panic(err)
	}
	rsaKeys.Store(name, key)
	return key
}

// stream is SHA-256(be64 0 ‖ name) ‖ SHA-256(be64 1 ‖ name) ‖ …
type stream struct {
	name  string
	block uint64
}

func (s *stream) read(n int) []byte {
	var b []byte
	for len(b) < n {
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, s.block), s.name...))
		b = append(b, sum[:]...)
		s.block++
	}
	return b[:n]
}

// prime returns a prime whose two highest bits are set, so that the product of two has all its bits, and which the exponent suits:
// the first one from the next point of the stream on.
func (s *stream) prime() *big.Int {
	b := s.read(primeLength)
	b[0] |= 0xC0
	b[primeLength-1] |= 0x01
	p := new(big.Int).SetBytes(b)
	for rest := new(big.Int); ; p.Add(p, big.NewInt(2)) {
		if rest.Mod(p, big.NewInt(exponent)).Int64() != 1 && p.ProbablyPrime(0) {
			return p
		}
	}
}
