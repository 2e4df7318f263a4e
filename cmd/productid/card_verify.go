package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) cardVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Check a card against the ledger, and that it is no copy",
		Long: `Challenges the card with a fresh nonce, which no copy of its data can answer, and compares its key, its template and
its state with what the ledger says. It costs one count. Exit code 3 when the card is not what the ledger says. Cards that answer
challenges only are checked so; one whose counter has come to its end answers none, and cannot be told from a copy any more.`,
		Example: "  productid card verify --json",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			if err := h.registry.Sync(c.Context()); err != nil {
				return err
			}
			return a.withCard(c.Context(), func(r cardReader) error {
				seen, err := examine(r)
				if err != nil {
					return err
				}
				known, err := h.registry.Card(c.Context(), seen.ID)
				switch {
				case errors.Is(err, registry.ErrUnknownCard):
					seen.Differs = append(seen.Differs, "no issuer on this ledger registered it")
				case err != nil:
					return err
				default:
					seen.compare(known)
				}
				return a.examined(seen)
			})
		},
	}
}

// examination is what a card showed and how it differs from what the ledger says.
type examination struct {
	ID       tap.CardID `json:"card"`
	State    card.State `json:"state"`
	Counter  uint32     `json:"counter"`
	Recorded string     `json:"recorded,omitempty"` // the ledger's state
	Last     uint32     `json:"last"`
	Silent   bool       `json:"challengeOnly"` // it signs no taps, it says
	Differs  []string   `json:"differs"`       // empty: the card is what the ledger says
	key      tap.Key
	template tap.Template
}

// examine challenges the card and reads what it holds.
func examine(r cardReader) (examination, error) {
	nonce := make([]byte, tap.MinNonce)
	rand.Read(nonce) // never errs
	answer, key, err := challenge(r, nonce, nil)
	if err != nil {
		return examination{}, err
	}
	client, err := card.Open(r)
	if err != nil {
		return examination{}, err
	}
	info, err := client.Info()
	if err != nil {
		return examination{}, err
	}
	e := examination{ID: key.ID(), State: info.State, Counter: answer.Counter, Silent: info.Profile.ChallengeOnly, Differs: []string{}, key: key}
	if e.template, err = client.Template(); err != nil && !errors.Is(err, card.ErrAbsent) {
		return examination{}, err
	}
	return e, nil
}

// compare notes every difference.
func (e *examination) compare(known record.Card) {
	e.Recorded, e.Last = known.State, known.Last
	differ := func(when bool, text string) {
		if when {
			e.Differs = append(e.Differs, text)
		}
	}
	differ(!known.Key.Equal(e.key), "the ledger has another key for its id")
	differ(known.Template != e.template, "it is registered with another template")
	differ(e.State == card.Keyed, "it is not locked: productid card personalise finishes it")
	differ(known.State == "", "it is not in service: productid card personalise finishes it")
	differ(known.State != "" && known.State != record.StateInService && known.State != record.StateCompleted, "the ledger says "+known.State)
	differ(e.Counter <= known.Last, fmt.Sprintf("its counter %d is behind the ledger's %d", e.Counter, known.Last))
}

func (a *app) examined(e examination) error {
	err := a.console.Answer(e, func(w io.Writer) {
		verdict := "the card is what the ledger says, and no copy"
		if len(e.Differs) > 0 {
			verdict = "NOT what the ledger says"
		}
		taps := ""
		if e.Silent {
			taps = "not signed: it answers challenges only"
		}
		console.Fields(w, "card", e.ID.String(), "verdict", verdict, "state", e.State.String(), "taps", taps, "ledger", e.Recorded,
			"counter", fmt.Sprintf("%d, ledger %d", e.Counter, e.Last))
		for _, d := range e.Differs {
			fmt.Fprintf(w, "differs: %s\n", d)
		}
	})
	if err == nil && len(e.Differs) > 0 {
		return console.Answered{Exit: console.No}
	}
	return err
}
