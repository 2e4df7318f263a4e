package ledger

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Lines of a proof in the C2SP tlog-proof format.
const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	proofExtra  = "extra "
	proofIndex  = "index "
)

// maxProof bounds the text of a proof: 63 hashes and a checkpoint.
const maxProof = maxCheckpoint + 4<<10

// LogProof is a proof that a log's checkpoint covers a leaf: the content of a
// C2SP tlog-proof, which is the text of a Proof of kind KindTlog.
type LogProof struct {
	Index      uint64      // of the leaf
	Hashes     []tlog.Hash // RFC 6962 inclusion proof, from the leaf's sibling up
	Checkpoint []byte      // signed note
	// Extra is what a verifier needs beside the message to make the leaf: the
	// log's time as 64 bits, big-endian, Unix milliseconds. The tree commits to it.
	Extra []byte
}

// NewLogProof returns the proof of the leaf with this index under a signed
// checkpoint of the tree of this size.
func NewLogProof(l Leaf, index, size uint64, checkpoint []byte, tree tlog.HashReader) (Proof, error) {
	hashes, err := tlog.ProveRecord(int64(size), int64(index), tree)
	if err != nil {
		return Proof{}, fmt.Errorf("proving leaf %d of %d: %w", index, size, err)
	}
	p := LogProof{Index: index, Hashes: hashes, Checkpoint: checkpoint, Extra: AppendLeaf(nil, l)[offLeafTime:offLeafStub]}
	return Proof{Kind: KindTlog, Text: p.Marshal()}, nil
}

// Marshal returns the proof's text.
func (p LogProof) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if len(p.Extra) > 0 {
		b.WriteString(proofExtra + base64.StdEncoding.EncodeToString(p.Extra) + "\n")
	}
	b.WriteString(proofIndex + strconv.FormatUint(p.Index, 10) + "\n")
	for _, h := range p.Hashes {
		b.WriteString(h.String() + "\n")
	}
	b.WriteString("\n")
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// ParseLogProof reads the text of a proof, or returns ErrInvalidProof when it is
// not exactly what Marshal writes. It does not look at the checkpoint.
func ParseLogProof(text []byte) (LogProof, error) {
	p, err := parseLogProof(text)
	if err != nil {
		return LogProof{}, fmt.Errorf("log proof: %w: %w", err, ErrInvalidProof)
	}
	return p, nil
}

func parseLogProof(text []byte) (LogProof, error) {
	if len(text) > maxProof {
		return LogProof{}, fmt.Errorf("text of %d bytes", len(text))
	}
	top, checkpoint, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(top, "\n")
	if !found || lines[0] != proofHeader {
		return LogProof{}, fmt.Errorf("not a text of %s", proofHeader)
	}
	p := LogProof{Checkpoint: []byte(checkpoint)}
	lines = lines[1:]
	var err error
	if len(lines) > 0 && strings.HasPrefix(lines[0], proofExtra) {
		if p.Extra, err = base64.StdEncoding.DecodeString(lines[0][len(proofExtra):]); err != nil {
			return LogProof{}, fmt.Errorf("extra line: %w", err)
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], proofIndex) {
		return LogProof{}, fmt.Errorf("index line is missing")
	}
	p.Index, err = strconv.ParseUint(lines[0][len(proofIndex):], 10, 64)
	if err != nil || p.Index > math.MaxInt64 {
		return LogProof{}, fmt.Errorf("index %.30q", lines[0][len(proofIndex):])
	}
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return LogProof{}, fmt.Errorf("hash %.50q: %w", line, err)
		}
		p.Hashes = append(p.Hashes, h)
	}
	// The decoders take several spellings of one value; a proof has one text.
	if !bytes.Equal(p.Marshal(), text) {
		return LogProof{}, fmt.Errorf("spelling is not canonical")
	}
	return p, nil
}
