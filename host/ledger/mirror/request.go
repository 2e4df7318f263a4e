package mirror

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	merkle "golang.org/x/mod/sumdb/tlog"
)

const (
	oldPrefix  = "old "
	maxProof   = 63       // hashes: tlog-witness
	maxRequest = 32 << 10 // bytes; 63 hashes and a checkpoint of 16 KiB are less
)

// Marshal returns the body of a request to add-checkpoint.
func (r Request) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d\n", oldPrefix, r.Old)
	for _, h := range r.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseRequest reads the body of a request to add-checkpoint, and returns
// ErrMalformed for what Marshal does not write. It does not look at the checkpoint.
func ParseRequest(body []byte) (Request, error) {
	r, err := parseRequest(body)
	if err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, nil
}

func parseRequest(body []byte) (Request, error) {
	if len(body) > maxRequest {
		return Request{}, fmt.Errorf("body of %d bytes", len(body))
	}
	top, checkpoint, found := strings.Cut(string(body), "\n\n")
	lines := strings.Split(top, "\n")
	size, ok := strings.CutPrefix(lines[0], oldPrefix)
	if !found || !ok {
		return Request{}, errors.New("no line with the old size")
	}
	old, err := strconv.ParseUint(size, 10, 63)
	if err != nil {
		return Request{}, fmt.Errorf("old size %.30q", size)
	}
	if len(lines)-1 > maxProof {
		return Request{}, fmt.Errorf("%d hashes", len(lines)-1)
	}
	r := Request{Old: old, Checkpoint: []byte(checkpoint)}
	for _, line := range lines[1:] {
		h, err := merkle.ParseHash(line)
		if err != nil {
			return Request{}, fmt.Errorf("hash %.50q: %w", line, err)
		}
		r.Proof = append(r.Proof, h)
	}
	if !bytes.Equal(r.Marshal(), body) { // the decoders take several spellings of one value
		return Request{}, errors.New("spelling is not canonical")
	}
	return r, nil
}
