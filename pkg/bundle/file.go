package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// file is what a bundle holds.
type file struct {
	card         tap.CardID
	opening      entry   // of the issuer's channel
	registration entry   // of the card, on the issuer's channel
	taps         []entry // the tap channel, from its first message on
	log          logPart
	head         *head
	anchor       *anchor
}

// entry is a message at its place in the ledger.
type entry struct {
	raw   []byte // the message's bytes
	index uint64 // the leaf's number
	time  time.Time

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
	raw   []byte
	proof ledger.Proof
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
	r.object([]string{"bundle", "card", "opening", "registration", "taps", "log"}, func(name string) bool {
		switch name {
		case "bundle":
			if v := r.number(); r.err == nil && v != Version {
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
		case "log":
			f.log = r.logPart()
		case "head":
			f.head = r.head()
		case "anchor":
			f.anchor = r.anchor()
		default:
			return false
		}
		return true
	})
	if f.head != nil && len(f.taps) == 0 {
		r.fail("head of a channel without messages")
	}
	return f
}

func (r *reader) card() tap.CardID {
	id, err := tap.ParseCardID(r.text())
	if err != nil {
		r.fail("card: %v", err)
	}
	return id
}

func (r *reader) entry() (e entry) {
	r.object([]string{"index", "time", "message"}, func(name string) bool {
		switch name {
		case "index":
			e.index = r.number()
		case "time":
			e.time = r.time()
		case "message":
			e.raw = r.bytes()
		default:
			return false
		}
		return true
	})
	return e
}

func (r *reader) time() time.Time {
	ms := r.number()
	if ms > channel.MaxUnixMilli {
		r.fail("time after the year 9999")
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func (r *reader) logPart() (p logPart) {
	r.object([]string{"checkpoint", "hashes"}, func(name string) bool {
		switch name {
		case "checkpoint":
			p.checkpoint = r.text()
		case "hashes":
			p.hashes = r.hashes()
		default:
			return false
		}
		return true
	})
	return p
}

// hashes reads hashes that stand one behind the other.
func (r *reader) hashes() []tlog.Hash {
	b := r.bytes()
	if len(b)%sha256.Size != 0 {
		r.fail("not a row of hashes")
		return nil
	}
	hashes := make([]tlog.Hash, len(b)/sha256.Size)
	for i := range hashes {
		hashes[i] = tlog.Hash(b[i*sha256.Size:])
	}
	return hashes
}

func (r *reader) head() *head {
	h := &head{}
	r.object([]string{"time", "signature"}, func(name string) bool {
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
	r.object([]string{"message", "proof"}, func(name string) bool {
		switch name {
		case "message":
			a.raw = r.bytes()
		case "proof":
			a.proof = r.proof()
		default:
			return false
		}
		return true
	})
	return a
}

func (r *reader) proof() (p ledger.Proof) {
	r.object([]string{"kind", "text"}, func(name string) bool {
		switch name {
		case "kind":
			p.Kind = r.text()
		case "text":
			p.Text = []byte(r.text())
		default:
			return false
		}
		return true
	})
	return p
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
	fmt.Fprintf(&b, "\n],\n\"log\":{\"checkpoint\":%s,\n\"hashes\":\"%s\"}", quote(f.log.checkpoint), f.log.hashText())
	if f.head != nil {
		fmt.Fprintf(&b, ",\n\"head\":{\"time\":%d,\"signature\":\"%s\"}", f.head.time.UnixMilli(), base64url(f.head.signature[:]))
	}
	if a := f.anchor; a != nil {
		fmt.Fprintf(&b, ",\n\"anchor\":{\"message\":\"%s\",\"proof\":{\"kind\":%s,\"text\":%s}}",
			base64url(a.raw), quote(a.proof.Kind), quote(string(a.proof.Text)))
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

func (e entry) text() string {
	return fmt.Sprintf(`{"index":%d,"time":%d,"message":"%s"}`, e.index, e.time.UnixMilli(), base64url(e.raw))
}

func (p logPart) hashText() string {
	row := make([]byte, 0, len(p.hashes)*sha256.Size)
	for _, h := range p.hashes {
		row = append(row, h[:]...)
	}
	return base64url(row)
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
