package identity_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
)

// A child is this test binary started again, to kill itself while it writes: one line on its standard output for each answer.
const (
	envPlace = "IDENTITY_TEST_PLACE"
	envDieAt = "IDENTITY_TEST_DIE_AT" // point:passing
)

// TestChild is what a child does: each kind of write, one after the other.
func TestChild(t *testing.T) {
	place := os.Getenv(envPlace)
	if place == "" {
		t.Skip("it is for the test of crashes alone")
	}
	o, _ := options(t, "https://id.example.com")
	o.Random, o.Hook = nil, dieAt(os.Getenv(envDieAt))
	i := open(t, place, o)
	v, err := i.Invite(t.Context(), acme, identity.Owner, "Ada", time.Hour)
	require.NoError(t, err)
	fmt.Println("invited", v.Token.Reveal())
	d := newDevice()
	p, codes, err := d.enrol(t, i, v.Token)
	require.NoError(t, err)
	fmt.Println("enrolled", v.Token.Reveal())
	_, err = d.login(t, i)
	require.NoError(t, err)
	key, token, err := i.CreateKey(t.Context(), order(identity.ReadCards))
	require.NoError(t, err)
	fmt.Println("made", token.Reveal())
	_, err = i.Recover(t.Context(), codes[0].Reveal())
	require.NoError(t, err)
	fmt.Println("recovered", codes[0].Reveal())
	require.NoError(t, i.RevokeKey(t.Context(), acme, key.ID))
	fmt.Println("revoked", token.Reveal())
	v, err = i.Invite(t.Context(), bell, identity.Auditor, "Ada", time.Hour)
	require.NoError(t, err)
	_, err = i.Accept(t.Context(), p.ID, v.Token)
	require.NoError(t, err)
	fmt.Println("accepted", v.Token.Reveal())
}

// dieAt makes a hook that kills the process, as kill -9 does, at the n-th passing of a point.
func dieAt(text string) func(string) {
	point, passing, _ := strings.Cut(text, ":")
	n, _ := strconv.Atoi(passing)
	return func(at string) {
		runtime.LockOSThread()
		if at != point {
			return
		}
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// writes is how many transactions a child makes.
const writes = 8

func TestKilledAnywhereWhatWasAnsweredStandsAndNothingIsHalf(t *testing.T) {
	for name, fresh := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return filepath.Join(t.TempDir(), "identity.db") },
		"postgres": storetest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			for _, point := range []string{store.PointApplied, store.PointCommitted} {
				for passing := 1; passing <= writes; passing++ {
					t.Run(fmt.Sprintf("%s:%d", point, passing), func(t *testing.T) {
						place := fresh(t)
						answers := killed(t, place, fmt.Sprintf("%s:%d", point, passing))
						o, _ := options(t, "https://id.example.com")
						i := open(t, place, o)
						checkAnswers(t, i, answers)
						checkWhole(t, i)
					})
				}
			}
		})
	}
}

// killed runs a child to its death and returns its answers: what was done, and the secret it was done with.
func killed(t *testing.T, place, at string) map[string]identity.Secret {
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), envPlace+"="+place, envDieAt+"="+at)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.ErrorContains(t, cmd.Run(), "signal: killed", "%s", &out)
	answers := map[string]identity.Secret{}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		if what, secret, ok := strings.Cut(lines.Text(), " "); ok {
			answers[what] = identity.Secret(secret)
		}
	}
	return answers
}

// checkAnswers wants everything that was answered.
func checkAnswers(t *testing.T, i *identity.Identity, answers map[string]identity.Secret) {
	for what, secret := range answers {
		var err, want error
		switch what {
		case "invited":
			if _, err = i.Invitation(t.Context(), secret); errors.Is(err, identity.ErrUnknownInvitation) {
				err = nil // used by the write that came next: see checkWhole
				people, failed := i.People(t.Context(), acme)
				require.NoError(t, failed)
				assert.Len(t, people, 1)
			}
		case "enrolled", "accepted":
			_, err = i.Invitation(t.Context(), secret)
			want = identity.ErrUnknownInvitation
		case "made":
			if _, _, err = i.Authenticate(t.Context(), secret.Reveal()); errors.Is(err, identity.ErrRevokedKey) {
				err = nil // by the write that came next
			}
		case "recovered":
			_, err = i.Recover(context.Background(), secret.Reveal())
			want = identity.ErrBadCode
		case "revoked":
			_, _, err = i.Authenticate(t.Context(), secret.Reveal())
			want = identity.ErrRevokedKey
		}
		assert.ErrorIs(t, err, want, what)
	}
}

// checkWhole wants whoever is there to have all that he was given at once.
func checkWhole(t *testing.T, i *identity.Identity) {
	people, err := i.People(t.Context(), acme)
	require.NoError(t, err)
	for _, p := range people {
		keys, err := i.Passkeys(t.Context(), p.ID)
		require.NoError(t, err)
		assert.Len(t, keys, 1)
		left, err := i.RecoveryCodesLeft(t.Context(), p.ID)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, left, 9)
	}
	_, err = i.Invite(t.Context(), acme, identity.Owner, "Bob", time.Hour)
	assert.NoError(t, err, "it can still be written")
}
