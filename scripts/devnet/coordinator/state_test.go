package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	iotago "github.com/iotaledger/iota.go/v3"
)

func TestStateIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coordinator.state")
	s := state{Index: 7, Time: begin.UnixNano(), Block: []byte{1, 2, 3}, block: iotago.BlockID{8}, milestone: iotago.MilestoneID{9}}
	if err := s.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadState(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Index != s.Index || got.Time != s.Time || got.block != s.block || got.milestone != s.milestone || !bytes.Equal(got.Block, s.Block) {
		t.Errorf("read %+v, wrote %+v", got, s)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestStateOfHornetsBootstrapIsRead: the file of hornet's tool has no block.
func TestStateOfHornetsBootstrapIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coordinator.state")
	id := "0x" + strings.Repeat("ab", 32)
	text := `{"latestMilestoneIndex":1,"latestMilestoneBlockId":"` + id + `","latestMilestoneId":"` + id + `","latestMilestoneTime":1700000000000000000}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := loadState(path)
	if err != nil || s.Index != 1 || s.block[0] != 0xab || s.milestone[31] != 0xab || len(s.Block) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestStateThatNamesNoMilestoneIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coordinator.state")
	id := "0x" + strings.Repeat("ab", 32)
	for _, text := range []string{"", "{}", "null", `{"latestMilestoneIndex":-1}`, `{"latestMilestoneIndex":1}`,
		`{"latestMilestoneIndex":1,"latestMilestoneBlockId":"` + id + `","latestMilestoneId":"0x00"}`,
		`{"latestMilestoneIndex":0,"latestMilestoneBlockId":"` + id + `","latestMilestoneId":"` + id + `"}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := loadState(path); err == nil {
			t.Errorf("%s is read as %+v", text, s)
		}
	}
}

func TestMilestoneTimesGrowBySeconds(t *testing.T) {
	c := &coordinator{state: state{Time: begin.Add(300 * time.Millisecond).UnixNano()}}
	if at, err := c.time(begin.Add(5900 * time.Millisecond)); err != nil || !at.Equal(begin.Add(5*time.Second)) {
		t.Errorf("%v, %v", at, err)
	}
	for _, now := range []time.Time{begin, begin.Add(900 * time.Millisecond), begin.Add(-time.Hour)} {
		if at, err := c.time(now); err == nil {
			t.Errorf("at %v a milestone of %v follows one of %v", now, at, begin)
		}
	}
	c.fast = true
	if at, err := c.time(begin.Add(900 * time.Millisecond)); err != nil || !at.Equal(begin.Add(time.Second)) {
		t.Errorf("fast: %v, %v", at, err)
	}
}

func TestQuorumIsMoreThanHalf(t *testing.T) {
	for nodes, want := range map[int]int{1: 1, 2: 2, 3: 2, 5: 3} {
		if got := (&coordinator{nodes: make([]*node, nodes)}).quorum(); got != want {
			t.Errorf("%d nodes: quorum %d, want %d", nodes, got, want)
		}
	}
}

func TestKeysThatAreNoneAreRefused(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := hex.EncodeToString(key)
	if keys, err := parseKeys(good + "," + good); err != nil || len(keys) != 2 || !keys[0].Equal(key) {
		t.Errorf("%v, %v", keys, err)
	}
	for _, text := range []string{"", ",", good + ",", good[:64], "zz" + good[2:]} {
		_, err := parseKeys(text)
		if err == nil {
			t.Errorf("%q is taken", text)
		} else if len(text) > 2 && strings.Contains(err.Error(), text[2:]) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
}

func TestTroubleIsToldOnceAndItsEnd(t *testing.T) {
	var tr trouble
	at := func(seconds int, err error) string {
		return tr.words(err, begin.Add(time.Duration(seconds)*time.Second))
	}
	if w := at(0, os.ErrClosed); w != "" {
		t.Errorf("a round that failed alone is told: %s", w)
	}
	if w := at(1, nil); w != "" {
		t.Errorf("its end too: %s", w)
	}
	at(2, os.ErrClosed)
	if w := at(5, os.ErrClosed); w != os.ErrClosed.Error() {
		t.Errorf("trouble that lasts is not told: %q", w)
	}
	if w := at(6, os.ErrClosed); w != "" {
		t.Errorf("it is told twice: %q", w)
	}
	if w := at(60, os.ErrClosed); w == "" {
		t.Error("it is not told again after a while")
	}
	if w := at(61, nil); w == "" {
		t.Error("its end is not told")
	}
}

func TestWrongCallsAreRefused(t *testing.T) {
	t.Setenv("COO_PRV_KEYS", "")
	for _, args := range [][]string{{}, {"-state", "x"}, {"-state", "x", "-interval", "0s", "a:1"}, {"-state", "x", "a:1"}, {"-nonsense"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%v runs", args)
		}
	}
}
