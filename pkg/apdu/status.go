package apdu

import "fmt"

// Status is the status word of an answer (ISO/IEC 7816-4 §5.6). It is an error; errors.Is compares it with the values below.
type Status uint16

// The status words that our applet and Type 4 Tags give.
const (
	StatusOK                   Status = 0x9000
	StatusMemoryFailure        Status = 0x6581
	StatusWrongLength          Status = 0x6700
	StatusSecurity             Status = 0x6982
	StatusConditions           Status = 0x6985
	StatusNoFileSelected       Status = 0x6986
	StatusWrongData            Status = 0x6A80
	StatusFunctionNotSupported Status = 0x6A81
	StatusNotFound             Status = 0x6A82
	StatusWrongParameters      Status = 0x6A86
	StatusDataNotFound         Status = 0x6A88
	StatusWrongOffset          Status = 0x6B00
	StatusInstruction          Status = 0x6D00
	StatusClass                Status = 0x6E00
	StatusUnknown              Status = 0x6F00
)

// Error returns the number and the standard's words, such as "6982: security status not satisfied".
func (s Status) Error() string { return fmt.Sprintf("%04X: %s", uint16(s), s.words()) }

func (s Status) words() string {
	switch s {
	case StatusOK:
		return "done"
	case StatusMemoryFailure:
		return "memory failure"
	case StatusWrongLength:
		return "wrong length"
	case StatusSecurity:
		return "security status not satisfied"
	case StatusConditions:
		return "conditions of use not satisfied"
	case StatusNoFileSelected:
		return "no file selected"
	case StatusWrongData:
		return "wrong data"
	case StatusFunctionNotSupported:
		return "function not supported"
	case StatusNotFound:
		return "file or application not found"
	case StatusWrongParameters:
		return "wrong parameters P1-P2"
	case StatusDataNotFound:
		return "data not found"
	case StatusWrongOffset:
		return "offset outside the file"
	case StatusInstruction:
		return "unknown instruction"
	case StatusClass:
		return "unknown class"
	case StatusUnknown:
		return "the card gives no reason"
	}
	return s.family()
}

// family names what the first byte alone says.
func (s Status) family() string {
	switch s >> 8 {
	case 0x61:
		return fmt.Sprintf("%d more bytes wait", answerLen(byte(s)))
	case 0x62, 0x63:
		return "warning"
	case 0x64, 0x65:
		return "execution error"
	case 0x6C:
		return fmt.Sprintf("wrong length, %d bytes wait", answerLen(byte(s)))
	}
	return "unknown status"
}
