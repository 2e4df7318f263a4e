package alarm

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// Alarm is something strange about a card.
type Alarm struct {
	ID       string
	Issuer   channel.ID
	Card     tap.CardID
	Kind     string
	Raised   time.Time
	Newest   time.Time  // time of the newest evidence
	Seen     int        // in how many checks
	Evidence []Evidence // the oldest first: the first piece and the newest others
	Settled  time.Time  // when somebody had seen to it; zero while it is open
	By       string     // who that was
}

// Check is one tap URL that was shown to the service.
type Check struct {
	ID      string
	Issuer  channel.ID
	Card    tap.CardID
	Code    string // validation's
	Counter uint32
	Time    time.Time
	Channel string // web or api
	Network string // a few letters that are the same for the same network; "" where it is not known
	Place   *Place
}

// Filter says which of an issuer's alarms, checks or reports are wanted.
type Filter struct {
	Issuer channel.ID
	Card   *tap.CardID // nil: of all cards
	Word   string      // kind of an alarm, or code of a check or report; "": all
	Open   bool        // only what nobody has seen to; means nothing for checks
	Before string      // cursor: what the page before returned; "": from the newest on
	N      int         // at most; 0: 50, and never more than 500
}

const (
	usualPage   = 50
	largestPage = 500
)

// where returns the filter as SQL behind "issuer = $1", with its arguments and the size of the page.
func (f Filter) where(word, settled string) (text string, args []any, n int, err error) {
	args = []any{f.Issuer[:]}
	and := func(condition string, arg any) {
		args = append(args, arg)
		text += " AND " + strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
	}
	if f.Card != nil {
		and("card = ?", f.Card[:])
	}
	if f.Word != "" {
		if err := checkText("filter", f.Word, 100); err != nil {
			return "", nil, 0, err
		}
		and(word+" = ?", f.Word)
	}
	if f.Open && settled != "" {
		text += " AND " + settled + " = 0"
	}
	if f.Before != "" {
		before, err := parseID(f.Before)
		if err != nil {
			return "", nil, 0, fmt.Errorf("cursor: %w", err)
		}
		and("id < ?", before)
	}
	n = f.N
	if n <= 0 {
		n = usualPage
	}
	n = min(n, largestPage)
	args = append(args, n+1)
	return text + " ORDER BY id DESC LIMIT $" + strconv.Itoa(len(args)), args, n, nil
}

// parseID reads the decimal form of an id. The error is ErrMalformed.
func parseID(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%w: %.40q is no number", ErrMalformed, text)
	}
	return n, nil
}

// page reads rows, the newest first, and returns the cursor of the next page, "" where there is none.
func page[T any](ctx context.Context, db *store.DB, query string, args []any, n int, scan func(*sql.Rows) (T, error), id func(T) string) ([]T, string, error) {
	rows, err := db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, "", store.Explain(err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return nil, "", store.Explain(err)
		}
		list = append(list, t)
	}
	if err := rows.Err(); err != nil {
		return nil, "", store.Explain(err)
	}
	if len(list) <= n {
		return list, "", nil
	}
	return list[:n], id(list[n-1]), nil
}

// Alarms returns an issuer's alarms, the newest first, and the cursor of the next page, "" at the end. The error is ErrMalformed, or
// the store's.
func (w *Watch) Alarms(ctx context.Context, f Filter) ([]Alarm, string, error) {
	where, args, n, err := f.where("kind", "settled")
	if err != nil {
		return nil, "", fmt.Errorf("reading alarms: %w", err)
	}
	list, next, err := page(ctx, w.db, "SELECT "+alarmColumns+" FROM alarms WHERE issuer = $1"+where, args, n, scanAlarm, func(a Alarm) string { return a.ID })
	if err != nil {
		return nil, "", fmt.Errorf("reading alarms: %w", err)
	}
	return list, next, nil
}

const alarmColumns = "id, issuer, card, kind, raised, newest, seen, evidence, settled, settled_by"

func scanAlarm(rows *sql.Rows) (a Alarm, err error) {
	var id, raised, newest, settled int64
	var issuer, card, evidence []byte
	if err := rows.Scan(&id, &issuer, &card, &a.Kind, &raised, &newest, &a.Seen, &evidence, &settled, &a.By); err != nil {
		return a, err
	}
	if a.Issuer, a.Card, err = whose(issuer, card); err != nil {
		return a, err
	}
	a.ID, a.Raised, a.Newest, a.Settled = strconv.FormatInt(id, 10), fromMilli(raised), fromMilli(newest), fromMilli(settled)
	return a, json.Unmarshal(evidence, &a.Evidence)
}

// whose reads the ids of an issuer and a card.
func whose(issuer, card []byte) (i channel.ID, c tap.CardID, err error) {
	if len(issuer) != len(i) || len(card) != len(c) {
		return i, c, fmt.Errorf("%w: a row with ids of %d and %d bytes", ErrMalformed, len(issuer), len(card))
	}
	return channel.ID(issuer), tap.CardID(card), nil
}

// Settle says that somebody has seen to an alarm. What comes after that opens another one. Settled again it stays as it was. The error is
// ErrUnknown, or one of store.DB.Update.
func (w *Watch) Settle(ctx context.Context, issuer channel.ID, id, by string) error {
	if err := w.settle(ctx, "alarms", issuer, id, by); err != nil {
		return fmt.Errorf("settling alarm %.40q: %w", id, err)
	}
	return nil
}

func (w *Watch) settle(ctx context.Context, table string, issuer channel.ID, id, by string) error {
	n, err := parseID(id)
	if err != nil {
		return ErrUnknown
	}
	if err := checkText("who", by, 100); err != nil {
		return err
	}
	return w.db.Update(ctx, func(tx *sql.Tx) error {
		var settled int64
		err := tx.QueryRowContext(ctx, "SELECT settled FROM "+table+" WHERE id = $1 AND issuer = $2", n, issuer[:]).Scan(&settled)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrUnknown
		}
		if err != nil || settled != 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE "+table+" SET settled = $1, settled_by = $2 WHERE id = $3", w.Now().UnixMilli(), by, n)
		return err
	})
}

// Checks returns the checks of an issuer's cards, the newest first, and the cursor of the next page, "" at the end. The error is
// ErrMalformed, or the store's.
func (w *Watch) Checks(ctx context.Context, f Filter) ([]Check, string, error) {
	where, args, n, err := f.where("code", "")
	if err != nil {
		return nil, "", fmt.Errorf("reading checks: %w", err)
	}
	const columns = "id, issuer, card, code, counter, time, channel, network, placed, latitude, longitude, place"
	list, next, err := page(ctx, w.db, "SELECT "+columns+" FROM checks WHERE issuer = $1"+where, args, n, scanCheck, func(c Check) string { return c.ID })
	if err != nil {
		return nil, "", fmt.Errorf("reading checks: %w", err)
	}
	return list, next, nil
}

func scanCheck(rows *sql.Rows) (c Check, err error) {
	var id, at, placed, latitude, longitude int64
	var issuer, card, network []byte
	var place string
	if err := rows.Scan(&id, &issuer, &card, &c.Code, &c.Counter, &at, &c.Channel, &network, &placed, &latitude, &longitude, &place); err != nil {
		return c, err
	}
	if c.Issuer, c.Card, err = whose(issuer, card); err != nil {
		return c, err
	}
	c.ID, c.Time, c.Network = strconv.FormatInt(id, 10), fromMilli(at), letters(network)
	if placed == 1 {
		c.Place = &Place{float64(latitude) / 1e6, float64(longitude) / 1e6, place}
	}
	return c, nil
}

// letters shows a network's hash in a form that people can compare.
func letters(network []byte) string {
	const alphabet = "bcdfghjklmnpqrst" // no vowels: no words
	var text strings.Builder
	for _, b := range network[:min(len(network), 3)] {
		text.WriteByte(alphabet[b>>4])
		text.WriteByte(alphabet[b&15])
	}
	return text.String()
}

// Count is how many checks there were from From on, for one step, by code.
type Count struct {
	From  time.Time
	Codes map[string]int
}

// maxCounts is how many steps a chart has at most.
const maxCounts = 2000

// Counts counts the checks of an issuer's cards from a time up to another, in steps of the same length; every step is there, also
// without checks. The error is ErrMalformed, for more than 2,000 steps or one below a second, or the store's.
func (w *Watch) Counts(ctx context.Context, issuer channel.ID, from, to time.Time, step time.Duration) ([]Count, error) {
	if step < time.Second || to.Before(from) || to.Sub(from)/step > maxCounts {
		return nil, fmt.Errorf("counting checks: %w: want at most %d steps of at least a second", ErrMalformed, maxCounts)
	}
	var counts []Count
	for at := from; at.Before(to); at = at.Add(step) {
		counts = append(counts, Count{From: at, Codes: map[string]int{}})
	}
	// A millisecond of a time is cut off, so that steps begin where the first one does.
	rows, err := w.db.Read().QueryContext(ctx, `SELECT (time - $1) / $2, code, count(*) FROM checks
		WHERE issuer = $3 AND time >= $1 AND time < $4 GROUP BY 1, 2`, from.UnixMilli(), step.Milliseconds(), issuer[:], to.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("counting checks: %w", store.Explain(err))
	}
	defer rows.Close()
	for rows.Next() {
		var place, n int
		var code string
		if err := rows.Scan(&place, &code, &n); err != nil {
			return nil, fmt.Errorf("counting checks: %w", store.Explain(err))
		}
		if place < len(counts) {
			counts[place].Codes[code] += n
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting checks: %w", store.Explain(err))
	}
	return counts, nil
}
