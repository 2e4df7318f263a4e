package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// file is what a bundle holds.
type file struct {
	card         tap.CardID
	opening      entry   // of the issuer's channel
	registration entry   // of the card, on the issuer's channel
	taps         []entry // the tap channel, from its first message on
	proofs               // of all these
	head         *head   // or nil
	anchor       *anchor // or nil
}

// proofs prove entries: it is one of the two.
type proofs struct {
	log      *logPart
	stardust *stardustPart
}

// entry is a message at its place in the ledger, as ledger.Entry has it.
type entry struct {
	raw   []byte // the message's bytes, or
	stub  []byte // those of its stub, where the payload was removed
	index uint64
	time  time.Time
	block *blockPart // on a Stardust network: what the other fields stand in

	message channel.Message // of raw, once it was read
}

// logPart is what proves all the entries to be leaves of one log.
type logPart struct {
	checkpoint string      // signed note
	hashes     []tlog.Hash // see root
}

// head is an author's word that a bundle's last message is the channel's newest: a
// channel.SignedHead of which the bundle itself states the rest.
type head struct {
	time      time.Time
	signature channel.Signature
}

// anchor is a message on another ledger, with its proof.
type anchor struct {
	entry entry
	proofs
}

// parse reads a bundle's form. What it says is checked by Verify.
func parse(data []byte) (*file, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, len(data), MaxSize)
	}
	r := &reader{b: data}
	f := r.file()
	r.end()
	if r.err != nil {
		return nil, r.err
	}
	return f, nil
}

func (r *reader) file() *file {
	f := &file{}
	seen := r.object(func(name string) bool {
		switch name {
		case "bundle":
			if v := r.number(maxNumber); r.err == nil && v != Version {
				r.err = fmt.Errorf("version %d of the format: %w", v, ErrUnsupported)
			}
		case "card":
			f.card = r.card()
		case "opening":
			f.opening = r.entry()
		case "registration":
			f.registration = r.entry()
		case "taps":
			r.list(func() { f.taps = append(f.taps, r.entry()) })
		case "head":
			f.head = r.head()
		case "anchor":
			f.anchor = r.anchor()
		default:
			return r.proofsMember(&f.proofs, name)
		}
		return true
	})
	r.checkParts(f, seen)
	return f
}

func (r *reader) proofsMember(p *proofs, name string) bool {
	switch name {
	case "log":
		p.log = r.logPart()
	case "stardust":
		p.stardust = r.stardustPart()
	default:
		return false
	}
	return true
}

// checkParts wants the members that a bundle has, and of each message what its ledger's kind of proof needs.
func (r *reader) checkParts(f *file, seen names) {
	delete(seen, "head")
	switch {
	case seen.are("bundle", "card", "opening", "registration", "taps", "log"):
	case seen.are("bundle", "card", "opening", "registration", "taps", "log", "anchor"):
	case seen.are("bundle", "card", "opening", "registration", "taps", "stardust"):
	default:
		r.fail("a member is missing, or one too many")
	}
	r.checkEntries(f.proofs, f.entries())
	if f.head != nil && len(f.taps) == 0 {
		r.fail("head of a channel without messages")
	}
	if n := len(f.taps); f.opening.stub != nil || f.registration.stub != nil || n > 0 && f.taps[n-1].stub != nil {
		r.fail("a message without its payload that no ledger removes")
	}
}

// checkEntries wants of each message what its ledger's kind of proof needs.
func (r *reader) checkEntries(p proofs, entries []*entry) {
	for _, e := range entries {
		if (e.block != nil) != (p.stardust != nil) {
			r.fail("a message without its proof")
		}
	}
}

func (r *reader) card() tap.CardID {
	id, err := tap.ParseCardID(r.text())
	if err != nil {
		r.fail("card: %v", err)
	}
	return id
}

func (r *reader) entry() (e entry) {
	var b blockPart
	seen := r.object(func(name string) bool {
		switch name {
		case "index":
			e.index = r.number(maxNumber)
		case "time":
			e.time = r.time()
		case "message":
			e.raw = r.bytes()
		case "stub":
			e.stub = r.bytes()
		default:
			return r.blockMember(&b, name)
		}
		return true
	})
	switch {
	case seen.are("index", "time", "message"), seen.are("index", "time", "stub"):
	case seen.are("index", "size", "path", "milestone", "block", "output"):
		e.block = r.atIndex(b, e.index)
	default:
		r.fail("neither a message nor a block")
	}
	return e
}

func (r *reader) time() time.Time {
	return time.UnixMilli(int64(r.number(channel.MaxUnixMilli))).UTC()
}

func (r *reader) logPart() *logPart {
	p := &logPart{}
	r.exactly([]string{"checkpoint", "hashes"}, func(name string) bool {
		switch name {
		case "checkpoint":
			p.checkpoint = r.text()
		case "hashes":
			p.hashes = readHashes[tlog.Hash](r)
		default:
			return false
		}
		return true
	})
	return p
}

// readHashes reads hashes that stand one behind the other.
func readHashes[H ~[32]byte](r *reader) (hashes []H) {
	b := r.bytes()
	if len(b)%len(H{}) != 0 {
		r.fail("not a row of hashes")
		return nil
	}
	for ; len(b) > 0; b = b[len(H{}):] {
		hashes = append(hashes, H(b))
	}
	return hashes
}

// hashText is a row of hashes as readHashes reads it.
func hashText[H ~[32]byte](hashes []H) string {
	row := make([]byte, 0, len(hashes)*len(H{}))
	for _, h := range hashes {
		row = append(row, h[:]...)
	}
	return base64url(row)
}

func (r *reader) head() *head {
	h := &head{}
	r.exactly([]string{"time", "signature"}, func(name string) bool {
		switch name {
		case "time":
			h.time = r.time()
		case "signature":
			if err := h.signature.UnmarshalText([]byte(r.text())); err != nil {
				r.fail("%v", err)
			}
		default:
			return false
		}
		return true
	})
	return h
}

func (r *reader) anchor() *anchor {
	a := &anchor{}
	seen := r.object(func(name string) bool {
		if name != "message" {
			return r.proofsMember(&a.proofs, name)
		}
		a.entry = r.entry()
		return true
	})
	if !seen.are("message", "log") && !seen.are("message", "stardust") || a.entry.stub != nil {
		r.fail("want a message and its proof")
	}
	r.checkEntries(a.proofs, []*entry{&a.entry})
	return a
}

// marshal writes the bundle, a message a line.
func (f *file) marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n\"bundle\":%d,\n\"card\":%q,\n", Version, f.card)
	fmt.Fprintf(&b, "\"opening\":%s,\n\"registration\":%s,\n\"taps\":[", f.opening.text(), f.registration.text())
	for i, e := range f.taps {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n" + e.text())
	}
	b.WriteString("\n],\n" + f.proofs.text())
	if f.head != nil {
		fmt.Fprintf(&b, ",\n\"head\":{\"time\":%d,\"signature\":\"%s\"}", f.head.time.UnixMilli(), base64url(f.head.signature[:]))
	}
	if a := f.anchor; a != nil {
		fmt.Fprintf(&b, ",\n\"anchor\":{\"message\":%s,\n%s}", a.entry.text(), a.proofs.text())
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

func (p proofs) text() string {
	if p.stardust != nil {
		return p.stardust.text()
	}
	return fmt.Sprintf("\"log\":{\"checkpoint\":%s,\n\"hashes\":\"%s\"}", quote(p.log.checkpoint), hashText(p.log.hashes))
}

func (e entry) text() string {
	if e.block != nil {
		return e.block.text()
	}
	name, b := "message", e.raw
	if e.stub != nil {
		name, b = "stub", e.stub
	}
	return fmt.Sprintf(`{"index":%d,"time":%d,"%s":"%s"}`, e.index, e.time.UnixMilli(), name, base64url(b))
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// quote writes text that is UTF-8 as JSON has it.
func quote(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // never for a string
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
