// Package ndef writes and reads NDEF messages that hold one URI: what a Type 4 Tag hands to a phone.
//
// Sources: NFC Forum NDEF 1.0 (records), RTD URI 1.0 (identifier codes). Chunked records are refused; no tag of ours has them.
package ndef

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// ErrMalformed says that a message is truncated, too long, chunked, or does not begin with a URI record.
var ErrMalformed = errors.New("malformed NDEF message")

// Header bits of a record (NDEF 1.0 §3.2).
const (
	flagMessageBegin = 0x80
	flagMessageEnd   = 0x40
	flagChunk        = 0x20
	flagShort        = 0x10
	flagID           = 0x08
	maskTypeName     = 0x07

	typeNameEmpty     = 0
	typeNameWellKnown = 1
	typeNameUnknown   = 5
	typeNameUnchanged = 6
	typeNameReserved  = 7

	typeURI = "U"
)

// prefixes are the identifier codes of RTD URI 1.0 §3.2.2, in order.
var prefixes = [...]string{
	"", "http://www.", "https://www.", "http://", "https://", "tel:", "mailto:", "ftp://anonymous:anonymous@", "ftp://ftp.",
	"ftps://", "sftp://", "smb://", "nfs://", "ftp://", "dav://", "news:", "telnet://", "imap:", "rtsp://", "urn:", "pop:", "sip:",
	"sips:", "tftp:", "btspp://", "btl2cap://", "btgoep://", "tcpobex://", "irdaobex://", "file://", "urn:epc:id:", "urn:epc:tag:",
	"urn:epc:pat:", "urn:epc:raw:", "urn:epc:", "urn:nfc:",
}

const (
	codeNone  = 0x00
	codeHTTP  = 0x03
	codeHTTPS = 0x04
)

// EncodeURI returns a message of one URI record, byte for byte as our card serves it: "https://" becomes the identifier code 04,
// also before "www.". The error is ErrMalformed: the URI is empty, no UTF-8, or holds a control character.
func EncodeURI(uri string) ([]byte, error) {
	if err := checkURI(uri); err != nil {
		return nil, err
	}
	code := byte(codeNone)
	for _, c := range []byte{codeHTTP, codeHTTPS} {
		if strings.HasPrefix(uri, prefixes[c]) {
			code = c
		}
	}
	rest := uri[len(prefixes[code]):]
	n := 1 + len(rest)
	flags := byte(flagMessageBegin | flagMessageEnd | typeNameWellKnown)
	message := make([]byte, 0, 8+n)
	if n <= math.MaxUint8 {
		message = append(message, flags|flagShort, byte(len(typeURI)), byte(n))
	} else {
		message = append(message, flags, byte(len(typeURI)))
		message = binary.BigEndian.AppendUint32(message, uint32(n))
	}
	message = append(message, typeURI...)
	return append(append(message, code), rest...), nil
}

// ParseURI returns the URI of the first record, which must be a URI record, as phones demand. Further records are allowed and
// must be whole. The error is ErrMalformed.
func ParseURI(message []byte) (string, error) {
	first, rest, err := parseRecord(message)
	if err != nil {
		return "", err
	}
	if first.flags&flagMessageBegin == 0 {
		return "", fmt.Errorf("%w: the first record does not begin a message", ErrMalformed)
	}
	if err := checkRest(first, rest); err != nil {
		return "", err
	}
	if first.flags&maskTypeName != typeNameWellKnown || string(first.kind) != typeURI {
		return "", fmt.Errorf("%w: the first record is no URI record", ErrMalformed)
	}
	return first.uri()
}

// checkRest walks to the end of the message: the record with the end flag must be the last, and nothing may follow it.
func checkRest(r record, rest []byte) error {
	for r.flags&flagMessageEnd == 0 {
		var err error
		if r, rest, err = parseRecord(rest); err != nil {
			return err
		}
		if r.flags&flagMessageBegin != 0 {
			return fmt.Errorf("%w: a message begins inside another", ErrMalformed)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes after the last record", ErrMalformed, len(rest))
	}
	return nil
}

// record is one record; the slices share memory with the message.
type record struct {
	flags         byte
	kind, payload []byte
}

// parseRecord reads the record at the head of b and returns what follows it.
func parseRecord(b []byte) (record, []byte, error) {
	lengths, err := parseHeader(b)
	if err != nil {
		return record{}, nil, err
	}
	r, rest := record{flags: b[0]}, b[lengths.header:]
	need := uint64(lengths.kind) + uint64(lengths.id) + uint64(lengths.payload)
	if need > uint64(len(rest)) {
		return record{}, nil, fmt.Errorf("%w: a record of %d bytes, of which %d are there", ErrMalformed, need, len(rest))
	}
	r.kind, rest = rest[:lengths.kind], rest[lengths.kind+lengths.id:]
	r.payload, rest = rest[:lengths.payload], rest[lengths.payload:]
	return r, rest, r.checkTypeName()
}

// recordLengths are the lengths of a record's parts, in bytes.
type recordLengths struct{ header, kind, id, payload int }

func parseHeader(b []byte) (recordLengths, error) {
	truncated := fmt.Errorf("%w: truncated record", ErrMalformed)
	if len(b) < 2 {
		return recordLengths{}, truncated
	}
	n := recordLengths{header: 2, kind: int(b[1])}
	switch {
	case b[0]&flagChunk != 0:
		return recordLengths{}, fmt.Errorf("%w: chunked record", ErrMalformed)
	case b[0]&flagShort != 0 && len(b) >= 3:
		n.payload, n.header = int(b[2]), 3
	case b[0]&flagShort == 0 && len(b) >= 6:
		long := binary.BigEndian.Uint32(b[2:])
		if uint64(long) > uint64(len(b)) { // before it becomes an int of 32 bits on small machines
			return recordLengths{}, truncated
		}
		n.payload, n.header = int(long), 6
	default:
		return recordLengths{}, truncated
	}
	if b[0]&flagID == 0 {
		return n, nil
	}
	if len(b) == n.header {
		return recordLengths{}, truncated
	}
	n.id = int(b[n.header])
	n.header++
	return n, nil
}

// checkTypeName refuses what NDEF 1.0 §3.2.6 rules out for a record that is no chunk.
func (r record) checkTypeName() error {
	switch r.flags & maskTypeName {
	case typeNameEmpty:
		if len(r.kind)+len(r.payload) > 0 || r.flags&flagID != 0 {
			return fmt.Errorf("%w: an empty record that is not empty", ErrMalformed)
		}
	case typeNameUnknown:
		if len(r.kind) > 0 {
			return fmt.Errorf("%w: a record of unknown type names a type", ErrMalformed)
		}
	case typeNameUnchanged, typeNameReserved:
		return fmt.Errorf("%w: type name format %d", ErrMalformed, r.flags&maskTypeName)
	}
	return nil
}

func (r record) uri() (string, error) {
	if len(r.payload) == 0 || int(r.payload[0]) >= len(prefixes) {
		return "", fmt.Errorf("%w: no identifier code, or an unknown one", ErrMalformed)
	}
	uri := prefixes[r.payload[0]] + string(r.payload[1:])
	return uri, checkURI(uri)
}

func checkURI(uri string) error {
	if uri == "" || !utf8.ValidString(uri) {
		return fmt.Errorf("%w: the URI is empty or no UTF-8", ErrMalformed)
	}
	if strings.ContainsFunc(uri, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return fmt.Errorf("%w: the URI holds a control character", ErrMalformed)
	}
	return nil
}
