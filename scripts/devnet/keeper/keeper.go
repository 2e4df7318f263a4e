package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// keeper keeps the processes of a plan and does what it is asked to.
type keeper struct {
	plan      plan
	processes []*process
	relay     *relay
	down      func()
	answers   sync.WaitGroup // requests that are being answered

	mu    sync.Mutex
	isCut bool

	file   sync.Mutex     // one writer of processes.json at a time
	writes sync.WaitGroup // writes that are under way
}

// report is what status answers, and what processes.json holds.
type report struct {
	Keeper    status   `json:"keeper"`
	Namespace bool     `json:"namespace"`
	Cut       bool     `json:"cut"`
	Processes []status `json:"processes"`
}

func newKeeper(p plan, down func()) *keeper {
	k := &keeper{plan: p, relay: newRelay(), down: down}
	starts := make(chan func())
	go parent(starts)
	begin := func(start func()) {
		done := make(chan struct{})
		starts <- func() { start(); close(done) }
		<-done
	}
	for _, program := range p.Processes {
		k.processes = append(k.processes, &process{program: program, status: status{Name: program.Name, State: stopped},
			changed: func() { k.writes.Go(k.write) }, begin: begin})
	}
	return k
}

// parent starts all processes on one thread: the kernel tells them of their parent's death when the thread that started them ends, and
// this one lasts as long as the keeper.
func parent(starts <-chan func()) {
	runtime.LockOSThread()
	for start := range starts {
		start()
	}
}

func (k *keeper) startAll() {
	for _, p := range k.processes {
		if p.Off {
			continue
		}
		if err := p.start(); err != nil {
			log.Print(err)
		}
	}
}

// stopAll ends the processes, those that come last in the plan before all others: a coordinator before its nodes.
func (k *keeper) stopAll() {
	k.cut(false) // a network that is cut could not say goodbye
	var others sync.WaitGroup
	for i := len(k.processes) - 1; i >= 0; i-- {
		if p := k.processes[i]; p.Restart {
			p.end(syscall.SIGTERM)
		} else {
			others.Go(func() { p.end(syscall.SIGTERM) })
		}
	}
	others.Wait()
	k.writes.Wait()
}

func (k *keeper) report() report {
	start, _ := startTime(os.Getpid())
	k.mu.Lock()
	r := report{Keeper: status{Name: "keeper", State: running, PID: os.Getpid(), Start: start}, Namespace: k.plan.Namespace, Cut: k.isCut}
	k.mu.Unlock()
	for _, p := range k.processes {
		r.Processes = append(r.Processes, p.look())
	}
	return r
}

// write tells the folder which processes there are.
func (k *keeper) write() {
	k.file.Lock()
	defer k.file.Unlock()
	text, err := json.MarshalIndent(k.report(), "", "\t")
	if err == nil {
		err = os.WriteFile("processes.json.new", text, 0o600)
	}
	if err == nil {
		err = os.Rename("processes.json.new", "processes.json")
	}
	if err != nil {
		log.Printf("writing processes.json: %v", err)
	}
}

// cut takes the network of the processes away, or gives it back.
func (k *keeper) cut(yes bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.plan.Namespace {
		if !yes {
			return nil
		}
		return fmt.Errorf("the network is the machine's own: it cannot be cut")
	}
	if err := setLoopback(!yes); err != nil {
		return err
	}
	k.relay.cut(yes)
	k.isCut = yes
	return nil
}

// request is one line that the keeper is asked with.
type request struct {
	Do   string `json:"do"`   // status, start, stop, kill, cut, heal or down
	Name string `json:"name"` // of the process to start, stop or kill
}

// answer is the line that it answers with.
type answer struct {
	Error  string  `json:"error,omitempty"`
	Report *report `json:"report,omitempty"`
}

func (k *keeper) do(r request) answer {
	var err error
	switch r.Do {
	case "status":
	case "down":
		defer k.down()
	case "cut", "heal":
		err = k.cut(r.Do == "cut")
	case "start", "stop", "kill":
		err = k.order(r)
	default:
		err = fmt.Errorf("there is no request %q", r.Do)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	report := k.report()
	return answer{Report: &report}
}

func (k *keeper) order(r request) error {
	for _, p := range k.processes {
		if p.Name != r.Name {
			continue
		}
		switch r.Do {
		case "start":
			return p.start()
		case "stop":
			p.end(syscall.SIGTERM)
		case "kill":
			p.end(syscall.SIGKILL)
		}
		return nil
	}
	return fmt.Errorf("there is no process %q", r.Name)
}

// listenControl opens the socket of requests; one that a dead keeper left is replaced.
func listenControl(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("a keeper answers on %s already", path)
	}
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	return l, os.Chmod(path, 0o600)
}

func (k *keeper) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		k.answers.Go(func() { k.converse(c) })
	}
}

func (k *keeper) converse(c net.Conn) {
	const most = 4096
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	line, err := bufio.NewReaderSize(c, most).ReadSlice('\n')
	if err != nil {
		return
	}
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		json.NewEncoder(c).Encode(answer{Error: "that is no request: " + err.Error()})
		return
	}
	json.NewEncoder(c).Encode(k.do(r))
}
