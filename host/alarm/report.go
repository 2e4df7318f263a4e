package alarm

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// Report is what somebody who held a card told its issuer.
type Report struct {
	ID      string
	Issuer  channel.ID  // zero where nobody knows whose card it is
	Card    *tap.CardID // nil where none could be read
	Code    string      // the verdict that he saw
	Text    string      // in his words: at most 4,000 characters
	Contact string      // where to reach him, if he wants that: at most 200
	Time    time.Time   // when it came; the service's own clock
	Settled time.Time   // when somebody had seen to it; zero while it is open
	By      string      // who that was
}

func (r Report) check() error {
	if strings.TrimSpace(r.Text) == "" && r.Code == "" {
		return fmt.Errorf("report: %w: it says nothing", ErrMalformed)
	}
	for _, c := range []struct {
		what, text string
		most       int
	}{{"code", r.Code, 40}, {"text", r.Text, 4000}, {"contact", r.Contact, 200}} {
		if err := checkText(c.what, c.text, c.most); err != nil {
			return err
		}
	}
	return nil
}

// Report keeps what somebody told, and returns its id when it is on the disk. Of r the fields from Issuer to Contact count. The error is
// ErrMalformed, or one of store.DB.Update.
func (w *Watch) Report(ctx context.Context, r Report) (id string, err error) {
	r.Time = w.Now().UTC().Truncate(time.Millisecond)
	if err := r.check(); err != nil {
		return "", fmt.Errorf("keeping a report: %w", err)
	}
	card := []byte{}
	if r.Card != nil {
		card = r.Card[:]
	}
	err = w.db.Update(ctx, func(tx *sql.Tx) error {
		n, err := take(ctx, tx, "reports", 1)
		if err != nil {
			return err
		}
		r.ID = strconv.FormatInt(n, 10)
		_, err = tx.ExecContext(ctx, `INSERT INTO reports (id, issuer, card, code, text, contact, time, published, settled, settled_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, '')`, n, r.Issuer[:], card, r.Code, r.Text, r.Contact, r.Time.UnixMilli())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("keeping a report: %w", err)
	}
	if err := w.publishReport(ctx, r); err != nil {
		w.Log.Warn("an event is told later", "report", r.ID, "error", err)
	}
	return r.ID, nil
}

const reportColumns = "id, issuer, card, code, text, contact, time, settled, settled_by"

// Reports returns an issuer's reports, the newest first, and the cursor of the next page, "" at the end. With the zero Issuer: those of
// cards that nobody knows. The error is ErrMalformed, or the store's.
func (w *Watch) Reports(ctx context.Context, f Filter) ([]Report, string, error) {
	where, args, n, err := f.where("code", "settled")
	if err != nil {
		return nil, "", fmt.Errorf("reading reports: %w", err)
	}
	list, next, err := page(ctx, w.db, "SELECT "+reportColumns+" FROM reports WHERE issuer = $1"+where, args, n, scanReport, func(r Report) string { return r.ID })
	if err != nil {
		return nil, "", fmt.Errorf("reading reports: %w", err)
	}
	return list, next, nil
}

func scanReport(rows *sql.Rows) (r Report, err error) {
	var id, at, settled int64
	var issuer, card []byte
	if err := rows.Scan(&id, &issuer, &card, &r.Code, &r.Text, &r.Contact, &at, &settled, &r.By); err != nil {
		return r, err
	}
	named := len(card) > 0
	if !named {
		card = make([]byte, len(tap.CardID{}))
	}
	var whole tap.CardID
	if r.Issuer, whole, err = whose(issuer, card); err != nil {
		return r, err
	}
	if named {
		r.Card = &whole
	}
	r.ID, r.Time, r.Settled = strconv.FormatInt(id, 10), fromMilli(at), fromMilli(settled)
	return r, nil
}

// SettleReport says that somebody has seen to a report. Settled again it stays as it was. The error is ErrUnknown, or one of
// store.DB.Update.
func (w *Watch) SettleReport(ctx context.Context, issuer channel.ID, id, by string) error {
	if err := w.settle(ctx, "reports", issuer, id, by); err != nil {
		return fmt.Errorf("settling report %.40q: %w", id, err)
	}
	return nil
}
