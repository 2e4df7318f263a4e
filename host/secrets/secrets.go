// Package secrets keeps what an installation has and the ledger has not, and makes the authors of its channels of it.
//
// With the secrets and the ledger everything else can be made again; who has them writes in the installation's name. An
// installation may serve several issuers. Each is an organisation with seeds of its own, so that the secrets of one can be handed
// over, or lost, without those of the others.
//
// # Durability
//
// A [Safe] replaces a file as a whole or not at all, and what it says is stored is on the disk, file and folder synced.
package secrets

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Secrets is all that an installation has which the ledger has not.
type Secrets struct {
	Created time.Time    // UTC, whole milliseconds
	Master  channel.Seed // of the keys that protect the caches and mark retries; of cards' channels only those of a first version follow from it, and the log's anchor does
	Log     LogKey       // of the installation's own log
	Lost    []LostLog    // the logs before it that were given up; the oldest first
	Issuers []Issuer     // at least one; the oldest first
	// Unbegun says that no ledger was begun under them yet, or that whoever began one was killed over it. Else there is one, wherever
	// it is, and to begin another under the same key would be a fork.
	Unbegun bool
	// Resuming says that the log was given up and that the new one does not hold yet what is known of the old one: nothing else is to be
	// written before it does.
	Resuming bool
	// Keys are the installation's further keys, by their purpose.
	Keys map[string]channel.Seed
	// Former is whom to trust for what was recorded before the installation moved to its ledger; it trusts nobody when it never did.
	Former ledger.Policy
}

// Issuer is one organisation that the installation writes for. None of its seeds follows from another.
type Issuer struct {
	Created time.Time    // UTC, whole milliseconds; the opening of its channel bears it
	Name    string       // as it wants to be known; "" in secrets of the first version, where the ledger alone has it
	URL     string       // the same
	Seed    channel.Seed // of its own channel
	Next    channel.Seed // of the channel that may succeed it; the opening commits to it
	Taps    channel.Seed // the master of its cards' channels
	Moved   bool         // its channel was opened on another ledger, and comes from there: it is not opened anew
	// Generation counts how often the issuer lost its history: no channel of its cards from before is written any more.
	Generation uint32
	// Previous is the channel that its own one succeeded last; the opening shows it. Zero when it never did.
	Previous channel.ID
	// Sandbox says that its cards are test cards, in software: they prove nothing. At most one issuer is such.
	Sandbox bool
}

// Sandbox returns the issuer of test cards, if there is one.
func (s Secrets) Sandbox() (Issuer, bool) {
	n := slices.IndexFunc(s.Issuers, func(i Issuer) bool { return i.Sandbox })
	if n < 0 {
		return Issuer{}, false
	}
	return s.Issuers[n], true
}

// New makes the secrets of a new installation, whose log has this origin, and of its first issuer. They are Unbegun.
func New(origin, name, url string, random io.Reader, now time.Time) (Secrets, error) {
	s := Secrets{Created: milliseconds(now), Unbegun: true}
	first, err := NewIssuer(name, url, random, now)
	if err != nil {
		return Secrets{}, err
	}
	s.Issuers = []Issuer{first}
	if err := draw(random, &s.Master); err != nil {
		return Secrets{}, err
	}
	key, _, err := note.GenerateKey(random, origin)
	if err != nil {
		return Secrets{}, fmt.Errorf("making secrets: %w", err)
	}
	s.Log = LogKey(key)
	return s, nil
}

// NewIssuer makes the secrets of one issuer.
func NewIssuer(name, url string, random io.Reader, now time.Time) (Issuer, error) {
	i := Issuer{Created: milliseconds(now), Name: name, URL: url}
	return i, draw(random, &i.Seed, &i.Next, &i.Taps)
}

// milliseconds is a time as messages and this package's files hold it.
func milliseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func draw(random io.Reader, seeds ...*channel.Seed) error {
	for _, seed := range seeds {
		if _, err := io.ReadFull(random, seed[:]); err != nil {
			return fmt.Errorf("making secrets: %w", err)
		}
	}
	return nil
}

// Author returns the author of the issuer's channel.
func (i Issuer) Author() *channel.Author { return channel.NewAuthor(i.Seed, channel.Public) }

// Anchor returns the author of the public channel that holds the checkpoints of the installation's log on another ledger
// (docs/formats/channel.md, seeds of a service). origin is the log's.
func (s Secrets) Anchor(origin string) *channel.Author {
	return channel.NewAuthor(channel.DeriveSeed(s.Master, 0, "log/"+origin+"/anchor"), channel.Public)
}

// Successor returns what the issuer's opening commits to: the hash of the channel that may succeed its own.
func (i Issuer) Successor() channel.Hash {
	id := channel.NewAuthor(i.Next, channel.Public).Channel()
	return sha256.Sum256(id[:])
}

// LogKey is the key that signs a log's checkpoints, as golang.org/x/mod/sumdb/note writes it. It prints as "[redacted]";
// conversion to a string is the one way to use it.
type LogKey string

const redacted = "[redacted]"

// String returns "[redacted]".
func (LogKey) String() string { return redacted }

// GoString returns "[redacted]".
func (LogKey) GoString() string { return redacted }

// Format prints "[redacted]" for every verb.
func (LogKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (LogKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (LogKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
