//go:build linux

package databases_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A postgresServer is one of the test's own, so that it can be killed.
type postgresServer struct {
	program, data string
	port          int
	as            *syscall.Credential
	cmd           *exec.Cmd
	log           *tail
}

// postgresPrograms returns the folder of PostgreSQL's server.
func postgresPrograms(tb testing.TB) string {
	tb.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		missing(tb, "initdb", "the package postgresql")
	}
	version := func(path string) int { n, _ := strconv.Atoi(strings.Split(path, "/")[4]); return n }
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) }))
}

func newPostgresServer(t *testing.T) *postgresServer {
	t.Helper()
	bin := postgresPrograms(t)
	dir, err := os.MkdirTemp("", "gatepass-crash-") // t.TempDir is not for other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &postgresServer{program: filepath.Join(bin, "postgres"), data: filepath.Join(dir, "data"), log: new(tail)}
	if os.Getuid() == 0 {
		// The server refuses to be root's.
		u, err := user.Lookup("postgres")
		if err != nil {
			missing(t, "the user postgres", "the package postgresql")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	init := s.command(filepath.Join(bin, "initdb"), "-D", s.data, "-U", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	t.Cleanup(s.kill)
	return s
}

func (s *postgresServer) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Dir(s.data)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

func (s *postgresServer) dsn() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", s.port)
}

// start starts the server, as after a crash, and waits until it answers.
func (s *postgresServer) start(t *testing.T) {
	t.Helper()
	db := connect(t, "pgx", s.dsn())
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if s.cmd == nil {
			// Some of what was killed may not have ended yet; then this one does.
			s.cmd = s.command(s.program, "-D", s.data, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
				"-c", "unix_socket_directories=", "-c", "max_connections=100")
			s.cmd.Stderr = s.log
			if err := s.cmd.Start(); err != nil {
				t.Fatal(err)
			}
		}
		if answers(db) {
			return
		}
		if syscall.Kill(s.cmd.Process.Pid, 0) != nil || ended(s.cmd) {
			s.kill()
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("the server does not start\n%s", s.log)
}

func answers(db *sql.DB) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return db.PingContext(ctx) == nil
}

// ended reports whether a process that was started has ended, and nobody has
// waited for it yet.
func ended(cmd *exec.Cmd) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// kill ends the server as kill -9 does. Its own processes notice and end.
func (s *postgresServer) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// A database server that is killed in the middle of logins, and started again,
// has everybody whom the app has told that they are logged in, and nothing that
// is half done. The app goes on by itself.
func TestPostgreSQLKilledDuringLogins(t *testing.T) {
	i := slices.IndexFunc(databases(), func(db database) bool { return db.kind == "postgres" })
	db := databases()[i]
	server, svc := newPostgresServer(t), newService(t)
	server.start(t)
	db.open(t, server.dsn()) // makes the tables
	p := task{Database: db.name, DSN: server.dsn(), Service: svc.URL, Prefix: "k-"}.start(t)
	p.begin(t)
	got := make(chan receipt, 100_000)
	ended := make(chan int)
	go func() { ended <- p.logins(got) }()
	var all []receipt
	kills := 0
	for began := time.Now(); (len(all) < crashLogins || kills < crashKills) && time.Since(began) < crashTime; kills++ {
		// It logs people in, and goes on after the server has come back.
		for range crashLogins / 10 {
			select {
			case r := <-got:
				all = append(all, r)
			case <-time.After(30 * time.Second):
				t.Fatalf("nobody is logged in any more\n%s\n%s", p.err, server.log)
			}
		}
		<-time.After(time.Duration(rand.IntN(100_000)) * time.Microsecond)
		server.kill()
		server.start(t)
		checkWhole(t, connect(t, db.driver, server.dsn()))
	}
	p.kill()
	refused := <-ended
	close(got)
	for r := range got {
		all = append(all, r)
	}
	s := db.open(t, server.dsn())
	checkWhole(t, sqlDB(t, s))
	checkReceipts(t, newApp(t, s, svc.URL, 0, secret), s, all)
	t.Logf("%d logins, %d refused, the server killed %d times", len(all), refused, kills)
	if kills < 3 || refused == 0 {
		t.Errorf("the server was killed %d times and %d logins noticed, too few to say anything", kills, refused)
	}
}
