package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// StateRegistered stands in a Search for cards that are not in service yet.
const StateRegistered = "registered"

// Search says which of an issuer's cards are wanted. Members that are empty want all.
type Search struct {
	Issuer channel.ID
	After  tap.CardID // cards with higher ids only: the last one of the page before

	GTIN        string // in any of its lengths; what is none, exactly
	Lot, Serial string // exactly
	State       string // a state of package record, or StateRegistered
	Any         string // a card's id; or what is none, as a GTIN, lot or serial, like these
}

// Find returns the first n cards of a search in the order of their ids, each as Card returns it; fewer mean that there are no more.
// Somebody who altered the file can hide a card from a search, and can make none of it up.
func (r *Registry) Find(ctx context.Context, s Search, n int) ([]record.Card, error) {
	var found []record.Card
	for len(found) < n {
		ids, err := r.find(ctx, s, n-len(found))
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			card, err := r.known(ctx, id)
			if err == nil {
				card, err = r.here(ctx, card)
			}
			s.After = id
			if errors.Is(err, ErrUnknownCard) {
				continue // a row that somebody added
			}
			if err != nil {
				return nil, fmt.Errorf("searching cards: %w", err)
			}
			if card.Issuer == s.Issuer && s.wants(card) {
				found = append(found, card)
			}
		}
		if len(ids) == 0 {
			break
		}
	}
	return found, nil
}

// wants looks at what the ledger says where the row's state may say less: a card that lives elsewhere by now.
func (s Search) wants(c record.Card) bool {
	return s.State == "" || s.state() == c.State
}

func (s Search) state() string {
	if s.State == StateRegistered {
		return ""
	}
	return s.State
}

// query finds the first n ids. What may stand in one of several columns is looked up in the index of each.
func (s Search) query(n int) (query string, args []any) {
	query = "SELECT c.id FROM cards c LEFT JOIN heads h ON h.taps = c.taps WHERE c.issuer = $1 AND c.id > $2"
	args = []any{s.Issuer[:], s.After[:]}
	condition := func(text string, value any) string {
		args = append(args, value)
		return " AND " + strings.ReplaceAll(text, "?", fmt.Sprint("$", len(args)))
	}
	for _, wanted := range [][2]string{{"lot", s.Lot}, {"serial", s.Serial}} {
		if column, value := wanted[0], wanted[1]; value != "" {
			query += condition(is(column), value)
		}
	}
	if s.State != "" && s.State != record.StateMoved {
		query += condition("coalesce(h.state, '') = ?", s.state())
	}
	articles := []string{""}
	if s.GTIN != "" {
		articles = nil
		for _, form := range forms(s.GTIN) {
			articles = append(articles, condition(is("gtin"), form))
		}
	}
	places := []string{""}
	if id, err := tap.ParseCardID(s.Any); err == nil {
		query += condition("c.id = ?", id[:])
	} else if s.Any != "" {
		places = []string{condition(is("lot"), s.Any), condition(is("serial"), s.Any)}
		for _, form := range forms(s.Any) {
			places = append(places, condition(is("gtin"), form))
		}
	}
	args = append(args, n)
	limit := fmt.Sprint(" ORDER BY id LIMIT $", len(args))
	var selects []string
	for _, article := range articles {
		for _, place := range places {
			selects = append(selects, fmt.Sprintf("SELECT id FROM (%s%s%s%s) AS found%d", query, article, place, limit, len(selects)))
		}
	}
	return strings.Join(selects, " UNION ") + limit, args
}

// forms are the texts that say the same GTIN: that of 14 digits, which registrations hold, and the shorter ones that older
// registrations may hold. What is no GTIN is its only form.
func forms(text string) []string {
	gtin, err := gs1.ParseGTIN(text)
	if err != nil {
		return []string{text}
	}
	var all []string
	for _, digits := range []int{14, 13, 12, 8} {
		if zeros, rest := gtin[:14-digits], gtin[14-digits:]; strings.Trim(string(zeros), "0") == "" {
			all = append(all, string(rest))
		}
	}
	return all
}

// is asks for a value in words that let the column's index be used, which has no empty ones.
func is(column string) string { return fmt.Sprintf("c.%s = ? AND c.%[1]s <> ''", column) }

func (r *Registry) find(ctx context.Context, s Search, n int) ([]tap.CardID, error) {
	query, args := s.query(n)
	rows, err := r.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("searching cards: %w", unanswered(err))
	}
	defer rows.Close()
	var ids []tap.CardID
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("searching cards: %w", unanswered(err))
		}
		if len(id) == len(tap.CardID{}) {
			ids = append(ids, tap.CardID(id))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("searching cards: %w", unanswered(err))
	}
	return ids, nil
}

// Count returns how many of an issuer's cards are in each state, those not in service yet under StateRegistered. It is for people:
// no row's seal is looked at.
func (r *Registry) Count(ctx context.Context, issuer channel.ID) (map[string]int, error) {
	rows, err := r.db.Read().QueryContext(ctx,
		"SELECT coalesce(h.state, ''), count(*) FROM cards c LEFT JOIN heads h ON h.taps = c.taps WHERE c.issuer = $1 GROUP BY coalesce(h.state, '')", issuer[:])
	if err != nil {
		return nil, fmt.Errorf("counting cards: %w", unanswered(err))
	}
	defer rows.Close()
	counts := make(map[string]int)
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("counting cards: %w", unanswered(err))
		}
		if state == "" {
			state = StateRegistered
		}
		counts[state] += n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting cards: %w", unanswered(err))
	}
	return counts, nil
}
