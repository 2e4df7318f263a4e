package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/ledger"
)

// python is an interpreter with the package cryptography: of Debian's, which scripts/setup.sh brings, or the one on the path.
func python(t *testing.T) string {
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import cryptography").Run() == nil {
			return name
		}
	}
	const missing = "no Python 3 with the package cryptography (Debian: python3-cryptography)"
	if os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// judged is a bundle with what this package says of it.
type judged struct {
	name   string
	data   []byte
	policy ledger.Policy
	now    time.Time
}

// TestASecondImplementationSaysTheSame gives every bundle of the tests, good, bad and changed at random, to the verifier that was
// written in Python from docs/formats alone, and compares its facts, or the class of its refusal.
func TestASecondImplementationSaysTheSame(t *testing.T) {
	interpreter := python(t)
	script, err := os.ReadFile("../../scripts/verify_bundle.py")
	require.NoError(t, err)
	assert.LessOrEqual(t, bytes.Count(script, []byte("\n")), 300, "lines of a verifier that somebody else may want to write too")
	groups := map[string][]judged{}
	for _, j := range allBundles(t) {
		policy, err := json.Marshal(j.policy)
		require.NoError(t, err)
		key := fmt.Sprintf("%d %s", j.now.UnixMilli(), policy)
		groups[key] = append(groups[key], j)
	}
	for _, group := range groups {
		for i, got := range askPython(t, interpreter, group) {
			j := group[i]
			r, err := Verify(j.data, j.policy, j.now)
			if err != nil {
				assert.Equal(t, Class(err), got["class"], "%s: %v; Python: %v", j.name, err, got["why"])
				continue
			}
			want := map[string]any{}
			require.NoError(t, json.Unmarshal([]byte(printed(t, r)), &want))
			want["holds"] = true
			delete(want, "proved") // words that follow from the facts
			delete(want, "trusted")
			assert.Equal(t, want, got, j.name)
		}
	}
}

// TestTheSecondImplementationTrustsNobodyByMistake: under policies that Policy.Check refuses it believes no more than this package.
func TestTheSecondImplementationTrustsNobodyByMistake(t *testing.T) {
	interpreter := python(t)
	n := newTangle(t, 1)
	nobody := n.policy()
	nobody.Coordinators[0].Threshold, nobody.Coordinators[0].Keys = 0, []string{}
	w := tapped(t, 1)
	data, twice := w.witnessed()
	twice.Witnesses[1] = twice.Witnesses[0]
	for _, j := range []judged{{"nobody's signature", n.make(), nobody, n.now()}, {"one witness twice", data, twice, w.now}} {
		_, err := Verify(j.data, j.policy, j.now)
		require.Error(t, err, j.name)
		assert.Equal(t, "invalid_proof", askPython(t, interpreter, []judged{j})[0]["class"], j.name)
	}
}

// askPython runs the script on bundles that share policy and time.
func askPython(t *testing.T, interpreter string, group []judged) (answers []map[string]any) {
	dir := t.TempDir()
	policy, err := json.Marshal(group[0].policy)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "policy"), policy, 0o600))
	args := []string{"../../scripts/verify_bundle.py", "--policy", filepath.Join(dir, "policy"), "--now", fmt.Sprint(group[0].now.UnixMilli())}
	for i, j := range group {
		name := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(name, j.data, 0o600))
		args = append(args, name)
	}
	c := exec.Command(interpreter, args...)
	var errors bytes.Buffer
	c.Stderr = &errors
	out, err := c.Output()
	exit, _ := err.(*exec.ExitError)
	require.True(t, err == nil || exit != nil && exit.ExitCode() == 3, "%v: %s", err, errors.String())
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	require.Len(t, lines, len(group))
	for _, line := range lines {
		answer := map[string]any{}
		require.NoError(t, json.Unmarshal(line, &answer), "%s", line)
		answers = append(answers, answer)
	}
	return answers
}

// allBundles are those of the tests.
func allBundles(t *testing.T) (all []judged) {
	for name, w := range goodWorlds(t) {
		all = append(all, judged{name, w.make(w.options()), w.policy, w.now}, judged{name + ", without a head", w.make(Options{}), w.policy, w.now})
	}
	w := tapped(t, 1)
	data, policy := w.witnessed()
	all = append(all, judged{"witnessed", data, policy, w.now})
	data, policy, w = anchored(t)
	all = append(all, judged{"anchored", data, policy, w.now})
	all = append(all, foreignBundles(t)...)
	for seed := range uint64(12) {
		all = append(all, newChance(t, seed).bundles(t, seed)...)
	}
	data, policy, w = anchoredOnStardust(t)
	all = append(all, judged{"anchored on Stardust", data, policy, w.now})
	all = append(all, mutations(data, policy, w.now, 301)...)
	n := newTangle(t, 5)
	all = append(all, judged{"on Stardust", n.make(), n.policy(), n.now()})
	for _, b := range append(badBundles(t), badTangles(t)...) {
		all = append(all, judged{b.name, b.data, b.policy, b.now})
	}
	return append(all, mutations(n.make(), n.policy(), n.now(), 301)...)
}

// mutations are bundles with a byte changed, one in so many.
func mutations(data []byte, policy ledger.Policy, now time.Time, step int) (all []judged) {
	for i := 0; i < len(data); i += step {
		changed := bytes.Clone(data)
		changed[i] ^= 1 << (i % 7)
		all = append(all, judged{fmt.Sprintf("byte %d changed", i), changed, policy, now})
	}
	return all
}
