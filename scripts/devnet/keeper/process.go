package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The states of a process. A process that was killed, or ended with an error, has not closed its database.
const (
	running = "running"
	stopped = "stopped"
	killed  = "killed"
)

// process is one kept process. Its methods may be called by several goroutines.
type process struct {
	program
	changed func()             // tells that a status is another one
	begin   func(start func()) // runs start on the thread that the kernel takes for the parent

	turn   sync.Mutex // held while it is started or ended, so that orders do not cross
	mu     sync.Mutex
	status status
	cmd    *exec.Cmd
	wanted bool          // it is to run
	ended  chan struct{} // closed when cmd has ended
}

// status is what there is to know of a process from outside.
type status struct {
	Name  string `json:"name"`
	State string `json:"state"`
	PID   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"` // of /proc/PID/stat: tells the process from a later one with the same number
	Exit  string `json:"exit,omitempty"`
}

func (p *process) look() status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// start starts the process; one that runs is left alone.
func (p *process) start() error {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = true
	if p.status.State == running {
		return nil
	}
	return p.launch()
}

// launch is called with mu held.
func (p *process) launch() error {
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	defer out.Close()
	cmd := exec.Command(p.Command[0], p.Command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = p.Dir, out, out, append(os.Environ(), p.Env...)
	// when the keeper dies its processes are told; a signal of the terminal is for the keeper alone
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	p.begin(func() { err = cmd.Start() })
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	p.cmd, p.ended = cmd, make(chan struct{})
	start, _ := startTime(cmd.Process.Pid) // zero is of no process, so nothing is ever mistaken for it
	p.status = status{Name: p.Name, State: running, PID: cmd.Process.Pid, Start: start}
	log.Printf("%s runs, pid %d", p.Name, cmd.Process.Pid)
	go p.wait(cmd, p.ended)
	p.changed()
	return nil
}

func (p *process) wait(cmd *exec.Cmd, ended chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status{Name: p.Name, State: stopped, Exit: cmd.ProcessState.String()}
	if err != nil {
		p.status.State = killed
	}
	log.Printf("%s ended: %s", p.Name, p.status.Exit)
	close(ended)
	p.changed()
	if p.Restart && p.wanted {
		time.AfterFunc(time.Second, p.revive)
	}
}

// revive starts again what ended by itself.
func (p *process) revive() {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted || p.status.State == running {
		return
	}
	if err := p.launch(); err != nil {
		log.Print(err)
		time.AfterFunc(time.Second, p.revive)
	}
}

// end sends a signal and waits for the end; what outlives its patience is killed.
func (p *process) end(s syscall.Signal) {
	const patience = 40 * time.Second // hornet's own grace period and some
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	p.wanted = false
	cmd, ended, runs := p.cmd, p.ended, p.status.State == running
	p.mu.Unlock()
	if !runs {
		return
	}
	cmd.Process.Signal(s)
	select {
	case <-ended:
	case <-time.After(patience):
		log.Printf("%s does not end: it is killed", p.Name)
		cmd.Process.Kill()
		<-ended
	}
}

// startTime is when a process started, in clock ticks since the machine did (proc_pid_stat(5), field 22).
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const after = 22 - 3 // the state, field 3, comes first here
	if len(fields) <= after {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return strconv.ParseUint(fields[after], 10, 64)
}
