package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/anchor"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/pcsc"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// open gives a Console on buffers, which are no terminals.
func open(t *testing.T, asJSON bool, input string) (c *Console, out, talk *bytes.Buffer) {
	t.Helper()
	out, talk = new(bytes.Buffer), new(bytes.Buffer)
	return Open(Options{In: strings.NewReader(input), Out: out, Err: talk, JSON: asJSON}), out, talk
}

func TestNothingFancyWithoutTerminal(t *testing.T) {
	c, out, talk := open(t, false, "")
	c.Working("making the key")
	c.Progress(Step{Name: "key made on the card", Detail: "P-256", Took: 412 * time.Millisecond})
	c.Proved(Step{Name: "tap 1 valid"})
	c.Report(errors.New("reading: gone"))
	assert.NotContains(t, out.String()+talk.String(), "\x1b")
	assert.Equal(t, "ok    412 ms  key made on the card: P-256\nerror: reading\n  why: gone\n next: mend what is named above and run it again\n", talk.String())
	assert.Equal(t, "ok     <1 ms  tap 1 valid\n", out.String())
}

// terminal opens a pseudo-terminal's master side, which is a terminal itself.
func terminal(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil && os.Getenv("PRODUCTID_REQUIRE") != "all" {
		t.Skip("no pseudo-terminals on this machine")
	}
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTerminalGetsColourUnlessAskedNotTo(t *testing.T) {
	tty := terminal(t)
	for _, row := range []struct {
		name, value string
		fancy       bool
	}{{"TERM", "xterm", true}, {"TERM", "dumb", false}, {"NO_COLOR", "1", false}} {
		c := Open(Options{In: tty, Out: tty, Err: tty, Env: func(name string) string {
			if name == row.name {
				return row.value
			}
			return ""
		}})
		assert.Equal(t, row.fancy, c.fancy, row.name+"="+row.value)
		assert.True(t, c.Interactive(), "colour and questions are two things")
	}
}

func TestTransientLineIsReplaced(t *testing.T) {
	talk := new(bytes.Buffer)
	c := &Console{err: talk, out: io.Discard, fancy: true}
	c.Working("making the key")
	c.Progress(Step{Name: "done"})
	assert.Contains(t, talk.String(), "making the key\x1b[0m\r\x1b[K\x1b[32mok\x1b[0m")
}

func TestJSONIsOneObjectALine(t *testing.T) {
	c, out, talk := open(t, true, "")
	c.Progress(Step{Name: "locked", Detail: `a "quoted" & <odd> detail`, Took: 1500 * time.Microsecond})
	require.NoError(t, c.Answer(map[string]string{"url": "https://h/t?i=1&c=2"}, nil))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2)
	var step struct {
		Event, Step, Detail string
		MS                  float64
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &step))
	assert.Equal(t, "step", step.Event)
	assert.Equal(t, 1.5, step.MS)
	assert.Equal(t, `a "quoted" & <odd> detail`, step.Detail)
	assert.Equal(t, `{"url":"https://h/t?i=1&c=2"}`, lines[1])
	assert.Empty(t, talk.String())
	assert.Equal(t, No, c.Report(&Problem{Code: "used", What: "w", Exit: No}))
	assert.Contains(t, talk.String(), `{"error":{"code":"used"`)
}

func TestListIsOneObjectALineOrOneTable(t *testing.T) {
	c, out, _ := open(t, true, "")
	require.NoError(t, List(c, []int{1, 2}, nil))
	assert.Equal(t, "1\n2\n", out.String())
	c, out, _ = open(t, false, "")
	require.NoError(t, List(c, []int{1, 2}, func(w io.Writer) { io.WriteString(w, "table") }))
	assert.Equal(t, "table", out.String())
}

// full is an output that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestAnswerThatCannotBePrintedIsAnError(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		c := Open(Options{In: strings.NewReader(""), Out: full{}, Err: io.Discard, JSON: asJSON})
		assert.ErrorIs(t, c.Answer("yes", func(w io.Writer) { io.WriteString(w, "yes") }), io.ErrShortWrite)
	}
}

func TestReportIsThreeLinesWhateverTheTextHolds(t *testing.T) {
	for _, err := range []error{
		errors.New("plain"),
		errors.New("two\nlines: and\r\na \x1b[2Jtrick"),
		&Problem{What: "a\nb", Why: "c\nd", Next: "e\nf"},
		fmt.Errorf("opening the ledger: %w", fs.ErrNotExist),
	} {
		c, _, talk := open(t, false, "")
		c.Report(err)
		assert.Equal(t, 3, strings.Count(talk.String(), "\n"), talk.String())
		assert.NotContains(t, talk.String(), "\x1b")
	}
}

// hostile are characters that a terminal obeys instead of showing them.
const hostile = "a\x1b[2J\x07\r\u009b31m\u202e\u2066\u200b\u2028\U000e0041z"

func TestNothingThatATerminalObeysIsPrinted(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		c, out, talk := open(t, asJSON, "")
		require.NoError(t, c.Answer(map[string]string{"url": hostile}, func(w io.Writer) { fmt.Fprintln(w, hostile) }))
		c.Say("it says %s", hostile)
		c.Progress(Step{Name: hostile, Detail: hostile})
		c.Proved(Step{Name: hostile, Detail: hostile})
		c.Report(errors.New(hostile))
		for _, r := range out.String() + talk.String() {
			assert.True(t, r == '\n' || unicode.IsGraphic(r), "%U is printed", r)
		}
		if asJSON {
			var back struct{ URL string }
			line, _, _ := strings.Cut(out.String(), "\n")
			require.NoError(t, json.Unmarshal([]byte(line), &back))
			assert.Equal(t, hostile, back.URL, "nothing is lost for machines")
		}
	}
	assert.Equal(t, "grün 漢字 €", Clean("grün 漢字 €"))
}

func TestReportQuotesNoReadKey(t *testing.T) {
	const key = "-GYb2Wy8xGqcKVnJ2L5lKvN0FZyVqQn3KxY7m0bTzEw"
	const capability = "pidc1:KUndOoMzHRZtbp6dL6887piiFvEFfJillaGNjWCs9_M:7:" + key
	for _, asJSON := range []bool{false, true} {
		for _, err := range []error{
			errors.New("open " + capability + ": no such file"),
			fmt.Errorf("reading %q: %w", capability, fs.ErrNotExist),
			Misuse("a "+capability, "b "+capability, "c "+capability),
		} {
			c, out, talk := open(t, asJSON, "")
			c.Report(err)
			assert.NotContains(t, out.String()+talk.String(), key)
			assert.Contains(t, talk.String(), "s9_M:[not shown]")
		}
	}
}

func TestReportQuotesNoReadKeyOfAMistypedChannelAndLeavesAdviceAlone(t *testing.T) {
	c, _, talk := open(t, false, "")
	c.Report(Misuse("reading", "it is pidc1:KUndO:7:GGYb2Wy8xGqcKVnJ2L5lKvN0FZyVqQn3KxY7m0bTzEw", "give pidc1:CHANNEL or pidc1:CHANNEL:NUMBER:KEY"))
	assert.Contains(t, talk.String(), "it is pidc1:KUndO:[not shown]\n")
	assert.Contains(t, talk.String(), "give pidc1:CHANNEL or pidc1:CHANNEL:NUMBER:KEY\n")
}

func TestAnsweredPrintsNothing(t *testing.T) {
	c, out, talk := open(t, false, "")
	assert.Equal(t, No, c.Report(fmt.Errorf("checking: %w", Answered{No})))
	assert.Equal(t, OK, c.Report(nil))
	assert.Empty(t, out.String()+talk.String())
}

func TestExplainKeepsWhatWasBeingDone(t *testing.T) {
	_, err := os.Open("/does/not/exist")
	p := Explain(fmt.Errorf("opening the ledger: %w", err))
	assert.Equal(t, "not_found", p.Code)
	assert.Contains(t, p.What, "opening the ledger")
	assert.ErrorIs(t, &p, fs.ErrNotExist)
	p = Explain(fmt.Errorf("waiting for a card: %w", context.Canceled))
	assert.Equal(t, "waiting for a card", p.What)
	assert.NotContains(t, p.Why, "(", "the sentinel's own words add nothing")
	p = Explain(fmt.Errorf("checking the order: %w: template has a fragment", tap.ErrMalformed))
	assert.Equal(t, "malformed: it does not follow the format (template has a fragment)", p.Why)
	p = Explain(fmt.Errorf("locking the card: %w", errors.Join(card.ErrState, apdu.StatusConditions)))
	assert.Equal(t, Reader, p.Exit)
	assert.Contains(t, p.Why, "6985: conditions of use not satisfied")
	p = Explain(fmt.Errorf("looking for a card: %w (scard: gone)", pcsc.ErrNoService))
	assert.Equal(t, "the PC/SC service does not run (scard: gone)", p.Why)
	p = Explain(context.Canceled)
	assert.NotEmpty(t, p.What)
	inner := Misuse("reading flags", "no such flag", "see --help")
	assert.Equal(t, Usage, Explain(fmt.Errorf("outer: %w", inner)).Exit)
}

func TestCatalogueIsComplete(t *testing.T) {
	for _, e := range catalogue() {
		assert.NotEmpty(t, e.code)
		assert.NotEmpty(t, e.why, e.code)
		assert.NotEmpty(t, e.next, e.code)
		assert.NotEqual(t, OK, e.exit, e.code)
	}
}

func TestCodesAndExitsAreStable(t *testing.T) {
	for _, row := range []struct {
		err  error
		code string
		exit Exit
	}{
		{fmt.Errorf("recording: %w: %w", ledger.ErrUncertain, context.Canceled), "uncertain", Uncertain},
		{fmt.Errorf("recording: %w", store.ErrUncertain), "uncertain", Uncertain},
		{ledger.ErrUnavailable, "ledger_unavailable", Unreachable},
		{&ledger.Conflict{}, "conflict", Failure},
		{fmt.Errorf("rehearsal: %w: %w", station.ErrRehearsal, tap.ErrBadSignature), "rehearsal_failed", Reader},
		{fmt.Errorf("locking: %w", station.ErrChanged), "card_changed", Reader},
		{fmt.Errorf("looking at the card: %w: counter 1 of 2", station.ErrFewTaps), "few_taps", Reader},
		{fmt.Errorf("looking at the card: %w: the ledger says product", station.ErrOtherOrder), "other_order", Reader},
		{fmt.Errorf("first tap: %w: %w", station.ErrFirstTap, tap.ErrBadSignature), "first_tap_failed", Reader},
		{tap.ErrBadSignature, "bad_signature", No},
		{channel.ErrBrokenChain, "broken_chain", No},
		{registry.ErrUnknownCard, "unknown_card", No},
		{pcsc.ErrNoCard, "no_card", Reader},
		{errors.Join(simcard.ErrTorn, io.EOF), "card_torn", Reader},
		{apdu.StatusUnknown, "card_refused", Reader},
		{errors.Join(card.ErrNotOurs, apdu.StatusNotFound), "not_our_card", Reader},
		{fmt.Errorf("reading: %w: %w: leaf 3", ledger.ErrUnavailable, tlog.ErrCorrupt), "ledger_altered", Failure},
		{fmt.Errorf("reading: %w: %w", ledger.ErrUnavailable, store.ErrBusy), "ledger_busy", Unreachable},
		{fmt.Errorf("following: %w: %w", registry.ErrOtherHistory, ledger.ErrNoPosition), "other_history", Failure},
		{fmt.Errorf("log contradicts its anchor: %w: %w", ledger.ErrUnavailable, tlog.ErrForked), "forked", Failure},
		{fmt.Errorf("anchoring: %w: %w", anchor.ErrUnreachable, ledger.ErrUnavailable), "anchor_unreachable", Unreachable},
		{fmt.Errorf("awaiting anchored: %w", ledger.ErrNoPhase), "no_phase", Failure},
		{errors.Join(anchor.ErrForgot, anchor.ErrUnreachable), "anchor_forgot", Failure},
		{validation.ErrRetryKey, "short_key", Usage},
		{ledger.ErrNoPosition, "other_history", Failure},
		{fmt.Errorf("message 3 of channel x: %w", validation.ErrUnreadable), "unreadable_head", Failure},
		{fmt.Errorf("message 3 of channel x: %w", record.ErrMalformed), "malformed_record", Failure},
		{errors.New("anything"), "failure", Failure},
	} {
		p := Explain(row.err)
		assert.Equal(t, row.code, p.Code, row.err)
		assert.Equal(t, row.exit, p.Exit, row.err)
		assert.ErrorIs(t, &p, row.err)
	}
}

// TestAdviceAfterUncertaintyIsTrue: without an idempotency key a repetition is already_used, whoever sends it.
func TestAdviceAfterUncertaintyIsTrue(t *testing.T) {
	for _, err := range []error{ledger.ErrUncertain, store.ErrUncertain} {
		p := Explain(err)
		assert.Contains(t, p.Next, "--idempotency-key")
		assert.Contains(t, p.Next, "already_used")
	}
}

func TestConfirmWithoutTerminalNamesTheFlag(t *testing.T) {
	c, _, talk := open(t, false, "sCwcVia7OYj7c7jW\n")
	err := c.Confirm(t.Context(), "the card will be locked for ever", "sCwcVia7OYj7c7jW", "--yes")
	require.Error(t, err)
	p := Explain(err)
	assert.Equal(t, Usage, p.Exit)
	assert.Contains(t, p.Next, "--yes")
	assert.Empty(t, talk.String(), "nothing is asked where nobody can answer")
}

func TestConfirmWantsTheVeryWord(t *testing.T) {
	for typed, ok := range map[string]bool{"card-1\n": true, "  card-1 \n": true, "yes\n": false, "\n": false, "": false} {
		c, _, talk := open(t, false, typed)
		c.asks = true
		err := c.Confirm(t.Context(), "it will be final", "card-1", "--yes")
		assert.Equal(t, ok, err == nil, "%q: %v", typed, err)
		assert.Contains(t, talk.String(), "it will be final")
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	never, _ := io.Pipe()
	c := Open(Options{In: never, Out: io.Discard, Err: io.Discard})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Ask(ctx, "> ")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "<1 ms", 999 * time.Microsecond: "<1 ms", time.Millisecond: "1 ms", 1234 * time.Millisecond: "1.2 s", 185 * time.Second: "3 min 5 s",
	} {
		assert.Equal(t, want, Duration(d))
	}
}

func TestTablesAlignAndCleanForeignText(t *testing.T) {
	var b bytes.Buffer
	Table(&b, []string{"READER", "CARD"}, [][]string{{"ACR\x1b[2J122U\n", "yes"}, {"a", "no"}})
	assert.Equal(t, "READER        CARD\nACR?[2J122U?  yes\na             no\n", b.String())
	b.Reset()
	Fields(&b, "card", "x", "nothing", "", "state", "locked")
	assert.Equal(t, "card   x\nstate  locked\n", b.String())
}
