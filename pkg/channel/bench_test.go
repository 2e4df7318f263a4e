package channel

import (
	"bytes"
	"testing"
	"time"
)

func BenchmarkSign(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 300)
	for _, mode := range []Mode{Public, Restricted} {
		b.Run(mode.String(), func(b *testing.B) {
			a := NewAuthor(Seed{1}, mode)
			n := uint64(0)
			for b.Loop() {
				n++
				draft := Draft{Number: n, Prev: Hash{1}, Time: time.UnixMilli(1), Body: body, Random: zeros{}}
				if _, err := a.Sign(draft); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewAuthorAndSign(b *testing.B) {
	for b.Loop() {
		if _, err := NewAuthor(Seed{1}, Public).Sign(Draft{Time: time.UnixMilli(1)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	m, err := NewAuthor(Seed{1}, Public).Sign(Draft{Time: time.UnixMilli(1), Body: bytes.Repeat([]byte("x"), 300)})
	if err != nil {
		b.Fatal(err)
	}
	raw := m.Bytes()
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	a := NewAuthor(Seed{1}, Restricted)
	m, err := a.Sign(Draft{Time: time.UnixMilli(1), Body: bytes.Repeat([]byte("x"), 300), Random: zeros{}})
	if err != nil {
		b.Fatal(err)
	}
	key := a.Capability(0, 0).Key
	for b.Loop() {
		if _, err := m.Open(key); err != nil {
			b.Fatal(err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func BenchmarkNextKey(b *testing.B) {
	var key ReadKey
	for b.Loop() {
		key = key.Next()
	}
}
