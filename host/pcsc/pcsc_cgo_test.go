//go:build cgo || windows

package pcsc

import (
	"testing"

	"github.com/ebfe/scard"
	"github.com/stretchr/testify/assert"
)

func TestErrorsOfTheServiceGetWords(t *testing.T) {
	for from, want := range map[scard.Error]error{
		scard.ErrNoService:         ErrNoService,
		scard.ErrServiceStopped:    ErrNoService,
		scard.ErrSecurityViolation: ErrNoService,
		scard.ErrUnknownReader:     ErrNoReader,
		scard.ErrNoSmartcard:       ErrNoCard,
		scard.ErrUnresponsiveCard:  ErrNoCard,
		scard.ErrSharingViolation:  ErrInUse,
		scard.ErrRemovedCard:       ErrTorn,
		scard.ErrResetCard:         ErrTorn,
		scard.ErrReaderUnavailable: ErrNoReader,
	} {
		err := explain("doing", from)
		assert.ErrorIs(t, err, want)
		assert.ErrorIs(t, err, from)
	}
	err := explain("doing", scard.ErrInternalError)
	assert.ErrorIs(t, err, scard.ErrInternalError)
}

func TestReaderOfAState(t *testing.T) {
	atr := []byte{0x3B}
	with := scard.ReaderState{Reader: "r", EventState: 0x0003_0000 | scard.StatePresent | scard.StateChanged, Atr: atr}
	assert.Equal(t, Reader{Name: "r", Present: true, ATR: atr, insertions: 3}, readerOf(with))
	without := scard.ReaderState{Reader: "r", EventState: 0x0004_0000 | scard.StateEmpty, Atr: atr}
	assert.Equal(t, Reader{Name: "r", insertions: 4}, readerOf(without), "an old ATR is no card")
}
