package card

import (
	"encoding/binary"
	"fmt"

	"github.com/productid/productid/pkg/tap"
)

// State is where a card is in its life. There is one way, Installed, Keyed, Locked, and no way back.
type State byte

// The states of a card.
const (
	Installed State = stateInstalled // no key yet
	Keyed     State = stateKeyed     // has its key; serves rehearsals; template and profile can be written
	Locked    State = stateLocked    // serves taps; nothing can be changed any more
	Unknown   State = stateUnknown   // its memory was damaged; it signs nothing
)

// String returns "installed", "keyed", "locked" or "unknown".
func (s State) String() string {
	switch s {
	case Installed:
		return "installed"
	case Keyed:
		return "keyed"
	case Locked:
		return "locked"
	}
	return "unknown"
}

// MarshalText returns String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Profile is how a card behaves towards readers.
type Profile struct {
	// ChallengeOnly: the card serves no signed taps, it only answers challenges.
	ChallengeOnly bool
	// MaxRead is the most bytes a reader may ask for at once (MLe), 15 to 246. DefaultMaxRead suits phones.
	MaxRead uint16
}

// Values for Profile.MaxRead, in bytes.
const (
	DefaultMaxRead   = mleMax
	OldReaderMaxRead = 0x003B // older USB readers answer 6F00 when asked for more
)

// Version is the protocol version of an applet.
type Version struct{ Major, Minor byte }

// String returns, for example, "1.0".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Info is what a card says about itself. Nothing of it is proved: a key is, by a signature.
type Info struct {
	Version    Version
	Algorithms []tap.Algorithm // those the card can make keys of
	State      State
	Algorithm  tap.Algorithm // of the key; 0 without one
	Profile    Profile
	ID         tap.CardID // zeros without a key
	Counter    uint32     // the last one that was used up; FFFFFFFF if the card lost its counter and will never sign again
	CounterMax uint32     // the last one that the card will ever use
}

// Exhausted reports whether the card has no count left.
func (i Info) Exhausted() bool { return i.Counter >= i.CounterMax }

// parseInfo reads the answer of INFO. The error is ErrVersion or ErrMalformed.
func parseInfo(b []byte) (Info, error) {
	if len(b) > 0 && b[infoOffVersion] != versionMajor {
		return Info{}, fmt.Errorf("%w: %d", ErrVersion, b[infoOffVersion])
	}
	if len(b) != infoLength {
		return Info{}, fmt.Errorf("%w: info of %d bytes: want %d", ErrMalformed, len(b), infoLength)
	}
	info := Info{
		Version:    Version{b[infoOffVersion], b[infoOffVersion+1]},
		Algorithms: parseAlgorithms(b[infoOffAlgorithms]),
		State:      State(b[infoOffState]),
		Algorithm:  tap.Algorithm(b[infoOffAlgorithm]),
		Profile:    parseProfile(b[infoOffProfile:infoOffCardID]),
		ID:         tap.CardID(b[infoOffCardID:infoOffCounter]),
		Counter:    binary.BigEndian.Uint32(b[infoOffCounter:]),
		CounterMax: binary.BigEndian.Uint32(b[infoOffCounterMax:]),
	}
	return info, info.check()
}

// check refuses what no working card says.
func (i Info) check() error {
	switch i.State {
	case Installed, Unknown:
		return nil
	case Keyed, Locked:
		if i.Algorithm != algorithmP256 && i.Algorithm != algorithmRSA2048 {
			return fmt.Errorf("%w: a %v card with a key of %v", ErrMalformed, i.State, i.Algorithm)
		}
		return nil
	}
	return fmt.Errorf("%w: state %02X", ErrMalformed, byte(i.State))
}

func parseAlgorithms(mask byte) []tap.Algorithm {
	var present []tap.Algorithm
	if mask&algorithmBitP256 != 0 {
		present = append(present, tap.P256)
	}
	if mask&algorithmBitRSA2048 != 0 {
		present = append(present, tap.RSA2048)
	}
	return present
}

func parseProfile(b []byte) Profile {
	return Profile{ChallengeOnly: b[0]&profileChallengeOnly != 0, MaxRead: binary.BigEndian.Uint16(b[1:])}
}

// String says the profile in words: "signed taps, at most 246 bytes at once", or "challenge-only, …".
func (p Profile) String() string {
	serves := "signed taps"
	if p.ChallengeOnly {
		serves = "challenge-only"
	}
	return fmt.Sprintf("%s, at most %d bytes at once", serves, p.MaxRead)
}

// Check refuses what a card would refuse: the error is ErrRefused.
func (p Profile) Check() error {
	if p.MaxRead < mleMin || p.MaxRead > mleMax {
		return fmt.Errorf("%w: %d bytes at once: want %d to %d", ErrRefused, p.MaxRead, mleMin, mleMax)
	}
	return nil
}

// bytes returns the profile as PUT DATA wants it. The error is that of Check.
func (p Profile) bytes() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	flags := byte(0)
	if p.ChallengeOnly {
		flags = profileChallengeOnly
	}
	return binary.BigEndian.AppendUint16([]byte{flags}, p.MaxRead), nil
}

// Capabilities is what was asked for when the applet was installed, and what of it the card has.
type Capabilities struct {
	Asked       []tap.Algorithm
	Present     []tap.Algorithm
	ContactOnly bool // configuration is allowed over the contacts only
}

func parseCapabilities(b []byte) (Capabilities, error) {
	if len(b) != capabilitiesLength {
		return Capabilities{}, fmt.Errorf("%w: capabilities of %d bytes: want %d", ErrMalformed, len(b), capabilitiesLength)
	}
	return Capabilities{
		Asked:       parseAlgorithms(b[capabilitiesOffAsked]),
		Present:     parseAlgorithms(b[capabilitiesOffPresent]),
		ContactOnly: b[capabilitiesOffFlags]&installContactOnly != 0,
	}, nil
}
