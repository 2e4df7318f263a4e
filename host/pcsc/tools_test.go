//go:build cgo && linux

package pcsc_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/tap"
)

var update = flag.Bool("update", false, "write testdata/transcripts anew")

// asked is what the tools of others send: the tag read as a phone reads it, beyond its end too, and what it has to refuse.
var asked = []string{
	"00A4040007D276000085010000", // mapping version 1
	"00A4040007D276000085010100",
	"00B0000002", // no file yet
	"00A4000C02E103",
	"00B000000F",
	"00A4000C02E105",
	"00A4000C02E104",
	"00B0000002",
	"00B00002F6",
	"00B000F8F6",
	"00B001EE10",
	"00D60000020000",
	"00B1000003540100",
	"00B0840002",
	"00B0000002",
}

// exchange is a command and its answer, whole, as a tool reported them.
type exchange struct{ command, answer []byte }

// openscTool sends by opensc-tool, which first tries some fifty other applications on the card.
func openscTool(t *testing.T, path string) []exchange {
	args := []string{"--reader", virtual.name}
	for _, command := range asked {
		args = append(args, "-s", command)
	}
	return parseOpensc(t, tool(t, "", path, args...))
}

var openscReceived = regexp.MustCompile(`^Received \(SW1=0x(..), SW2=0x(..)\)`)

// parseOpensc reads lines of sixteen bytes, "XX " each, with as many characters behind them.
func parseOpensc(t *testing.T, out string) []exchange {
	t.Helper()
	var all []exchange
	var status []byte
	end := func() {
		if n := len(all); n > 0 {
			all[n-1].answer = append(all[n-1].answer, status...)
		}
		status = nil
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if command, ok := strings.CutPrefix(line, "Sending: "); ok {
			end()
			all = append(all, exchange{command: unspaced(t, command)})
		} else if found := openscReceived.FindStringSubmatch(line); found != nil {
			status = unspaced(t, found[1]+found[2])
		} else if len(all) > 0 {
			const perByte = len("XX ") + 1
			last := &all[len(all)-1]
			last.answer = append(last.answer, unspaced(t, line[:len(line)/perByte*len("XX ")])...)
		}
	}
	end()
	return all
}

func scriptor(t *testing.T, path string) []exchange {
	return parseScriptor(t, tool(t, strings.Join(asked, "\n")+"\n", path, "-r", virtual.name))
}

// parseScriptor reads "> command" and "< answer : words", the answer over several lines.
func parseScriptor(t *testing.T, out string) []exchange {
	t.Helper()
	var all []exchange
	for _, piece := range strings.Split(out, "\n> ")[1:] {
		command, rest, ok := strings.Cut(piece, "< ")
		require.True(t, ok, "%q", piece)
		answer, _, ok := strings.Cut(rest, ":")
		require.True(t, ok, "%q", piece)
		all = append(all, exchange{unspaced(t, command), unspaced(t, answer)})
	}
	return all
}

func unspaced(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err, "%q", text)
	return b
}

// tool runs a program on the reader of these tests.
func tool(t *testing.T, input, path string, args ...string) string {
	t.Helper()
	command := exec.Command(path, args...)
	command.Stdin = strings.NewReader(input)
	command.Env = append(command.Environ(), "LC_ALL=C")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s: %s", path, out)
	return string(out)
}

// served puts together what the reads of the NDEF file gave.
func served(t *testing.T, exchanges []exchange) []byte {
	t.Helper()
	var file []byte
	ofNDEF := false
	for _, e := range exchanges {
		data, status, err := apdu.ParseAnswer(e.answer)
		require.NoError(t, err)
		command, err := apdu.ParseCommand(e.command)
		require.NoError(t, err)
		if command.INS == apdu.InsSelect && status == apdu.StatusOK {
			ofNDEF = bytes.Equal(command.Data, []byte{0xE1, 0x04})
		}
		if at := int(command.P1)<<8 | int(command.P2); ofNDEF && command.INS == apdu.InsReadBinary && status == apdu.StatusOK && at == len(file) {
			file = append(file, data...)
		}
	}
	return file
}

// transcript writes exchanges down, without what is another on every card: its id and its signatures.
func transcript(program string, a tap.Algorithm, exchanges []exchange, file []byte, u tap.URL) string {
	own := make([]bool, len(file))
	for _, text := range [][]byte{[]byte(u.ID.String()), file[bytes.Index(file, []byte("&s="))+len("&s="):]} {
		at := bytes.Index(file, text)
		for i := range text {
			own[at+i] = true
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# What %s is answered by a locked card with a key of %v. Two dots stand for a byte of the card's id or signature.\n", program, a)
	ofNDEF := false
	for _, e := range exchanges {
		fmt.Fprintf(&text, "> %X\n< ", e.command)
		if bytes.HasPrefix(e.command, []byte{0, apdu.InsSelect, 0}) && len(e.answer) == 2 && e.answer[0] == 0x90 {
			ofNDEF = bytes.HasSuffix(e.command, []byte{0xE1, 0x04})
		}
		at, data := int(e.command[2])<<8|int(e.command[3]), len(e.answer)-2
		for i, b := range e.answer {
			if ofNDEF && e.command[1] == apdu.InsReadBinary && i < data && own[at+i] {
				text.WriteString("..")
				continue
			}
			fmt.Fprintf(&text, "%02X", b)
		}
		text.WriteString("\n")
	}
	return text.String()
}

// TestToolsOfOthersReadTheTag holds what other people's programs get from a card against transcripts, and checks the signatures in them.
func TestToolsOfOthersReadTheTag(t *testing.T) {
	tools := []struct {
		name string
		ask  func(*testing.T, string) []exchange
	}{{"opensc-tool", openscTool}, {"scriptor", scriptor}}
	for _, algorithm := range []tap.Algorithm{tap.P256, tap.RSA2048} {
		t.Run(algorithm.String(), func(t *testing.T) {
			key := insertMade(t, algorithm)
			for i, program := range tools {
				exchanges := program.ask(t, installed(t, program.name))
				require.Len(t, exchanges, len(asked))
				file := served(t, exchanges)
				require.Greater(t, len(file), 2)
				text, err := ndef.ParseURI(file[2:])
				require.NoError(t, err)
				u, err := tap.Parse(text)
				require.NoError(t, err)
				assert.NoError(t, u.Verify(key), program.name)
				assert.Equal(t, uint32(i+1), u.Counter, "%s: one reading, one count", program.name)
				holdAgainst(t, fmt.Sprintf("%s-%s.txt", program.name, algorithm), transcript(program.name, algorithm, exchanges, file, u))
			}
		})
	}
}

// holdAgainst compares a transcript with the one in testdata.
func holdAgainst(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "transcripts", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "%s: look at it, then run the test with -update", path)
}
