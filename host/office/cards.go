package office

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

const (
	cardsOnPage = 50
	cardsAtOnce = 500 // read from the registry while a table is written
)

// cardStates are the states that cards can be searched by.
var cardStates = []string{registry.StateRegistered, record.StateInService, record.StateCompleted, record.StateRevoked, record.StateMoved, record.StateLost}

// stateOf is a card's state as people are told it.
func stateOf(c record.Card) string {
	if c.State == "" {
		return registry.StateRegistered
	}
	return c.State
}

// stateTone is the colour of a state.
func stateTone(state string) string {
	switch state {
	case record.StateInService:
		return page.Good
	case record.StateRevoked, record.StateLost:
		return page.Bad
	case record.StateMoved:
		return page.Care
	}
	return page.Open
}

// cardLine is one card of a list.
type cardLine struct {
	record.Card
	State, Tone string
	Product     string // its name; "" where none is known
	Link        string
}

func (v *visit) cardLine(c record.Card) (cardLine, error) {
	p, _, err := v.Products.Of(v.ctx, c)
	state := stateOf(c)
	return cardLine{c, state, stateTone(state), p.Name, v.at("cards", c.ID.String())}, err
}

// cardsPage is the list of an issuer's cards.
type cardsPage struct {
	Text, State string // what is searched
	States      []string
	Cards       []cardLine
	Next        string // address of the next page; "" on the last
	First       bool   // the list begins here
	CSV         string
}

// search reads what is searched from the request's address.
func (v *visit) search() registry.Search {
	s := registry.Search{Issuer: v.issuer, Any: v.query("q"), State: v.query("state")}
	if after, err := tap.ParseCardID(v.query("after")); err == nil {
		s.After = after
	}
	return s
}

func (v *visit) cards() error {
	s := v.search()
	found, err := v.Registry.Find(v.ctx, s, cardsOnPage+1)
	if err != nil {
		return err
	}
	p := cardsPage{Text: s.Any, State: s.State, States: cardStates, First: s.After == tap.CardID{}}
	query := url.Values{}
	for name, value := range map[string]string{"q": s.Any, "state": s.State} {
		if value != "" {
			query.Set(name, value)
		}
	}
	p.CSV = v.at("cards.csv") + encoded(query)
	if len(found) > cardsOnPage {
		found = found[:cardsOnPage]
		query.Set("after", found[cardsOnPage-1].ID.String())
		p.Next = v.at("cards") + encoded(query)
	}
	for _, c := range found {
		line, err := v.cardLine(c)
		if err != nil {
			return err
		}
		p.Cards = append(p.Cards, line)
	}
	if len(p.Cards) == 1 && p.Cards[0].ID.String() == s.Any {
		http.Redirect(v.w, v.r, p.Cards[0].Link, http.StatusSeeOther)
		return nil
	}
	return v.show(http.StatusOK, "cards", p)
}

// encoded returns a query with its question mark, or nothing.
func encoded(query url.Values) string {
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// cardsCSV writes all cards of a search as a table (RFC 4180), as they are read. What goes wrong after the first rows can only end the
// answer before its end, which the connection shows.
func (v *visit) cardsCSV() error {
	s := v.search()
	found, err := v.Registry.Find(v.ctx, s, cardsAtOnce)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="cards-%s.csv"`, v.Now().UTC().Format("2006-01-02")))
	table := csv.NewWriter(v.w)
	rows := [][]string{{"card", "state", "product", "gtin", "lot", "serial", "registered", "taps", "last_counter", "last_message", "tap_channel"}}
	for len(found) > 0 {
		for _, c := range found {
			line, err := v.cardLine(c)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			rows = append(rows, line.row())
		}
		if err := table.WriteAll(rows); err != nil {
			panic(http.ErrAbortHandler)
		}
		s.After, rows = found[len(found)-1].ID, nil
		if found, err = v.Registry.Find(v.ctx, s, cardsAtOnce); err != nil {
			v.Log.ErrorContext(v.ctx, "office: table of cards was broken off", "error", err)
			panic(http.ErrAbortHandler)
		}
	}
	table.Flush()
	return nil
}

func (c cardLine) row() []string {
	last := ""
	if !c.Head.IsZero() {
		last = c.Head.Time.UTC().Format(time.RFC3339)
	}
	row := []string{c.ID.String(), c.State, c.Product, c.GTIN, c.Lot, c.Serial, c.Registered.Time.UTC().Format(time.RFC3339),
		strconv.FormatUint(c.Recorded, 10), strconv.FormatUint(uint64(c.Last), 10), last, c.Taps.String()}
	for n := range row {
		row[n] = cell(row[n])
	}
	return row
}

// cell keeps a spreadsheet from reading a text as a formula: one that begins like one gets an apostrophe before it. Ids may begin
// with a minus sign. Where a comma stands in decimal numbers, spreadsheets begin another cell at a semicolon, quotes or not; some do so
// at a tab.
func cell(text string) string {
	var b strings.Builder
	begins := true
	for _, r := range text {
		if begins && strings.ContainsRune("=+-@\t\r\n", r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = r == ';' || r == '\t'
	}
	return b.String()
}
