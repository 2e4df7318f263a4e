// Package cardtest is a card in software that speaks the applet's protocol and plays the Type 4 Tag, for tests that have no Java at
// hand. It follows applet/PROTOCOL.md; the applet itself runs in jcardsim-tests, and a test of host/simcard holds this card to it.
package cardtest

import (
	"encoding/binary"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// State is a card's life cycle, by the numbers of the protocol.
type State byte

// The states.
const (
	Installed State = iota
	Keyed
	Locked
)

// Card is a card on a reader. Its exported fields may be set between two commands. It must not be used by several goroutines at once.
type Card struct {
	Soft        *taptest.Card // key and counter
	State       State
	CounterMax  uint32
	ContactOnly bool // installed so, and this reader is contactless
	CannotKey   bool // a card that has the objects and still makes no key
	NoMemory    bool // the counter cannot be written

	// Lacks are the algorithms whose objects the card does not give. All were asked for at install.
	Lacks []tap.Algorithm

	// Before sees each command; an error from it is what a reader says when the card is torn before it began.
	Before func(apdu.Command) error
	// After sees each answer and may change it; an error from it is what a reader says when the card did its work and the answer was
	// lost.
	After func(command apdu.Command, answer []byte) ([]byte, error)

	name           string // of the key
	prefix, middle []byte
	profile        []byte
	session        session
}

// session is what a selection remembers.
type session struct {
	selected  bool
	file      uint16
	message   []byte // NLEN and message, frozen
	signature []byte // of the last challenge answered
}

// New returns an installed card without a key. The key it will make follows from name and from the algorithm that it is told. Until
// then Soft is the P-256 card of that name.
func New(name string) *Card {
	return &Card{Soft: taptest.NewCard(name), CounterMax: 400_000, name: name, profile: []byte{0, 0, mleMax}}
}

// NewLocked returns a P-256 card that serves taps with the template of taptest.
func NewLocked(name string) *Card { return newLocked(tap.P256, name) }

// NewLockedRSA returns an RSA-2048 card that serves taps with the template of taptest.
func NewLockedRSA(name string) *Card { return newLocked(tap.RSA2048, name) }

func newLocked(a tap.Algorithm, name string) *Card {
	c := New(name)
	c.Soft, c.State = taptest.New(a, name), Locked
	c.prefix, c.middle = []byte(c.Soft.Template.Prefix), []byte(c.Soft.Template.Middle)
	return c
}

// Reset is what happens when the card leaves the field or the power goes: the session ends.
func (c *Card) Reset() { c.session = session{} }

// Transmit answers one command.
func (c *Card) Transmit(b []byte) ([]byte, error) {
	command, err := apdu.ParseCommand(b)
	if err != nil {
		return answer(nil, apdu.StatusWrongLength), nil
	}
	if c.Before != nil {
		if err := c.Before(command); err != nil {
			c.Reset()
			return nil, err
		}
	}
	out := answer(c.process(command))
	if c.After != nil {
		if out, err = c.After(command, out); err != nil {
			c.Reset()
			return nil, err
		}
	}
	return out, nil
}

// answer is data and status word; data go only with 9000.
func answer(data []byte, status apdu.Status) []byte {
	if status != apdu.StatusOK {
		data = nil
	}
	return binary.BigEndian.AppendUint16(append([]byte(nil), data...), uint16(status))
}

func (c *Card) process(command apdu.Command) ([]byte, apdu.Status) {
	isSelect := command.CLA == claISO && command.INS == insSelect && command.P1 == p1SelectByName
	switch {
	case isSelect && string(command.Data) == "\xD2\x76\x00\x00\x85\x01\x01":
		c.session = session{selected: true}
		return nil, apdu.StatusOK
	case isSelect:
		return nil, apdu.StatusNotFound
	case !c.session.selected:
		return nil, apdu.StatusNoFileSelected
	case command.CLA == claISO:
		return c.tag(command)
	case command.CLA == claProductID:
		return c.ours(command)
	}
	return nil, apdu.StatusClass
}

func (c *Card) ours(command apdu.Command) ([]byte, apdu.Status) {
	if !parametersFit(command) {
		return nil, apdu.StatusWrongParameters
	}
	switch command.INS {
	case insInfo:
		return c.info(), apdu.StatusOK
	case insGetCapabilities:
		return c.capabilities(), apdu.StatusOK
	case insGenerateKey:
		return c.generate(command)
	case insPutData:
		return nil, c.put(command.P2, command.Data)
	case insGetData:
		return c.get(int(command.P1), command.P2)
	case insChallenge:
		return c.challenge(command.Data)
	case insLock:
		return nil, c.lock(command.Data)
	}
	return nil, apdu.StatusInstruction
}

// parametersFit wants 00 where a command has no parameter.
func parametersFit(command apdu.Command) bool {
	switch command.INS {
	case insInfo, insGetCapabilities, insChallenge, insLock:
		return command.P1 == 0 && command.P2 == 0
	case insGenerateKey:
		return command.P2 == 0
	case insPutData:
		return command.P1 == 0
	}
	return true
}

// algorithmBits are the algorithms that this card knows, as INFO and GET CAPABILITIES show them.
var algorithmBits = map[tap.Algorithm]byte{tap.P256: algorithmBitP256, tap.RSA2048: algorithmBitRSA2048}

func (c *Card) present() byte {
	present := byte(algorithmBitsAll)
	for _, a := range c.Lacks {
		present &^= algorithmBits[a]
	}
	return present
}

func (c *Card) info() []byte {
	var algorithm tap.Algorithm
	var id tap.CardID
	var counter uint32
	if c.State != Installed {
		algorithm, id, counter = c.Soft.Key().Algorithm(), c.Soft.ID(), c.Soft.Counter
	}
	b := append([]byte{1, 0, c.present(), byte(c.State), byte(algorithm)}, c.profile...)
	b = binary.BigEndian.AppendUint32(append(b, id[:]...), counter)
	return binary.BigEndian.AppendUint32(b, c.CounterMax)
}

func (c *Card) capabilities() []byte {
	flags := byte(0)
	if c.ContactOnly {
		flags = installContactOnly
	}
	return []byte{algorithmBitsAll, c.present(), flags, 0}
}

// configurable is what a command that belongs to one state meets first.
func (c *Card) configurable(state State) apdu.Status {
	switch {
	case c.State != state:
		return apdu.StatusConditions
	case c.ContactOnly:
		return apdu.StatusSecurity
	}
	return apdu.StatusOK
}

func (c *Card) generate(command apdu.Command) ([]byte, apdu.Status) {
	if status := c.configurable(Installed); status != apdu.StatusOK {
		return nil, status
	}
	algorithm := tap.Algorithm(command.P1)
	if c.CannotKey || c.present()&algorithmBits[algorithm] == 0 {
		return nil, apdu.StatusFunctionNotSupported
	}
	if algorithm != c.Soft.Key().Algorithm() {
		counter := c.Soft.Counter
		c.Soft = taptest.New(algorithm, c.name)
		c.Soft.Counter = counter
	}
	c.State = Keyed
	id := c.Soft.ID()
	return id[:], apdu.StatusOK
}

// item returns where an item that can be written is kept, nil if there is none.
func (c *Card) item(item byte) *[]byte {
	switch item {
	case itemPrefix:
		return &c.prefix
	case itemMiddle:
		return &c.middle
	case itemProfile:
		return &c.profile
	}
	return nil
}

func (c *Card) put(item byte, value []byte) apdu.Status {
	if status := c.configurable(Keyed); status != apdu.StatusOK {
		return status
	}
	to := c.item(item)
	switch {
	case to == nil:
		return apdu.StatusWrongParameters
	case len(value) == 0 || len(value) > room(item):
		return apdu.StatusWrongLength
	case !isGood(item, value):
		return apdu.StatusWrongData
	}
	*to = append([]byte(nil), value...)
	return apdu.StatusOK
}

// room is the longest value of an item.
func room(item byte) int {
	if item == itemProfile {
		return profileLength
	}
	return templateLengthMax
}

func isGood(item byte, value []byte) bool {
	switch item {
	case itemPrefix:
		return fits(tap.Template{Prefix: string(value), Middle: "&c="}) || fits(tap.Template{Prefix: string(value), Middle: "?c="})
	case itemMiddle:
		return fits(tap.Template{Prefix: "https://h/?i=", Middle: string(value)}) || fits(tap.Template{Prefix: "https://h/21/", Middle: string(value)})
	}
	return isProfile(value)
}

func fits(t tap.Template) bool { return t.Check() == nil }

func isProfile(b []byte) bool {
	if len(b) != profileLength || b[0]&^profileChallengeOnly != 0 {
		return false
	}
	mle := binary.BigEndian.Uint16(b[1:])
	return mle >= mleMin && mle <= mleMax
}

func (c *Card) get(part int, item byte) ([]byte, apdu.Status) {
	value, known := c.value(item)
	start := part * partLength
	switch {
	case !known:
		return nil, apdu.StatusWrongParameters
	case len(value) == 0:
		return nil, apdu.StatusConditions
	case start >= len(value):
		return nil, apdu.StatusWrongOffset
	}
	total := binary.BigEndian.AppendUint16(nil, uint16(len(value)))
	return append(total, value[start:min(start+partLength, len(value))]...), apdu.StatusOK
}

// value returns what an item that can be read holds now; nothing if it is absent.
func (c *Card) value(item byte) (value []byte, known bool) {
	switch {
	case item == itemSignature:
		return c.session.signature, true
	case item == itemKey && c.State == Installed:
		return nil, true
	case item == itemKey:
		return c.Soft.Key().Bytes(), true
	}
	if from := c.item(item); from != nil {
		return *from, true
	}
	return nil, false
}

func (c *Card) challenge(data []byte) ([]byte, apdu.Status) {
	if c.State == Installed || c.session.message != nil {
		return nil, apdu.StatusConditions
	}
	if len(data) == 0 {
		return nil, apdu.StatusWrongLength
	}
	nonceLength, rest := int(data[0]), data[1:]
	if nonceLength < tap.MinNonce || nonceLength > tap.MaxNonce {
		return nil, apdu.StatusWrongData
	}
	if len(rest) < nonceLength || len(rest)-nonceLength > tap.MaxContext {
		return nil, apdu.StatusWrongLength
	}
	switch {
	case c.Soft.Counter >= c.CounterMax:
		return nil, apdu.StatusConditions
	case c.NoMemory:
		return nil, apdu.StatusMemoryFailure
	}
	signed := c.Soft.Challenge(rest[:nonceLength], rest[nonceLength:])
	c.session.signature = signed.Signature
	counter := binary.BigEndian.AppendUint32(nil, signed.Counter)
	if c.Soft.Key().Algorithm() == tap.RSA2048 { // too long for an answer: GET DATA brings it
		return counter, apdu.StatusOK
	}
	return append(counter, signed.Signature...), apdu.StatusOK
}

func (c *Card) template() (tap.Template, bool) {
	t := tap.Template{Prefix: string(c.prefix), Middle: string(c.middle)}
	return t, t.Check() == nil
}

func (c *Card) lock(id []byte) apdu.Status {
	if status := c.configurable(Keyed); status != apdu.StatusOK {
		return status
	}
	if len(id) != len(tap.CardID{}) {
		return apdu.StatusWrongLength
	}
	if own := c.Soft.ID(); string(id) != string(own[:]) {
		return apdu.StatusWrongData
	}
	if _, complete := c.template(); !complete {
		return apdu.StatusConditions
	}
	c.State = Locked
	return apdu.StatusOK
}
