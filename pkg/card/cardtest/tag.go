package cardtest

import (
	"encoding/binary"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/tap"
)

// tag answers the commands of a Type 4 Tag.
func (c *Card) tag(command apdu.Command) ([]byte, apdu.Status) {
	switch command.INS {
	case insSelect:
		return nil, c.selectFile(command)
	case insReadBinary:
		return c.readBinary(command)
	}
	return nil, apdu.StatusInstruction
}

func (c *Card) selectFile(command apdu.Command) apdu.Status {
	if command.P1 != p1SelectByFileID || command.P2 != p2SelectNoResponse && command.P2 != p2SelectFirstOrOnly {
		return apdu.StatusWrongParameters
	}
	if len(command.Data) != 2 {
		return apdu.StatusWrongLength
	}
	file := uint16(command.Data[0])<<8 | uint16(command.Data[1])
	if file != fileCC && file != fileNDEF {
		return apdu.StatusNotFound
	}
	c.session.file = file
	return apdu.StatusOK
}

func (c *Card) readBinary(command apdu.Command) ([]byte, apdu.Status) {
	if command.P1&p1ReadShortFileID != 0 {
		return nil, apdu.StatusWrongParameters
	}
	offset := int(command.P1)<<8 | int(command.P2)
	file, status := c.open(offset)
	if status != apdu.StatusOK {
		return nil, status
	}
	if offset > len(file) {
		return nil, apdu.StatusWrongOffset
	}
	return file[offset:min(offset+command.Ne, len(file))], apdu.StatusOK
}

// open returns the selected file. The first read of the NDEF file in a selection uses up a count.
func (c *Card) open(offset int) ([]byte, apdu.Status) {
	switch {
	case c.session.file == fileCC:
		return c.capabilityContainer(), apdu.StatusOK
	case c.session.file != fileNDEF:
		return nil, apdu.StatusNoFileSelected
	case c.session.signature != nil:
		return nil, apdu.StatusConditions
	case c.session.message != nil:
		return c.session.message, apdu.StatusOK
	}
	return c.message(offset)
}

// capabilityContainer is laid out in T4T 2.0 §5.1.
func (c *Card) capabilityContainer() []byte {
	size := uint16(ndefFileMax)
	if c.isRSA() {
		size = ndefFileMaxRSA2048
	}
	return []byte{
		0, 15, ccMappingVersion, c.profile[1], c.profile[2], 0, mleMax,
		ccNDEFFileControlTag, 6, fileNDEF >> 8, fileNDEF & 0xFF, byte(size >> 8), byte(size), ccReadFree, ccWriteNever,
	}
}

// isRSA reports whether the card has a key of RSA-2048.
func (c *Card) isRSA() bool { return c.State != Installed && c.Soft.Key().Algorithm() == tap.RSA2048 }

// signedLength is the length of a signed NDEF file: NLEN, record header and identifier code in place of "https://", prefix, id,
// middle, counter, "&s=" and signature. A record longer than 255 bytes has a header that is three bytes longer.
func (c *Card) signedLength() int {
	short := 2 + 5 - len("https://") + len(c.prefix) + 16 + len(c.middle) + 8 + len("&s=")
	if c.isRSA() {
		return short + 3 + 342
	}
	return short + 86
}

// message makes the NDEF file of this selection: what the tag serves at its first read.
func (c *Card) message(offset int) ([]byte, apdu.Status) {
	template, complete := c.template()
	if c.State == Installed || !complete {
		return []byte{0, 0}, apdu.StatusOK
	}
	text, status := c.url(template, offset)
	if status != apdu.StatusOK {
		return nil, status
	}
	message, err := ndef.EncodeURI(text)
	if err != nil {
		return nil, apdu.StatusUnknown
	}
	if c.isRSA() {
		message = longRecord(message)
	}
	c.session.message = append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	return c.session.message, apdu.StatusOK
}

// longRecord gives a URI record the header of a long one, which a card of RSA-2048 always has.
func longRecord(message []byte) []byte {
	const flagShort, header = 0x10, 3 // flags, length of the type, length of the payload
	if message[0]&flagShort == 0 {
		return message
	}
	return append([]byte{message[0] &^ flagShort, message[1], 0, 0, 0, message[2]}, message[header:]...)
}

func (c *Card) url(template tap.Template, offset int) (string, apdu.Status) {
	c.Soft.Template = template
	unsigned := template.Prefix + c.Soft.ID().String() + template.Middle + "00000000&x="
	switch {
	case c.profile[0]&profileChallengeOnly != 0:
		return unsigned + tap.ChallengeOnly, apdu.StatusOK
	case offset > c.signedLength(): // refused before a count is used up
		return "", apdu.StatusWrongOffset
	case c.Soft.Counter >= c.CounterMax:
		return unsigned + tap.Exhausted, apdu.StatusOK
	case c.NoMemory:
		return "", apdu.StatusMemoryFailure
	case c.State == Locked:
		return c.Soft.Tap(), apdu.StatusOK
	}
	return c.Soft.Rehearse(), apdu.StatusOK
}
