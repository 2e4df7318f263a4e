package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Numbers of C2SP tlog-cosignature and signed-note.
const (
	keyTypeCosignature  = 4
	cosignatureSize     = 8 + ed25519.SignatureSize // time and signature
	keyIDSize           = 4
	maxCosignatureTime  = 253402300799 // the last second of the year 9999
	cosignatureBodyLine = "cosignature/v1\ntime %d\n"
)

// WitnessSigner cosigns the checkpoints of logs, as C2SP tlog-cosignature has it.
type WitnessSigner struct {
	name   string
	public ed25519.PublicKey
	sign   func([]byte) []byte // not the key itself, which could be printed
}

// NewWitnessSigner returns the signer of a witness. Its name stands in each
// cosignature: not empty, without spaces and plus signs, by custom a schemeless URL.
func NewWitnessSigner(name string, private ed25519.PrivateKey) (WitnessSigner, error) {
	if !isKeyName(name) || len(private) != ed25519.PrivateKeySize {
		return WitnessSigner{}, fmt.Errorf("witness %.100q with a key of %d bytes: not a name and an Ed25519 key", name, len(private))
	}
	public := private.Public().(ed25519.PublicKey)
	return WitnessSigner{name, public, func(b []byte) []byte { return ed25519.Sign(private, b) }}, nil
}

// Name returns the witness' name.
func (s WitnessSigner) Name() string { return s.name }

// VerifierKey returns the text of the key that verifies what the witness cosigns,
// for Policy.Witnesses.
func (s WitnessSigner) VerifierKey() string {
	return witnessKey{s.name, cosignatureKeyID(s.name, s.public), s.public}.text()
}

// Cosign returns the signature line, with its line break, that goes below a signed
// checkpoint: the witness says that at this time, in seconds, it knew of no
// checkpoint of this log that contradicts it. That the log signed it and that it
// extends the one before, the caller has checked.
func (s WitnessSigner) Cosign(checkpoint []byte, at time.Time) ([]byte, error) {
	seconds := at.Unix()
	if seconds < 0 || seconds > maxCosignatureTime {
		return nil, fmt.Errorf("cosigning at %v: not a possible time", at)
	}
	end := bytes.LastIndex(checkpoint, []byte("\n\n"))
	if end < 0 || len(checkpoint) > maxCheckpoint {
		return nil, fmt.Errorf("cosigning %d bytes: not a signed checkpoint", len(checkpoint))
	}
	body := checkpoint[:end+1]
	if _, err := parseCheckpointText(string(body)); err != nil {
		return nil, fmt.Errorf("cosigning checkpoint: %w", err)
	}
	line := binary.BigEndian.AppendUint32(nil, cosignatureKeyID(s.name, s.public))
	line = binary.BigEndian.AppendUint64(line, uint64(seconds))
	line = append(line, s.sign(cosigned(body, uint64(seconds)))...)
	return fmt.Appendf(nil, "— %s %s\n", s.name, base64.StdEncoding.EncodeToString(line)), nil
}

// cosigned is what a witness signs of a checkpoint.
func cosigned(body []byte, seconds uint64) []byte {
	return append(fmt.Appendf(nil, cosignatureBodyLine, seconds), body...)
}

func cosignatureKeyID(name string, public ed25519.PublicKey) uint32 {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%c", name, keyTypeCosignature)
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func isKeyName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsSpace) && !strings.Contains(name, "+")
}

// Cosignature is a witness' word for a checkpoint.
type Cosignature struct {
	Witness string    // the verifier key, as it was given
	Time    time.Time // when the witness says it cosigned, in seconds, UTC
}

// Cosignatures returns the cosignatures of a signed checkpoint by these witnesses,
// given by their verifier keys, at most one for each public key. Signatures of
// others, the log's included, are ignored: whether the log signed it is for
// ParseCheckpoint. It returns ErrInvalidProof for a text that is no signed note, or
// that holds a wrong signature in the name of one of them, and another error for a
// key that is none.
func Cosignatures(checkpoint []byte, witnesses ...string) ([]Cosignature, error) {
	if len(checkpoint) > maxCheckpoint {
		return nil, fmt.Errorf("cosignatures of a checkpoint of %d bytes: %w", len(checkpoint), ErrInvalidProof)
	}
	keys, err := parseWitnesses(witnesses)
	if err != nil {
		return nil, err
	}
	verifiers := make([]note.Verifier, len(keys))
	for i, k := range keys {
		verifiers[i] = k
	}
	opened, err := note.Open(checkpoint, note.VerifierList(verifiers...))
	if unverified := new(note.UnverifiedNoteError); errors.As(err, &unverified) {
		return nil, nil
	}
	if err == nil {
		err = checkSignatureLines(opened, len(checkpoint))
	}
	if err != nil {
		return nil, fmt.Errorf("cosignatures of a checkpoint: %w: %w", err, ErrInvalidProof)
	}
	var found []Cosignature
	for _, s := range opened.Sigs {
		for i, k := range keys {
			if k.name == s.Name && k.id == s.Hash {
				found = append(found, Cosignature{witnesses[i], cosignatureTime(s.Base64)})
			}
		}
	}
	return found, nil
}

// cosignatureTime reads the time of a signature that was verified.
func cosignatureTime(text string) time.Time {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != keyIDSize+cosignatureSize {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[keyIDSize:])), 0).UTC()
}

// witnessKey verifies cosignatures: a note.Verifier, which package note has not.
type witnessKey struct {
	name   string
	id     uint32
	public ed25519.PublicKey
}

// parseWitnesses reads verifier keys of witnesses, of which no two have one public
// key: who has it twice must not count twice.
func parseWitnesses(texts []string) ([]witnessKey, error) {
	keys := make([]witnessKey, 0, len(texts))
	for _, text := range texts {
		k, err := parseWitness(text)
		if err != nil {
			return nil, err
		}
		for _, other := range keys {
			if k.public.Equal(other.public) {
				return nil, fmt.Errorf("witnesses %q and %q have one key", other.name, k.name)
			}
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// parseWitness reads <name>+<id>+<base64 of type and key>, in its one spelling.
func parseWitness(text string) (witnessKey, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return witnessKey{}, fmt.Errorf("witness key %.100q is not <name>+<id>+<base64>", text)
	}
	typed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(typed) != 1+ed25519.PublicKeySize || typed[0] != keyTypeCosignature || !isKeyName(parts[0]) {
		return witnessKey{}, fmt.Errorf("witness key %.100q is no key of C2SP tlog-cosignature with Ed25519", text)
	}
	k := witnessKey{parts[0], cosignatureKeyID(parts[0], typed[1:]), typed[1:]}
	if k.text() != text {
		return witnessKey{}, fmt.Errorf("witness key %.100q has another id, or is not in its one spelling", text)
	}
	return k, nil
}

func (k witnessKey) text() string {
	typed := append([]byte{keyTypeCosignature}, k.public...)
	return fmt.Sprintf("%s+%08x+%s", k.name, k.id, base64.StdEncoding.EncodeToString(typed))
}

// Name implements note.Verifier.
func (k witnessKey) Name() string { return k.name }

// KeyHash implements note.Verifier.
func (k witnessKey) KeyHash() uint32 { return k.id }

// Verify implements note.Verifier.
func (k witnessKey) Verify(body, signature []byte) bool {
	if len(signature) != cosignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	return seconds <= maxCosignatureTime && ed25519.Verify(k.public, cosigned(body, seconds), signature[8:])
}
