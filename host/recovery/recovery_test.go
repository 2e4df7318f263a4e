package recovery_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/recovery"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// place is the folder of an installation.
type place string

func (p place) safe() secrets.Safe               { return secrets.Safe{Dir: string(p)} }
func (p place) file(name string) string          { return filepath.Join(string(p), name) }
func (p place) resume() (recovery.Report, error) { return p.resumeWith(nil) }

// options are those of the installation's log. The guard has one name for all logs, as --guard gives it.
func (p place) options(t require.TestingT, own secrets.Secrets) tlog.Options {
	signer, err := ledger.NewSigner(string(own.Log))
	require.NoError(t, err)
	return tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Guard: p.file("log.guard"), Removable: record.Removable}
}

func (p place) resumeWith(hook func(string)) (recovery.Report, error) {
	own, err := p.safe().Load()
	if err != nil {
		return recovery.Report{}, err
	}
	signer, err := ledger.NewSigner(string(own.Log))
	if err != nil {
		return recovery.Report{}, err
	}
	safe := p.safe()
	safe.Hook = hook
	return recovery.Resume(context.Background(), recovery.Options{
		Safe: safe, Log: p.file("ledger.db"), Registry: p.file("registry.db"), Hook: hook,
		Options: tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Guard: p.file("log.guard"), Hook: hook},
	})
}

// house is an opened installation.
type house struct {
	own     secrets.Secrets
	log     *tlog.Log
	cache   *registry.Registry
	taps    *validation.Service
	authors *secrets.Authors
}

func (p place) open(t *testing.T, create bool) *house {
	t.Helper()
	own, err := p.safe().Load()
	require.NoError(t, err)
	o := p.options(t, own)
	o.Create = create
	h := &house{own: own, authors: secrets.NewAuthors(own)}
	h.log, err = tlog.Open(t.Context(), p.file("ledger.db"), o)
	require.NoError(t, err)
	h.cache, err = registry.Open(t.Context(), p.file("registry.db"), registry.Options{Ledger: h.log, Master: own.Master})
	require.NoError(t, err)
	require.NoError(t, h.cache.Sync(t.Context()))
	h.taps = validation.New(validation.Options{Ledger: h.log, Registry: h.cache, Authors: h.authors, Master: own.Master, Now: time.Now, Random: rand.Reader})
	return h
}

func (h *house) close(t *testing.T) {
	require.NoError(t, h.cache.Close())
	require.NoError(t, h.log.Close())
}

func (h *house) station(issuer int) *station.Station {
	return station.New(station.Options{
		Ledger: h.log, List: h.log, Registry: h.cache, Issuer: h.own.Issuers[issuer], Authors: h.authors, Name: "bench", Random: rand.Reader, Now: time.Now,
	})
}

func (h *house) update(t *testing.T, url string) validation.Code {
	v, err := h.taps.Update(t.Context(), validation.Request{URL: url})
	require.NoError(t, err)
	return v.Code
}

// loss is an installation of three issuers, of which the log lost two taps, the third issuer's opening and its card.
type loss struct {
	place
	cards []*cardtest.Card // of the issuers 0, 0, 1, 2
	used  []string         // URLs of the lost part
	now   []byte           // newest checkpoint before it was lost
}

func lose(t *testing.T) *loss {
	l := &loss{place: place(t.TempDir())}
	own, err := secrets.New("log.example.com/old", "first", "", rand.Reader, time.Now())
	require.NoError(t, err)
	for _, name := range []string{"second", "third"} {
		i, err := secrets.NewIssuer(name, "", rand.Reader, time.Now())
		require.NoError(t, err)
		own.Issuers = append(own.Issuers, i)
	}
	require.NoError(t, l.safe().Create(own))
	h := l.open(t, true)
	make := func(issuer int) {
		c := cardtest.New(fmt.Sprint("card ", len(l.cards)))
		template, err := tap.PlainTemplate("https://tap.example.com/t")
		require.NoError(t, err)
		_, err = h.station(issuer).Personalise(t.Context(), c, station.Order{
			Template: template, Algorithm: tap.P256, Subject: record.SubjectProduct, Lock: true,
			Confirm: func(station.Irreversible, tap.CardID) error { return nil },
		}, func(station.Event) {})
		require.NoError(t, err)
		l.cards = append(l.cards, c)
	}
	make(0)
	make(0)
	make(1)
	require.Equal(t, validation.Recorded, h.update(t, l.cards[0].Soft.Tap()))
	h.close(t)
	before, err := os.ReadFile(l.file("ledger.db"))
	require.NoError(t, err)
	h = l.open(t, false)
	for range 2 {
		l.used = append(l.used, l.cards[0].Soft.Tap())
		require.Equal(t, validation.Recorded, h.update(t, l.used[len(l.used)-1]))
	}
	make(2)
	l.now, err = h.log.Checkpoint(t.Context())
	require.NoError(t, err)
	h.close(t)
	require.NoError(t, os.WriteFile(l.file("ledger.db"), before, 0o600))
	return l
}

func (l *loss) giveUp(t *testing.T) secrets.Secrets {
	own, err := l.safe().Load()
	require.NoError(t, err)
	found, err := recovery.Look(t.Context(), l.file("ledger.db"), l.options(t, own))
	require.NoError(t, err)
	assert.EqualValues(t, 9, found.Known)
	assert.EqualValues(t, 14, found.Held)
	own, err = recovery.GiveUp(t.Context(), l.safe(), l.file("ledger.db"), found, "log.example.com/new", rand.Reader, time.Now())
	require.NoError(t, err)
	return own
}

// holds checks all that has to be so once the recovery has ended.
func (l *loss) holds(t *testing.T, p place) {
	t.Helper()
	_, err := os.Stat(recovery.Kept(p.file("ledger.db"), "log.example.com/old"))
	require.NoError(t, err)
	h := p.open(t, false)
	defer h.close(t)
	assert.False(t, h.own.Resuming || h.own.Unbegun)
	info, err := h.log.Info(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 5, info.Size, "two successions and three cards")
	rejections, err := h.cache.Rejections(t.Context())
	require.NoError(t, err)
	assert.Empty(t, rejections)
	for n, c := range l.cards {
		want := validation.HistoryLost
		if n == 3 {
			want = validation.UnknownCard
		}
		assert.Equal(t, want, h.update(t, c.Soft.Tap()), "card %d", n)
	}
	for _, url := range l.used {
		assert.Equal(t, validation.HistoryLost, h.update(t, url))
	}
	before, err := h.cache.Dump(t.Context())
	require.NoError(t, err)
	require.NoError(t, h.cache.Rebuild(t.Context()))
	after, err := h.cache.Dump(t.Context())
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func TestAnInstallationGoesOnWithoutWhatItLost(t *testing.T) {
	l := lose(t)
	before, err := l.safe().Load()
	require.NoError(t, err)
	own := l.giveUp(t)
	assert.Equal(t, "log.example.com/new", own.Origin())
	for n := range own.Issuers {
		known := n < 2
		assert.Equal(t, known, before.Issuers[n].Next == own.Issuers[n].Seed)
		assert.Equal(t, known, before.Issuers[n].Taps == own.Issuers[n].Taps)
		assert.NotEqual(t, before.Issuers[n].Next, own.Issuers[n].Next)
	}
	_, err = l.resume()
	require.NoError(t, err)
	l.holds(t, l.place)
	_, err = l.resume()
	require.ErrorIs(t, err, recovery.ErrNothingLost)

	h := l.open(t, false)
	defer h.close(t)
	old := l.cards[0].Soft.Tap()
	_, err = h.station(1).Reinstate(t.Context(), l.cards[0])
	require.ErrorIs(t, err, station.ErrForeign)
	report, err := h.station(0).Reinstate(t.Context(), l.cards[0])
	require.NoError(t, err)
	assert.Equal(t, record.StateInService, report.State)
	for _, url := range append(l.used, old) {
		assert.Equal(t, validation.Superseded, h.update(t, url))
	}
	fresh := l.cards[0].Soft.Tap()
	assert.Equal(t, validation.Recorded, h.update(t, fresh))
	assert.Equal(t, validation.AlreadyUsed, h.update(t, fresh))
	_, err = h.station(0).Reinstate(t.Context(), l.cards[0])
	require.ErrorIs(t, err, station.ErrNotLost)
	assert.Equal(t, validation.HistoryLost, h.update(t, l.cards[1].Soft.Tap()), "each card for itself")

	kept, err := tlog.OpenReader(t.Context(), recovery.Kept(l.file("ledger.db"), "log.example.com/old"), own.Lost[0].Origin(), own.Lost[0].Key)
	require.NoError(t, err)
	defer kept.Close()
	require.ErrorIs(t, kept.Against(t.Context(), l.now), tlog.ErrRolledBack)
}

// No channel that was written before is written again: nobody knows which numbers of it are taken.
func TestNothingIsWrittenTwice(t *testing.T) {
	l := lose(t)
	h := l.place
	l.giveUp(t)
	_, err := h.resume()
	require.NoError(t, err)
	now := h.open(t, false)
	defer now.close(t)
	for n := range 3 {
		if n < 2 {
			_, err := now.station(0).Reinstate(t.Context(), l.cards[n])
			require.NoError(t, err)
		}
	}
	older, err := tlog.OpenReader(t.Context(), recovery.Kept(l.file("ledger.db"), "log.example.com/old"), now.own.Lost[0].Origin(), now.own.Lost[0].Key)
	require.NoError(t, err)
	defer older.Close()
	before := map[channel.ID]bool{}
	collect := func(log ledger.Ledger, each func(channel.ID)) {
		require.NoError(t, log.Follow(t.Context(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
			for _, e := range batch {
				each(e.Message.Channel())
			}
			if len(batch) == 0 {
				return ledger.ErrStop
			}
			return nil
		}))
	}
	collect(older, func(id channel.ID) { before[id] = true })
	collect(now.log, func(id channel.ID) { assert.False(t, before[id], "channel %v", id) })
}

func TestALogThatLostNothingIsNotGivenUp(t *testing.T) {
	l := lose(t)
	own, err := l.safe().Load()
	require.NoError(t, err)
	require.NoError(t, os.Remove(l.file("log.guard")))
	o := l.options(t, own)
	_, err = recovery.Look(t.Context(), l.file("ledger.db"), o)
	require.ErrorIs(t, err, tlog.ErrNoGuard, "who knows")
	o.AdoptGuard = true
	log, err := tlog.Open(t.Context(), l.file("ledger.db"), o)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	_, err = recovery.Look(t.Context(), l.file("ledger.db"), o)
	require.ErrorIs(t, err, recovery.ErrNothingLost)
	_, err = l.resume()
	require.ErrorIs(t, err, recovery.ErrNothingLost)
}

const envPlace, envPoint = "RECOVERY_TEST_PLACE", "RECOVERY_TEST_POINT"

func TestMain(m *testing.M) {
	if folder := os.Getenv(envPlace); folder != "" {
		dieAt, _ := strconv.Atoi(os.Getenv(envPoint))
		var passed atomic.Int32
		_, err := place(folder).resumeWith(func(string) {
			if passed.Add(1) == int32(dieAt) {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // until the signal comes
			}
		})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Killed with -9 at each point that it passes, a recovery is finished by another run.
func TestKilledAtEveryPointOfARecovery(t *testing.T) {
	l := lose(t)
	l.giveUp(t)
	kills := 0
	for ; ; kills++ {
		p := place(t.TempDir())
		copyAll(t, string(l.place), string(p))
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), envPlace+"="+string(p), envPoint+"="+strconv.Itoa(kills+1))
		out, err := child.CombinedOutput()
		if err == nil {
			l.holds(t, p)
			break
		}
		require.ErrorContains(t, err, "signal: killed", "%s", out)
		if _, err = p.resume(); err != nil { // it had come to its end
			require.ErrorIs(t, err, recovery.ErrNothingLost, "killed at point %d", kills+1)
		}
		l.holds(t, p)
	}
	require.Greater(t, kills, 20)
	t.Logf("killed at %d points", kills)
}

func copyAll(t *testing.T, from, to string) {
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range entries {
		in, err := os.Open(filepath.Join(from, e.Name()))
		require.NoError(t, err)
		out, err := os.OpenFile(filepath.Join(to, e.Name()), os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = io.Copy(out, in)
		require.NoError(t, err)
		require.NoError(t, out.Close())
		require.NoError(t, in.Close())
	}
}
