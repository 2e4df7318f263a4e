// Package identity knows who is there: people, who sign in with a passkey or through their organisation's OpenID provider, and
// machines, which show an API key; and what each of them may do for which issuer.
//
// # What lets somebody in
//
// Invitations, API keys and session cookies are 256 random bits, recovery codes 80, and all stand in the database as their SHA-256
// alone. An invitation and a code are used once, and of two that use one at the same time one succeeds. A passkey has to be
// discoverable and to verify its person, and its signature counter is watched. A subject of an OpenID provider is nobody until
// an invitation, or somebody who is signed in, links it.
//
// Roles are read at each request, so that a change of role counts at once, in every process. What an actor may do is asked by
// [Actor.May]; to ask is the caller's affair, and so is the audit record that he writes before the act.
//
// # Durability
//
// Methods that change something return when the change is durable; the errors of host/store say whether nothing was written
// (store.ErrNotWritten) or nobody knows (store.ErrUncertain). When somebody was last seen, and when a key was last used, is
// noted at most once a minute, and whether that succeeds changes no answer.
//
// # Concurrency
//
// An Identity may be used by many goroutines, and its database by many processes.
//
// # Limitations
//
// Whoever can write the database can make himself an owner. Attempts at recovery codes are counted by each process for itself.
package identity

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/alexedwards/scs/v2"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrOrigin refuses a base URL on which nobody could sign in safely.
var ErrOrigin = errors.New("not an address to sign in at")

// Options is what an Identity works with. Master is needed.
type Options struct {
	// Origin is the service's base URL: https://, or http:// on this machine alone. Its host is what passkeys are bound to. Without
	// one people and keys are administered, and nobody signs in.
	Origin *url.URL
	// Master is the installation's; what is under way in a browser is sealed under a key derived from it.
	Master channel.Seed
	// Providers are the OpenID providers that people may sign in through.
	Providers []Provider
	// IsTest, when set, says whether an issuer's cards are software and prove nothing: test keys are such an issuer's, and no
	// others are. Without it there are no test keys.
	IsTest func(context.Context, channel.ID) bool
	// Fail, when set, answers a request whose session could not be looked up; a plain 503 otherwise.
	Fail func(http.ResponseWriter, *http.Request, error)

	Now    func() time.Time // default time.Now
	Random io.Reader        // default crypto/rand

	Lifetime time.Duration // of a session from sign-in on; default 12 hours
	Idle     time.Duration // of a session that nobody uses; default 1 hour

	// HTTP talks to the OpenID providers; default http.DefaultClient with a limit of 10 seconds.
	HTTP *http.Client
	// Hook, when set, is called with the points that a write passes, see store.Options: for crash tests.
	Hook func(point string)
}

// Identity is an open database of people and keys.
type Identity struct {
	o        Options
	db       *store.DB
	seal     sealer
	sessions *scs.SessionManager
	party    *webauthn.WebAuthn // none where the host is an address
	tries    *edge.Limiter      // of recovery codes

	asking    sync.Mutex
	providers map[string]*oidc.Provider // what was asked from those, by their issuers
}

// schema is the room's in a PostgreSQL database.
const schema = "identity"

// Open opens or creates a database of people and keys, which is named as for store.Open. Errors: ErrOrigin, and those of
// store.Open.
func Open(ctx context.Context, name string, o Options) (*Identity, error) {
	o = o.withDefaults()
	if o.Origin != nil {
		if err := CheckOrigin(o.Origin); err != nil {
			return nil, fmt.Errorf("opening identities: %w", err)
		}
		o.Origin = asBrowsersSay(o.Origin)
	}
	if o.Master == (channel.Seed{}) {
		return nil, errors.New("opening identities: no master secret")
	}
	seal, err := newSealer(channel.DeriveKey(o.Master, "identity ceremonies"))
	if err != nil {
		return nil, fmt.Errorf("opening identities: %w", err)
	}
	party, err := newRelyingParty(o)
	if err != nil {
		return nil, fmt.Errorf("opening identities: %w", err)
	}
	for _, p := range o.Providers {
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("opening identities: %w", err)
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("opening identities: %w", err)
	}
	db, err := store.Open(ctx, name, store.Options{Migrations: files, Schema: schema, Hook: o.Hook})
	if err != nil {
		return nil, fmt.Errorf("opening identities: %w", err)
	}
	i := &Identity{o: o, db: db, seal: seal, party: party, tries: newTries(o), providers: map[string]*oidc.Provider{}}
	i.sessions = i.newSessions()
	return i, nil
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Lifetime <= 0 {
		o.Lifetime = 12 * time.Hour
	}
	if o.Idle <= 0 {
		o.Idle = time.Hour
	}
	if o.IsTest == nil {
		o.IsTest = func(context.Context, channel.ID) bool { return false }
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	return o
}

// CheckOrigin wants https, or http where nobody else listens: a cookie that others can read is no sign-in. Errors: ErrOrigin.
func CheckOrigin(u *url.URL) error {
	switch {
	case u.Hostname() == "":
		return fmt.Errorf("%w: it has no host", ErrOrigin)
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }):
		return fmt.Errorf("%w: browsers write the host of %s with xn--", ErrOrigin, u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%w: %s is more than scheme, host and path", ErrOrigin, u.Redacted())
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%w: %s is neither https:// nor on this machine", ErrOrigin, u.Redacted())
}

// asBrowsersSay writes an address as a browser writes the origin of a page there (URL Standard section 4.5): without the port that
// the scheme has anyway, in lower case.
func asBrowsersSay(u *url.URL) *url.URL {
	own := *u
	own.Host = strings.ToLower(u.Host)
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; port != "" {
		own.Host = strings.TrimSuffix(own.Host, port)
	}
	return &own
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close closes the database.
func (i *Identity) Close() error { return i.db.Close() }

// refusal is a "no" of this package: the caller's act was understood, and is not done.
type refusal string

func (r refusal) Error() string { return string(r) }

// update runs fn in one durable transaction. A refusal comes back as it is; of any other error the store says what it left.
func (i *Identity) update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	var inside error
	err := i.db.Update(ctx, func(tx *sql.Tx) error {
		inside = fn(tx)
		return inside
	})
	if _, no := errors.AsType[refusal](inside); no {
		return inside
	}
	return err
}

// changed counts the rows that a statement changed.
func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// query reads all rows of a query by scan.
func query[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, store.Explain(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, store.Explain(err)
		}
		all = append(all, one)
	}
	return all, store.Explain(rows.Err())
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func issuerOf(b []byte) (channel.ID, error) {
	var id channel.ID
	if len(b) != len(id) {
		return id, fmt.Errorf("%w: an issuer of %d bytes", store.ErrCorrupt, len(b))
	}
	return channel.ID(b), nil
}
