package channel

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Layout of a restricted message's payload: key start, nonce, ciphertext. What is
// encrypted is the body's length, the body, and zeros up to a whole block.
const (
	offNonce      = 8
	offCiphertext = offNonce + nonceSize
	nonceSize     = chacha20poly1305.NonceSizeX
	lengthSize    = 4
	padBlock      = 64
)

// sealedSize returns the size of the payload that hides a body of this size.
func sealedSize(body int) uint32 {
	return uint32(offCiphertext + paddedSize(body) + chacha20poly1305.Overhead)
}

func paddedSize(body int) int {
	return (lengthSize + body + padBlock - 1) / padBlock * padBlock
}

// keyStart returns the key start of a restricted payload whose size was checked.
func keyStart(payload []byte) uint64 { return binary.BigEndian.Uint64(payload) }

// pad returns what is encrypted for a body.
func pad(body []byte) []byte {
	plain := make([]byte, paddedSize(len(body)))
	binary.BigEndian.PutUint32(plain, uint32(len(body)))
	copy(plain[lengthSize:], body)
	return plain
}

// unpad undoes pad, and refuses what pad does not make.
func unpad(plain []byte) ([]byte, error) {
	size := binary.BigEndian.Uint32(plain)
	if size > MaxBody || paddedSize(int(size)) != len(plain) {
		return nil, fmt.Errorf("body length %d in %d bytes: %w", size, len(plain), ErrMalformed)
	}
	body, padding := plain[lengthSize:][:size], plain[lengthSize+size:]
	if slices.ContainsFunc(padding, func(b byte) bool { return b != 0 }) {
		return nil, fmt.Errorf("padding is not zeros: %w", ErrMalformed)
	}
	return body, nil
}

// seal returns the payload that encrypts plain. The head says its size already.
func seal(key ReadKey, head []byte, start uint64, nonce [nonceSize]byte, plain []byte) []byte {
	payload := make([]byte, 0, offCiphertext+len(plain)+chacha20poly1305.Overhead)
	payload = binary.BigEndian.AppendUint64(payload, start)
	payload = append(payload, nonce[:]...)
	return contentCipher(key).Seal(payload, nonce[:], plain, additional(head, payload))
}

// unseal returns the body inside a payload whose size was checked.
func unseal(key ReadKey, head, payload []byte) ([]byte, error) {
	nonce, ciphertext := payload[offNonce:offCiphertext], payload[offCiphertext:]
	plain, err := contentCipher(key).Open(nil, nonce, ciphertext, additional(head, payload))
	if err != nil {
		return nil, ErrCannotOpen
	}
	return unpad(plain)
}

// additional returns what the encryption commits to beside the plaintext: head and key start.
func additional(head, payload []byte) []byte {
	return slices.Concat(head, payload[:offNonce])
}

func contentCipher(key ReadKey) cipher.AEAD {
	content := expand(key, infoContent)
	aead, err := chacha20poly1305.NewX(content[:])
	if err != nil {
		panic(err) // only for a key that is not of 32 bytes
	}
	return aead
}
