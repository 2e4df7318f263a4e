package t4ttest_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/t4t/t4ttest"
)

const (
	selectTag  = "00A4040007D276000085010100"
	selectCC   = "00A4000C02E103"
	selectNDEF = "00A4000C02E104"
)

// bent is a tag that breaks a rule: what it hears goes through a function that may answer otherwise.
type bent struct {
	t4ttest.Reader
	answer func(b *bent, command string) string

	file       string // E103, E104 or none
	selections int
	reads      int // of the NDEF file in this selection
	last       int // offset read last
	writes     int
	kept       string
}

func (b *bent) Reset() error {
	b.file, b.reads = "", 0
	return b.Reader.Reset()
}

func (b *bent) Transmit(raw []byte) ([]byte, error) {
	command := fmt.Sprintf("%X", raw)
	switch {
	case strings.HasPrefix(command, selectTag[:24]):
		b.selections++
		b.reads = 0
	case strings.HasPrefix(command, "00B0") && b.file == "E104":
		b.reads++
	}
	answer := b.answer(b, command)
	if file, ok := strings.CutPrefix(command, "00A4000C02"); ok && answer == "9000" {
		b.file = file[:4]
	}
	return hex.DecodeString(answer)
}

// pass lets the tag behind answer.
func (b *bent) pass(command string) string {
	raw, err := hex.DecodeString(command)
	if err != nil {
		return "6F00"
	}
	answer, err := b.Reader.Transmit(raw)
	if err != nil {
		return "6F01"
	}
	return fmt.Sprintf("%X", answer)
}

// window is offset and length of a READ BINARY, or false.
func window(command string) (offset, le int, ok bool) {
	n, err := fmt.Sscanf(command, "00B0%04X%02X", &offset, &le)
	if le == 0 {
		le = 256
	}
	return offset, le, err == nil && n == 2 && len(command) == 10 && offset < 0x8000
}

// instead answers commands that begin so by something else.
func instead(prefix, answer string) func(*bent, string) string {
	return func(b *bent, command string) string {
		if strings.HasPrefix(command, prefix) {
			return answer
		}
		return b.pass(command)
	}
}

// only is instead for one command.
func only(exact, answer string) func(*bent, string) string {
	return func(b *bent, command string) string {
		if command == exact {
			return answer
		}
		return b.pass(command)
	}
}

// as answers commands that begin so as if they began otherwise.
func as(prefix, other string) func(*bent, string) string {
	return func(b *bent, command string) string {
		if rest, ok := strings.CutPrefix(command, prefix); ok {
			command = other + rest
		}
		return b.pass(command)
	}
}

// besides lets the tag behind carry out further commands before one.
func besides(prefix string, more ...string) func(*bent, string) string {
	return func(b *bent, command string) string {
		answer := b.pass(command)
		if strings.HasPrefix(command, prefix) {
			for _, further := range more {
				b.pass(further)
			}
		}
		return answer
	}
}

// onRead changes what READ BINARY of a file answers.
func onRead(file string, change func(b *bent, offset, le int, data []byte, status string) ([]byte, string)) func(*bent, string) string {
	return func(b *bent, command string) string {
		answer := b.pass(command)
		offset, le, ok := window(command)
		if !ok || b.file != file {
			return answer
		}
		data, err := hex.DecodeString(answer[:len(answer)-4])
		if err != nil {
			return "6F02"
		}
		data, status := change(b, offset, le, data, answer[len(answer)-4:])
		b.last = offset
		return fmt.Sprintf("%X%s", data, status)
	}
}

// edit changes one byte of a file.
func edit(file string, at int, to func(*bent, byte) byte) func(*bent, string) string {
	return onRead(file, func(b *bent, offset, _ int, data []byte, status string) ([]byte, string) {
		if i := at - offset; i >= 0 && i < len(data) {
			data[i] = to(b, data[i])
		}
		return data, status
	})
}

func set(value byte) func(*bent, byte) byte { return func(*bent, byte) byte { return value } }

// short leaves out the last byte of some reads.
func short(when func(offset, le, length int) bool) func(*bent, string) string {
	return onRead("E104", func(_ *bent, offset, le int, data []byte, status string) ([]byte, string) {
		if len(data) > 0 && when(offset, le, len(data)) {
			data = data[:len(data)-1]
		}
		return data, status
	})
}

// keepsFile leaves the file selected when the application is.
func keepsFile(b *bent, command string) string {
	answer := b.pass(command)
	if command == selectTag && b.file != "" {
		b.pass("00A4000C02" + b.file)
	}
	return answer
}

// staysOnNDEF says that it selected the other file.
func staysOnNDEF(b *bent, command string) string {
	if command == selectCC && b.file == "E104" {
		b.file = ""
		return "9000"
	}
	return b.pass(command)
}

// grows has messages of two lengths.
func grows(b *bent, offset, le int, data []byte, status string) ([]byte, string) {
	if offset == 0 && len(data) > 1 {
		data[1] -= byte(b.selections % 2)
	}
	return data, status
}

// replays serves the first message that it made in each selection.
func replays(b *bent, command string) string {
	answer := b.pass(command)
	offset, le, ok := window(command)
	if !ok || b.file != "E104" {
		return answer
	}
	if b.kept == "" {
		b.kept = strings.TrimSuffix(b.pass("00B0000000"), "9000")
	}
	from, to := min(2*offset, len(b.kept)), min(2*(offset+le), len(b.kept))
	return b.kept[from:to] + answer[len(answer)-4:]
}

// anew signs a new message at some reads.
func anew(when func(b *bent, offset int) bool) func(*bent, string) string {
	return func(b *bent, command string) string {
		if offset, _, ok := window(command); ok && b.file == "E104" && when(b, offset) {
			b.pass(selectTag)
			b.pass(selectNDEF)
		}
		return b.pass(command)
	}
}

// survives answers behind an activation as before it.
func survives(b *bent, command string) string {
	if _, _, ok := window(command); ok && b.file == "" && b.kept != "" {
		return b.kept
	}
	answer := b.pass(command)
	if _, _, ok := window(command); ok && b.file == "E104" {
		b.kept = answer
	}
	return answer
}

// writable refuses UPDATE BINARY, and is changed by it.
func writable(b *bent, command string) string {
	if strings.HasPrefix(command, "00D6") {
		b.writes++
	}
	return edit("E104", 5, func(b *bent, old byte) byte { return old ^ byte(b.writes) })(b, command)
}

// noFile answers reads with no file selected.
func noFile(answer string) func(*bent, string) string {
	return func(b *bent, command string) string {
		if _, _, ok := window(command); ok && b.file == "" {
			return answer
		}
		return b.pass(command)
	}
}

// broken are tags that break one rule: by the rule that has to notice.
var broken = map[string]struct {
	on     string // the sample that is bent; "" for the locked card
	answer func(*bent, string) string
}{
	"select/application":            {answer: only(selectTag, "6A82")},
	"select/application-without-le": {answer: only(selectTag[:24], "6700")},
	"select/version-1":              {answer: instead("00A4040007D2760000850100", "9000")},
	"select/unknown-application":    {answer: instead("00A4040007A0000000620001", "9000")},
	"select/forgets-file":           {answer: keepsFile},
	"select/file":                   {answer: only(selectNDEF, "6E00")},
	"select/file-with-le":           {answer: only(selectNDEF+"00", "6700")},
	"select/file-p2-00":             {answer: instead("00A4000002E104", "6A86")},
	"select/file-again":             {answer: staysOnNDEF},
	"select/unknown-file":           {answer: instead("00A4000C023F00", "9000")},
	"select/file-parameters":        {answer: instead("00A4020C", "9000")},
	"select/file-length":            {answer: instead("00A4000C03", "9000")},

	"cc/length":       {answer: edit("E103", 1, set(0x17))},
	"cc/in-two-reads": {answer: instead("00B0000002", "6700")},
	"cc/version":      {answer: edit("E103", 2, set(0x21))},
	"cc/max-read":     {answer: edit("E103", 4, set(0xF0))},
	"cc/max-write":    {answer: edit("E103", 6, set(0))},
	"cc/file-control": {answer: edit("E103", 7, set(5))},
	"cc/file":         {answer: edit("E103", 10, set(5))},
	"cc/file-size":    {answer: edit("E103", 12, set(0xFF))},
	"cc/access":       {answer: edit("E103", 14, set(0))},
	"cc/phones":       {answer: edit("E103", 2, set(0x30))},
	"cc/constant": {answer: edit("E103", 4, func(b *bent, old byte) byte {
		return old - byte(min(b.reads, 1))
	})},
	"cc/read-binary": {answer: onRead("E103", func(_ *bent, offset, _ int, data []byte, status string) ([]byte, string) {
		if offset == 15 {
			status = "6B00"
		}
		return data, status
	})},

	"read/nothing-activated":     {answer: noFile("009000")},
	"read/no-file":               {answer: noFile("6A82")},
	"read/short-file-identifier": {answer: instead("00B084", "6A82")},
	"read/nlen":                  {answer: edit("E104", 1, func(_ *bent, old byte) byte { return old - 1 })},
	"read/fits":                  {answer: edit("E104", 0, set(1))},
	"read/every-offset":          {answer: short(func(offset, le, _ int) bool { return offset == 101 && le == 256 })},
	"read/every-length":          {answer: short(func(offset, le, _ int) bool { return offset == 2 && le == 117 })},
	"read/behind-the-end": {answer: onRead("E104", func(_ *bent, offset, _ int, data []byte, status string) ([]byte, string) {
		if offset > 50 && len(data) == 0 {
			status = "6B00"
		}
		return data, status
	})},
	"read/beyond": {answer: func(b *bent, command string) string {
		return strings.Replace(b.pass(command), "6B00", "9000", 1)
	}},
	"read/chunks": {answer: short(func(offset, le, _ int) bool { return offset == 2+3*31 && le == 31 })},
	"read/overrun": {answer: onRead("E104", func(_ *bent, _, le int, data []byte, status string) ([]byte, string) {
		if le == 0xFF && len(data) < le {
			status = "6282"
		}
		return data, status
	})},
	"read/backwards": {answer: onRead("E104", func(b *bent, offset, le int, data []byte, status string) ([]byte, string) {
		if offset == b.last-1 && le == 1 {
			return nil, "6F00"
		}
		return data, status
	})},

	"refuse/update-binary":   {answer: instead("00D6", "9000")},
	"refuse/keeps-files":     {answer: writable},
	"refuse/read-binary-odd": {answer: instead("00B1", "6A86")},
	"refuse/instructions":    {answer: instead("00CA000000", "6A88")},
	"refuse/classes":         {answer: as("A0", "00")},
	"refuse/own-class":       {answer: as("80B0", "00B0")},
	"refuse/malformed":       {answer: as("00A4000C03E104", selectNDEF)},
	"refuse/extended":        {answer: as("00B000000000F6", "00B00000F6")},
	"refuse/message-stays":   {answer: besides("00A4000C02E105", selectTag, selectNDEF)},
	"channels/same-tag":      {answer: instead("02B0", "FF9000")},

	"message/empty":      {on: "installed", answer: edit("E104", 1, set(3))},
	"message/uri-record": {answer: edit("E104", 6, set(3))},
	"message/url":        {answer: edit("E104", 120, func(_ *bent, old byte) byte { return old ^ 1 })},
	"message/length":     {answer: onRead("E104", grows)},
	"message/frozen":     {answer: besides("8001000000", selectTag, selectNDEF)},
	"message/new":        {answer: replays},
	"message/notice": {on: "challenge only", answer: edit("E104", 60, func(b *bent, old byte) byte {
		return old + byte(b.selections)
	})},
	"message/or-challenge": {answer: instead("8030", strings.Repeat("00", 68)+"9000")},

	"count/one-selection": {answer: anew(func(b *bent, offset int) bool { return offset == 0 && b.reads > 1 })},
	"count/first-read":    {answer: anew(func(b *bent, _ int) bool { return b.reads == 2 })},
	"count/nothing":       {answer: besides(selectNDEF, "00B0000001")},
	"count/refused":       {answer: besides("00B0810001", "00B0000001")},
	"count/activation":    {answer: survives},
}

func TestEachBrokenTagIsNoticedByTheRuleItBreaks(t *testing.T) {
	for name, tag := range broken {
		on := tag.on
		if on == "" {
			on = "locked"
		}
		s := samples(t)[on]
		var noticed bool
		for _, result := range t4ttest.Run(&bent{Reader: s.reader, answer: tag.answer}, s.tag) {
			noticed = noticed || result.Name == name && result.Err != nil
		}
		assert.True(t, noticed, "%s notices nothing", name)
	}
}

func TestThereIsABrokenTagForEveryRule(t *testing.T) {
	rules := map[string]bool{}
	for _, serves := range []t4ttest.Serves{t4ttest.Nothing, t4ttest.Notice, t4ttest.Taps, t4ttest.Rehearsals} {
		for _, rule := range t4ttest.Rules(serves) {
			rules[rule.Name] = true
			assert.Contains(t, broken, rule.Name)
			assert.NotEmpty(t, rule.Source, rule.Name)
			assert.NotEmpty(t, rule.Text, rule.Name)
		}
	}
	assert.Len(t, broken, len(rules), "a broken tag for no rule")
}

// gone is a reader whose card went.
type gone struct{}

func (gone) Transmit([]byte) ([]byte, error) { return nil, assert.AnError }
func (gone) Reset() error                    { return assert.AnError }

func TestNoTagKeepsNoRule(t *testing.T) {
	for _, result := range t4ttest.Run(gone{}, t4ttest.Tag{Serves: t4ttest.Taps}) {
		assert.ErrorIs(t, result.Err, assert.AnError, result.Name)
	}
	silent := &bent{Reader: onReader{}, answer: func(*bent, string) string { return "" }}
	silent.Reader = samples(t)["locked"].reader
	for _, result := range t4ttest.Run(silent, t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 246, FileSize: 232}) {
		assert.Error(t, result.Err, result.Name)
	}
}

func TestReportNamesWhatIsBroken(t *testing.T) {
	s := samples(t)["locked"]
	text := t4ttest.Report(t4ttest.Run(&bent{Reader: s.reader, answer: instead("00A4020C", "9000")}, s.tag))
	assert.Contains(t, text, "ok      select/application ")
	assert.Contains(t, text, "BROKEN  select/file-parameters")
	assert.Contains(t, text, "9000: want 6A86 alone")
	assert.True(t, bytes.HasSuffix([]byte(text), []byte("rules, 1 broken\n")), text)
	require.Equal(t, len(t4ttest.Rules(t4ttest.Taps))+2, strings.Count(text, "\n"))
}
