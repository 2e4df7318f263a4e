package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the engine of one schema of a PostgreSQL database.
type postgres struct {
	config   *pgx.ConnConfig
	schema   string
	existing bool // is not to be created
	answer   time.Duration
}

// A parameter is a setting that every connection asks for and reads back; without a
// value it is the server's own.
type parameter struct{ name, value, readsBack string }

const (
	// lockWithin bounds the wait for the write lock, as busy_timeout does on SQLite.
	lockWithin = "15s"
	// statementWithin bounds one statement of a transaction that writes, but not
	// COMMIT, which may wait for a standby.
	statementWithin = "30s"
	// idleWithin is how long a transaction that does nothing may hold the lock.
	idleWithin = "1min"
	// answerWithin bounds the wait for the server's next bytes, beyond all of these.
	answerWithin = 75 * time.Second
	// connectWithin bounds the way to each address of the server.
	connectWithin = 10 * time.Second
)

// parameters returns what every connection must be. The write lock orders what
// writes, and read committed lets each statement behind it see the newest state; a
// reader sees one state for a whole transaction. Queries go by keys, and a prepared one
// keeps its plan: one that was made while a table was small would read it through when
// it has grown.
func (p *postgres) parameters(reads bool) []parameter {
	common := []parameter{
		{"synchronous_commit", "on", "on"},
		{"fsync", "", "on"},
		{"full_page_writes", "", "on"},
		{"server_encoding", "", "UTF8"},
		{"client_encoding", "UTF8", "UTF8"},
		{"standard_conforming_strings", "on", "on"},
		{"search_path", p.schema + ", pg_temp", p.schema + ", pg_temp"},
		{"lock_timeout", lockWithin, lockWithin},
		{"idle_in_transaction_session_timeout", idleWithin, idleWithin},
		{"enable_seqscan", "off", "off"},
		{"enable_bitmapscan", "off", "off"},
		{"jit", "off", "off"}, // it would compile what is made to look dear so
	}
	if reads { // a check of the whole log is one statement
		return append(common,
			parameter{"statement_timeout", "0", "0"},
			parameter{"default_transaction_isolation", "repeatable read", "repeatable read"},
			parameter{"default_transaction_read_only", "on", "on"})
	}
	return append(common,
		parameter{"statement_timeout", statementWithin, statementWithin},
		parameter{"default_transaction_isolation", "read committed", "read committed"},
		parameter{"default_transaction_read_only", "off", "off"})
}

// urlKeys are what a URL may say beside user, host and database. A setting of the
// server's is none of them: it could say synchronous_commit=off.
var urlKeys = []string{
	"host", "port", "user", "password", "dbname", "passfile", "application_name", "connect_timeout",
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation", "channel_binding", "require_auth",
}

var schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func isURL(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// urlName leaves out whatever could be, or hide, a secret.
func urlName(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		return "with a malformed postgres:// URL"
	}
	return (&url.URL{Scheme: "postgres", Host: u.Host, Path: u.Path}).String()
}

func newPostgres(name string, o Options) (*postgres, error) {
	if !schemaName.MatchString(o.Schema) || strings.HasPrefix(o.Schema, "pg_") {
		return nil, fmt.Errorf("%q is no name of a schema", o.Schema)
	}
	config, err := pgx.ParseConfigWithOptions(name, pgx.ParseConfigOptions{
		ParseConfigOptions: pgconn.ParseConfigOptions{ConnStringAllowedKeys: urlKeys}})
	if err != nil { // whose text may hold the password
		return nil, errors.New("not a URL of a PostgreSQL database: want postgres://USER@HOST:PORT/DATABASE, with no settings but " +
			strings.Join(urlKeys, ", "))
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > connectWithin {
		config.ConnectTimeout = connectWithin
	}
	config.OnNotice = keepWarning
	return &postgres{config, o.Schema, o.Existing, answerWithin}, nil
}

func (p *postgres) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patient{Conn: conn, within: p.answer}, nil
}

// connector returns what makes connections that begin transactions so.
func (p *postgres) connector(begin string, parameters []parameter) *sessions {
	config := p.config.Copy()
	application := config.RuntimeParams["application_name"]
	if application == "" {
		application = "productid"
	}
	config.RuntimeParams = map[string]string{"application_name": application}
	for _, s := range parameters {
		if s.value != "" {
			config.RuntimeParams[s.name] = s.value
		}
	}
	config.DialFunc = p.dial
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error { return validate(ctx, conn, parameters) }
	return &sessions{Connector: stdlib.GetConnector(*config), begin: begin}
}

// validate refuses a connection to a standby, whose state is an older one, and one
// whose settings are not those that were asked for.
func validate(ctx context.Context, conn *pgconn.PgConn, parameters []parameter) error {
	query := "SELECT pg_is_in_recovery()"
	for _, s := range parameters {
		query += ", current_setting('" + s.name + "')"
	}
	results, err := conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return fmt.Errorf("reading the server's settings: %w", err)
	}
	got := results[0].Rows[0]
	if string(got[0]) != "f" {
		return fmt.Errorf("%w: it is a standby", ErrReadOnly)
	}
	for i, s := range parameters {
		if value := string(got[i+1]); value != s.readsBack {
			return fmt.Errorf("%w: %s is %q, must be %q", ErrNotDurable, s.name, value, s.readsBack)
		}
	}
	return nil
}

// takeLock begins a transaction and takes the schema's write lock. What the
// transaction reads after it is the newest state: read committed looks anew for each
// statement.
const takeLock = "BEGIN; SELECT 1 FROM schema_version WHERE version = 1 FOR UPDATE"

func (p *postgres) pools(context.Context) (write, read *sql.DB, err error) {
	writer := p.connector(takeLock, p.parameters(false))
	writer.locks = true
	return sql.OpenDB(writer), sql.OpenDB(p.connector("BEGIN", p.parameters(true))), nil
}

// prepare makes the schema this program's. An advisory lock keeps others from
// making it at once.
func (p *postgres) prepare(ctx context.Context, db *DB, known []migration) error {
	maker := sql.OpenDB(p.connector("BEGIN", p.parameters(false)))
	defer maker.Close()
	tx, err := maker.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing to keep, once committed
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "productid schema "+p.schema); err != nil {
		return err
	}
	if err := p.create(ctx, tx); err != nil {
		return err
	}
	if err := postgresDialect.migrate(ctx, tx, known); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return db.notCommitted(err)
	}
	return nil
}

// create makes an absent schema.
func (p *postgres) create(ctx context.Context, tx *sql.Tx) error {
	var schema, tables bool
	row := tx.QueryRowContext(ctx, "SELECT to_regnamespace($1) IS NOT NULL, EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1)", p.schema)
	if err := row.Scan(&schema, &tables); err != nil {
		return err
	}
	switch {
	case p.existing && !tables:
		return fmt.Errorf("%w: it has no schema %s, or nothing in it", ErrMissing, p.schema)
	case schema: // perhaps its owner made it for us
		return nil
	}
	_, err := tx.ExecContext(ctx, "CREATE SCHEMA "+p.schema)
	return err
}

// notCommitted reports whether the server said that it rolled back, or was never
// asked. A connection that was lost meanwhile, by whatever cause, says nothing.
func (*postgres) notCommitted(err error) bool {
	if errors.Is(err, errRolledBack) || errors.Is(err, errNotSent) {
		return true
	}
	reported, ok := errors.AsType[*pgconn.PgError](err)
	return ok && reported.SeverityUnlocalized == "ERROR" && kindOfState(reported.Code) != ErrUnavailable && reported.Code != completionUnknown
}

// completionUnknown is the SQLSTATE statement_completion_unknown.
const completionUnknown = "40003"

// breaks is false: the next transaction reads what became of this one.
func (*postgres) breaks() bool { return false }

func (*postgres) kind() string { return "one PostgreSQL database" }

func (*postgres) integrity(context.Context, *sql.DB) ([]string, error) { return nil, nil }

// keepWarning keeps a warning that comes with an answer. One that comes with COMMIT
// says that it is not as durable as was asked.
func keepWarning(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[warningKey] = n
	}
}

const warningKey = "warning"
