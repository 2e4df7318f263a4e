package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
)

// site is a service in processes of its own, over one data folder.
type site struct {
	t    *testing.T
	at   string
	data string
	env  []string
	key  string // an API key that may record taps
}

func newSite(t *testing.T, env ...string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, at: freeAddress(t), data: filepath.Join(dir, "data")}
	s.env = append(append(os.Environ(), "PRODUCTID_DATA="+s.data, "XDG_STATE_HOME="+filepath.Join(dir, "state")), env...)
	return s
}

// do runs a command to its end.
func (s *site) do(env []string, args ...string) string {
	s.t.Helper()
	c := exec.Command("productid", args...)
	c.Env = append(s.env, env...)
	out, err := c.Output()
	require.NoError(s.t, err, "%v", args)
	return string(out)
}

// start serves at an address, and returns when it is ready.
func (s *site) start(at string, flags ...string) *exec.Cmd {
	s.t.Helper()
	c := exec.Command("productid", append([]string{"serve", "--listen", at, "--rate", "1000000"}, flags...)...)
	talk := new(bytes.Buffer)
	c.Env, c.Stdout, c.Stderr = s.env, talk, talk
	require.NoError(s.t, c.Start())
	s.t.Cleanup(func() { _ = c.Process.Kill() })
	require.True(s.t, awaitReady(s.t, at, 20*time.Second), "%s", talk)
	return c
}

// makeCards personalises cards, and makes a key that may record their taps.
func (s *site) makeCards(n int) []*cardtest.Card {
	s.t.Helper()
	var cards []*cardtest.Card
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(s.t, err)
		card := cardtest.New(fmt.Sprint("card ", i))
		go (&cardServer{card: card}).serve(l)
		s.do([]string{"PRODUCTID_READER=sim:" + l.Addr().String()}, "card", "personalise", "--yes", "--template", "https://tap.example.com/t")
		require.NoError(s.t, l.Close())
		cards = append(cards, card)
	}
	s.key = s.makeKey("taps:record")
	return cards
}

func (s *site) makeKey(scope string) string {
	s.t.Helper()
	key := regexp.MustCompile(`pid_live_[A-Za-z0-9_]+`).FindString(s.do(nil, "keys", "api", "create", "--name", "test", "--scope", scope))
	require.NotEmpty(s.t, key)
	return key
}

// tapped reads the card as a phone does.
func tapped(t *testing.T, card *cardtest.Card) string {
	t.Helper()
	m, err := t4t.Read(card)
	require.NoError(t, err)
	url, err := ndef.ParseURI(m.NDEF)
	require.NoError(t, err)
	return url
}

// ask has a service validate a tap or record it, and returns the code of its answer; the error is of a service that gives none.
func (s *site) ask(at, action, url string) (string, error) {
	body, err := json.Marshal(map[string]string{"url": url, "action": action})
	if err != nil {
		return "", err
	}
	q, err := http.NewRequest("POST", "http://"+at+"/v1/taps", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+s.key)
	r, err := (&http.Client{Timeout: 5 * time.Second}).Do(q)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	var answer struct{ Code string }
	return answer.Code, json.Unmarshal(text, &answer)
}

// TestServeIsReadyAtOnceInAnEmptyFolder: nothing has to be set up before, and it ends as it is told.
func TestServeIsReadyAtOnceInAnEmptyFolder(t *testing.T) {
	s, begun := newSite(t), time.Now()
	c := s.start(s.at)
	took := time.Since(begun)
	t.Logf("ready after %v", took.Round(time.Millisecond))
	assert.Less(t, took, 2*time.Second)
	begun = time.Now()
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, c.Wait())
	assert.Less(t, time.Since(begun), 10*time.Second)
}

// TestKilledServiceLosesNothingThatItAnswered kills the service with SIGKILL while taps are recorded: whatever was answered as recorded
// is used up afterwards.
func TestKilledServiceLosesNothingThatItAnswered(t *testing.T) {
	s := newSite(t)
	cards := s.makeCards(4)
	random := rand.New(rand.NewPCG(5, 6))
	var mu sync.Mutex
	var recorded []string
	const kills = 5
	for range kills {
		c := s.start(s.at)
		var wait sync.WaitGroup
		for _, card := range cards {
			wait.Go(func() {
				for {
					url := tapped(t, card)
					code, err := s.ask(s.at, "update", url)
					if err != nil {
						return // killed
					}
					if code == "recorded" {
						mu.Lock()
						recorded = append(recorded, url)
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(100*time.Millisecond + time.Duration(random.Int64N(int64(200*time.Millisecond))))
		require.NoError(t, c.Process.Kill())
		c.Wait() // it was killed
		wait.Wait()
	}
	require.GreaterOrEqual(t, len(recorded), 4*kills)

	s.start(s.at)
	codes := map[string]int{}
	for _, url := range recorded[max(0, len(recorded)-100):] {
		code, err := s.ask(s.at, "validate", url)
		require.NoError(t, err)
		codes[code]++
	}
	t.Logf("%d taps answered as recorded over %d kills; of the last of them %v", len(recorded), kills, codes)
	for code := range codes {
		assert.Contains(t, []string{"already_used", "superseded", "too_many"}, code)
	}
	assert.NotZero(t, codes["already_used"], "the newest of each card")
	var report checkView
	require.NoError(t, json.Unmarshal([]byte(s.do(nil, "--json", "ledger", "verify")), &report))
	assert.True(t, report.Holds)
}

// TestServicesShareADatabase: a tap that is offered to two services at once is recorded once, and when one of them is killed the other
// goes on.
func TestServicesShareADatabase(t *testing.T) {
	database := storetest.Postgres(t)
	s := newSite(t, "PRODUCTID_LEDGER="+database)
	card := s.makeCards(1)[0]
	ats := []string{s.at, freeAddress(t)}
	first := s.start(ats[0])
	s.start(ats[1])
	for range 3 {
		url := tapped(t, card)
		var mu sync.Mutex
		codes := map[string]int{}
		var wait sync.WaitGroup
		for i := range 10 {
			wait.Go(func() {
				code, err := s.ask(ats[i%2], "update", url)
				assert.NoError(t, err)
				mu.Lock()
				codes[code]++
				mu.Unlock()
			})
		}
		wait.Wait()
		assert.Equal(t, 1, codes["recorded"], "%v", codes)
		assert.Equal(t, 9, codes["already_used"], "%v", codes)
	}
	require.NoError(t, first.Process.Kill())
	first.Wait() // it was killed
	code, err := s.ask(ats[1], "update", tapped(t, card))
	require.NoError(t, err)
	assert.Equal(t, "recorded", code)
}

// TestLogOfAServiceHoldsNoSignature looks at everything that a service writes, also where a request is none.
func TestLogOfAServiceHoldsNoSignature(t *testing.T) {
	s := newSite(t)
	card := s.makeCards(1)[0]
	url := tapped(t, card)
	_, signature, _ := strings.Cut(url, "&s=")
	require.Greater(t, len(signature), 80)
	c := exec.Command("productid", "serve", "--listen", s.at)
	talk := new(bytes.Buffer)
	c.Env, c.Stdout, c.Stderr = s.env, talk, talk
	require.NoError(t, c.Start())
	require.True(t, awaitReady(t, s.at, 20*time.Second))
	path := strings.TrimPrefix(url, "https://tap.example.com")
	for _, request := range []string{
		"GET " + path + " HTTP/1.1\r\nHost: x\r\nReferer: " + url + "\r\n\r\n", "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"GET /check?url=" + strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F", "=", "%3D", "&", "%26").Replace(url) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /" + signature + " HTTP/1.1\r\nHost: x\r\n\r\n", "GET " + path + "%zz HTTP/1.1\r\nHost: x\r\n\r\n", "BREW " + path + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET //" + path + " HTTP/1.1\r\nHost: x\r\n\r\n", "GET " + path + " HTTP/9.9\r\nHost: x\r\n\r\n", signature + " / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", s.at)
		require.NoError(t, err)
		_, err = io.WriteString(conn, request)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		_, _ = io.ReadAll(conn)
		conn.Close()
	}
	require.NoError(t, c.Process.Signal(syscall.SIGINT))
	require.NoError(t, c.Wait())
	require.Contains(t, talk.String(), "s=…")
	for i := 0; i+20 <= len(signature); i++ {
		require.NotContains(t, talk.String(), signature[i:i+20])
	}
}
