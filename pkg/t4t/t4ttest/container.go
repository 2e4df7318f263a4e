package t4ttest

import (
	"encoding/binary"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/t4t"
)

// container are the rules of the capability container.
var container = []Rule{
	{Name: "cc/length", Source: "T4T 2.0 §5.1",
		Text: "CCLEN is 000F, and so long the file is", check: containerFile},
	{Name: "cc/in-two-reads", Source: "T4T 2.0 §5.4.4",
		Text: "its length may be read first, the rest afterwards", check: containerInTwo},
	{Name: "cc/version", Source: "T4T 2.0 §5.1.1",
		Text: "the mapping version is 2.0", check: inContainer(hasVersion)},
	{Name: "cc/max-read", Source: "T4T 2.0 §5.1",
		Text: "MLe is at least 000F, fits a short command, and is the profile's", check: inContainer(hasMaxRead)},
	{Name: "cc/max-write", Source: "T4T 2.0 §5.1",
		Text: "MLc is at least 0001 and fits a short command", check: inContainer(hasMaxWrite)},
	{Name: "cc/file-control", Source: "T4T 2.0 §5.1.2",
		Text: "the NDEF File Control TLV comes first and has six bytes", check: inContainer(hasFileControl)},
	{Name: "cc/file", Source: "T4T 2.0 §5.1.2",
		Text: "the NDEF file is none of the reserved ones, and is there", check: inContainer(hasFile)},
	{Name: "cc/file-size", Source: "T4T 2.0 §5.1.2, PROTOCOL.md",
		Text: "the maximum file size is of 5 to 7FFF bytes and the one that was announced", check: inContainer(hasFileSize)},
	{Name: "cc/access", Source: "T4T 2.0 §5.3.3",
		Text: "everybody may read (00), nobody may write (FF)", check: inContainer(hasAccess)},
	{Name: "cc/phones", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "the strictest phone takes it", check: inContainer(passesPhones)},
	{Name: "cc/constant", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "it is the same before and after the NDEF file was read, and in the next selection", check: containerStays},
	{Name: "cc/read-binary", Source: "ISO 7816-4 §7.2.3",
		Text: "every offset and length gives the bytes there, fewer at the end, none behind it, 6B00 beyond", check: containerWindows},
}

func containerFile(v *visit) error {
	cc, err := v.cc()
	if err != nil {
		return err
	}
	if length := binary.BigEndian.Uint16(cc); length != containerLength {
		return fmt.Errorf("CCLEN is %04X: want %04X", length, containerLength)
	}
	file, err := v.whole()
	if err == nil && len(file) != containerLength {
		err = fmt.Errorf("the file has %d bytes: want %d", len(file), containerLength)
	}
	return err
}

func containerInTwo(v *visit) error {
	cc, err := v.cc()
	if err != nil {
		return err
	}
	if err := v.open(selectCC); err != nil {
		return err
	}
	if err := v.window(cc, 0, nlenLength); err != nil {
		return err
	}
	return v.window(cc, nlenLength, containerLength-nlenLength)
}

// inContainer checks a container that was read.
func inContainer(check func(*visit, []byte) error) func(*visit) error {
	return func(v *visit) error {
		cc, err := v.cc()
		if err != nil {
			return err
		}
		return check(v, cc)
	}
}

func hasVersion(_ *visit, cc []byte) error {
	if cc[2] != 0x20 {
		return fmt.Errorf("mapping version %02X: want 20", cc[2])
	}
	return nil
}

func hasMaxRead(v *visit, cc []byte) error {
	most := int(binary.BigEndian.Uint16(cc[3:]))
	if most < 0x0F || most > 0xFF || most != v.tag.MaxRead {
		return fmt.Errorf("MLe is %04X: want %04X", most, v.tag.MaxRead)
	}
	return nil
}

func hasMaxWrite(_ *visit, cc []byte) error {
	if most := binary.BigEndian.Uint16(cc[5:]); most < 1 || most > 0xFF {
		return fmt.Errorf("MLc is %04X: want 0001 to 00FF", most)
	}
	return nil
}

func hasFileControl(_ *visit, cc []byte) error {
	if cc[7] != 0x04 || cc[8] != 0x06 {
		return fmt.Errorf("the first TLV begins with %X: want 0406", cc[7:9])
	}
	return nil
}

func hasFile(v *visit, cc []byte) error {
	switch id := binary.BigEndian.Uint16(cc[9:]); id {
	case 0x0000, 0xE102, 0xE103, 0x3F00, 0x3FFF, 0xFFFF:
		return fmt.Errorf("NDEF file %04X: reserved", id)
	}
	if err := v.wants(apdu.StatusOK, fmt.Sprintf("00A4000C02%X", cc[9:11])); err != nil {
		return err
	}
	nlen, err := v.read(0, nlenLength)
	if err == nil && len(nlen) != nlenLength {
		err = fmt.Errorf("its first two bytes are %X", nlen)
	}
	return err
}

func hasFileSize(v *visit, cc []byte) error {
	size := int(binary.BigEndian.Uint16(cc[11:]))
	if size < 5 || size > 0x7FFF || size != v.tag.FileSize {
		return fmt.Errorf("maximum file size %04X: want %04X", size, v.tag.FileSize)
	}
	return nil
}

func hasAccess(_ *visit, cc []byte) error {
	if cc[13] != 0x00 || cc[14] != 0xFF {
		return fmt.Errorf("read and write access are %X: want 00FF", cc[13:])
	}
	return nil
}

func passesPhones(_ *visit, cc []byte) error {
	c, err := t4t.ParseContainer(cc)
	if err == nil && !c.ReadOnly {
		err = fmt.Errorf("%X is not of a read-only tag", cc)
	}
	return err
}

func containerStays(v *visit) error {
	cc, err := v.cc()
	if err != nil {
		return err
	}
	if err := v.wants(apdu.StatusOK, selectNDEF); err != nil {
		return err
	}
	if _, err := v.whole(); err != nil {
		return err
	}
	if err := v.wants(apdu.StatusOK, selectCC); err != nil {
		return err
	}
	if err := v.unchanged(cc, "a read of the NDEF file"); err != nil {
		return err
	}
	if err := v.open(selectCC); err != nil {
		return err
	}
	return v.unchanged(cc, "a new selection")
}

func containerWindows(v *visit) error {
	cc, err := v.cc()
	if err != nil {
		return err
	}
	for offset := range containerLength + 1 {
		for le := 1; le <= containerLength+2; le++ {
			if err := v.window(cc, offset, le); err != nil {
				return err
			}
		}
		if err := v.window(cc, offset, apdu.MaxAnswer); err != nil {
			return err
		}
	}
	return v.beyond(containerLength)
}
