package tlog

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Remove takes the payload of message n of a channel away for good, and gives the
// reason, one line in public, signed. The message stays in its place as
// channel.Tombstone, and every proof of it holds. To remove again changes nothing and
// does what the last time may have left undone.
//
// When it returns nil the payload is in no file of the database: the SQLite file has
// zeros in its place, and the write-ahead log was emptied. A PostgreSQL server has
// vacuumed it away, and may have its bytes in free space, in its own write-ahead log
// and on standbys until they are overwritten. Backups, mirrors and other copies are
// not reached.
//
// Errors, nothing removed: ledger.ErrKept for a channel's newest message and for what
// Options.Removable does not let go; ErrNoChannel, ErrNoMessage; ErrReason.
func (l *Log) Remove(ctx context.Context, id channel.ID, n uint64, reason string) error {
	if err := l.writable(); err != nil {
		return err
	}
	if !isReason(reason) {
		return ErrReason
	}
	var refused error
	err := l.db.Erase(ctx, func(tx *sql.Tx) error {
		v, err := l.writingView(ctx, tx)
		if err == nil {
			err = v.checkEnd()
		}
		if err == nil {
			refused = v.remove(id, n, reason)
			err = refused
		}
		return err
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return fmt.Errorf("removing the payload of message %d: %w", n, outcome(err))
	}
	return nil
}

// remove writes the statement and empties the payload, unless that was done.
func (v *view) remove(id channel.ID, n uint64, reason string) error {
	e, err := v.find(id, n)
	if err != nil || e.Message.Removed() {
		return err
	}
	c, err := v.chain(id)
	if err != nil {
		return err
	}
	if n == c.next-1 {
		return fmt.Errorf("newest message of channel %s: %w", id, ledger.ErrKept)
	}
	if v.log.o.Removable == nil {
		return fmt.Errorf("message %d of channel %s: %w", n, id, ledger.ErrKept)
	}
	if err := v.log.o.Removable(e.Message); err != nil {
		return err
	}
	statement, err := v.log.signRemoval(e, reason)
	if err != nil {
		return err
	}
	if err := v.exec(v.stmts.remove, int64(e.Index), statement); err != nil {
		return err
	}
	return v.exec(v.stmts.empty, []byte{}, int64(e.Index))
}

// absent stands for the statement that a mirror has not got.
const absent = "removed, as the log has it\n"

// noteRemoved keeps that an entry came without its payload. A mirror, which cannot sign
// for the log, goes by what it was shown.
func (v *view) noteRemoved(e ledger.Entry) error {
	statement := []byte(absent)
	if !v.log.mirror {
		var err error
		if statement, err = v.log.signRemoval(e, "it was not in the copy that this was recovered from"); err != nil {
			return err
		}
	}
	return v.exec(v.stmts.remove, int64(e.Index), statement)
}

// removalHeader begins the statement that a payload was removed: a signed note of six
// lines, header, origin, leaf, hash of the message, Unix milliseconds, reason.
const removalHeader = "productid removal v1"

// maxReason bounds a reason in bytes.
const maxReason = 200

// isReason reports whether a text is one line for people.
func isReason(text string) bool {
	return text != "" && len(text) <= maxReason && utf8.ValidString(text) && strings.TrimSpace(text) == text &&
		!strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// removal is what a statement says.
type removal struct {
	origin string
	leaf   uint64
	hash   channel.Hash
	time   time.Time
	reason string
}

func (r removal) text() string {
	return fmt.Sprintf("%s\n%s\n%d\n%s\n%d\n%s\n", removalHeader, r.origin, r.leaf, r.hash, r.time.UnixMilli(), r.reason)
}

func (l *Log) signRemoval(e ledger.Entry, reason string) ([]byte, error) {
	r := removal{l.o.Origin, e.Index, e.Message.Hash(), l.o.Now(), reason}
	return note.Sign(&note.Note{Text: r.text()}, l.o.Signer)
}

// parseRemoval reads the text of a statement, which has one spelling.
func parseRemoval(text string) (removal, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 7 {
		return removal{}, fmt.Errorf("%d lines", len(lines))
	}
	leaf, err := strconv.ParseUint(lines[2], 10, 63)
	if err != nil {
		return removal{}, fmt.Errorf("leaf %.30q", lines[2])
	}
	hash, err := channel.ParseHash(lines[3])
	if err != nil {
		return removal{}, err
	}
	ms, err := strconv.ParseInt(lines[4], 10, 64)
	if err != nil || ms < 0 || ms > channel.MaxUnixMilli {
		return removal{}, fmt.Errorf("time %.30q", lines[4])
	}
	r := removal{lines[1], leaf, hash, time.UnixMilli(ms).UTC(), lines[5]}
	if !isReason(r.reason) || r.text() != text {
		return removal{}, fmt.Errorf("lines are not as a log writes them")
	}
	return r, nil
}

// openRemoval verifies the statement that a leaf's payload was removed.
func (l *Log) openRemoval(statement []byte, leaf uint64, hash channel.Hash) (removal, error) {
	if l.mirror && string(statement) == absent {
		return removal{}, nil
	}
	opened, err := note.Open(statement, note.VerifierList(l.verifier))
	if err != nil {
		return removal{}, err
	}
	r, err := parseRemoval(opened.Text)
	if err != nil {
		return removal{}, err
	}
	if r.origin != l.o.Origin || r.leaf != leaf || r.hash != hash {
		return removal{}, fmt.Errorf("statement is about leaf %d of log %q", r.leaf, r.origin)
	}
	return r, nil
}
