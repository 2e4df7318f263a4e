package t4ttest

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
)

// reading are the rules of READ BINARY.
var reading = []Rule{
	{Name: "read/nothing-activated", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "behind an activation, which selects nothing, a read (presence check) gets no data and no 9000", check: readsNothingActivated},
	{Name: "read/no-file", Source: "ISO 7816-4 §7.2.3, PROTOCOL.md",
		Text: "a read with no file selected is refused by 6986", check: readsNoFile},
	{Name: "read/short-file-identifier", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "the form with a short file identifier is refused by 6A86, with a file selected or not", check: readsByShortIdentifier},
	{Name: "read/nlen", Source: "T4T 2.0 §5.2",
		Text: "the file is NLEN and so many bytes, and ends there", check: fileIsItsMessage},
	{Name: "read/fits", Source: "T4T 2.0 §5.1.2",
		Text: "NLEN and message fit the maximum file size", check: fileFits},
	{Name: "read/every-offset", Source: "ISO 7816-4 §7.2.3",
		Text: "at every offset 1, 2, MLe and 256 bytes (Le 00) are the bytes there, fewer at the end", check: readsEveryOffset},
	{Name: "read/every-length", Source: "ISO 7816-4 §7.2.3",
		Text: "every Le gives so many bytes, fewer at the end and none without 9000", check: readsEveryLength},
	{Name: "read/behind-the-end", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "right behind the end there are no bytes and no refusal", check: readsBehind},
	{Name: "read/beyond", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "an offset beyond the end is refused by 6B00", check: readsBeyond},
	{Name: "read/chunks", Source: "T4T 2.0 §5.4.6",
		Text: "the message is the same in chunks of every size up to MLe, as phones read it", check: readsInChunks},
	{Name: "read/overrun", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "the file is the same in chunks from offset 0 that run over the end", check: readsOverTheEnd},
	{Name: "read/backwards", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "the file is the same byte by byte from the end to the beginning", check: readsBackwards},
}

// beyond wants offsets behind the end of the selected file refused.
func (v *visit) beyond(length int) error {
	for _, offset := range []int{length + 1, length + 2, length + 0x100, 0x1FFF, maxOffset} {
		for _, le := range []int{1, 2, apdu.MaxAnswer} {
			if err := v.wants(apdu.StatusWrongOffset, readCommand(offset, le)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Other applications of the card may be selected by an activation, and refuse in their own way.
func readsNothingActivated(v *visit) error {
	for range 3 {
		data, status, err := v.send(readCommand(0, 1))
		if err != nil {
			return err
		}
		if status == apdu.StatusOK || len(data) > 0 {
			return fmt.Errorf("the answer is %X%04X", data, uint16(status))
		}
	}
	return nil
}

func readsNoFile(v *visit) error {
	if err := v.open(); err != nil {
		return err
	}
	return v.wants(apdu.StatusNoFileSelected, readCommand(0, 1), readCommand(0, 256), readCommand(2, 15), readCommand(maxOffset, 1))
}

func readsByShortIdentifier(v *visit) error {
	forms := []string{"00B0800001", "00B081000F", "00B0830002", "00B084000F", "00B09E0000", "00B0FFFF01"}
	for _, selects := range [][]string{nil, {selectCC}, {selectNDEF}} {
		if err := v.open(selects...); err != nil {
			return err
		}
		if err := v.wants(apdu.StatusWrongParameters, forms...); err != nil {
			return err
		}
	}
	return nil
}

func fileIsItsMessage(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	if int(binary.BigEndian.Uint16(file)) != len(file)-nlenLength {
		return fmt.Errorf("a file of %d bytes that begins with %X", len(file), file[:nlenLength])
	}
	return nil
}

func fileFits(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	end := nlenLength + int(binary.BigEndian.Uint16(file))
	if end > v.tag.FileSize || len(file) > v.tag.FileSize {
		return fmt.Errorf("a message up to %d and a file of %d bytes: want at most %d", end, len(file), v.tag.FileSize)
	}
	return nil
}

func readsEveryOffset(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for offset := range len(file) {
		for _, le := range []int{1, 2, v.tag.MaxRead, apdu.MaxAnswer} {
			if err := v.window(file, offset, le); err != nil {
				return err
			}
		}
	}
	return nil
}

func readsEveryLength(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for le := 1; le <= apdu.MaxAnswer; le++ {
		for _, offset := range []int{0, nlenLength, len(file) / 2} {
			if err := v.window(file, offset, le); err != nil {
				return err
			}
		}
	}
	return nil
}

func readsBehind(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	return v.wants(apdu.StatusOK, readCommand(len(file), 1), readCommand(len(file), v.tag.MaxRead), readCommand(len(file), 256))
}

func readsBeyond(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	return v.beyond(len(file))
}

func readsInChunks(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for chunk := 1; chunk <= v.tag.MaxRead; chunk++ {
		if err := v.window(file, 0, nlenLength); err != nil {
			return err
		}
		for offset := nlenLength; offset < len(file); offset += chunk {
			if err := v.window(file, offset, min(chunk, len(file)-offset)); err != nil {
				return fmt.Errorf("in chunks of %d: %w", chunk, err)
			}
		}
	}
	return nil
}

func readsOverTheEnd(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for _, chunk := range []int{0x0F, 0x30, 0x3B, v.tag.MaxRead - 1, v.tag.MaxRead, 0xFF, 0x100} {
		again, err := v.wholeBy(chunk)
		if err != nil {
			return err
		}
		if !bytes.Equal(again, file) {
			return fmt.Errorf("in chunks of %d the file is %X: want %X", chunk, again, file)
		}
	}
	return nil
}

func readsBackwards(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for offset := len(file) - 1; offset >= 0; offset-- {
		if err := v.window(file, offset, 1); err != nil {
			return err
		}
	}
	return nil
}
