package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Kill ends node i (from 0) as a power cut does: with SIGKILL, and its database is lost. It returns when the process has ended.
func (n *Network) Kill(i int) error { return n.order("kill", i) }

// Stop ends node i in order: its database is whole, and Start takes it up again. It returns when the process has ended.
func (n *Network) Stop(i int) error { return n.order("stop", i) }

// Start starts node i after Stop and returns when it follows the milestones. The error is ErrLeftBehind when it was away for so long that
// the others have pruned what it lacks.
func (n *Network) Start(i int) error {
	if err := n.order("start", i); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.follows(ctx, i); err != nil {
		return fmt.Errorf("starting node %d of the devnet: %w", i+1, err)
	}
	return nil
}

// Replace gives node i, running or not, a fresh database, lets it take everything over from its peers and returns when it follows the
// milestones. Where the others prune what it needs before it has started, it begins anew with what they have by then. With no other node
// there is nobody to take it from: the error is ErrLost.
func (n *Network) Replace(i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var behind error
	for {
		if err := n.replace(ctx, i); err != nil {
			return err
		}
		err := n.follows(ctx, i)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrLeftBehind) {
			return fmt.Errorf("replacing node %d of the devnet: %w", i+1, errors.Join(err, behind))
		}
		behind = err
	}
}

// Cut takes the nodes' network away: packets vanish, as if a cable was pulled. New connections to the nodes hang. The error is
// ErrNoNamespace where the nodes share the machine's network.
func (n *Network) Cut() error { return n.network("cut") }

// Heal gives the nodes' network back. What was sent meanwhile is sent again.
func (n *Network) Heal() error { return n.network("heal") }

// Down ends the network in order and returns when no process of it is left. It can be brought up again with what it holds. A network
// that is down stays so.
func (n *Network) Down() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := n.ask(request{Do: "down"})
	if err != nil && !errors.Is(err, ErrDown) {
		return err
	}
	if err == nil {
		for alive(r.Keeper.PID, r.Keeper.Start) && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
	n.unbind()
	return n.endLeftovers(ctx)
}

func (n *Network) order(do string, i int) error {
	if i < 0 || i >= len(n.Nodes) {
		return fmt.Errorf("the devnet has no node %d", i+1)
	}
	_, err := n.ask(request{Do: do, Name: nodeName(i)})
	return err
}

func (n *Network) network(do string) error {
	r, err := n.ask(request{Do: "status"})
	if err != nil {
		return err
	}
	if !r.Namespace {
		return ErrNoNamespace
	}
	_, err = n.ask(request{Do: do})
	return err
}

// replace starts node i anew; it does not wait for the node.
func (n *Network) replace(ctx context.Context, i int) error {
	if err := n.order("stop", i); err != nil {
		return err
	}
	source, found := 0, false
	for j, node := range n.Status(ctx).Nodes {
		if j != i && node.State == StateRunning {
			source, found = j, true
		}
	}
	what := fmt.Sprintf("replacing node %d of the devnet", i+1)
	if !found {
		return fmt.Errorf("%s: %w", what, ErrLost)
	}
	dir := filepath.Join(n.Dir, nodeName(i))
	for _, gone := range []string{"db", "snapshots"} {
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := copySnapshots(ctx, filepath.Join(n.Dir, nodeName(source)), dir); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return n.order("start", i)
}

// follows waits until node i follows the milestones, or cannot.
func (n *Network) follows(ctx context.Context, i int) error {
	var before, s Status
	for {
		before, s = s, n.Status(ctx)
		switch state := s.Nodes[i].State; {
		case state == StateRunning && s.Nodes[i].Milestone > 0:
			return nil
		case state == StateKilled || state == StateStopped:
			return fmt.Errorf("it ended (%s): %s", s.Nodes[i].Exit, tailOf(filepath.Join(n.Dir, nodeName(i)+".log")))
		case s.leftBehind(i, before):
			return fmt.Errorf("%w: it is at milestone %d", ErrLeftBehind, s.Nodes[i].Milestone)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
