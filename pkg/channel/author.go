package channel

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

// Author writes one channel. Several goroutines may use it at once.
type Author struct {
	mode Mode
	id   ID
	seed Seed
	// Held for the Author's life: crypto/ed25519 remembers what it worked out of
	// a private key as long as the same slice is alive, half of a signature's time.
	private ed25519.PrivateKey

	mu     sync.Mutex
	newest ratchet // where the read keys were last needed
}

// ratchet is a read key with its place.
type ratchet struct {
	start, number uint64
	key           ReadKey
}

// NewAuthor returns the author of the channel that the seed makes. The seed does
// not fix the mode: the caller keeps it together with the seed.
func NewAuthor(seed Seed, mode Mode) *Author {
	private := expand(seed, infoAuthor)
	a := &Author{mode: mode, seed: seed, private: ed25519.NewKeyFromSeed(private[:])}
	a.id = ID(a.private[ed25519.SeedSize:])
	a.newest.key = readKeyAt(seed, 0)
	return a
}

// Channel returns the id of the channel.
func (a *Author) Channel() ID { return a.id }

// Mode returns the mode that this author writes in.
func (a *Author) Mode() Mode { return a.mode }

// Draft is a message to be signed.
type Draft struct {
	Number uint64    // place in the channel, from 0
	Prev   Hash      // hash of message Number-1; zero for the first
	Time   time.Time // when it is written; kept in milliseconds
	Body   []byte    // at most MaxBody bytes; not kept

	// KeyStart is the number of the message at which the read keys were last
	// rotated; 0 before the first rotation. KeyStart = Number rotates now: who
	// could read until here cannot go on. It must never go down within a
	// channel, or readers that were cut off read again. Restricted channels only.
	KeyStart uint64
	// Random gives the 24 bytes of the nonce. Restricted channels only.
	Random io.Reader
}

// Sign returns the signed message, or ErrMalformed for a draft that no message
// can carry, or the error of Draft.Random. An author that sends what it signs must
// store it first: two different messages with one number are evidence against it.
func (a *Author) Sign(d Draft) (Message, error) {
	m, err := a.sign(d)
	if err != nil {
		return Message{}, fmt.Errorf("signing message %d: %w", d.Number, err)
	}
	return m, nil
}

func (a *Author) sign(d Draft) (Message, error) {
	if len(d.Body) > MaxBody {
		return Message{}, fmt.Errorf("body of %d bytes, more than %d: %w", len(d.Body), MaxBody, ErrMalformed)
	}
	head, err := a.head(d)
	if err != nil {
		return Message{}, err
	}
	payload, err := a.payload(d, head)
	if err != nil {
		return Message{}, err
	}
	stub := newStub(head, payload, nil)
	if err := stub.checkHead(); err != nil {
		return Message{}, err
	}
	if err := stub.checkPayload(payload); err != nil {
		return Message{}, err
	}
	signature := ed25519.Sign(a.private, signedBytes(stub.raw[:offSignature]))
	return Message{stub: newStub(head, payload, signature), payload: payload}, nil
}

// SignDigest signs 32 bytes that a ledger's transaction hashes to, where the
// ledger itself asks for the channel author's signature (RFC 8032). It is no
// signature of a message: what that covers is longer and begins with a text.
func (a *Author) SignDigest(digest [32]byte) []byte { return ed25519.Sign(a.private, digest[:]) }

// SignToken signs the signing input of a JWS (RFC 7515 §5.1), for what the author
// says outside the channel. It returns ErrMalformed for anything else: an input begins
// with the base64url of a JSON object and is longer than a digest, so that no
// message, head or transaction is signed by it.
func (a *Author) SignToken(input []byte) ([]byte, error) {
	header, _, found := bytes.Cut(input, []byte("."))
	if !found || !bytes.HasPrefix(header, []byte("eyJ")) || len(input) <= len([32]byte{}) {
		return nil, fmt.Errorf("signing a token: not the signing input of a JWS: %w", ErrMalformed)
	}
	return ed25519.Sign(a.private, input), nil
}

func (a *Author) head(d Draft) ([]byte, error) {
	ms, err := unixMilli(d.Time)
	if err != nil {
		return nil, err
	}
	size := uint32(len(d.Body))
	if a.mode == Restricted {
		size = sealedSize(len(d.Body))
	}
	head := make([]byte, headSize)
	copy(head, magic)
	head[offMode] = byte(a.mode)
	copy(head[offChannel:], a.id[:])
	binary.BigEndian.PutUint64(head[offNumber:], d.Number)
	copy(head[offPrev:], d.Prev[:])
	binary.BigEndian.PutUint64(head[offTime:], ms)
	binary.BigEndian.PutUint32(head[offLength:], size)
	return head, nil
}

func (a *Author) payload(d Draft, head []byte) ([]byte, error) {
	switch {
	case a.mode == Public && d.KeyStart != 0:
		return nil, fmt.Errorf("key start %d in a public channel: %w", d.KeyStart, ErrMalformed)
	case a.mode == Public:
		return append([]byte{}, d.Body...), nil
	case d.KeyStart > d.Number:
		return nil, fmt.Errorf("key start %d is beyond the message: %w", d.KeyStart, ErrMalformed)
	}
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(d.Random, nonce[:]); err != nil {
		return nil, fmt.Errorf("reading random nonce: %w", err)
	}
	return seal(a.readKey(d.Number, d.KeyStart), head, d.KeyStart, nonce, pad(d.Body)), nil
}

// Capability returns what opens the author's messages from number from on, whose
// read keys start at keyStart ≤ from. In a public channel both mean nothing.
func (a *Author) Capability(from, keyStart uint64) Capability {
	if a.mode == Public {
		return Capability{Channel: a.id}
	}
	return Capability{Channel: a.id, Restricted: true, From: from, Key: a.readKey(from, keyStart)}
}

// readKey returns the read key of message n. Going on from the newest key asked
// for costs one step a message; going back starts over at the key start.
func (a *Author) readKey(n, start uint64) ReadKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest.start != start || a.newest.number > n {
		a.newest = ratchet{start: start, number: start, key: readKeyAt(a.seed, start)}
	}
	a.newest.advance(n)
	return a.newest.key
}

// advance turns the ratchet to message n, which is not before it.
func (r *ratchet) advance(n uint64) {
	for ; r.number < n; r.number++ {
		r.key = r.key.Next()
	}
}
