package identity_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

func FuzzToken(f *testing.F) {
	i, _ := fresh(f)
	_, good, err := i.CreateKey(f.Context(), order(identity.ReadCards))
	require.NoError(f, err)
	f.Add(good.Reveal())
	f.Fuzz(func(t *testing.T, text string) {
		id, test, ok := identity.ParseToken(text)
		if ok {
			kind := map[bool]string{false: "live", true: "test"}[test]
			assert.True(t, strings.HasPrefix(text, "pid_"+kind+"_"+id+"_"))
			assert.Len(t, text, len(good))
		}
		_, _, err := i.Authenticate(t.Context(), text)
		if text == good.Reveal() {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, identity.ErrUnknownKey)
		}
	})
}

func FuzzCode(f *testing.F) {
	f.Add("abcd-efgh-ijkl-mnop")
	f.Add(" ABCD EFGH\u00a0ijkl\tm0p8\n")
	f.Fuzz(func(t *testing.T, text string) {
		code, ok := identity.ParseCode(text)
		if !ok {
			return
		}
		assert.Regexp(t, `^[a-z2-7]{16}$`, code)
		again, ok := identity.ParseCode(code)
		assert.True(t, ok)
		assert.Equal(t, code, again)
	})
}

func FuzzCeremony(f *testing.F) {
	i, _ := fresh(f)
	good, err := i.Put("kind", "state")
	require.NoError(f, err)
	f.Add(good)
	f.Add(good + "\n")
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, text string) {
		var state string
		_, err := i.Take("kind", text, &state)
		if err == nil { // sealed here, or by another process under the same secret
			assert.Equal(t, "state", state)
			assert.Len(t, text, len(good))
			return
		}
		assert.ErrorIs(t, err, identity.ErrBadCeremony)
		assert.NotEqual(t, good, text)
	})
}

// FuzzCookie sends whatever a browser may send as cookies.
func FuzzCookie(f *testing.F) {
	i, _ := fresh(f)
	enter(f, i, acme, identity.Owner, "Ada")
	h := i.Sessions()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, identity.From(r.Context()).ID) }))
	f.Add("__Host-productid=" + strings.Repeat("A", 43))
	f.Add("__Host-productid=; __Host-productid=x")
	f.Fuzz(func(t *testing.T, cookies string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{cookies}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Empty(t, w.Body.String())
		assert.Empty(t, w.Header().Get("Set-Cookie"))
	})
}

// FuzzAnswer sends whatever a browser may send as a passkey's answer.
func FuzzAnswer(f *testing.F) {
	i, _ := fresh(f)
	_, d, _ := enrolled(f, i, identity.Owner, "Ada")
	v, err := i.Invite(f.Context(), acme, identity.Owner, "Bob", time.Hour)
	require.NoError(f, err)
	create, enrolment, err := i.BeginEnrol(f.Context(), v.Token)
	require.NoError(f, err)
	get, login, err := i.BeginLogin(f.Context())
	require.NoError(f, err)
	evil := newDevice()
	evil.rp.Origin = "https://evil.example.com"
	f.Add(evil.create(f, create))
	wrong := *d
	wrong.rp.Origin = "https://evil.example.com"
	f.Add(wrong.get(f, get))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, err := i.FinishLogin(t.Context(), login, answer)
		assert.True(t, refused(err), "%v", err)
		_, _, err = i.FinishEnrol(t.Context(), enrolment, answer)
		assert.True(t, refused(err), "%v", err)
	})
}
