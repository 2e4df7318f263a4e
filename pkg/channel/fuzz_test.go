package channel

import (
	"bytes"
	"testing"
)

// FuzzParse: what is accepted is written again as the same bytes, and as stub too.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if Class(err) == "" || !m.IsZero() {
				t.Fatalf("message %v with error %v", m, err)
			}
			return
		}
		if !bytes.Equal(m.Bytes(), b) {
			t.Fatal("another message than the one parsed")
		}
		stub, err := ParseStub(m.Stub().Bytes())
		if err != nil || stub != m.Stub() {
			t.Fatalf("stub is not the message's: %v", err)
		}
	})
}

// FuzzParseStub: what is accepted is written again as the same bytes.
func FuzzParseStub(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStub(b)
		if err != nil {
			if Class(err) == "" || !s.IsZero() {
				t.Fatalf("stub %v with error %v", s, err)
			}
			return
		}
		if !bytes.Equal(s.Bytes(), b) {
			t.Fatal("another stub than the one parsed")
		}
	})
}

// FuzzParseCapability: what is accepted has one text.
func FuzzParseCapability(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCapability(text)
		if err != nil {
			if Class(err) != "malformed" {
				t.Fatal(err)
			}
			return
		}
		if c.String() != text {
			t.Fatalf("%q became %q", text, c.String())
		}
	})
}

// FuzzOpen lets a hostile author encrypt anything at all: it is refused as
// malformed, or it is exactly what Sign makes of the body inside.
func FuzzOpen(f *testing.F) {
	key := ReadKey{7}
	head := make([]byte, headSize)
	f.Fuzz(func(t *testing.T, plain []byte) {
		plain = append(plain, make([]byte, paddedSize(len(plain))-len(plain))...) // Parse lets only whole blocks through
		payload := seal(key, head, 0, [nonceSize]byte{}, plain)
		body, err := unseal(key, head, payload)
		if err != nil {
			if Class(err) != "malformed" {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(pad(body), plain) {
			t.Fatalf("accepted %d bytes that no author writes", len(plain))
		}
		if _, err := unseal(key.Next(), head, payload); Class(err) != "cannot_open" {
			t.Fatalf("opened with another key: %v", err)
		}
	})
}
