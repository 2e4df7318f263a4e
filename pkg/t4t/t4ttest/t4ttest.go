// Package t4ttest is a conformance suite for a card of ours as the Type 4 Tag that phones read. Each [Rule] is one sentence of the
// NFC Forum's specification (T4T 2.0), of ISO/IEC 7816-4, or of applet/PROTOCOL.md, with a check that sends commands and looks at the
// answers; [Run] says of each whether the tag keeps it.
//
// The suite needs a [Reader] and nothing else: a card in software, the applet in its simulator and a card on a PC/SC reader are asked
// the same. It is no certified test of the NFC Forum, and what is below the commands (activation, framing, timing) it does not see.
//
// A run sends up to eight thousand commands, uses up some sixty numbers of the card's counter and changes nothing else.
package t4ttest

import (
	"fmt"
	"strings"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/tap"
)

// Reader is a reader with a tag on it.
type Reader interface {
	apdu.Transmitter
	// Reset activates the tag anew: nothing is selected after it.
	Reset() error
}

// Serves says what a tag has in its NDEF file.
type Serves byte

// What the tags of PROTOCOL.md serve.
const (
	Nothing    Serves = iota // a message of length 0
	Notice                   // an unsigned URL, always the same, and no number of the counter is used up
	Taps                     // a signed URL, another in each selection
	Rehearsals               // the same with the signatures of a card that is not locked
)

// counts reports whether a selection in which the file is read uses up a number.
func (s Serves) counts() bool { return s == Taps || s == Rehearsals }

// Tag is what the tag under test should be.
type Tag struct {
	Serves   Serves
	MaxRead  int     // MLe of its capability container
	FileSize int     // maximum file size there
	Key      tap.Key // the card's; zero without one
	Reason   string  // of a Notice: tap.Exhausted or tap.ChallengeOnly
}

// Rule is one rule that tags keep.
type Rule struct {
	Name   string // group and rule, such as "read/behind-the-end"
	Source string // document and section
	Text   string // the rule in a sentence

	check   func(*visit) error
	applies func(Serves) bool // nil: to every tag
}

// Result is what came of one rule.
type Result struct {
	Rule
	Err error // nil if the tag keeps the rule
}

// Rules returns the rules that apply to tags that serve this, in the order of a run.
func Rules(s Serves) []Rule {
	var all []Rule
	for _, group := range [][]Rule{selecting, container, reading, refusing, serving, counting} {
		for _, rule := range group {
			if rule.applies == nil || rule.applies(s) {
				all = append(all, rule)
			}
		}
	}
	return all
}

// Run checks every rule that applies to the tag, each on a tag activated anew, and goes on after one that is broken. An error of the
// reader breaks the rule in whose check it came.
func Run(r Reader, tag Tag) []Result {
	var results []Result
	for _, rule := range Rules(tag.Serves) {
		v := &visit{reader: r, tag: tag}
		err := r.Reset()
		if err == nil {
			err = rule.check(v)
		}
		results = append(results, Result{Rule: rule, Err: err})
	}
	return results
}

// Report writes results as text: a line for each rule, then how many are kept.
func Report(results []Result) string {
	var text strings.Builder
	broken := 0
	for _, r := range results {
		verdict := "ok    "
		if r.Err != nil {
			verdict = "BROKEN"
			broken++
		}
		fmt.Fprintf(&text, "%s  %-28s %s (%s)\n", verdict, r.Name, r.Text, r.Source)
		if r.Err != nil {
			fmt.Fprintf(&text, "        %v\n", r.Err)
		}
	}
	fmt.Fprintf(&text, "%d rules, %d broken\n", len(results), broken)
	return text.String()
}
