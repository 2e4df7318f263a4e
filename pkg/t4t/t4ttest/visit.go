package t4ttest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
)

// Commands that many checks send.
const (
	selectApplication = "00A4040007D276000085010100"
	selectCC          = "00A4000C02E103"
	selectNDEF        = "00A4000C02E104"
	info              = "8001000000" // INFO, PROTOCOL.md
	nonce             = "10000102030405060708090A0B0C0D0E0F"
	challenge         = "8030000011" + nonce + "00"
)

const (
	containerLength = 15
	nlenLength      = 2
	maxOffset       = 0x7FFF // of READ BINARY without a short file identifier
)

// visit is one check's time with the tag.
type visit struct {
	reader Reader
	tag    Tag
}

// send sends a command in hexadecimal, well-formed or not, and returns data and status.
func (v *visit) send(command string) ([]byte, apdu.Status, error) {
	b, err := hex.DecodeString(command)
	if err != nil {
		return nil, 0, err
	}
	answer, err := v.reader.Transmit(b)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", command, err)
	}
	data, status, err := apdu.ParseAnswer(answer)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", command, err)
	}
	return data, status, nil
}

// wants sends commands that all must be answered with this status and no data.
func (v *visit) wants(want apdu.Status, commands ...string) error {
	for _, command := range commands {
		data, status, err := v.send(command)
		if err != nil {
			return err
		}
		if status != want || len(data) > 0 {
			return fmt.Errorf("%s is answered %X%04X: want %04X alone", command, data, uint16(status), uint16(want))
		}
	}
	return nil
}

// open activates the tag and selects the application, then what is given.
func (v *visit) open(selects ...string) error {
	if err := v.reader.Reset(); err != nil {
		return err
	}
	return v.wants(apdu.StatusOK, append([]string{selectApplication}, selects...)...)
}

// readCommand is READ BINARY with le from 1 to 256.
func readCommand(offset, le int) string { return fmt.Sprintf("00B0%04X%02X", offset, le&0xFF) }

// read reads and wants 9000.
func (v *visit) read(offset, le int) ([]byte, error) {
	command := readCommand(offset, le)
	data, status, err := v.send(command)
	if err != nil {
		return nil, err
	}
	if status != apdu.StatusOK {
		return nil, fmt.Errorf("%s is answered %04X: want 9000", command, uint16(status))
	}
	if len(data) > le {
		return nil, fmt.Errorf("%s is answered with %d bytes", command, len(data))
	}
	return data, nil
}

// whole reads the selected file from its beginning to its end, as the tag shows it.
func (v *visit) whole() ([]byte, error) { return v.wholeBy(0x30) }

func (v *visit) wholeBy(chunk int) ([]byte, error) {
	var file []byte
	for len(file) <= maxOffset-chunk {
		data, err := v.read(len(file), chunk)
		if err != nil {
			return nil, err
		}
		if len(data) == 0 {
			return file, nil
		}
		file = append(file, data...)
	}
	return nil, fmt.Errorf("a file without end: %d bytes read", len(file))
}

// ndefFile opens the tag and reads its NDEF file.
func (v *visit) ndefFile() ([]byte, error) {
	if err := v.open(selectNDEF); err != nil {
		return nil, err
	}
	file, err := v.whole()
	if err == nil && len(file) < nlenLength {
		err = fmt.Errorf("an NDEF file of %d bytes", len(file))
	}
	return file, err
}

// cc opens the tag and reads its capability container as phones do, in one read.
func (v *visit) cc() ([]byte, error) {
	if err := v.open(selectCC); err != nil {
		return nil, err
	}
	cc, err := v.read(0, containerLength)
	if err == nil && len(cc) != containerLength {
		err = fmt.Errorf("a capability container of %d bytes: want %d", len(cc), containerLength)
	}
	return cc, err
}

// window wants, of the selected file whose content is known, what a read at offset has to give: le bytes or what there is.
func (v *visit) window(file []byte, offset, le int) error {
	data, err := v.read(offset, le)
	if err != nil {
		return err
	}
	if want := file[offset:min(offset+le, len(file))]; !bytes.Equal(data, want) {
		return fmt.Errorf("%d bytes at %d are %X: want %X", le, offset, data, want)
	}
	return nil
}

// unchanged wants the selected file to be as it was.
func (v *visit) unchanged(before []byte, after string) error {
	now, err := v.whole()
	if err != nil {
		return err
	}
	if !bytes.Equal(before, now) {
		return fmt.Errorf("after %s the file is %X: want %X", after, now, before)
	}
	return nil
}

// counter asks how many numbers are used up. It needs the application selected and changes nothing.
func (v *visit) counter() (uint32, error) {
	const length, at = 28, 20
	data, status, err := v.send(info)
	if err != nil {
		return 0, err
	}
	if status != apdu.StatusOK || len(data) != length {
		return 0, fmt.Errorf("INFO is answered with %d bytes and %04X: want %d and 9000", len(data), uint16(status), length)
	}
	return binary.BigEndian.Uint32(data[at:]), nil
}

// costs opens the tag, does something in that selection and wants it to use up so many numbers.
func (v *visit) costs(want uint32, do func() error) error {
	if err := v.open(); err != nil {
		return err
	}
	before, err := v.counter()
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := v.wants(apdu.StatusOK, selectApplication); err != nil {
		return err
	}
	after, err := v.counter()
	if err == nil && after-before != want {
		err = fmt.Errorf("%d numbers are used up: want %d", after-before, want)
	}
	return err
}
