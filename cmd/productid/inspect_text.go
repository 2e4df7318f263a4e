package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/tap"
)

func (in *inspector) tapURL(text string) (finding, bool) {
	lower := strings.ToLower(text)
	if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		return finding{}, false
	}
	const kind = "a tap URL"
	u, err := tap.Parse(text)
	if errors.Is(err, tap.ErrUnsigned) {
		return in.unsignedURL(u, text), true
	}
	if err != nil {
		return refuse("a URL, and no tap URL", tap.Class(err), err), true
	}
	f := finding{Kind: kind, Holds: holdsUnknown, Why: "its form is right; whether the card signed it, only the card's registered key tells", Facts: []fact{}}
	if h, err := in.house(); err != nil {
		f.Why = console.Explain(err).Why
	} else if h != nil {
		defer h.Close()
		in.judge(&f, h, text)
	}
	f.add("card", u.ID.String())
	f.add("counter", fmt.Sprint(u.Counter))
	f.add("signature", fmt.Sprintf("%d bytes", len(u.Signature)))
	return f, true
}

// unsignedURL is no proof, and no sign of a counterfeit: what the ledger knows of its card is all that can be said.
func (in *inspector) unsignedURL(u tap.URL, text string) finding {
	says, _ := console.Unsigned(u.Unsigned)
	means, _ := console.Sentence(string(validation.UnsignedURL))
	f := finding{Kind: "a tap URL without a signature", Holds: holdsNo, Why: "unsigned: " + means, Facts: []fact{}}
	f.add("it says", says)
	f.add("card", u.ID.String())
	h, err := in.house()
	if err != nil || h == nil {
		return f
	}
	defer h.Close()
	if v, err := h.validation.Validate(in.ctx, text); err == nil {
		f.add("known", knownOf(v))
	}
	return f
}

// judge asks the ledger about a tap.
func (in *inspector) judge(f *finding, h *house, url string) {
	v, err := h.validation.Validate(in.ctx, url)
	if err != nil {
		f.Why = console.Explain(err).Why
		return
	}
	means, _ := console.Sentence(string(v.Code))
	f.Holds, f.Why = holdsNo, string(v.Code)+": "+means
	if v.Code.OK() {
		f.Holds = holdsYes
	}
}

// errCapability quotes nothing: a part of it may be a read key.
var errCapability = fmt.Errorf("it is neither pidc1:CHANNEL nor pidc1:CHANNEL:NUMBER:KEY: %w", channel.ErrMalformed)

func (in *inspector) capability(text string) (finding, bool) {
	if !strings.HasPrefix(text, "pidc1:") {
		return finding{}, false
	}
	c, err := channel.ParseCapability(text)
	if err != nil {
		return refuse("a channel's capability", "", errCapability), true
	}
	f := finding{Kind: "a public channel's capability", Holds: holdsUnknown, Why: "its form is right; productid channel read tells whether the ledger has the channel"}
	if c.Restricted {
		f.Kind = "a restricted channel's capability: whoever has it reads the channel"
		f.add("opens", fmt.Sprintf("message %d and those after it, until the author rotates the key", c.From))
	}
	f.add("channel", c.Channel.String())
	return f, true
}

// checkpoint is a signed note of a log.
func (in *inspector) checkpoint(text string) (finding, bool) {
	if !strings.Contains(text, "\n\n— ") || strings.HasPrefix(text, proofHeader) {
		return finding{}, false
	}
	origin, _, _ := strings.Cut(text, "\n")
	f := finding{Kind: "a log's checkpoint", Holds: holdsUnknown, Facts: []fact{}}
	f.add("log", origin)
	verifiers, whose, err := in.verifiers(origin)
	if err != nil || len(verifiers) == 0 {
		f.Why = "no key for this log is trusted here: give --origin and --key, or --policy"
		return f, true
	}
	c, err := ledger.ParseCheckpoint([]byte(text+"\n"), origin, verifiers...)
	if err != nil {
		f.Holds, f.Why = holdsNo, err.Error()
		return f, true
	}
	f.Holds, f.Why = holdsYes, "signed by "+whose
	f.add("messages", fmt.Sprint(c.Size))
	f.add("root", c.Root.String())
	return f, true
}

// proofHeader begins a C2SP tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

func (in *inspector) proof(text string) (finding, bool) {
	if strings.HasPrefix(text, stardustHeader) {
		return stardustProof(text), true
	}
	if !strings.HasPrefix(text, proofHeader) {
		return finding{}, false
	}
	p, err := ledger.ParseLogProof([]byte(text + "\n"))
	if err != nil {
		return refuse("a log's inclusion proof", "malformed", err), true
	}
	f := finding{Kind: "a log's inclusion proof", Holds: holdsUnknown, Why: proofAlone}
	origin, _, _ := strings.Cut(string(p.Checkpoint), "\n")
	f.add("log", origin)
	f.add("leaf", fmt.Sprint(p.Index))
	return f, true
}

const (
	// stardustHeader begins a Stardust proof.
	stardustHeader = "productid.dev/stardust-proof@v1"
	proofAlone     = "its form is right; it holds together with its message: productid ledger verify FILE"
)

func stardustProof(text string) finding {
	const kind = "a proof by a milestone of a Stardust network"
	p, err := ledger.ParseStardustProof([]byte(text + "\n"))
	if err != nil {
		return refuse(kind, "malformed", err)
	}
	milestone, err := stardust.ParseMilestone(p.Milestone)
	if err != nil {
		return refuse(kind, "malformed", err)
	}
	block, err := stardust.ParseBlock(p.Block)
	if err != nil {
		return refuse(kind, "malformed", err)
	}
	f := finding{Kind: kind, Holds: holdsUnknown, Why: proofAlone}
	f.add("milestone", fmt.Sprint(milestone.Index))
	f.add("when", milestone.Time.Format(time.RFC3339))
	f.add("block", block.ID.String())
	for _, a := range block.Transaction.Aliases {
		f.add("alias", a.ID.String())
		f.add("state", fmt.Sprint(a.StateIndex))
	}
	return f
}

// object is anything that stands in JSON, told apart by its members.
func (in *inspector) object(text string) (finding, bool) {
	if !strings.HasPrefix(text, "{") {
		return finding{}, false
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return refuse("JSON that is cut or broken", "malformed", err), true
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := members[name]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case has("bundle"):
		return in.bundleOf(text), true
	case has("message", "proof"):
		return in.evidence(text), true
	case has("kind"):
		return inspectRecord([]byte(text)), true
	case has("ledger", "channel", "hash"):
		return finding{Kind: "a receipt", Holds: holdsUnknown, Why: "a receipt alone is a claim; productid ledger prove makes a file that proves it"}, true
	case has("logs"), has("coordinators"):
		if _, err := ledger.ParsePolicy([]byte(text)); err != nil {
			return refuse("a verifier's policy", "malformed", err), true
		}
		return finding{Kind: "a verifier's policy", Holds: holdsYes, Why: "its keys are keys; whether to trust them is your decision"}, true
	}
	return finding{}, false
}

func (in *inspector) evidence(text string) finding {
	const kind = "a message with the proof that it is recorded"
	policy, whose, err := in.policy()
	if err != nil {
		return refuse(kind, "", err)
	}
	if whose == "" {
		return finding{Kind: kind, Holds: holdsUnknown, Why: "no ledger is trusted here: give --origin and --key, or --policy"}
	}
	p, err := verifyEvidence([]byte(text), policy, whose)
	if err != nil {
		return refuse(kind, "", err)
	}
	f := finding{Kind: kind, Holds: holdsYes, Why: "recorded, trusting " + whose}
	f.add("ledger", p.Receipt.Ledger)
	f.add("channel", p.Receipt.Channel.String())
	f.add("number", fmt.Sprint(p.Receipt.Number))
	f.add("when", p.Receipt.Time.UTC().String())
	f.add("says", p.Body)
	return f
}

func inspectRecord(body []byte) finding {
	r, err := record.Parse(body)
	if err != nil {
		return refuse("a record", "malformed", err)
	}
	f := finding{Kind: "a record, " + r.Kind, Holds: holdsUnknown, Why: "its form is right; a record is worth as much as the signed message it stands in"}
	if r.Value == nil {
		f.Why = "a kind that this version does not know"
	}
	return f
}

// id is a card's or a channel's, told apart by their lengths.
func (in *inspector) id(text string) (finding, bool) {
	if c, err := channel.ParseID(text); err == nil {
		f := finding{Kind: "a channel's id, or a message's hash", Holds: holdsUnknown, Why: "both are 32 bytes; productid channel read pidc1:" + text + " tells"}
		f.add("channel", c.String())
		return f, true
	}
	id, err := tap.ParseCardID(text)
	if err != nil {
		return finding{}, false
	}
	f := finding{Kind: "a card's id", Holds: holdsUnknown, Why: "its form is right; no ledger is at hand to ask", Facts: []fact{}}
	h, err := in.house()
	if err != nil || h == nil {
		return f, true
	}
	defer h.Close()
	in.known(&f, h, id)
	return f, true
}

// known asks the ledger about a card.
func (in *inspector) known(f *finding, h *house, id tap.CardID) {
	c, err := h.registry.Card(in.ctx, id)
	if errors.Is(err, registry.ErrUnknownCard) {
		f.Holds, f.Why = holdsNo, "no issuer on this ledger registered this card"
		return
	}
	if err != nil {
		f.Why = console.Explain(err).Why
		return
	}
	f.Holds, f.Why = holdsYes, "registered on this ledger"
	f.add("state", c.State)
	f.add("key", c.Key.Algorithm().String())
	f.add("used up to", fmt.Sprint(c.Last))
	f.add("taps", "pidc1:"+c.Taps.String())
	f.add("issuer", "pidc1:"+c.Issuer.String())
	f.add("registered", c.Registered.Time.UTC().String())
}
