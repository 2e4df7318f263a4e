package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) cardInfo() *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "Show what the card says about itself",
		Long:    "Shows what the card on the reader says about itself. It costs no count and proves nothing: productid card verify proves.",
		Example: "  productid card info --reader pcsc:ACR122",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withCard(c.Context(), func(r cardReader) error {
				v, err := look(r)
				if err != nil {
					return err
				}
				return a.console.Answer(v, v.words)
			})
		},
	}
}

// look asks a card all that it says about itself.
func look(r cardReader) (infoView, error) {
	client, err := card.Open(r)
	if err != nil {
		return infoView{}, err
	}
	info, err := client.Info()
	if err != nil {
		return infoView{}, err
	}
	capabilities, err := client.Capabilities()
	if err != nil {
		return infoView{}, err
	}
	v := viewOf(info, capabilities)
	if template, err := client.Template(); err == nil {
		v.Template = template.Prefix + "…" + template.Middle + "…"
	}
	return v, nil
}

// infoView is a card's information as it is printed.
type infoView struct {
	Applet      string      `json:"applet"`
	Asked       []string    `json:"asked"`      // algorithms, at install
	Algorithms  []string    `json:"algorithms"` // of them, those that the chip has
	State       card.State  `json:"state"`
	ID          *tap.CardID `json:"card,omitempty"`
	Algorithm   string      `json:"alg,omitempty"`
	Template    string      `json:"template,omitempty"`
	Counter     uint32      `json:"counter"`
	CounterMax  uint32      `json:"counterMax"`
	Exhausted   bool        `json:"exhausted"`
	Challenge   bool        `json:"challengeOnly"`
	MaxRead     uint16      `json:"maxRead"`
	ContactOnly bool        `json:"contactOnly"`

	profile card.Profile
}

func viewOf(i card.Info, c card.Capabilities) infoView {
	v := infoView{Applet: i.Version.String(), State: i.State, Counter: i.Counter, CounterMax: i.CounterMax, Exhausted: i.Exhausted(),
		Challenge: i.Profile.ChallengeOnly, MaxRead: i.Profile.MaxRead, profile: i.Profile, ContactOnly: c.ContactOnly,
		Asked: namesOf(c.Asked), Algorithms: namesOf(i.Algorithms)}
	if i.State == card.Keyed || i.State == card.Locked {
		v.ID, v.Algorithm = &i.ID, i.Algorithm.String()
	}
	return v
}

// namesOf is never nil: in JSON it is a list.
func namesOf(algorithms []tap.Algorithm) []string {
	names := []string{}
	for _, a := range algorithms {
		names = append(names, a.String())
	}
	return names
}

func (v infoView) words(w io.Writer) {
	id, configured := "", ""
	if v.ID != nil {
		id = v.ID.String()
	}
	if v.ContactOnly {
		configured = "over its contacts only"
	}
	console.Fields(w, "card", id, "state", v.State.String(), "key", v.Algorithm, "template", v.Template, "profile", v.profile.String(),
		"configured", configured, "counter", v.counts(), "applet", v.Applet, "can make", v.makes(), "next", v.next())
}

// counts says how far the counter is, and what an exhausted card still does.
func (v infoView) counts() string {
	switch {
	case v.Counter == math.MaxUint32:
		return "exhausted: its memory is gone, so the card signs nothing any more"
	case v.Exhausted:
		return fmt.Sprintf("exhausted: all %d are used up, so the card signs nothing any more", v.CounterMax)
	}
	return fmt.Sprintf("%d of %d", v.Counter, v.CounterMax)
}

// makes says which keys the chip can make, and which it was asked for and cannot.
func (v infoView) makes() string {
	var lacks []string
	for _, name := range v.Asked {
		if !slices.Contains(v.Algorithms, name) {
			lacks = append(lacks, name)
		}
	}
	text := strings.Join(v.Algorithms, ", ")
	if text == "" {
		text = "no key at all"
	}
	if len(lacks) > 0 {
		text += "; the chip lacks " + strings.Join(lacks, ", ")
	}
	return text
}

func (v infoView) next() string {
	switch {
	case v.State == card.Installed && len(v.Algorithms) == 0:
		return "this chip cannot carry a ProductID card: applet/CARDS.md lists those that can"
	case v.State == card.Installed:
		return "productid card personalise makes its key"
	case v.State == card.Unknown:
		return "its memory was damaged and it signs nothing: make another card"
	case v.Exhausted:
		return "a copy could say so, too, and neither proves itself any more: look at the thing that it is in before that gets a new card"
	case v.State == card.Keyed:
		return "productid card personalise finishes it"
	case v.Challenge:
		return "nothing on it can be changed; productid card verify has it prove itself"
	}
	return "nothing on it can be changed; productid card read taps it"
}
