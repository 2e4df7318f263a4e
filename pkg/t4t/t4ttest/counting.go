package t4ttest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/tap"
)

func servesURL(s Serves) bool { return s != Nothing }

func servesNotice(s Serves) bool { return s == Notice }

// serving are the rules about the message.
var serving = []Rule{
	{Name: "message/empty", Source: "T4T 2.0 §5.3.1, PROTOCOL.md",
		Text: "a tag without a URL has NLEN 0", check: servesNothing, applies: func(s Serves) bool { return s == Nothing }},
	{Name: "message/uri-record", Source: "NDEF 1.0 §3, RTD URI 1.0 §3.2, PROTOCOL.md",
		Text: "the message is one URI record with the identifier code of https://, short with a P-256 key, long with an RSA key", check: servesOneRecord, applies: servesURL},
	{Name: "message/url", Source: "docs/formats/tap.md",
		Text: "its URL is one of this card: signed by its key, or saying why not", check: servesItsURL, applies: servesURL},
	{Name: "message/length", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "all messages of a card have one length", check: servesOneLength},
	{Name: "message/frozen", Source: "PROTOCOL.md, One selection, one count",
		Text: "the message of a selection stays, whatever is read, selected, asked or refused in between", check: messageStays},
	{Name: "message/new", Source: "PROTOCOL.md, One selection, one count",
		Text: "the next selection has the next number and another message", check: nextMessage, applies: Serves.counts},
	{Name: "message/notice", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "an unsigned URL is the same in each selection", check: sameNotice, applies: servesNotice},
	{Name: "message/or-challenge", Source: "PROTOCOL.md, Type 4 Tag",
		Text: "a message read and a challenge answered exclude each other", check: excludesChallenge, applies: servesURL},
}

// counting are the rules about the counter.
var counting = []Rule{
	{Name: "count/one-selection", Source: "PROTOCOL.md, One selection, one count",
		Text: "a selection uses up one number if the file is read, however often, and none if its message is not signed", check: countsOne},
	{Name: "count/first-read", Source: "PROTOCOL.md, One selection, one count",
		Text: "whichever the first read is, what follows is of its message", check: countsAnyFirstRead},
	{Name: "count/nothing", Source: "PROTOCOL.md, One selection, one count",
		Text: "activations, SELECTs, reads of E103, presence checks with no file and INFO use up nothing", check: countsNothing},
	{Name: "count/refused", Source: "PROTOCOL.md, One selection, one count",
		Text: "reads and commands refused use up nothing", check: countsNoRefusals},
	{Name: "count/activation", Source: "PROTOCOL.md, One selection, one count",
		Text: "an activation ends a selection: reading goes on only after SELECT, with the next number", check: activationEnds},
}

func (v *visit) perSelection() uint32 {
	if v.tag.Serves.counts() {
		return 1
	}
	return 0
}

func servesNothing(v *visit) error {
	file, err := v.ndefFile()
	if err == nil && !bytes.Equal(file, []byte{0, 0}) {
		err = fmt.Errorf("the file is %X: want 0000", file)
	}
	return err
}

// message opens the tag and reads its message.
func (v *visit) message() ([]byte, error) {
	file, err := v.ndefFile()
	if err != nil {
		return nil, err
	}
	return file[nlenLength:], nil
}

func servesOneRecord(v *visit) error {
	message, err := v.message()
	if err != nil {
		return err
	}
	text, err := ndef.ParseURI(message)
	if err != nil {
		return err
	}
	const short, long, kind, https = "\xD1\x01", "\xC1\x01\x00\x00", "U", "\x04"
	rest := strings.TrimPrefix(text, "https://")
	payload := len(https) + len(rest)
	head := short + string([]byte{byte(payload)})
	if v.tag.Key.Algorithm() == tap.RSA2048 {
		head = long + string([]byte{byte(payload >> 8), byte(payload)})
	}
	want := head + kind + https + rest
	if string(message) != want {
		err = fmt.Errorf("the message is %X: want %X", message, want)
	}
	return err
}

// url opens the tag and reads its URL, verified.
func (v *visit) url() (tap.URL, error) {
	message, err := v.message()
	if err != nil {
		return tap.URL{}, err
	}
	text, err := ndef.ParseURI(message)
	if err != nil {
		return tap.URL{}, err
	}
	u, err := tap.Parse(text)
	switch {
	case v.tag.Serves == Notice && errors.Is(err, tap.ErrUnsigned) && u.Unsigned == v.tag.Reason:
		err = nil
	case v.tag.Serves == Notice:
		err = fmt.Errorf("%s does not say %s: %v", text, v.tag.Reason, err)
	case err == nil && v.tag.Serves == Rehearsals:
		err = u.VerifyRehearsal(v.tag.Key)
	case err == nil:
		err = u.Verify(v.tag.Key)
	}
	return u, err
}

func servesItsURL(v *visit) error {
	for range 3 {
		u, err := v.url()
		if err != nil {
			return err
		}
		now, err := v.counter()
		if err != nil {
			return err
		}
		if v.tag.Serves.counts() && u.Counter != now {
			return fmt.Errorf("number %d is in the URL of a card at %d", u.Counter, now)
		}
	}
	return nil
}

func servesOneLength(v *visit) error {
	first, err := v.ndefFile()
	if err != nil {
		return err
	}
	for range 16 {
		next, err := v.ndefFile()
		if err != nil {
			return err
		}
		if len(next) != len(first) || !bytes.Equal(next[:nlenLength], first[:nlenLength]) {
			return fmt.Errorf("a file of %d bytes that begins with %X after one of %d that begins with %X", len(next), next[:nlenLength], len(first), first[:nlenLength])
		}
	}
	return nil
}

func messageStays(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	const getKey = "8021000400"
	for _, between := range [][]string{
		{selectNDEF}, {selectNDEF, selectNDEF}, {selectCC, readCommand(0, containerLength), selectNDEF}, {info}, {"8002000000"}, {getKey},
		{"00A4000C02E105"}, {"00A4040007D2760000850100"}, {readCommand(maxOffset, 1)}, {readCommand(0, 1), readCommand(0, 1)}, {challenge},
		{"8020000105" + "6874747073"}, {"801001" + "0000"}, {"804000" + "000C" + "000000000000000000000000"},
	} {
		for _, command := range between {
			if _, _, err := v.send(command); err != nil {
				return err
			}
		}
		if err := v.unchanged(file, between[0]); err != nil {
			return err
		}
	}
	return nil
}

func nextMessage(v *visit) error {
	before, err := v.url()
	if err != nil {
		return err
	}
	for _, activated := range []bool{true, false, true, false} {
		if activated {
			if err := v.reader.Reset(); err != nil {
				return err
			}
		}
		next, err := v.url()
		if err != nil {
			return err
		}
		if next.Counter != before.Counter+1 || bytes.Equal(next.Signature, before.Signature) {
			return fmt.Errorf("number %d after %d, or its signature again", next.Counter, before.Counter)
		}
		before = next
	}
	return nil
}

func sameNotice(v *visit) error {
	first, err := v.message()
	if err != nil {
		return err
	}
	for range 3 {
		next, err := v.message()
		if err != nil {
			return err
		}
		if !bytes.Equal(next, first) {
			return fmt.Errorf("the message is %X: want %X", next, first)
		}
	}
	return nil
}

func excludesChallenge(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	if err := v.wants(apdu.StatusConditions, challenge); err != nil {
		return err
	}
	if err := v.unchanged(file, "a challenge refused"); err != nil {
		return err
	}
	if v.tag.Reason == tap.Exhausted { // and refuses challenges in any case
		return nil
	}
	if err := v.open(); err != nil {
		return err
	}
	if _, status, err := v.send(challenge); err != nil {
		return err
	} else if status != apdu.StatusOK {
		return fmt.Errorf("the challenge is answered %04X", uint16(status))
	}
	if err := v.wants(apdu.StatusOK, selectNDEF); err != nil {
		return err
	}
	if err := v.wants(apdu.StatusConditions, readCommand(0, nlenLength), readCommand(0, 1), readCommand(nlenLength, 256)); err != nil {
		return err
	}
	if err := v.wants(apdu.StatusOK, selectCC); err != nil {
		return err
	}
	_, err = v.read(0, containerLength) // is not excluded
	return err
}

func countsOne(v *visit) error {
	return v.costs(v.perSelection(), func() error {
		if err := v.wants(apdu.StatusOK, selectNDEF); err != nil {
			return err
		}
		for _, chunk := range []int{1, 0x30, v.tag.MaxRead, 256} {
			if _, err := v.wholeBy(chunk); err != nil {
				return err
			}
		}
		return nil
	})
}

func countsAnyFirstRead(v *visit) error {
	file, err := v.ndefFile()
	if err != nil {
		return err
	}
	for _, first := range []struct{ offset, le int }{{0, 1}, {0, 2}, {0, 256}, {1, 1}, {2, 15}, {len(file) - 1, 1}, {len(file), 1}} {
		err := v.costs(v.perSelection(), func() error {
			if err := v.wants(apdu.StatusOK, selectNDEF); err != nil {
				return err
			}
			data, err := v.read(first.offset, first.le)
			if err != nil {
				return err
			}
			all, err := v.whole()
			if err == nil && (len(all) != len(file) || !bytes.Equal(data, all[first.offset:min(first.offset+first.le, len(all))])) {
				err = fmt.Errorf("%X is read at %d first, then the file as %X", data, first.offset, all)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func countsNothing(v *visit) error {
	return v.costs(0, func() error {
		for range 3 {
			if err := v.open(selectCC, selectNDEF, selectCC); err != nil {
				return err
			}
			if _, err := v.whole(); err != nil {
				return err
			}
			if err := v.wants(apdu.StatusOK, selectNDEF, selectApplication, selectApplication); err != nil {
				return err
			}
			if err := v.wants(apdu.StatusNoFileSelected, readCommand(0, 1), readCommand(0, 1)); err != nil {
				return err
			}
			if _, err := v.counter(); err != nil {
				return err
			}
		}
		return nil
	})
}

func countsNoRefusals(v *visit) error {
	return v.costs(0, func() error {
		if err := v.wants(apdu.StatusOK, selectNDEF); err != nil {
			return err
		}
		if err := v.wants(apdu.StatusWrongOffset, readCommand(maxOffset, 1), readCommand(v.tag.FileSize+1, 256)); err != nil {
			return err
		}
		if err := v.wants(apdu.StatusWrongParameters, "00B0810001", "00B0840000"); err != nil {
			return err
		}
		for _, commands := range [][]string{writes, malformed, {"00B1000003540100", "A0B0000002", "80B0000002", "00A4000C02E105", "8030000001FF"}} {
			for _, command := range commands {
				if _, _, err := v.send(command); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func activationEnds(v *visit) error {
	return v.costs(2*v.perSelection(), func() error {
		file, err := v.ndefFile()
		if err != nil {
			return err
		}
		if err := v.reader.Reset(); err != nil {
			return err
		}
		if err := readsNothingActivated(v); err != nil {
			return err
		}
		next, err := v.ndefFile()
		if err == nil && v.tag.Serves.counts() == bytes.Equal(file, next) {
			err = fmt.Errorf("the files of two activations are %X and %X", file, next)
		}
		return err
	})
}
