package secrets

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// LostLog is a log of the installation that is written no more. Its signing key is not kept: nobody here can make a second history
// of it.
type LostLog struct {
	Key   string    // verifier key, as note writes it: receipts of the log still hold under it
	Lost  time.Time // when it was given up
	Since time.Time // of its last message that is known, by its own clock
	Size  uint64    // messages that are known
}

// Origin returns the name of the log.
func (l LostLog) Origin() string {
	verifier, err := note.NewVerifier(l.Key)
	if err != nil {
		return "" // not in secrets that were loaded
	}
	return verifier.Name()
}

// GiveUp makes the secrets those of an installation whose log, of which these messages are known, has lost its newest ones for good: a
// new log of another origin follows it, and each issuer goes on in the channel that its opening committed to, its cards in channels of
// another generation. Issuers that the known messages do not open begin anew. The secrets are Resuming, and Unbegun.
func (s *Secrets) GiveUp(lost LostLog, origin string, opened func(channel.ID) (name, url string, known bool), random io.Reader) error {
	key, _, err := note.GenerateKey(random, origin)
	if err != nil {
		return fmt.Errorf("making the key of log %s: %w", origin, err)
	}
	lost.Lost, lost.Since = milliseconds(lost.Lost), milliseconds(lost.Since)
	issuers := make([]Issuer, 0, len(s.Issuers))
	for _, i := range s.Issuers {
		id := i.Author().Channel()
		name, url, known := opened(id)
		if !known {
			if i, err = NewIssuer(i.Name, i.URL, random, lost.Lost); err != nil {
				return err
			}
			issuers = append(issuers, i)
			continue
		}
		i.Name, i.URL, i.Created, i.Previous = name, url, lost.Lost, id
		i.Seed, i.Generation, i.Moved = i.Next, i.Generation+1, false
		if err := draw(random, &i.Next); err != nil {
			return err
		}
		issuers = append(issuers, i)
	}
	s.Former.Logs = append([]ledger.LogKey{{Origin: lost.Origin(), Key: lost.Key}}, s.Former.Logs...) // what it proved still holds
	s.Lost, s.Log, s.Issuers = append(s.Lost, lost), LogKey(key), issuers
	s.Unbegun, s.Resuming = true, true
	return nil
}

func (s Secrets) checkLost() error {
	for _, f := range s.Lost {
		if _, err := note.NewVerifier(f.Key); err != nil {
			return errors.New("the key of a log that was given up is none")
		}
	}
	if s.Resuming && len(s.Lost) == 0 {
		return errors.New("a log was given up, and they do not say which")
	}
	return nil
}
