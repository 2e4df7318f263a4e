package t4ttest

import (
	"fmt"

	"github.com/productid/productid/pkg/apdu"
)

// refusing are the rules about what a read-only tag does not do.
var refusing = []Rule{
	{Name: "refuse/update-binary", Source: "T4T 2.0 §5.3.3, PROTOCOL.md",
		Text: "UPDATE BINARY and its kin are refused by 6D00, on both files and none", check: refusesWrites},
	{Name: "refuse/keeps-files", Source: "T4T 2.0 §5.3.3",
		Text: "UPDATE BINARY and its kin change nothing, in this selection and the next", check: writesChangeNothing},
	{Name: "refuse/read-binary-odd", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "READ BINARY with an odd instruction (B1) is refused by 6D00", check: refusesOddRead},
	{Name: "refuse/instructions", Source: "ISO 7816-4 §5.1.2, PROTOCOL.md",
		Text: "every instruction but SELECT, READ BINARY and MANAGE CHANNEL is refused by 6D00", check: refusesInstructions},
	{Name: "refuse/classes", Source: "ISO 7816-4 §5.1.1, PROTOCOL.md",
		Text: "other classes, secure messaging and chaining among them, get no data and no 9000", check: refusesClasses},
	{Name: "refuse/own-class", Source: "PROTOCOL.md, Commands",
		Text: "the commands of a tag are not commands of class 80", check: refusesOwnClass},
	{Name: "refuse/malformed", Source: "ISO 7816-4 §5.1, PROTOCOL.md",
		Text: "a command whose lengths contradict each other is refused by 6700", check: refusesMalformed},
	{Name: "refuse/extended", Source: "PROTOCOL.md, Commands",
		Text: "extended lengths are refused, without effect", check: refusesExtended},
	{Name: "refuse/message-stays", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "what is refused leaves file selected and message as they are", check: refusalsChangeNothing},
	{Name: "channels/same-tag", Source: "ISO 7816-4 §5.1.1, PROTOCOL.md",
		Text: "a class byte of channels 1 to 3 is answered as class 00, or refused where the channel is not open", check: answersOnChannels},
}

// writes are the commands that change a file: UPDATE, WRITE and ERASE BINARY, UPDATE and APPEND RECORD, PUT DATA, CREATE and DELETE FILE.
var writes = []string{
	"00D6000002" + "0000", "00D6000003" + "D10000", "00D6000001FF", "00D60002020102", "00D684000100", "00D7E10406540100530100",
	"00D0000002FFFF", "000E0000", "000E0000020010", "00DC010402FFFF", "00E2000002FFFF", "00DA000102FFFF", "00E00000020000", "00E4000002E104",
}

func refusesWrites(v *visit) error {
	for _, selects := range [][]string{nil, {selectCC}, {selectNDEF}} {
		if err := v.open(selects...); err != nil {
			return err
		}
		if err := v.wants(apdu.StatusInstruction, writes...); err != nil {
			return err
		}
	}
	return nil
}

func writesChangeNothing(v *visit) error {
	cc, err := v.cc()
	if err != nil {
		return err
	}
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for _, command := range writes {
		if _, _, err := v.send(command); err != nil {
			return err
		}
	}
	if err := v.unchanged(file, "UPDATE BINARY"); err != nil {
		return err
	}
	if err := v.wants(apdu.StatusOK, selectCC); err != nil {
		return err
	}
	for _, command := range writes {
		if _, _, err := v.send(command); err != nil {
			return err
		}
	}
	if err := v.unchanged(cc, "UPDATE BINARY"); err != nil {
		return err
	}
	return v.sameInTheNextSelection(cc, file)
}

// sameInTheNextSelection wants the container as it was, and a message as long; the very same unless it is another each time.
func (v *visit) sameInTheNextSelection(cc, file []byte) error {
	if err := v.open(selectCC); err != nil {
		return err
	}
	if err := v.unchanged(cc, "a new selection"); err != nil {
		return err
	}
	if err := v.wants(apdu.StatusOK, selectNDEF); err != nil {
		return err
	}
	if !v.tag.Serves.counts() {
		return v.unchanged(file, "a new selection")
	}
	next, err := v.whole()
	if err == nil && len(next) != len(file) {
		err = fmt.Errorf("the file of the next selection has %d bytes: want %d", len(next), len(file))
	}
	return err
}

func refusesOddRead(v *visit) error {
	for _, selects := range [][]string{nil, {selectCC}, {selectNDEF}} {
		if err := v.open(selects...); err != nil {
			return err
		}
		if err := v.wants(apdu.StatusInstruction, "00B1000003540100"+"00", "00B1E1040454020000"+"00", "00B1000002"); err != nil {
			return err
		}
	}
	return nil
}

func refusesInstructions(v *visit) error {
	if err := v.open(selectCC); err != nil {
		return err
	}
	const manageChannel = 0x70 // the system's
	for instruction := range 0x100 {
		class := instruction & 0xF0
		if instruction == apdu.InsSelect || instruction == apdu.InsReadBinary || instruction == manageChannel || class == 0x60 || class == 0x90 {
			continue // 6X and 9X are no instructions (ISO/IEC 7816-4 §5.1.2)
		}
		if err := v.wants(apdu.StatusInstruction, fmt.Sprintf("00%02X000000", instruction)); err != nil {
			return err
		}
	}
	return nil
}

func refusesClasses(v *visit) error {
	if err := v.open(selectCC); err != nil {
		return err
	}
	for _, class := range []int{0x04, 0x08, 0x0C, 0x10, 0x20, 0x40, 0x60, 0x84, 0x8C, 0x90, 0xA0, 0xB0, 0xF0} {
		command := fmt.Sprintf("%02XB000000F", class)
		data, status, err := v.send(command)
		if err != nil {
			return err
		}
		if status == apdu.StatusOK || len(data) > 0 {
			return fmt.Errorf("%s is answered %X%04X", command, data, uint16(status))
		}
	}
	return nil
}

func refusesOwnClass(v *visit) error {
	if err := v.open(selectCC); err != nil {
		return err
	}
	return v.wants(apdu.StatusInstruction, "80B000000F", "80A4000C02E103", "80D60000020000", "80B100000F")
}

var malformed = []string{
	"00A4000C03E104",       // fewer data than Lc says
	"00A4000C02E1040000",   // more than an Le behind the data
	"00A4040007D276000085", // an AID cut short
	"00B000000201",         // data that are not there
}

func refusesMalformed(v *visit) error {
	if err := v.open(selectCC); err != nil {
		return err
	}
	if err := v.wants(apdu.StatusWrongLength, malformed...); err != nil {
		return err
	}
	_, err := v.read(0, containerLength) // goes on
	return err
}

var extended = []string{
	"00B000000000F6", "00B00000000000", "00A4000C000002E104", "00A4040000" + "0007D2760000850101", "00A40400000007D27600008501010000",
}

func refusesExtended(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for _, command := range extended {
		data, status, err := v.send(command)
		if err != nil {
			return err
		}
		if status == apdu.StatusOK || len(data) > 0 {
			return fmt.Errorf("%s is answered %X%04X", command, data, uint16(status))
		}
	}
	return v.unchanged(file, "extended lengths")
}

func refusalsChangeNothing(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	refused := append([]string{
		"00A4000C02E105", "00A4000C01E1", "00A4010C02E103", "00A4000802E103", "00A4040007D2760000850100",
		"00B0810001", readCommand(maxOffset, 1), "00B1000003540100", "00FF0000", "A0B0000001",
	}, malformed...)
	for _, command := range refused {
		data, status, err := v.send(command)
		if err != nil {
			return err
		}
		if status == apdu.StatusOK || len(data) > 0 {
			return fmt.Errorf("%s is answered %X%04X", command, data, uint16(status))
		}
		if err := v.window(file, 0, apdu.MaxAnswer); err != nil {
			return fmt.Errorf("after %s: %w", command, err)
		}
	}
	return v.unchanged(file, "what was refused")
}

func answersOnChannels(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	const notSupported, noSuchChannel = 0x6881, 0x6A81
	for channel := 1; channel <= 3; channel++ {
		for _, le := range []int{1, 0x0F, v.tag.MaxRead} {
			command := fmt.Sprintf("%02X%s", channel, readCommand(0, le)[2:])
			data, status, err := v.send(command)
			switch {
			case err != nil:
				return err
			case status == apdu.StatusClass || status == notSupported || status == noSuchChannel:
			case status != apdu.StatusOK || string(data) != string(file[:min(le, len(file))]):
				return fmt.Errorf("%s is answered %X%04X", command, data, uint16(status))
			}
		}
	}
	return v.unchanged(file, "reads on other channels")
}
