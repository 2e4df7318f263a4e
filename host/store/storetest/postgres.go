// Package storetest starts PostgreSQL for tests: a server of its own for each test
// binary, in a temporary folder and on a Unix socket that nobody else can reach. It
// never touches a server of the machine's.
//
// The shared server keeps its data in memory where there is enough (/dev/shm): a
// killed process loses nothing by that, and no test here cuts the power. [PostgresWith]
// keeps them on the disk, which is what a benchmark has to measure.
//
// # Limitations
//
// The server is stopped, and its folder removed, by a shell that waits for the end
// of the test binary, however that comes. [Restart] is seen by every test of the
// binary: those that use it do not run in parallel.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// durable is how the shared server runs: as it comes, in little memory.
var durable = []string{"fsync=on", "full_page_writes=on", "synchronous_commit=on"}

// shared is the server of this test binary.
var shared struct {
	once sync.Once
	*server
	err error
	mu  sync.Mutex
	n   int // databases made
}

// Postgres returns the URL of a fresh database on this test binary's server, which it
// starts at the first call. Without PostgreSQL on the machine the test is skipped, or
// fails when PRODUCTID_REQUIRE is all.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = start(memory(), durable...) })
	if errors.Is(shared.err, errNotInstalled) {
		skip(t)
	}
	if shared.err != nil {
		t.Fatal("starting PostgreSQL: ", shared.err)
	}
	return shared.fresh(t)
}

// Emptied returns what empties one database and returns its URL, again and again: for
// tests that need many, one after the other, it is faster than as many fresh ones.
func Emptied(t testing.TB) func(testing.TB) string {
	t.Helper()
	place := Postgres(t)
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB) string {
		t.Helper()
		out, err := shared.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", u.Path[1:], "-c", dropSchemas).CombinedOutput()
		if err != nil {
			t.Fatalf("emptying a database: %v: %s", err, out)
		}
		return place
	}
}

const dropSchemas = `SET client_min_messages = warning; DO $$ DECLARE name text; BEGIN
	FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') LOOP
		EXECUTE format('DROP SCHEMA %I CASCADE', name);
	END LOOP;
END $$`

// PostgresWith returns the URL of a fresh database on a server that runs with these
// settings ("fsync=off") for this test alone.
func PostgresWith(t testing.TB, settings ...string) string {
	t.Helper()
	return ownServer(t, settings...).fresh(t)
}

// Standby returns the URL of a database on a server of this test that is a standby:
// it may be read and not written.
func Standby(t testing.TB) string {
	t.Helper()
	s := ownServer(t)
	place := s.fresh(t)
	s.crash(t)
	if err := os.WriteFile(filepath.Join(s.data(), "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.run(); err != nil {
		t.Fatal("starting a standby: ", err)
	}
	return place
}

func ownServer(t testing.TB, settings ...string) *server {
	t.Helper()
	s, err := start("", settings...)
	if errors.Is(err, errNotInstalled) {
		skip(t)
	}
	if err != nil {
		t.Fatal("starting PostgreSQL: ", err)
	}
	t.Cleanup(func() { s.stop() })
	return s
}

// Restart kills the server of this test binary as a power cut does, every process at
// once with SIGKILL, and returns when a new one has recovered and takes connections.
// Between the two it calls meanwhile, unless nil.
func Restart(t testing.TB, meanwhile func()) {
	t.Helper()
	if shared.server == nil {
		t.Fatal("no server runs: call Postgres first")
	}
	shared.crash(t)
	if meanwhile != nil {
		meanwhile()
	}
	if err := shared.run(); err != nil {
		t.Fatal("starting PostgreSQL again: ", err)
	}
}

const notInstalled = "PostgreSQL is not installed: nothing was stored in it"

var errNotInstalled = errors.New(notInstalled)

func skip(t testing.TB) {
	t.Helper()
	if os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatal(notInstalled)
	}
	t.Skip(notInstalled)
}

// server is one PostgreSQL server in a folder of its own.
type server struct {
	bin      string // folder of its programs
	dir      string // data, socket and log
	settings []string
	owner    *syscall.Credential // nil for who runs the test
	life     io.WriteCloser      // closed, the shell stops the server
	gone     chan struct{}       // closed when the shell has ended
}

// memory is a folder in memory, or "".
func memory() string {
	const place, enough = "/dev/shm", 1 << 30
	var free syscall.Statfs_t
	if syscall.Statfs(place, &free) != nil || uint64(free.Bsize)*uint64(free.Bavail) < enough {
		return ""
	}
	return place
}

// start makes a server with its data in a folder, where "" is the usual one for what
// is temporary, and waits until it takes connections.
func start(where string, settings ...string) (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, settings: settings}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		if s.owner, err = unprivileged(); err != nil {
			return nil, err
		}
	}
	if s.dir, err = os.MkdirTemp(where, "postgres-"); err != nil {
		return nil, err
	}
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return nil, err
		}
	}
	// The folder alone is not synced when it is made; the server syncs what it does.
	out, err := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(s.dir))
	}
	if err := s.run(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// programs finds the newest PostgreSQL: Debian keeps each version in its own folder.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) < version(found[j]) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errNotInstalled
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func unprivileged() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// command prepares one of PostgreSQL's programs, without what the environment says
// of other servers.
func (s *server) command(program string, args ...string) *exec.Cmd {
	return s.owned(exec.Command(filepath.Join(s.bin, program), args...))
}

func (s *server) owned(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "PGHOST=" + s.dir, "PGUSER=postgres", "PGOPTIONS=-c default_transaction_read_only=off"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return cmd
}

// keeper starts the server and waits for the end of its input, which is that of the
// test binary; then it stops the server at once and removes the folder.
const keeper = `dir=$1; shift; "$@" & pid=$!; read -r what; kill -QUIT $pid; wait $pid; [ "$what" = keep ] || rm -rf "$dir"`

// run starts the server in its folder and waits until it takes connections.
func (s *server) run() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-c", keeper, "keeper", s.dir, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir}
	for _, setting := range append([]string{"listen_addresses=", "max_connections=400", "shared_buffers=32MB", "unix_socket_permissions=0700"}, s.settings...) {
		args = append(args, "-c", setting)
	}
	cmd := s.owned(exec.Command("/bin/sh", args...))
	cmd.Stdout, cmd.Stderr = log, log
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.life, s.gone = input, make(chan struct{})
	go func(gone chan struct{}) {
		_ = cmd.Wait() // how it ended stands in the log
		close(gone)
	}(s.gone)
	return s.ready()
}

// patience is how long a server may take to start or to recover.
const patience = time.Minute

func (s *server) ready() error {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if s.command("pg_isready", "-q").Run() == nil {
			return nil
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.stop()
			return fmt.Errorf("not ready after %v: %s", patience, log)
		}
	}
}

// stop ends the server for good.
func (s *server) stop() {
	_ = s.life.Close()
	<-s.gone
}

// fresh makes a database and returns its URL.
func (s *server) fresh(t testing.TB) string {
	t.Helper()
	shared.mu.Lock()
	shared.n++
	name := fmt.Sprintf("test%d", shared.n)
	shared.mu.Unlock()
	if out, err := s.command("createdb", name).CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = s.command("dropdb", "--force", "--if-exists", name).Run() }) // the folder goes in any case
	return "postgres://postgres@/" + name + "?host=" + url.QueryEscape(s.dir)
}

// crash kills every process of the server at once.
func (s *server) crash(t testing.TB) {
	t.Helper()
	lines, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(lines, []byte("\n"))
	postmaster, err := strconv.Atoi(string(first))
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(postmaster, syscall.SIGSTOP) // it starts no more
	victims := append(children(postmaster), postmaster)
	for _, pid := range victims {
		_ = syscall.Kill(pid, syscall.SIGKILL) // perhaps it has ended by itself
	}
	for end := time.Now().Add(patience); slices.ContainsFunc(victims, alive); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("PostgreSQL's processes do not end") // the next server would refuse the memory that they still hold
		}
	}
	_, _ = io.WriteString(s.life, "keep\n") // and do not remove the folder
	_ = s.life.Close()
	<-s.gone
}

// alive reports whether a process still holds anything: a zombie does not.
func alive(pid int) bool {
	state, _ := processState(pid)
	return state != "" && state != "Z" && state != "X"
}

// children returns the processes that a process has started, as /proc tells.
func children(parent int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if _, of := processState(pid); of == parent {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processState returns a process's state and parent, nothing when it has ended.
func processState(pid int) (state string, parent int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // state, parent, …
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}
