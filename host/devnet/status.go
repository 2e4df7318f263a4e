package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// State is how a node stands.
type State string

// The states of a node.
const (
	StateRunning State = "running" // it follows the milestones
	StateSyncing State = "syncing" // it runs and does not, or not yet
	StateStopped State = "stopped" // its database is whole
	StateKilled  State = "killed"  // its database is lost
)

// Status is how a network stands.
type Status struct {
	Name          string       `json:"network"`
	Dir           string       `json:"folder"`
	Up            bool         `json:"up"`
	Own           bool         `json:"ownNetwork"` // the nodes see no interface of the machine
	Cut           bool         `json:"cut"`
	Fast          bool         `json:"fast"`
	Milestone     uint32       `json:"milestone"`     // the newest that a node confirmed; 0 if none tells
	MilestoneTime time.Time    `json:"milestoneTime"` // its timestamp
	Coordinator   State        `json:"coordinator"`   // running, stopped or killed
	Nodes         []NodeStatus `json:"nodes"`
	Advice        []string     `json:"advice,omitempty"` // what is out of order, and what to do
}

// NodeStatus is how one node stands.
type NodeStatus struct {
	Node      int    `json:"node"` // from 1
	State     State  `json:"state"`
	REST      string `json:"rest"`
	INX       string `json:"inx"`
	Milestone uint32 `json:"milestone"` // the newest it confirmed
	Pruned    uint32 `json:"pruned"`    // milestones up to this one are not kept any more
	PID       int    `json:"pid,omitempty"`
	Exit      string `json:"exit,omitempty"` // how it ended

	milestoneTime time.Time
	asked         bool
}

// behind is how many milestones a node may lack and still count as following.
const behind = 2

// Status asks the keeper and each node. It does not fail: what cannot be learnt stands in it as such.
func (n *Network) Status(ctx context.Context) Status {
	s := Status{Name: n.Name, Dir: n.Dir, Fast: n.Fast, Coordinator: StateStopped}
	for i, node := range n.Nodes {
		s.Nodes = append(s.Nodes, NodeStatus{Node: i + 1, State: StateStopped, REST: node.REST, INX: node.INX})
	}
	r, err := n.ask(request{Do: "status"})
	if err != nil {
		s.fill(n.recorded())
		for i := range s.Nodes {
			if node := &s.Nodes[i]; node.State != StateKilled {
				node.State, node.PID = StateStopped, 0
			}
		}
		s.Coordinator = StateStopped
		s.Advice = append(s.Advice, fmt.Sprintf("%v: productid devnet up brings it up, with what it holds", err))
		return s
	}
	s.Up, s.Own, s.Cut = true, r.Namespace, r.Cut
	s.fill(r)
	if !s.Cut {
		s.askNodes(ctx)
	}
	s.advise()
	return s
}

// fill takes over what the keeper knows of the processes.
func (s *Status) fill(r report) {
	for _, p := range r.Processes {
		if p.Name == coordinatorName {
			s.Coordinator = State(p.State)
		}
		for i := range s.Nodes {
			if node := &s.Nodes[i]; p.Name == nodeName(i) {
				node.State, node.PID, node.Exit = State(p.State), p.PID, p.Exit
			}
		}
	}
}

func (s *Status) askNodes(ctx context.Context) {
	var all sync.WaitGroup
	for i := range s.Nodes {
		if node := &s.Nodes[i]; node.State == StateRunning {
			all.Go(func() { node.ask(ctx) })
		}
	}
	all.Wait()
	for _, node := range s.Nodes {
		if node.Milestone > s.Milestone {
			s.Milestone, s.MilestoneTime = node.Milestone, node.milestoneTime
		}
	}
	for i := range s.Nodes {
		if node := &s.Nodes[i]; node.State == StateRunning && (!node.asked || node.Milestone+behind < s.Milestone) {
			node.State = StateSyncing
		}
	}
}

// leftBehind reports whether no other node keeps the milestone that node i needs next. It takes two looks in which the node did not move:
// what one look tells of the nodes is not of one moment.
func (s *Status) leftBehind(i int, before Status) bool {
	lacks := func(s *Status) bool {
		others := 0
		for j, other := range s.Nodes {
			if j == i || !other.asked {
				continue
			}
			if others++; other.Pruned <= s.Nodes[i].Milestone {
				return false
			}
		}
		return others > 0 && s.Nodes[i].asked
	}
	return lacks(s) && len(before.Nodes) > i && before.Nodes[i].Milestone == s.Nodes[i].Milestone && lacks(&before)
}

// info is what is read of a node's answer to GET /api/core/v2/info.
type info struct {
	Status struct {
		ConfirmedMilestone struct {
			Index     uint32 `json:"index"`
			Timestamp int64  `json:"timestamp"`
		} `json:"confirmedMilestone"`
		PruningIndex uint32 `json:"pruningIndex"`
	} `json:"status"`
}

// ask reads the node's milestones. /health would not do: a node without peers never calls itself healthy.
func (s *NodeStatus) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.REST+"/api/core/v2/info", nil)
	if err != nil {
		return
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	var i info
	if answer.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&i) != nil {
		return
	}
	s.asked, s.Milestone, s.Pruned = true, i.Status.ConfirmedMilestone.Index, i.Status.PruningIndex
	s.milestoneTime = time.Unix(i.Status.ConfirmedMilestone.Timestamp, 0).UTC()
}

// advise says what is out of order, and what to do.
func (s *Status) advise() {
	lost := 0
	for _, node := range s.Nodes {
		if node.State == StateKilled {
			lost++
		}
	}
	for _, node := range s.Nodes {
		switch {
		case lost == len(s.Nodes):
		case node.State == StateKilled:
			s.Advice = append(s.Advice, fmt.Sprintf("node %d was killed, its database is lost: productid devnet up makes it anew from the others", node.Node))
		case node.State == StateStopped:
			s.Advice = append(s.Advice, fmt.Sprintf("node %d was stopped, its database is whole: productid devnet up starts it", node.Node))
		}
	}
	if lost == len(s.Nodes) {
		s.Advice = append(s.Advice, "every node was killed, and all that was recorded is lost: productid devnet down, remove the folder, productid devnet up")
	}
	if s.Cut {
		s.Advice = append(s.Advice, "the nodes' network is cut, on purpose")
	}
	if s.Fast {
		s.Advice = append(s.Advice, "fast: the timestamps of milestones run ahead of the clock; for tests only")
	}
	if !s.Own {
		s.Advice = append(s.Advice, "the system allows no network namespace: the nodes run on the machine's own network, where hornet looks for routers to open ports on")
	}
}
