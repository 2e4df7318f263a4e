package stardust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
)

// reader reads numbers, which are little-endian, and byte strings from the front
// of b. After the first failure it reads zeros and nothing, and keeps the error.
type reader struct {
	b   []byte
	off int
	err error
}

// fail keeps the first error.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %s: %w", r.off, fmt.Sprintf(format, args...), ErrMalformed)
	}
}

// take returns the next n bytes, or nil.
func (r *reader) take(n int, what string) []byte {
	if len(r.b)-r.off < n {
		r.fail("%s is cut off", what)
	}
	if r.err != nil {
		return nil
	}
	taken := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return taken
}

func (r *reader) u8(what string) byte {
	if b := r.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16(what string) uint16 {
	if b := r.take(2, what); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32(what string) uint32 {
	if b := r.take(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64(what string) uint64 {
	if b := r.take(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) hash(what string) (h Hash) {
	copy(h[:], r.take(len(h), what))
	return h
}

// sized returns a byte string with its length in 16 bits in front.
func (r *reader) sized(least, most int, what string) []byte {
	n := int(r.u16(what))
	if n < least || n > most {
		r.fail("%s of %d bytes", what, n)
	}
	return r.take(n, what)
}

// expect reads a number of one byte that can only be this one.
func (r *reader) expect(want byte, what string) {
	if got := r.u8(what); got != want {
		r.fail("%s is %d, not %d", what, got, want)
	}
}

// none reads the number of elements of a list that has to be empty.
func (r *reader) none(what string) {
	if n := r.u8(what); n != 0 {
		r.fail("there are %d %s", n, what)
	}
}

// count checks the number of elements of a list that is about to be read: it
// returns 0 after a failure, so that whoever loops over it stops.
func (r *reader) count(n, least, most int, what string) int {
	if n < least || n > most {
		r.fail("there are %d %s", n, what)
	}
	if r.err != nil {
		return 0
	}
	return n
}

// parents reads a list of block ids, of which each is greater than the one before.
func (r *reader) parents() []Hash {
	const least, most = 1, 8
	list := make([]Hash, 0, most)
	for range r.count(int(r.u8("number of parents")), least, most, "parents") {
		next := r.hash("parent")
		if len(list) > 0 && bytes.Compare(list[len(list)-1][:], next[:]) >= 0 {
			r.fail("parents are not in order")
		}
		list = append(list, next)
	}
	return list
}

func (r *reader) address() Address {
	const typeEd25519 = 0
	r.expect(typeEd25519, "type of address")
	return Address(r.hash("address"))
}

func (r *reader) signature() Signature {
	const typeEd25519 = 0
	r.expect(typeEd25519, "type of signature")
	return Signature{r.take(ed25519.PublicKeySize, "public key"), r.take(ed25519.SignatureSize, "signature")}
}

// end refuses what follows the last field.
func (r *reader) end() {
	if r.off != len(r.b) {
		r.fail("%d bytes follow", len(r.b)-r.off)
	}
}
