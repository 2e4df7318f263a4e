package card

import (
	"fmt"

	"github.com/productid/productid/pkg/apdu"
)

// Words says what a command asks of one of our cards: "INFO", "GET DATA key, part 2", "CHALLENGE". For a command that is none of
// applet/PROTOCOL.md's, those of a Type 4 Tag among them, it is what the command says of itself.
func Words(c apdu.Command) string {
	const channels = 0x03 // logical channels, which the class byte names too
	if c.CLA&^channels != claProductID {
		return c.String()
	}
	switch c.INS {
	case insInfo:
		return "INFO"
	case insGetCapabilities:
		return "GET CAPABILITIES"
	case insGenerateKey:
		return "GENERATE KEY"
	case insPutData:
		return "PUT DATA " + itemWord(c.P2)
	case insGetData:
		return fmt.Sprintf("GET DATA %s, part %d", itemWord(c.P2), int(c.P1)+1)
	case insChallenge:
		return "CHALLENGE"
	case insLock:
		return "LOCK"
	}
	return c.String()
}

func itemWord(item byte) string {
	switch item {
	case itemPrefix:
		return "prefix"
	case itemMiddle:
		return "middle"
	case itemProfile:
		return "profile"
	case itemKey:
		return "key"
	case itemSignature:
		return "signature"
	}
	return fmt.Sprintf("item %02X", item)
}
