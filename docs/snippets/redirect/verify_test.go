package redirect

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const vectorsFile = "../../../testdata/vectors/redirect.json"

type vectors struct {
	Issuer, Audience string
	Now              int64
	JWKS             json.RawMessage
	Cases            []struct{ Name, Token, Expect string }
}

func readVectors(t *testing.T) vectors {
	text, err := os.ReadFile(vectorsFile)
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(text, &v))
	require.Greater(t, len(v.Cases), 30)
	return v
}

// class is the answer as the vectors name it.
func class(err error) string {
	if err == nil {
		return "ok"
	}
	var r Refusal
	if errors.As(err, &r) {
		return string(r)
	}
	return err.Error()
}

func TestGoSnippetAgreesWithTheVectors(t *testing.T) {
	v := readVectors(t)
	keys, err := Keys(v.JWKS)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	now := v.Now
	checker := func() *Checker {
		return &Checker{Issuer: v.Issuer, Audience: v.Audience, Keys: keys, Now: func() time.Time { return time.Unix(now, 0) }}
	}
	for _, c := range v.Cases {
		_, err := checker().Verify(c.Token)
		assert.Equal(t, c.Expect, class(err), c.Name)
	}
	one := checker()
	claims, err := one.Verify(v.Cases[0].Token)
	require.NoError(t, err)
	assert.Equal(t, "AQIDBAUGBwgJCgsM", claims.Card)
	_, err = one.Verify(v.Cases[0].Token)
	assert.Equal(t, "used", class(err))
	now += 100
	assert.True(t, one.first(Claims{ID: "another", Expires: now}, now))
	assert.Len(t, one.seen, 1, "what has expired is forgotten")
}

func FuzzVerify(f *testing.F) {
	f.Fuzz(func(t *testing.T, token string) {
		c := &Checker{Issuer: "https://tap.example.com", Audience: "https://shop.example", Now: time.Now}
		_, err := c.Verify(token)
		require.Contains(t, []string{"malformed", "unknown_key"}, class(err))
	})
}

// need skips the test where a program is not installed, or fails where everything is required.
func need(t *testing.T, program string) string {
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatalf("%s is not installed, and PRODUCTID_REQUIRE=all", program)
	}
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

// The two programs answer with a JSON object: the class of each case by its name, and that of the first one shown again.
const (
	runJS = `import { readFileSync } from "node:fs";
import { verify, Memory } from "./verify.mjs";
const v = JSON.parse(readFileSync("` + vectorsFile + `"));
const answers = {};
const ask = async (name, token, memory) => {
  try {
    await verify(token, { ...v, memory });
    answers[name] = "ok";
  } catch (e) {
    answers[name] = e.message;
  }
};
for (const c of v.cases) await ask(c.name, c.token, new Memory());
const memory = new Memory();
await ask("again", v.cases[0].token, memory);
await ask("again", v.cases[0].token, memory);
console.log(JSON.stringify(answers));`

	runPHP = `require './verify.php';
$v = json_decode(file_get_contents('` + vectorsFile + `'), true);
$seen = [];
$first = function (string $id, int $expires) use (&$seen): bool {
    $new = !isset($seen[$id]);
    $seen[$id] = $expires;
    return $new;
};
$ask = function (string $token) use ($v, $first): string {
    try {
        ProductID\verify($token, $v['issuer'], $v['audience'], $v['jwks'], $v['now'], $first);
        return 'ok';
    } catch (ProductID\Refusal $e) {
        return $e->getMessage();
    }
};
$answers = [];
foreach ($v['cases'] as $c) {
    $seen = [];
    $answers[$c['name']] = $ask($c['token']);
}
$seen = [];
$ask($v['cases'][0]['token']);
$answers['again'] = $ask($v['cases'][0]['token']);
echo json_encode($answers);`
)

func TestOtherSnippetsAgreeWithTheVectors(t *testing.T) {
	for name, arguments := range map[string][]string{
		"node": {"--no-warnings", "--input-type=module", "-e", runJS},
		"php":  {"-d", "error_reporting=-1", "-r", runPHP},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(need(t, name), arguments...).Output()
			require.NoError(t, err)
			var answers map[string]string
			require.NoError(t, json.Unmarshal(out, &answers), "%s", out)
			v := readVectors(t)
			for _, c := range v.Cases {
				assert.Equal(t, c.Expect, answers[c.Name], c.Name)
			}
			assert.Equal(t, "used", answers["again"])
		})
	}
}

// What the page tells to copy is there, and each class that a vector can have is explained.
func TestThePageNamesFilesAndClasses(t *testing.T) {
	page, err := os.ReadFile("../../redirect.md")
	require.NoError(t, err)
	files := regexp.MustCompile(`\]\((snippets/redirect/[^)]+)\)`).FindAllStringSubmatch(string(page), -1)
	require.Len(t, files, 3)
	for _, f := range files {
		_, err := os.Stat("../../" + f[1])
		assert.NoError(t, err)
	}
	for _, c := range readVectors(t).Cases {
		assert.True(t, c.Expect == "ok" || strings.Contains(string(page), "| `"+c.Expect+"` |"), c.Expect)
	}
	assert.Contains(t, string(page), "| `used` |")
}
