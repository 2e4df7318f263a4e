package recovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Options are what Resume works with. Hook alone may be nil.
type Options struct {
	Safe     secrets.Safe
	Log      string       // file of the log: the old one's, and the new one's
	Registry string       // as registry.Open names it
	Options  tlog.Options // of the new log
	// Hook is called as the recovery passes its steps: for crash tests.
	Hook func(step string)
}

// Report is what became of an installation.
type Report struct {
	Origin  string    `json:"origin"` // of the new log
	Old     string    `json:"old"`    // of the log that was given up
	Kept    string    `json:"kept"`   // file of that
	Since   time.Time `json:"since"`
	Carried int       `json:"carried"`        // cards
	Left    []Left    `json:"left,omitempty"` // cards that are unknown on the new log
}

// Left is a card that was not carried over.
type Left struct {
	Card tap.CardID `json:"card"`
	Why  string     `json:"why"`
}

// Kept is the name that the file of a log gets when the log is given up.
func Kept(name, origin string) string { return name + ".lost-" + filepath.Base(origin) }

// Resume finishes what GiveUp began: it puts the old log aside, begins the new one, carries issuers and cards over and makes the registry
// anew. It returns after all of it is on the disk. Errors are those of the files, logs and secrets; run it again.
func Resume(ctx context.Context, o Options) (Report, error) {
	r, err := (&resumption{Options: o}).run(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("going on in a new log: %w", err)
	}
	return r, nil
}

type resumption struct {
	Options
	own    secrets.Secrets
	former secrets.LostLog
	report Report
	log    *tlog.Log
}

func (r *resumption) step(name string) {
	if r.Hook != nil {
		r.Hook(name)
	}
}

func (r *resumption) run(ctx context.Context) (Report, error) {
	var err error
	if r.own, err = r.Safe.Load(); err != nil {
		return Report{}, err
	}
	if !r.own.Resuming {
		return Report{}, ErrNothingLost
	}
	r.former = r.own.Lost[len(r.own.Lost)-1]
	origin := r.former.Origin()
	r.report = Report{Origin: r.Options.Options.Origin, Old: origin, Kept: Kept(r.Log, origin), Since: r.former.Since}
	r.step("given up")
	if err := r.putAside(origin); err != nil {
		return Report{}, err
	}
	r.step("put aside")
	o := r.Options.Options
	o.Create = true
	if r.log, err = tlog.Open(ctx, r.Log, o); err != nil {
		return Report{}, err
	}
	r.step("begun")
	err = r.fill(ctx)
	if err = errors.Join(err, r.log.Close()); err != nil {
		return Report{}, err
	}
	r.step("filled")
	_, err = r.Safe.Change(func(s *secrets.Secrets) error {
		s.Resuming, s.Unbegun = false, false
		return nil
	})
	return r.report, err
}

// fill writes what is known of the old log on the new one, and folds that.
func (r *resumption) fill(ctx context.Context) (err error) {
	old, err := read(ctx, r.report.Kept, r.report.Old, r.former.Key)
	if err != nil {
		return err
	}
	defer old.log.Close() // nothing was written
	authors := secrets.NewAuthors(r.own)
	for _, i := range r.own.Issuers {
		if i.Previous == (channel.ID{}) {
			continue // it begins anew, when it makes its first card
		}
		w := &successor{resumption: r, old: old, issuer: i, author: i.Author(), authors: authors}
		if err := w.write(ctx); err != nil {
			return fmt.Errorf("issuer %v: %w", i.Previous, err)
		}
	}
	r.step("carried")
	cache, err := registry.Open(ctx, r.Registry, registry.Options{Ledger: r.log, Master: r.own.Master})
	if err != nil {
		return err
	}
	return errors.Join(cache.Rebuild(ctx), cache.Close())
}

// successor writes the channel that takes the place of an issuer's.
type successor struct {
	*resumption
	old     remains
	issuer  secrets.Issuer
	author  *channel.Author
	authors *secrets.Authors

	next uint64
	prev channel.Hash
}

func (w *successor) write(ctx context.Context) error {
	if err := w.log.List(ctx, w.author.Channel()); err != nil {
		return err
	}
	opening, err := w.message(ctx, w.issuer.Previous, 0)
	if err != nil {
		return err
	}
	body, err := record.IssuerSucceeded{
		Name: w.issuer.Name, URL: w.issuer.URL, Log: w.report.Origin, Next: w.issuer.Successor(), Previous: w.issuer.Previous,
		Opening: opening.Bytes(), Reason: record.HistoryLost, Since: record.Milliseconds(w.former.Since.UnixMilli()),
	}.Encode()
	if err != nil {
		return err
	}
	if err := w.say(ctx, body); err != nil {
		return err
	}
	w.step("succeeded")
	for _, card := range w.old.states.Cards() { // in the order of their ids: each run writes the same
		if card.Issuer != w.issuer.Previous {
			continue
		}
		if err := w.carry(ctx, card); err != nil {
			return fmt.Errorf("card %v: %w", card.ID, err)
		}
	}
	return nil
}

// carry lists a card once more, unless it is out of service for good or lives on another ledger.
func (w *successor) carry(ctx context.Context, card record.Card) error {
	card = card.On(w.report.Old)
	if card.State == record.StateRevoked || card.State == record.StateMoved {
		w.report.Left = append(w.report.Left, Left{card.ID, card.State})
		return nil
	}
	registration, err := w.registration(ctx, card)
	if err != nil {
		return err
	}
	taps, err := w.authors.Taps(w.author.Channel(), card.ID)
	if err != nil {
		return err
	}
	body, err := record.CardCarried{Registration: registration, Taps: taps.Channel(), Last: card.Last}.Encode()
	if errors.Is(err, record.ErrMalformed) { // by its length: the rest was proved
		w.report.Left = append(w.report.Left, Left{card.ID, "its registration is too long"})
		return nil
	}
	if err != nil {
		return err
	}
	w.report.Carried++
	defer w.step("carried one")
	return w.say(ctx, body)
}

// registration is the message by which the card was registered first.
func (w *successor) registration(ctx context.Context, card record.Card) (record.Bytes, error) {
	m, err := w.message(ctx, card.Issuer, card.Registered.Number)
	if err != nil {
		return nil, err
	}
	body, err := m.Body()
	if err != nil {
		return nil, err
	}
	r, err := record.Parse(body)
	if carried, again := r.Value.(record.CardCarried); err == nil && again {
		return carried.Registration, nil
	}
	return m.Bytes(), err
}

// message reads one of the old log.
func (w *successor) message(ctx context.Context, id channel.ID, number uint64) (channel.Message, error) {
	entries, err := w.old.log.Range(ctx, id, number, 1)
	if err == nil && len(entries) == 0 {
		err = ledger.ErrNoMessage
	}
	if err != nil {
		return channel.Message{}, fmt.Errorf("reading message %d of channel %v: %w", number, id, err)
	}
	return entries[0].Message, nil
}

// say writes the channel's next message. It bears the time at which the log was given up, so another run signs the same one.
func (w *successor) say(ctx context.Context, body []byte) error {
	m, err := w.author.Sign(channel.Draft{Time: w.issuer.Created, Number: w.next, Prev: w.prev, Body: body})
	if err != nil {
		return err
	}
	if _, err := ledger.Record(ctx, w.log, m); err != nil {
		return err
	}
	w.next, w.prev = w.next+1, m.Hash()
	return nil
}

// putAside gives the old log's file the name under which it is kept. Its companions go first: as long as the file itself has its old
// name they are its own.
func (r *resumption) putAside(origin string) error {
	if _, err := os.Lstat(r.report.Kept); err == nil {
		return r.putGuardAside(origin)
	}
	for _, companion := range []string{"-wal", "-shm", ""} {
		err := os.Rename(r.Log+companion, r.report.Kept+companion)
		if err != nil && (companion == "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		r.step("renamed " + companion)
	}
	if err := syncDir(filepath.Dir(r.Log)); err != nil {
		return err
	}
	return r.putGuardAside(origin)
}

// putGuardAside does so with the old log's guard, where the new one's has the same name.
func (r *resumption) putGuardAside(origin string) error {
	guard := r.Options.Options.Guard
	text, err := tlog.ReadGuard(guard)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !strings.HasPrefix(string(text), origin+"\n") {
		return err
	}
	if err := os.Rename(guard, Kept(guard, origin)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(guard))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
