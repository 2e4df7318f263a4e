package main

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ndef"
)

// hex is bytes in hexadecimal, with or without blanks and colons between them.
func (in *inspector) hex(text string) (finding, bool) {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "\n", "", "\r", "").Replace(text))
	if err != nil || len(b) == 0 {
		return finding{}, false
	}
	return in.bytes(b)
}

// base64 is bytes in base64url, as our files have them.
func (in *inspector) base64(text string) (finding, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return finding{}, false
	}
	return in.bytes(b)
}

// bytes tells binary forms apart by how they begin.
func (in *inspector) bytes(b []byte) (finding, bool) {
	switch {
	case strings.HasPrefix(string(b), "PIDC"):
		return inspectMessage(b), true
	case strings.HasPrefix(string(b), "PIDL"):
		return inspectLeaf(b), true
	case len(b) > 2 && int(binary.BigEndian.Uint16(b)) == len(b)-2 && isNDEF(b[2:]):
		return inspectNDEF(in, b[2:], "an NDEF file: length and message"), true
	case isNDEF(b):
		return inspectNDEF(in, b, "an NDEF message"), true
	}
	return inspectAPDU(b)
}

func inspectMessage(b []byte) finding {
	if len(b) == channel.StubSize {
		if s, err := channel.ParseStub(b); err == nil {
			f := finding{Kind: "the stub of a channel's message", Holds: holdsYes, Why: "its author signed it; whether it is recorded, only a proof tells"}
			f.add("channel", s.Channel().String())
			f.add("number", fmt.Sprint(s.Number()))
			return f
		}
	}
	m, err := channel.Parse(b)
	if err != nil {
		return refuse("a channel's message", channel.Class(err), err)
	}
	f := finding{Kind: fmt.Sprintf("a message of a %v channel", m.Mode()), Holds: holdsYes, Why: "its author signed it; whether it is recorded, only a proof tells"}
	f.add("channel", m.Channel().String())
	f.add("number", fmt.Sprint(m.Number()))
	f.add("hash", m.Hash().String())
	f.add("written", m.Time().UTC().String())
	if body, err := m.Body(); err == nil {
		f.add("says", string(body))
	}
	return f
}

func inspectLeaf(b []byte) finding {
	l, err := ledger.ParseLeaf(b)
	if err != nil {
		return refuse("a log's leaf", channel.Class(err), err)
	}
	f := finding{Kind: "a log's leaf", Holds: holdsYes, Why: "the message in it is signed by its author; that a log has it, only a proof tells"}
	f.add("channel", l.Stub.Channel().String())
	f.add("number", fmt.Sprint(l.Stub.Number()))
	f.add("recorded", l.Time.UTC().String())
	f.add("leaf hash", l.Hash().String())
	return f
}

// isNDEF looks for the header of a short first URI record, which is all that our cards serve.
func isNDEF(b []byte) bool { return len(b) > 4 && b[0]&0xC7 == 0xC1 && b[1] == 1 }

func inspectNDEF(in *inspector, b []byte, kind string) finding {
	uri, err := ndef.ParseURI(b)
	if err != nil {
		return refuse(kind, "malformed", err)
	}
	f, ok := in.address(uri)
	if !ok {
		f = finding{Holds: holdsUnknown, Why: "it is well-formed, and holds no tap URL"}
	}
	f.Kind = kind + " with " + cmp.Or(f.Kind, "a URI")
	f.add("URI", uri)
	return f
}

func inspectAPDU(b []byte) (finding, bool) {
	if len(b) == 2 {
		if s := apdu.Status(binary.BigEndian.Uint16(b)); s>>12 == 6 || s>>12 == 9 {
			return finding{Kind: "a card's status word", Holds: holdsYes, Why: s.Error()}, true
		}
	}
	c, err := apdu.ParseCommand(b)
	if err != nil || c.CLA&^0x80 != 0 { // the standard's class 00 and ours, 80
		return finding{}, false
	}
	f := finding{Kind: "a command APDU", Holds: holdsYes, Why: "it is well-formed: " + card.Words(c)}
	f.add("data", strings.ToUpper(hex.EncodeToString(c.Data)))
	f.add("expects", fmt.Sprintf("at most %d bytes", c.Ne))
	return f, true
}

// verifiers are the trusted keys of a log.
func (in *inspector) verifiers(origin string) ([]note.Verifier, string, error) {
	policy, whose, err := in.policy()
	if err != nil {
		return nil, "", err
	}
	var verifiers []note.Verifier
	for _, k := range policy.Logs {
		if k.Origin != origin {
			continue
		}
		v, err := note.NewVerifier(k.Key)
		if err != nil {
			return nil, "", err
		}
		verifiers = append(verifiers, v)
	}
	return verifiers, whose, nil
}
