package ledger

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
)

// Layout of a leaf: magic and version, log's time in Unix milliseconds, stub.
const (
	leafMagic   = "PIDL\x01"
	offLeafTime = len(leafMagic)
	offLeafStub = offLeafTime + 8
)

// LeafSize is the size in bytes of every leaf.
const LeafSize = offLeafStub + channel.StubSize

// Leaf is what a log's tree commits to for one message: the message by its stub,
// so that its payload can be removed, and the log's own time.
type Leaf struct {
	Time time.Time // within 1970 to 9999, kept in milliseconds
	Stub channel.Stub
}

// AppendLeaf appends the leaf's bytes to b.
func AppendLeaf(b []byte, l Leaf) []byte {
	b = append(b, leafMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(l.Time.UnixMilli()))
	return append(b, l.Stub.Bytes()...)
}

// ParseLeaf reads the bytes of a leaf and checks the signature of its stub. It
// returns channel.ErrMalformed or channel.ErrBadSignature.
func ParseLeaf(b []byte) (Leaf, error) {
	if len(b) != LeafSize || string(b[:offLeafTime]) != leafMagic {
		return Leaf{}, fmt.Errorf("log leaf of %d bytes: %w", len(b), channel.ErrMalformed)
	}
	logTime, err := parseLogTime(b[offLeafTime:offLeafStub])
	if err != nil {
		return Leaf{}, fmt.Errorf("log leaf: %w: %w", err, channel.ErrMalformed)
	}
	stub, err := channel.ParseStub(b[offLeafStub:])
	if err != nil {
		return Leaf{}, fmt.Errorf("log leaf: %w", err)
	}
	return Leaf{logTime, stub}, nil
}

// Hash returns the leaf's RFC 6962 hash.
func (l Leaf) Hash() tlog.Hash { return tlog.RecordHash(AppendLeaf(nil, l)) }

// parseLogTime reads the big-endian 64 bits of Unix milliseconds in a leaf or proof.
func parseLogTime(b []byte) (time.Time, error) {
	if len(b) != 8 {
		return time.Time{}, fmt.Errorf("log's time of %d bytes", len(b))
	}
	ms := binary.BigEndian.Uint64(b)
	if ms > channel.MaxUnixMilli {
		return time.Time{}, fmt.Errorf("log's time of %d ms is after the year 9999", ms)
	}
	return time.UnixMilli(int64(ms)).UTC(), nil
}
