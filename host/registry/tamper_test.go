package registry_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// openStore opens the registry's database beside it, as somebody else would who can write it.
func openStore(t require.TestingT, path string) *store.DB {
	db, err := store.Open(context.Background(), path, store.Options{Migrations: os.DirFS("migrations"), Schema: "registry"})
	require.NoError(t, err)
	return db
}

// spelled says SQLite's SQL in the words of the database at path.
func spelled(path, text string) string {
	if !strings.HasPrefix(path, "postgres:") {
		return text
	}
	text = zeroBlob.ReplaceAllString(text, "decode(repeat('00', $1), 'hex')")
	text = strings.ReplaceAll(text, "AS BLOB", "AS BYTEA")
	return blob.ReplaceAllString(text, `'\x$1'::bytea`)
}

var (
	zeroBlob = regexp.MustCompile(`zeroblob\((\d+)\)`)
	blob     = regexp.MustCompile(`x'([0-9a-f]*)'`)
)

// alter runs SQL on the live database.
func (w *world) alter(text string, args ...any) {
	db := openStore(w.t, w.path)
	text = spelled(w.path, text)
	require.NoError(w.t, db.Update(context.Background(), func(tx *sql.Tx) error {
		result, err := tx.Exec(text, args...)
		if err != nil || strings.HasPrefix(text, "CREATE") {
			return err
		}
		changed, err := result.RowsAffected()
		assert.NotZero(w.t, changed, "altered nothing: %s", text)
		return err
	}))
	require.NoError(w.t, db.Close())
}

// answers is everything that a registry is asked for in the course of a decision.
type answers struct {
	cards   []string
	unknown error
	retries []uint64
	dump    string
}

func (w *world) answers(lives []life) answers {
	ctx := context.Background()
	var a answers
	for _, l := range lives {
		card, err := w.Card(ctx, l.card.ID())
		require.NoError(w.t, err)
		text, err := card.MarshalJSON()
		require.NoError(w.t, err)
		a.cards = append(a.cards, string(text))
		for _, key := range []string{"key-2", "key-4", "key-7"} {
			number, found, err := w.Retry(ctx, l.taps.ID(), key)
			require.NoError(w.t, err)
			if !found {
				number = 99
			}
			a.retries = append(a.retries, number)
		}
	}
	_, a.unknown = w.Card(ctx, taptest.NewCard("invented").ID())
	a.dump = w.dump()
	return a
}

// alteration is what somebody does to the live file.
type alteration struct {
	text  string
	args  []any
	table string // that is named
	key   string // "" where any key will do, or the tap channel of card a
}

func alterations() map[string]alteration {
	a, b := taptest.NewCard("a"), taptest.NewCard("b")
	idA, idB := a.ID(), b.ID()
	invented := taptest.NewCard("invented").ID()
	const head = "SELECT taps FROM cards WHERE id = $1"
	return map[string]alteration{
		"a card's key":             {"UPDATE cards SET key = (SELECT key FROM cards WHERE id = $2) WHERE id = $1", []any{idA[:], idB[:]}, "cards", idA.String()},
		"a card's algorithm":       {"UPDATE cards SET alg = 9 WHERE id = $1", []any{idA[:]}, "cards", idA.String()},
		"a card's template":        {"UPDATE cards SET prefix = 'https://evil.example.com/?i=' WHERE id = $1", []any{idA[:]}, "cards", idA.String()},
		"a card's tap channel":     {"UPDATE cards SET taps = $2 WHERE id = $1", []any{idA[:], make([]byte, 32)}, "cards", idA.String()},
		"a card's issuer":          {"UPDATE cards SET issuer = $2 WHERE id = $1", []any{idA[:], make([]byte, 32)}, "cards", idA.String()},
		"where it was registered":  {"UPDATE cards SET number = number + 1 WHERE id = $1", []any{idA[:]}, "cards", idA.String()},
		"a proof's counter":        {"UPDATE cards SET proof = 0 WHERE id = $1", []any{idA[:]}, "cards", idA.String()},
		"a type":                   {"UPDATE cards SET mac = x'' WHERE id = $1", []any{idA[:]}, "cards", idA.String()},
		"a card that is gone":      {"DELETE FROM cards WHERE id = $1", []any{idA[:]}, "cards", idA.String()},
		"all cards gone":           {"DELETE FROM cards", nil, "cards", ""},
		"an invented card":         {"INSERT INTO cards SELECT $2, alg, key, issuer, x'01', prefix, middle, subject, gtin, lot, serial, proof, number, hash, idx, ms, mac, previous, since FROM cards WHERE id = $1", []any{idA[:], invented[:]}, "cards", invented.String()},
		"one card over another":    {"UPDATE cards SET (alg, key, issuer, prefix, middle, number, hash, idx, ms, mac) = (SELECT alg, key, issuer, prefix, middle, number, hash, idx, ms, mac FROM cards WHERE id = $2) WHERE id = $1", []any{idA[:], idB[:]}, "cards", idA.String()},
		"two ids exchanged":        {"UPDATE cards SET id = CASE id WHEN $1 THEN CAST($2 AS BLOB) ELSE $3 END", []any{idA[:], invented[:], idB[:]}, "cards", ""},
		"a counter lower":          {"UPDATE heads SET last = 1 WHERE taps = (" + head + ")", []any{idA[:]}, "heads", ""},
		"a counter higher":         {"UPDATE heads SET last = 400000 WHERE taps = (" + head + ")", []any{idA[:]}, "heads", ""},
		"a state":                  {"UPDATE heads SET state = 'revoked' WHERE taps = (" + head + ")", []any{idA[:]}, "heads", ""},
		"a head's number":          {"UPDATE heads SET number = number + 5 WHERE taps = (" + head + ")", []any{idA[:]}, "heads", ""},
		"a head's hash":            {"UPDATE heads SET hash = zeroblob(32) WHERE taps = (" + head + ")", []any{idA[:]}, "heads", ""},
		"a head that is gone":      {"DELETE FROM heads WHERE taps = (" + head + ")", []any{idA[:]}, "heads", ""},
		"one head over another":    {"UPDATE heads SET (number, hash, last, retries, mac) = (SELECT number, hash, last, retries, mac FROM heads WHERE taps = (SELECT taps FROM cards WHERE id = $2)) WHERE taps = (" + head + ")", []any{idA[:], idB[:]}, "heads", ""},
		"a retry key that is gone": {"DELETE FROM retries WHERE key = 'key-4' AND taps = (" + head + ")", []any{idA[:]}, "retries", ""},
		"an invented retry key":    {"INSERT INTO retries SELECT taps, 'key-7', 1 FROM cards WHERE id = $1", []any{idA[:]}, "retries", ""},
		"where a retry key leads":  {"UPDATE retries SET number = 3 WHERE key = 'key-2' AND taps = (" + head + ")", []any{idA[:]}, "retries", ""},
		"the position":             {"UPDATE meta SET position = 0", nil, "meta", "1"},
		"the position, ahead":      {"UPDATE meta SET position = position + 100", nil, "meta", "1"},
		"the catalogue":            {"UPDATE meta SET catalogue = zeroblob(4112)", nil, "meta", "1"},
		"the position gone":        {"DELETE FROM meta", nil, "meta", "1"},
		"an issuer":                {"UPDATE issuers SET name = 'evil'", nil, "issuers", ""},
		"an issuer that is gone":   {"DELETE FROM issuers", nil, "issuers", ""},
		"an invented issuer":       {"INSERT INTO issuers SELECT zeroblob(32), name, url, log, network, next, opened_hash, opened_index, opened_ms, head_number, head_hash, head_index, head_ms, mac, place, moved, previous, since FROM issuers", nil, "issuers", ""},
	}
}

// What somebody alters in the live file changes no answer, and is named.
func TestAnAlteredRowChangesNoAnswer(t *testing.T) { onBoth(t, anAlteredRowChangesNoAnswer) }

func anAlteredRowChangesNoAnswer(t *testing.T, fresh func(testing.TB) string) {
	for name, row := range alterations() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fresh)
			_, lives := w.populate("a", "b")
			want := w.answers(lives)
			require.ErrorIs(t, want.unknown, registry.ErrUnknownCard)
			require.Empty(t, w.named())
			w.alter(row.text, row.args...)
			w.sync()
			assert.Equal(t, want, w.answers(lives))
			named := w.named()
			require.NotEmpty(t, named)
			assert.Equal(t, row.table, named[0].Table, "%v", named)
			if row.key != "" {
				assert.Equal(t, row.key, named[0].Key)
			}
			if row.table == "heads" || row.table == "retries" {
				assert.Equal(t, lives[0].taps.ID().String(), named[0].Key)
			}
			assert.Len(t, named, 1, "named once")

			w.tell(lives[0].tapped(9))
			w.sync()
			after, _ := folded(t, w.ledger)
			assert.Equal(t, after, w.dump(), "the registry goes on")
			assert.Equal(t, after, w.dump())
			assert.Empty(t, w.named(), "it was mended in the file")
		})
	}
}

// An alteration that is met by the next message, before anybody asks.
func TestAnAlteredHeadIsMendedBeforeItIsFoldedOn(t *testing.T) {
	onBoth(t, anAlteredHeadIsMendedBeforeItIsFoldedOn)
}

func anAlteredHeadIsMendedBeforeItIsFoldedOn(t *testing.T, fresh func(testing.TB) string) {
	w := newWorld(t, fresh)
	_, lives := w.populate("a", "b")
	w.alter("UPDATE heads SET last = 400000, recorded = 0 WHERE taps = $1", idOf(lives[0].taps.ID()))
	w.tell(lives[0].tapped(9))
	w.sync()
	want, _ := folded(t, w.ledger)
	assert.Equal(t, want, w.dump())
	assert.Equal(t, []registry.Tampered{{Table: "heads", Key: lives[0].taps.ID().String(), What: "is not as it was written, or gone"}}, w.named())
}

// A card whose row was altered so that its messages no longer find it gets them back.
func TestMessagesThatWereMissedAreFoldedWhenTheCardIsMended(t *testing.T) {
	onBoth(t, messagesThatWereMissedAreFoldedWhenTheCardIsMended)
}

func messagesThatWereMissedAreFoldedWhenTheCardIsMended(t *testing.T, fresh func(testing.TB) string) {
	w := newWorld(t, fresh)
	_, lives := w.populate("a", "b")
	w.alter("UPDATE cards SET taps = zeroblob(32) WHERE id = $1", cardOf(lives[0].card.ID()))
	w.tell(lives[0].tapped(9))
	w.sync()
	card, err := w.Card(context.Background(), lives[0].card.ID())
	require.NoError(t, err)
	assert.Equal(t, uint32(9), card.Last)
	want, _ := folded(t, w.ledger)
	assert.Equal(t, want, w.dump())
}

// Rows that are put back as they stood once carry good seals.
func TestARowFromEarlierIsReadForward(t *testing.T) { onBoth(t, aRowFromEarlierIsReadForward) }

func aRowFromEarlierIsReadForward(t *testing.T, fresh func(testing.TB) string) {
	for _, table := range []string{"heads", "issuers", "meta"} {
		t.Run(table, func(t *testing.T) {
			w := newWorld(t, fresh)
			issuer, lives := w.populate("a", "b")
			w.alter("CREATE TABLE earlier AS SELECT * FROM " + table)
			w.tell(lives[0].tapped(7))
			w.tell(issuer.Say([]byte(`{"kind":"weather"}`)))
			w.sync()
			w.alter("DELETE FROM " + table + "; INSERT INTO " + table + " SELECT * FROM earlier")
			w.tell(lives[0].tapped(9))
			w.tell(issuer.Say([]byte(`{"kind":"weather"}`)))
			w.sync()
			want, _ := folded(t, w.ledger)
			assert.Equal(t, want, w.dump())
		})
	}
}

// away is a ledger that cannot be read for a while.
type away struct {
	*ledger.Memory
	err error
}

func (a *away) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	if a.err != nil {
		return nil, a.err
	}
	return a.Memory.Range(ctx, id, from, n)
}

func TestNothingIsMendedByHalves(t *testing.T) { onBoth(t, nothingIsMendedByHalves) }

func nothingIsMendedByHalves(t *testing.T, fresh func(testing.TB) string) {
	for _, text := range []string{"UPDATE heads SET last = 1", "UPDATE cards SET prefix = 'https://evil.example.com/?i='", "DELETE FROM retries"} {
		w, ctx := newWorld(t, fresh), context.Background()
		_, lives := w.populate("a")
		want := w.answers(lives)
		l := &away{w.ledger, ledger.ErrUnavailable}
		r := open(t, l, w.path, w.report)
		w.alter(text)
		_, cardErr := r.Card(ctx, lives[0].card.ID())
		_, _, retryErr := r.Retry(ctx, lives[0].taps.ID(), "key-2")
		assert.ErrorIs(t, errors.Join(cardErr, retryErr), ledger.ErrUnavailable)
		assert.Empty(t, w.named())
		require.NoError(t, r.Close())
		assert.Equal(t, want, w.answers(lives))
		assert.Len(t, w.named(), 1)
	}
}

// Without the master secret nobody makes a row that holds.
func TestAnotherMasterSecretTakesNoRowOver(t *testing.T) {
	onBoth(t, anotherMasterSecretTakesNoRowOver)
}

func anotherMasterSecretTakesNoRowOver(t *testing.T, fresh func(testing.TB) string) {
	w := newWorld(t, fresh)
	w.populate("a")
	want := w.dump()
	var found []registry.Tampered
	other, err := registry.Open(context.Background(), w.path, registry.Options{
		Ledger: w.ledger, Master: channel.Seed{8}, Report: func(t registry.Tampered) { found = append(found, t) },
	})
	require.NoError(t, err)
	defer other.Close()
	assert.Equal(t, want, dump(t, other))
	assert.NotEmpty(t, found)
}

func idOf(id channel.ID) []byte { return id[:] }

func cardOf(id tap.CardID) []byte { return id[:] }
