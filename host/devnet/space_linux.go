package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// space is the network that the keeper and its processes get.
type space struct {
	own   bool    // a namespace of their own, with nothing but a loopback interface
	flags uintptr // of clone(2)
}

// chooseSpace tries what the system allows: root makes a network namespace at once, others inside a user namespace of theirs. Where
// neither is allowed the machine's own network has to do.
func chooseSpace(ctx context.Context, keeper string) (space, error) {
	for _, s := range []space{{true, syscall.CLONE_NEWNET}, {true, syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER}} {
		probe := exec.CommandContext(ctx, keeper, "probe")
		probe.SysProcAttr = s.attributes()
		if probe.Run() == nil {
			return s, nil
		}
		if err := ctx.Err(); err != nil {
			return space{}, err
		}
	}
	return space{}, nil
}

// attributes start a process in the space, in a session of its own: a signal of the terminal is not for it.
func (s space) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Cloneflags: s.flags}
	if s.flags&syscall.CLONE_NEWUSER != 0 {
		a.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return a
}

// outside names the network namespace of this process.
func outside() string {
	name, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return "unknown: " + err.Error()
	}
	return name
}

// lock waits until nobody else holds the lock of a file, and holds it until unlock or the end of the process.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for another productid devnet up: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// alive says whether a process is there and is the one that started then, not a later one with its number.
func alive(pid int, start uint64) bool {
	if pid <= 0 || start == 0 {
		return false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// proc_pid_stat(5): the state is field 3, after the name in parentheses; the start time field 22
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const state, began = 3 - 3, 22 - 3
	if len(fields) <= began || fields[state] == "Z" {
		return false
	}
	found, err := strconv.ParseUint(fields[began], 10, 64)
	return err == nil && found == start
}

// signal tells a process to end, or kills it.
func signal(pid int, kill bool) {
	s := syscall.SIGTERM
	if kill {
		s = syscall.SIGKILL
	}
	syscall.Kill(pid, s) // it may have ended meanwhile: that is what is wanted
}
