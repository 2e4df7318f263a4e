package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// sessions makes connections to PostgreSQL for database/sql, with transactions of
// our own: what BEGIN takes and what COMMIT tells decides over every promise here.
type sessions struct {
	driver.Connector
	begin string
	locks bool // begin must have found the one row that it locks
}

// Connect makes one connection whose parameters have been read back.
func (s *sessions) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, Explain(err)
	}
	return &session{conn.(*stdlib.Conn), s.begin, s.locks}, nil
}

type session struct {
	*stdlib.Conn
	begin string
	locks bool
}

// ResetSession looks at an idle connection before it is used again.
func (s *session) ResetSession(ctx context.Context) error {
	if lost(s.wire().Conn()) {
		return driver.ErrBadConn
	}
	return s.Conn.ResetSession(ctx)
}

func (s *session) wire() *pgconn.PgConn { return s.Conn.Conn().PgConn() }

// errNoLock says that nobody can write: somebody altered the list of migrations.
var errNoLock = fmt.Errorf("%w: its row of the first migration is gone", ErrForeign)

// BeginTx begins a transaction as the pool does. BEGIN changes nothing, so that it is
// tried again on a new connection when this one turns out to be lost: after a restart
// of the server nobody sees more than a delay.
func (s *session) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if o.Isolation != 0 || o.ReadOnly && s.locks {
		return nil, errors.New("the pool decides on isolation and who writes")
	}
	results, err := s.wire().Exec(ctx, s.begin).ReadAll()
	if err == nil && s.locks && results[len(results)-1].CommandTag.RowsAffected() != 1 {
		err = errNoLock
	}
	switch {
	case err == nil:
		return transaction{s}, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case s.wire().IsClosed():
		return nil, driver.ErrBadConn
	}
	_ = transaction{s}.Rollback() // the error is told already
	return nil, err
}

type transaction struct{ session *session }

var (
	// errNotSent is a COMMIT that no server has seen.
	errNotSent = errors.New("connection was lost before COMMIT")
	// errRolledBack is a COMMIT that the server answered with ROLLBACK.
	errRolledBack = errors.New("the server rolled back")
	// errWarned is a COMMIT with a warning: the server stopped waiting for a standby
	// that is to have it too.
	errWarned = errors.New("committed with a warning")
)

// Commit asks once. What pgconn says of an error being safe to retry is no help: a
// connection that it lost while it waited is, to it, one that was closed before.
func (t transaction) Commit() error {
	wire := t.session.wire()
	if wire.IsClosed() {
		return errNotSent
	}
	delete(wire.CustomData(), warningKey)
	results, err := wire.Exec(context.Background(), "COMMIT").ReadAll()
	if err != nil {
		return err
	}
	if results[0].CommandTag.String() != "COMMIT" {
		return errRolledBack
	}
	if n, warned := wire.CustomData()[warningKey].(*pgconn.Notice); warned {
		return fmt.Errorf("%w: %s", errWarned, n.Message)
	}
	return nil
}

// Rollback ends the transaction also after its context did, and closes a connection
// on which it cannot.
func (t transaction) Rollback() error {
	wire := t.session.wire()
	ctx, cancel := context.WithTimeout(context.Background(), connectWithin)
	defer cancel()
	if err := wire.Exec(ctx, "ROLLBACK").Close(); err != nil {
		return errors.Join(err, wire.Close(ctx))
	}
	return nil
}

// patient is a connection to a server that may be dead, or whose network is: no read
// and no write takes longer than within, however long the driver would wait. It
// reads only when it waits for an answer.
type patient struct {
	net.Conn
	within time.Duration

	mu    sync.Mutex
	read  time.Time // the driver's own deadlines; zero for none
	write time.Time
}

// Read reads what has come, or waits for it.
func (p *patient) Read(b []byte) (int, error) {
	if err := p.bound(p.Conn.SetReadDeadline, &p.read); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

// Write writes all of b.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.bound(p.Conn.SetWriteDeadline, &p.write); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// bound sets our deadline, or leaves an earlier one of the driver's.
func (p *patient) bound(set func(time.Time) error, own *time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	deadline := time.Now().Add(p.within)
	if !own.IsZero() && own.Before(deadline) {
		deadline = *own
	}
	return set(deadline)
}

// SetDeadline is the driver's way to end what takes too long for its caller.
func (p *patient) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

func (p *patient) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = t
	return p.Conn.SetReadDeadline(t)
}

func (p *patient) SetWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write = t
	return p.Conn.SetWriteDeadline(t)
}
