package ledger

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxCheckpoint bounds the text of a checkpoint; a signature line is about 120 bytes.
const maxCheckpoint = 16 << 10

// Checkpoint is the size and root of a log's tree, as in C2SP tlog-checkpoint.
type Checkpoint struct {
	Origin string // names the log
	Size   uint64 // number of leaves
	Root   tlog.Hash
}

// SignCheckpoint returns the checkpoint as a signed note: what a log publishes.
func SignCheckpoint(c Checkpoint, signers ...note.Signer) ([]byte, error) {
	if c.Origin == "" || strings.ContainsFunc(c.Origin, unicode.IsControl) || c.Size > math.MaxInt64 {
		return nil, fmt.Errorf("signing checkpoint %d of log %q: not a possible origin or size", c.Size, c.Origin)
	}
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint %d of log %q: %w", c.Size, c.Origin, err)
	}
	return signed, nil
}

// ParseCheckpoint reads a checkpoint that the log of this origin published and one
// of the verifiers signed. It returns ErrInvalidProof for any other, and for a
// text that is not exactly what a log writes. Signatures by others are ignored.
func ParseCheckpoint(text []byte, origin string, verifiers ...note.Verifier) (Checkpoint, error) {
	c, err := parseCheckpoint(text, origin, verifiers)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of log %q: %w: %w", origin, err, ErrInvalidProof)
	}
	return c, nil
}

func parseCheckpoint(text []byte, origin string, verifiers []note.Verifier) (Checkpoint, error) {
	if len(text) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("text of %d bytes", len(text))
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return Checkpoint{}, err
	}
	if err := checkSignatureLines(opened, len(text)); err != nil {
		return Checkpoint{}, err
	}
	c, err := parseCheckpointText(opened.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, fmt.Errorf("origin is %.100q", c.Origin)
	}
	return c, nil
}

// checkSignatureLines refuses a note with signature lines that note.Open has
// skipped, or whose base64 has more than one spelling: package note is lenient.
func checkSignatureLines(n *note.Note, size int) error {
	for _, s := range append(n.Sigs, n.UnverifiedSigs...) {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return fmt.Errorf("signature by %s: %w", s.Name, err)
		}
		size -= len("— ") + len(s.Name) + len(" ") + len(s.Base64) + len("\n")
	}
	if size != len(n.Text)+len("\n") {
		return fmt.Errorf("a signature is there twice")
	}
	return nil
}

// parseCheckpointText reads the text of a note: origin, size, root, and extension
// lines, which have no meaning here.
func parseCheckpointText(text string) (Checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 {
		return Checkpoint{}, fmt.Errorf("only %d lines", len(lines))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, fmt.Errorf("size %.30q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("root: %w", err)
	}
	c := Checkpoint{Origin: lines[0], Size: uint64(size), Root: root}
	extensions := lines[3:]
	if c.Origin == "" || !strings.HasPrefix(text, c.text()) || strings.Contains("\n"+strings.Join(extensions, "\n"), "\n\n") {
		return Checkpoint{}, fmt.Errorf("lines are not as a log writes them")
	}
	return c, nil
}

// text returns the text of the checkpoint's note.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// Signer signs a log's checkpoints: a note.Signer that knows its verifier key too.
type Signer struct {
	note.Signer
	verifierKey string
}

// NewSigner reads a signer key as note.GenerateKey makes it: Ed25519, with the
// log's origin as its name.
func NewSigner(key string) (Signer, error) {
	signer, err := note.NewSigner(key)
	if err != nil {
		return Signer{}, fmt.Errorf("reading a log's signer key: %w", err)
	}
	// PRIVATE+KEY+<name>+<hash>+<base64 of algorithm and seed>: NewSigner checked it.
	parts := strings.SplitN(key, "+", 5)
	algorithmAndSeed, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(algorithmAndSeed) != 1+ed25519.SeedSize {
		return Signer{}, fmt.Errorf("reading a log's signer key: not an Ed25519 seed")
	}
	public := ed25519.NewKeyFromSeed(algorithmAndSeed[1:]).Public().(ed25519.PublicKey)
	verifierKey, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return Signer{}, fmt.Errorf("reading a log's signer key: %w", err)
	}
	return Signer{signer, verifierKey}, nil
}

// VerifierKey returns the text of the key that verifies what the signer signs,
// for LogKey.Key.
func (s Signer) VerifierKey() string { return s.verifierKey }
