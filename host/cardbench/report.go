package cardbench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
)

// What the time of one command means to somebody with a phone (applet/CARDS.md): from slow on a hand moves before the answer is there,
// from givesUp on Android does not wait for it.
const (
	slow    = 500 * time.Millisecond
	givesUp = 1000 * time.Millisecond
)

// Times are those of one kind of command, or of a whole exchange.
type Times struct {
	Name     string  `json:"name"`
	Sent     int     `json:"sent,omitempty"`     // bytes of the command
	Answered int     `json:"answered,omitempty"` // bytes of the answer, with its status word
	N        int     `json:"n"`
	MedianMS float64 `json:"medianMs"` // milliseconds; the nearest rank
	P95MS    float64 `json:"p95Ms"`
}

// Report is what was measured of a card.
type Report struct {
	// Reader and ATR say where the card lay. Run leaves them to its caller, who opened the reader.
	Reader string `json:"reader,omitempty"`
	ATR    string `json:"atr,omitempty"`

	Applet    string `json:"applet"`
	State     string `json:"state"`
	Algorithm string `json:"alg,omitempty"`
	MaxRead   uint16 `json:"maxRead"`
	Message   int    `json:"message"` // bytes of the NDEF message; 0 on a card that has no URL yet
	Runs      int    `json:"runs"`
	Counts    uint64 `json:"counts"` // used up

	Commands    []Times  `json:"commands"`
	SigningRead *Times   `json:"signingRead,omitempty"` // READ NLEN of a card that signs taps: there it counts and signs
	Tap         *Times   `json:"tap,omitempty"`         // all commands of a tap as a phone reads it
	Challenge   *Times   `json:"challenge,omitempty"`   // SELECT, INFO, CHALLENGE and, of RSA, the signature
	Warnings    []string `json:"warnings"`
}

func (m *measurement) report() Report {
	info := m.plan.Info
	r := Report{Applet: info.Version.String(), State: info.State.String(), MaxRead: info.Profile.MaxRead, Message: m.message,
		Runs: m.plan.Runs, Counts: m.plan.Counts(), Warnings: []string{},
		Tap: timesOf("whole tap", m.taps), Challenge: timesOf("whole challenge", m.questions)}
	if !m.plan.key.IsZero() {
		r.Algorithm = m.plan.key.Algorithm().String()
	}
	for _, l := range m.watch.lines {
		times := timesOf(l.name, l.took)
		times.Sent, times.Answered = l.sent, l.answered
		r.Commands = append(r.Commands, *times)
		if l.name == readLength && m.plan.Taps > 0 {
			r.SigningRead = times
		}
		if warning := warn(l.name, quantile(l.took, 0.95)); warning != "" {
			r.Warnings = append(r.Warnings, warning)
		}
	}
	return r
}

// warn says what it means to a phone that a command takes this long; nothing if that is fast enough.
func warn(command string, took time.Duration) string {
	switch {
	case took >= givesUp:
		return fmt.Sprintf("%s takes %d ms: phones give up after %d ms", command, took.Milliseconds(), givesUp.Milliseconds())
	case took >= slow:
		return fmt.Sprintf("%s takes %d ms: hands move sooner, and phones give up after %d ms", command, took.Milliseconds(), givesUp.Milliseconds())
	}
	return ""
}

// timesOf returns nil where nothing was measured. It sorts took.
func timesOf(name string, took []time.Duration) *Times {
	if len(took) == 0 {
		return nil
	}
	slices.Sort(took)
	return &Times{Name: name, N: len(took), MedianMS: milliseconds(quantile(took, 0.5)), P95MS: milliseconds(quantile(took, 0.95))}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// WriteMarkdown writes the report as two tables for applet/CARDS.md: one row for the list of measured cards, and all commands.
func (r Report) WriteMarkdown(w io.Writer) {
	row(w, "card", "reader", "ATR", "applet", "algorithm", "MLe", "message, bytes", "signing read, ms", "whole tap, ms", "challenge, ms", "runs")
	row(w, slices.Repeat([]string{"---"}, 11)...)
	row(w, "(its name)", r.Reader, r.ATR, r.Applet, r.Algorithm, fmt.Sprint(r.MaxRead), fmt.Sprint(r.Message),
		r.SigningRead.pair(), r.Tap.pair(), r.Challenge.pair(), fmt.Sprint(r.Runs))
	fmt.Fprintln(w)
	row(w, "command", "sent, bytes", "answered, bytes", "median, ms", "p95, ms", "n")
	row(w, slices.Repeat([]string{"---"}, 6)...)
	for _, t := range r.Commands {
		row(w, t.Name, fmt.Sprint(t.Sent), fmt.Sprint(t.Answered), decimal(t.MedianMS), decimal(t.P95MS), fmt.Sprint(t.N))
	}
	for _, t := range []*Times{r.Tap, r.Challenge} {
		if t != nil {
			row(w, "**"+t.Name+"**", "", "", decimal(t.MedianMS), decimal(t.P95MS), fmt.Sprint(t.N))
		}
	}
}

// pair is median and p95 in one cell.
func (t *Times) pair() string {
	if t == nil {
		return "–"
	}
	return decimal(t.MedianMS) + " / " + decimal(t.P95MS)
}

func decimal(ms float64) string { return fmt.Sprintf("%.1f", ms) }

// row writes one row. What a driver or a card said cannot end a cell or move a cursor.
func row(w io.Writer, cells ...string) {
	clean := strings.NewReplacer("|", "/", "`", "'")
	for _, cell := range cells {
		cell = strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return '?'
			}
			return r
		}, cell)
		fmt.Fprintf(w, "| %s ", clean.Replace(cell))
	}
	fmt.Fprintln(w, "|")
}
