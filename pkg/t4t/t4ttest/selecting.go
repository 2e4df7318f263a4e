package t4ttest

import (
	"fmt"

	"github.com/productid/productid/pkg/apdu"
)

// selecting are the rules of SELECT.
var selecting = []Rule{
	{Name: "select/application", Source: "T4T 2.0 §5.4.2",
		Text: "the NDEF application is selected with Le", check: selectsWith(selectApplication)},
	{Name: "select/application-without-le", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "the NDEF application is selected without Le", check: selectsWith("00A4040007D2760000850101")},
	{Name: "select/version-1", Source: "T4T 2.0 §5.5, PROTOCOL.md",
		Text: "the application of mapping version 1 is not there", check: refusesNames("D2760000850100")},
	{Name: "select/unknown-application", Source: "ISO 7816-4 §7.1.1, PROTOCOL.md",
		Text: "other applications are not there", check: refusesNames("D2760000850102", "D276000085010100", "A0000000620001", "F05049444341524402")},
	{Name: "select/forgets-file", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "after SELECT of the application no file is selected", check: selectForgetsFile},
	{Name: "select/file", Source: "T4T 2.0 §5.4.3, §5.4.5",
		Text: "both files are selected by P2 0C, without Le", check: selectsFiles("00A4000C02%04X")},
	{Name: "select/file-with-le", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "both files are selected by P2 0C, with Le", check: selectsFiles("00A4000C02%04X00")},
	{Name: "select/file-p2-00", Source: "T4T 2.0 §5.5, PROTOCOL.md",
		Text: "both files are selected by P2 00, with and without Le", check: selectsFiles("00A4000002%04X", "00A4000002%04X00")},
	{Name: "select/file-again", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "files are selected in any order and again, and each read is of the last one", check: selectsInAnyOrder},
	{Name: "select/unknown-file", Source: "T4T 2.0 §5.4.3, PROTOCOL.md",
		Text: "other files are not there", check: refusesFiles},
	{Name: "select/file-parameters", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "another P1 or P2 is refused by 6A86", check: refusesFileParameters},
	{Name: "select/file-length", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "a file identifier that is not of two bytes is refused by 6700", check: refusesFileLengths},
}

func selectsWith(command string) func(*visit) error {
	return func(v *visit) error {
		if err := v.wants(apdu.StatusOK, command, command); err != nil { // and again, while it is selected
			return err
		}
		return v.wants(apdu.StatusOK, selectCC)
	}
}

// refusesNames wants names refused, and the selection to go on as if they had not come.
func refusesNames(names ...string) func(*visit) error {
	return func(v *visit) error {
		file, err := v.ndefFile()
		if err != nil {
			return err
		}
		for _, name := range names {
			command := fmt.Sprintf("00A40400%02X%s", len(name)/2, name)
			if err := v.wants(apdu.StatusNotFound, command, command+"00"); err != nil {
				return err
			}
		}
		return v.unchanged(file, "a SELECT that was refused")
	}
}

func selectForgetsFile(v *visit) error {
	for _, file := range []string{selectCC, selectNDEF} {
		if err := v.open(file, selectApplication); err != nil {
			return err
		}
		if err := v.wants(apdu.StatusNoFileSelected, readCommand(0, 1)); err != nil {
			return err
		}
	}
	return nil
}

func selectsFiles(forms ...string) func(*visit) error {
	return func(v *visit) error {
		for _, form := range forms {
			if err := v.open(fmt.Sprintf(form, 0xE103)); err != nil {
				return err
			}
			cc, err := v.read(0, nlenLength)
			if err != nil {
				return err
			}
			if len(cc) != nlenLength || cc[0] != 0 || cc[1] != containerLength {
				return fmt.Errorf("E103 begins with %X: want 000F", cc)
			}
			if err := v.wants(apdu.StatusOK, fmt.Sprintf(form, 0xE104)); err != nil {
				return err
			}
			if _, err := v.read(0, nlenLength); err != nil {
				return err
			}
		}
		return nil
	}
}

func selectsInAnyOrder(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	if err := v.wants(apdu.StatusOK, selectCC, selectCC); err != nil {
		return err
	}
	cc, err := v.whole()
	if err != nil {
		return err
	}
	for range 2 {
		if err := v.wants(apdu.StatusOK, selectNDEF); err != nil {
			return err
		}
		if err := v.unchanged(file, "its selection anew"); err != nil {
			return err
		}
		if err := v.wants(apdu.StatusOK, selectCC); err != nil {
			return err
		}
		if err := v.unchanged(cc, "its selection anew"); err != nil {
			return err
		}
	}
	return nil
}

func refusesFiles(v *visit) error {
	if err := v.open(); err != nil {
		return err
	}
	for _, file := range []int{0x0000, 0x0001, 0x2F00, 0x3F00, 0x3FFF, 0x04E1, 0xE101, 0xE102, 0xE105, 0xE1FF, 0xFFFF} {
		for _, form := range []string{"00A4000C02%04X", "00A4000C02%04X00", "00A4000002%04X"} {
			if err := v.wants(apdu.StatusNotFound, fmt.Sprintf(form, file)); err != nil {
				return err
			}
		}
	}
	return v.wants(apdu.StatusNoFileSelected, readCommand(0, 1))
}

func refusesFileParameters(v *visit) error {
	if err := v.open(); err != nil {
		return err
	}
	for _, p1 := range []int{0x01, 0x02, 0x03, 0x05, 0x08, 0x09, 0x80} {
		if err := v.wants(apdu.StatusWrongParameters, fmt.Sprintf("00A4%02X0C02E103", p1), fmt.Sprintf("00A4%02X0002E104", p1)); err != nil {
			return err
		}
	}
	for _, p2 := range []int{0x01, 0x02, 0x03, 0x04, 0x08, 0x0D, 0x8C, 0xFF} {
		if err := v.wants(apdu.StatusWrongParameters, fmt.Sprintf("00A400%02X02E103", p2), fmt.Sprintf("00A400%02X02E104", p2)); err != nil {
			return err
		}
	}
	return v.wants(apdu.StatusNoFileSelected, readCommand(0, 1))
}

func refusesFileLengths(v *visit) error {
	if err := v.open(); err != nil {
		return err
	}
	err := v.wants(apdu.StatusWrongLength, "00A4000C", "00A4000C00", "00A4000C01E1", "00A4000C03E10300", "00A4000C04E103E104")
	if err != nil {
		return err
	}
	return v.wants(apdu.StatusNoFileSelected, readCommand(0, 1))
}
