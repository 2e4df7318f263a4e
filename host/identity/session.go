package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/alexedwards/scs/v2"
)

// ErrNoSession says that the call does not come from within a handler that Sessions wraps.
var ErrNoSession = errors.New("no session can be begun or ended here: the handler is not behind Sessions")

// ErrUnknownSession says that somebody has no such session, or that it is over.
const ErrUnknownSession = refusal("there is no such session any more")

// Session is one browser in which somebody is signed in. ID names it, and lets nobody in.
type Session struct {
	ID       string
	Agent    string // what the browser calls itself
	Begun    time.Time
	LastSeen time.Time // to the minute
	Expires  time.Time // however much it is used
}

// seenEvery is how exactly a session's and a person's last visit is known.
const seenEvery = time.Minute

// What scs keeps of a session while a request lasts.
const (
	sessionPerson = "person"
	sessionID     = "id"
	sessionBegun  = "begun"
)

// newSessions sets scs up: it draws tokens, hashes them, and writes cookies. Ages are ours, by our clock and in the database,
// because scs would write at each request, and so bring back a session that was ended while the request lasted. It is not made by
// scs.New, whose store in memory would leave a goroutine running.
func (i *Identity) newSessions() *scs.SessionManager {
	fail := i.o.Fail
	if fail == nil {
		fail = func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "Nobody can be signed in right now. Try again in a moment.", http.StatusServiceUnavailable)
		}
	}
	name, secure := CookieName(i.scheme())
	return &scs.SessionManager{
		Store: &sessionStore{i}, Codec: codec{}, HashTokenInStore: true, Lifetime: i.o.Lifetime, ErrorFunc: fail,
		// Without an age: how long a session lasts is decided here.
		Cookie: scs.SessionCookie{Name: name, Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, Path: "/"},
	}
}

// CookieName returns what the session's cookie is called where the service is reached by that scheme, and whether it is a secure
// one. The prefix makes browsers refuse one that another host or a plain connection sets (RFC 6265bis section 4.1.3.2); on this
// machine by http it could not be set at all.
func CookieName(scheme string) (name string, secure bool) {
	if scheme == "https" {
		return "__Host-productid", true
	}
	return "productid", false
}

// scheme is how browsers reach the service.
func (i *Identity) scheme() string {
	if i.o.Origin == nil {
		return "https"
	}
	return i.o.Origin.Scheme
}

type visitKey struct{}

// visit is what SignIn wants to know of the request.
type visit struct{ agent string }

// Sessions returns the middleware that finds out who is signed in: handlers behind it see him by From, and May uses what his
// roles allow at this moment. Without a good cookie From stays as it was. A database that does not answer ends the request with
// Options.Fail, for "nobody" would be a wrong answer.
func (i *Identity) Sessions() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return i.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := context.WithValue(r.Context(), visitKey{}, visit{agentOf(r)})
			if id := i.sessions.GetString(ctx, sessionPerson); id != "" {
				p, err := i.Person(ctx, id)
				if err != nil {
					i.sessions.ErrorFunc(w, r, err)
					return
				}
				ctx = WithActor(ctx, p.Actor())
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		}))
	}
}

// agentOf is what the browser calls itself, as one short line.
func agentOf(r *http.Request) string {
	const most = 200
	text := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(r.UserAgent(), ""))
	for n := range text {
		if n >= most {
			return text[:n]
		}
	}
	return text
}

// SignIn begins a session for the person under a fresh token; the browser's earlier session ends. It is durable before the
// cookie is sent. Errors: ErrNoSession, ErrUnknownPerson.
func (i *Identity) SignIn(ctx context.Context, p Person) error {
	v, ok := ctx.Value(visitKey{}).(visit)
	if !ok {
		return fmt.Errorf("signing in: %w", ErrNoSession)
	}
	id, err := i.random(idBytes)
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	if err := i.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	i.sessions.Put(ctx, sessionPerson, p.ID)
	i.sessions.Put(ctx, sessionID, id)
	i.sessions.Put(ctx, sessionBegun, i.o.Now())
	if _, _, err := i.sessions.Commit(context.WithValue(ctx, beginKey{}, begin{p.ID, id, v.agent})); err != nil {
		return errors.Join(fmt.Errorf("signing in: %w", err), i.sessions.Clear(ctx))
	}
	return nil
}

// SignOut ends the browser's session: its cookie opens nothing any more, wherever it has got to. Without a session it does
// nothing. Errors: ErrNoSession.
func (i *Identity) SignOut(ctx context.Context) error {
	if _, ok := ctx.Value(visitKey{}).(visit); !ok {
		return fmt.Errorf("signing out: %w", ErrNoSession)
	}
	if err := i.sessions.Destroy(ctx); err != nil {
		return fmt.Errorf("signing out: %w", err)
	}
	return nil
}

// CurrentSession returns the id of the session that the request belongs to, and when somebody signed in for it; "" without one.
func (i *Identity) CurrentSession(ctx context.Context) (id string, begun time.Time) {
	if _, ok := ctx.Value(visitKey{}).(visit); !ok {
		return "", time.Time{}
	}
	return i.sessions.GetString(ctx, sessionID), i.sessions.GetTime(ctx, sessionBegun)
}

// FreshFor is how long after signing in somebody may change who comes in: see Fresh.
const FreshFor = 15 * time.Minute

// Fresh reports whether somebody signed in for the request's session not longer than FreshFor ago. Ask it, where a person acts, before
// a way in is made or taken away, for himself, for another or for a machine: whoever finds a browser unattended, or gets hold of its
// cookie, is not to be able to stay.
func (i *Identity) Fresh(ctx context.Context) bool {
	id, begun := i.CurrentSession(ctx)
	return id != "" && i.o.Now().Sub(begun) <= FreshFor
}

// SessionsOf returns where the person is signed in, the newest session first.
func (i *Identity) SessionsOf(ctx context.Context, person string) ([]Session, error) {
	now := i.o.Now()
	all, err := query(ctx, i.db.Read(), func(scan func(...any) error) (Session, error) {
		var s Session
		var begun, seen int64
		err := scan(&s.ID, &s.Agent, &begun, &seen)
		s.Begun, s.LastSeen, s.Expires = fromMillis(begun), fromMillis(seen), fromMillis(begun).Add(i.o.Lifetime)
		return s, err
	}, "SELECT id, agent, created_ms, seen_ms FROM sessions WHERE person = $1 AND created_ms > $2 AND seen_ms > $3 ORDER BY created_ms DESC, id",
		person, now.Add(-i.o.Lifetime).UnixMilli(), now.Add(-i.o.Idle).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return all, nil
}

// EndSession ends one session of the person, wherever it is. Errors: ErrUnknownSession.
func (i *Identity) EndSession(ctx context.Context, person, id string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, "DELETE FROM sessions WHERE person = $1 AND id = $2", person, id))
		if err == nil && n == 0 {
			err = ErrUnknownSession
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}

// EndSessions ends all sessions of the person.
func (i *Identity) EndSessions(ctx context.Context, person string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE person = $1", person)
		return err
	})
	if err != nil {
		return fmt.Errorf("ending sessions: %w", err)
	}
	return nil
}
