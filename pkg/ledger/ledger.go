// Package ledger is the contract between what records messages and what needs
// them recorded, and the means to check a record without trusting either.
//
// A ledger assigns each number of a channel once, only to a message of the
// channel's author, and gives proof of it that verifies offline. How is its own
// affair: a transparency log writes a leaf and signs a checkpoint, a distributed
// ledger confirms a transaction. [Memory] is a log without a disk; package
// ledgertest holds the tests that every ledger passes.
//
// # Yes, no, don't know, maybe
//
// Submitted is never recorded: only a [Receipt] of phase [Final] or later is.
// A refusal (*[Conflict], [ErrNotListed], [ErrTooLarge], an error of package
// channel) says that nothing was written, and the same call is refused again until
// the channel itself has grown or been admitted. [ErrUnavailable] says that nothing
// was written now, and that another try may succeed. [ErrUncertain] says that the
// message may have been recorded or may yet be: submitting the same bytes again
// finds out, and until it has, the author must not sign another message with that
// number.
//
// # Limitations
//
// A verifier trusts the log keys of its [Policy], or the coordinator keys. A log's
// operator can rewrite what nobody else has seen a checkpoint of: a policy's quorum
// of witnesses is against that. A coordinator can withhold what it likes and say what
// it likes of inputs and amounts, but place no message without its author.
package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/channel"
)

// Ledger records channel messages. All methods may be called concurrently, also
// on several Ledgers over one storage. A context that ends while a method waits
// ends the method with the context's error.
type Ledger interface {
	// Info describes the ledger as it is now. It is read anew at each call.
	Info(ctx context.Context) (Info, error)

	// Submit asks the ledger to record m as the next message of its channel.
	//
	// On return without error the submission is durable: it survives a crash of
	// this process. The receipt's phase says how far it is. A log returns Final,
	// with a proof: the number is m's. A ledger that needs time returns Taken,
	// which decides nothing: Await tells the outcome, still perhaps *Conflict.
	//
	// Refused, nothing written: channel.ErrMalformed for the zero Message and
	// channel.ErrRemoved for one without its payload, see Whole; ErrTooLarge; ErrNotListed; *Conflict with the winner when another
	// message holds the number, whether older or faster;
	// channel.ErrBrokenChain when the number is not the head's plus one (0 in
	// an empty channel), or previous hash or mode are not the head's.
	//
	// Submitting identical bytes again is safe at any time, by anybody: it returns
	// the first receipt, its proof perhaps against a newer checkpoint. It is how
	// to go on after ErrUnavailable, ErrUncertain or a crash.
	//
	// A context that has ended before the ledger decided leaves nothing written; one
	// that ends while the ledger decides gives ErrUncertain.
	Submit(ctx context.Context, m channel.Message) (Receipt, error)

	// Await waits until the message of a receipt has reached the phase, and returns
	// the newer receipt. Of the given one only channel, number and hash count. It
	// can be repeated, by any process, also after a restart.
	//
	// It returns *Conflict with the winner when another message has got the
	// number, ErrNoChannel or ErrNoMessage when the ledger knows of no submission,
	// and at once ErrNoPhase for a phase beyond Info.Highest.
	Await(ctx context.Context, r Receipt, phase Phase) (Receipt, error)

	// Head returns the newest final message of a channel; every message whose
	// final receipt was returned before the call is covered. It returns
	// ErrNoChannel for a channel without messages, listed or not.
	//
	// Head, Range and Follow deliver a message whose payload was removed in its
	// place, as what channel.Tombstone makes.
	Head(ctx context.Context, id channel.ID) (Entry, error)

	// Range returns final messages of a channel in order, at most n of them
	// beginning with number from. Fewer means that the channel ends there; none
	// that it ends before from. It returns ErrNoChannel as Head does.
	Range(ctx context.Context, id channel.ID, from uint64, n int) ([]Entry, error)

	// Prove returns a proof that message n of a channel is recorded, which stands
	// on its own: Policy.Verify needs nothing beside it and the message. It is
	// made against the newest checkpoint. It returns ErrNoChannel or ErrNoMessage.
	Prove(ctx context.Context, id channel.ID, n uint64) (Proof, error)

	// Follow delivers every final message of every channel from a position on, in
	// the ledger's order and without gap or repetition, until fn stops it.
	//
	// fn gets a batch and the position behind it, one call after the other;
	// storing what follows from the batch together with the position gives
	// exactly-once processing. When nothing more is there, fn is called once with an
	// empty batch; then Follow waits for new messages, and so on. fn may use the
	// ledger, and keep the batch.
	//
	// ErrStop from fn ends Follow with nil, any other error ends it with that
	// error. A position that the ledger has not reached is ErrNoPosition at once:
	// the ledger has lost history that somebody saw.
	Follow(ctx context.Context, from Position, fn func([]Entry, Position) error) error

	// Close ends every Follow and lets the ledger's resources go. Everything later,
	// and every Follow that was running, is ErrUnavailable.
	Close() error
}

// Errors of a Ledger. Callers branch on them with errors.Is; see the package
// comment for what each allows.
var (
	// ErrNoChannel says that the channel has no message on this ledger.
	ErrNoChannel = errors.New("channel has no message on this ledger")
	// ErrNoMessage says that the channel ends before this number.
	ErrNoMessage = errors.New("channel has no message of this number")
	// ErrNotListed refuses a message of a channel that nobody admitted to this ledger.
	ErrNotListed = errors.New("channel is not admitted to this ledger")
	// ErrTooLarge refuses a message longer than Info.MaxMessage.
	ErrTooLarge = errors.New("message is too large for this ledger")
	// ErrNoPhase refuses to wait for a phase that this ledger never reaches.
	ErrNoPhase = errors.New("ledger never reaches this phase")
	// ErrNoPosition refuses to follow from where the ledger has not been.
	ErrNoPosition = errors.New("ledger has not reached this position")
	// ErrKept refuses to remove the payload of a message that decides something.
	ErrKept = errors.New("payload of this message is not to be removed")
	// ErrUnavailable says that the ledger cannot answer now; nothing was written.
	ErrUnavailable = errors.New("ledger is unavailable")
	// ErrUncertain says that a message may or may not be recorded; submit it again.
	ErrUncertain = errors.New("not known whether the ledger recorded it")
	// ErrInvalidProof refuses a proof that does not prove the message under the policy.
	ErrInvalidProof = errors.New("proof does not hold")
	// ErrStop is returned by the function given to Follow to end it without error.
	ErrStop = errors.New("stop following")
)

// Whole refuses what no ledger takes: the zero Message with channel.ErrMalformed, one
// whose payload was removed with channel.ErrRemoved.
func Whole(m channel.Message) error {
	switch {
	case m.IsZero():
		return fmt.Errorf("submitting no message: %w", channel.ErrMalformed)
	case m.Removed():
		return fmt.Errorf("submitting message %d: %w", m.Number(), channel.ErrRemoved)
	}
	return nil
}
