package t4ttest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/pkg/t4t/t4ttest"
)

// FuzzRun has a tag answer whatever comes: the suite must end, without a panic.
func FuzzRun(f *testing.F) {
	f.Add([]byte("\x90\x00"), byte(t4ttest.Nothing))
	f.Add([]byte("\x00\x0F\x20\x00\xF6\x00\xF6\x04\x06\xE1\x04\x00\xE8\x00\xFF\x90\x00\xFE\x90\x00"), byte(t4ttest.Taps))
	f.Fuzz(func(t *testing.T, script []byte, serves byte) {
		at, sent := 0, 0
		tag := transmitting(func() ([]byte, error) { // status words and data in turn, for a while
			if sent++; sent > 5000 || len(script) == 0 {
				return nil, assert.AnError
			}
			n := int(script[at%len(script)]) % 18
			from := (at + 1) % len(script)
			at += 1 + n
			answer := append([]byte{}, script[from:min(from+n, len(script))]...)
			if at%2 == 0 {
				answer = append(answer, 0x90, 0x00)
			}
			return answer, nil
		})
		s := t4ttest.Serves(serves % 4)
		assert.Len(t, t4ttest.Run(tag, t4ttest.Tag{Serves: s, MaxRead: 0x3B, FileSize: 0xE8}), len(t4ttest.Rules(s)))
	})
}

// transmitting is a tag that answers without listening.
type transmitting func() ([]byte, error)

func (f transmitting) Transmit([]byte) ([]byte, error) { return f() }
func (transmitting) Reset() error                      { return nil }
