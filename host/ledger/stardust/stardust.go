// Package stardust is the ledger on a private IOTA Stardust network: each channel is
// one alias output, whose state the channel's author alone can move on.
//
// State index is the message's number, state metadata the message, and the ledger
// itself refuses the second of two transactions that spend one state. Which of two
// is the second, the white-flag order of the milestone decides: nothing is known
// before, and a message is final when a milestone has applied its transaction.
//
// # Who can do what
//
// An alias counts as a channel when its immutable features name our issuer and
// the channel, its controller is the author's address and its first state holds
// the channel's first message. Only a transaction signed by the issuer can make
// such an alias, so nobody else can lay one out beforehand. Where the issuer made
// two, the first in the ledger's order is the channel. The author may move his
// alias by other means than this package: what is no message in its place is
// counted and ignored, and ends the channel, since numbers and state index part.
//
// # Archive
//
// Nodes forget old blocks, milestones and spent outputs. Each message is archived
// with its block, its milestone and the audit path between them before it is said
// to be final; reading and proving ask the archive alone. It is caught up with the
// furthest node before it answers. A transaction is archived before it is sent.
//
// # Concurrency
//
// A [Ledger] may be used by many goroutines, and one archive by many processes.
// Processes with archives of their own may share the issuer's key: the ledger decides
// between them, and a creation that lost its funding to another is signed again
// once it can no longer be applied, never before.
//
// # Limitations
//
// A network's coordinator decides the order and can withhold: its keys are what a
// verifier trusts, and what is checked before a message is archived. Nodes are
// believed about the rest: how far the ledger is, which outputs are spent, why a
// transaction was refused. INX has neither encryption nor passwords, so nodes belong
// on the same machine or behind a tunnel. An alias locks its storage deposit for good.
package stardust

import (
	"context"
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

//go:embed *.sql
var migrations embed.FS

// schema is the archive's in a PostgreSQL database.
const schema = "stardust"

var (
	// ErrOtherNetwork refuses an archive of another network or issuer, and nodes
	// that do not have what the archive has seen.
	ErrOtherNetwork = errors.New("archive belongs to another network or issuer")
	// ErrMissing says that neither archive nor nodes have a part of the history.
	// It comes with ledger.ErrUnavailable; Import fills it.
	ErrMissing = errors.New("history is missing in the archive")
	// ErrNoFunds says that the issuer's address cannot pay another channel's
	// deposit. It comes with ledger.ErrUnavailable.
	ErrNoFunds = errors.New("issuer's address has too little for a storage deposit")
	// ErrNoAuthor says that this process has no key to sign for the channel. It
	// comes with ledger.ErrUnavailable.
	ErrNoAuthor = errors.New("no author of the channel here to sign its transaction")
	// ErrRefused says that the ledger refused a transaction for good and for
	// another reason than a faster one; the number is free.
	ErrRefused = errors.New("ledger refused the transaction")
)

// Options say which network, and for whom.
type Options struct {
	// Nodes of one network; the first that answers is used, until it does not.
	Nodes []Node
	// Archive is the store's name: see store.Open.
	Archive string
	// Funding is the issuer's key: it pays the deposits, is the aliases' issuer and
	// governor.
	Funding ed25519.PrivateKey
	// Author returns the author of a channel, who signs its transactions.
	Author func(channel.ID) (*channel.Author, bool)
	// Coordinators are trusted to sign the network's milestones, and no other. Without
	// any, those are that the first node names.
	Coordinators []ledger.Coordinator
	// Now is the clock behind the time of a submission.
	Now func() time.Time
	// Stall is how long Await goes on without any news from the network before it
	// says ErrUncertain; 0 is 30 s.
	Stall time.Duration
	// Hook, when set, observes the archive's writes: see store.Options.
	Hook func(point string)

	wrap func(inx.INXClient) inx.INXClient // for tests: stands before each node
}

// Ledger is an open connection to a network with its archive. It implements
// ledger.Ledger.
type Ledger struct {
	o         Options
	db        *store.DB
	nodes     *nodes
	params    *iotago.ProtocolParameters
	issuer    iotago.Ed25519Address
	deposit   uint64                   // of an alias
	keys      []*inx.MilestoneKeyRange // of the network's coordinator
	threshold int                      // how many of them sign a milestone
	writer    *store.Writer[request, decision]

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once

	mu        sync.Mutex
	milestone uint32                       // archived up to here, as this process has seen
	moved     time.Time                    // when that was, by the process's clock
	trouble   error                        // why the archive does not go on
	news      chan struct{}                // closed, and made anew, at each milestone that changed something
	passed    chan struct{}                // the same at each milestone
	bells     map[channel.ID]chan struct{} // closed, and removed, when a milestone changed something for the channel
	sent      map[iotago.TransactionID]*attachment
	creations sync.Mutex // held while those that nobody waits for are carried on
	carried   uint32     // milestone when they last were; under creations
}

var _ ledger.Ledger = (*Ledger)(nil)

// Open opens the archive, connects to the first node that answers, and begins to
// follow the ledger. A new archive takes the history that the node still has.
// Errors: those of store.Open, [ErrOtherNetwork], ledger.ErrUnavailable when no
// node answers.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	l, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("opening Stardust ledger: %w", err)
	}
	return l, nil
}

func open(ctx context.Context, o Options) (*Ledger, error) {
	if len(o.Funding) != ed25519.PrivateKeySize || o.Now == nil || o.Author == nil {
		return nil, errors.New("without funding key, authors or clock")
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	nodes, err := dial(o.Nodes, o.wrap)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, o.Archive, store.Options{Migrations: migrations, Schema: schema, Hook: o.Hook})
	if err != nil {
		return nil, errors.Join(err, nodes.close())
	}
	l := &Ledger{
		o: o, db: db, nodes: nodes,
		issuer: iotago.Ed25519AddressFromPubKey(o.Funding.Public().(ed25519.PublicKey)),
		news:   make(chan struct{}), passed: make(chan struct{}),
		bells: map[channel.ID]chan struct{}{},
		sent:  map[iotago.TransactionID]*attachment{},
		moved: time.Now(),
	}
	nodes.check = l.same
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if err := l.begin(ctx); err != nil {
		l.cancel()
		return nil, errors.Join(err, nodes.close(), db.Close())
	}
	l.writer = store.NewWriter(db, l.decideAll)
	l.running.Go(l.follow)
	l.running.Go(func() { l.nodes.watch(l.ctx) })
	return l, nil
}

// Close ends every Follow and Await and closes archive and connections. What was
// submitted goes on without this process.
func (l *Ledger) Close() error {
	var err error
	l.closing.Do(func() {
		l.cancel()
		l.running.Wait()
		l.writer.Close()
		err = errors.Join(l.nodes.close(), l.db.Close())
	})
	return err
}

// usable returns why nothing can be asked or written.
func (l *Ledger) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.ctx.Err() != nil {
		return fmt.Errorf("ledger is closed: %w", ledger.ErrUnavailable)
	}
	return nil
}

// outcome says an error of package store in the words of package ledger.
func outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) && errors.Is(err, store.ErrNotWritten),
		errors.Is(err, context.DeadlineExceeded) && errors.Is(err, store.ErrNotWritten):
		return err
	case errors.Is(err, store.ErrUncertain):
		return fmt.Errorf("%w: %w", ledger.ErrUncertain, err)
	case errors.Is(err, store.ErrNotWritten) && !errors.Is(err, ledger.ErrUnavailable):
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	return err
}
