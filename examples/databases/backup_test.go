package databases_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	mysqldriver "github.com/go-sql-driver/mysql"
)

// tool is a program that comes with a database.
func tool(t *testing.T, program, from string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program, from)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

func output(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, &said)
	}
	return out.Bytes()
}

// mariadb returns MariaDB's program for the server of a DSN.
func mariadb(t *testing.T, program, dsn string, args ...string) *exec.Cmd {
	t.Helper()
	cfg, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Net != "tcp" {
		t.Skipf("GATEPASS_MYSQL is a DSN of %s; this test wants one of tcp", cfg.Net)
	}
	host, port, _ := strings.Cut(cfg.Addr, ":")
	args = append([]string{"--no-defaults", "--protocol=tcp", "--host=" + host, "--port=" + port, "--user=" + cfg.User}, args...)
	return tool(t, program, "the package mariadb-client", []string{"MYSQL_PWD=" + cfg.Passwd}, args...)
}

// dump is what the database's own tool makes of a database, for people to keep.
func (db database) dump(t *testing.T, dsn string) []byte {
	t.Helper()
	switch db.kind {
	case "sqlite":
		path := filepath.Join(t.TempDir(), "backup.db")
		if _, err := connect(t, db.driver, dsn).ExecContext(t.Context(), "VACUUM INTO ?", path); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	case "postgres":
		_, name, _ := strings.Cut(dsn, "search_path=")
		return output(t, tool(t, "pg_dump", "the package postgresql-client", nil,
			"--no-password", "--schema="+name, "--dbname="+server(t, "GATEPASS_POSTGRES")))
	case "mysql":
		cfg, err := mysqldriver.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		return output(t, mariadb(t, "mariadb-dump", dsn, "--single-transaction", cfg.DBName))
	}
	t.Fatalf("no tool is known for %s", db.kind)
	return nil
}

// restore makes a new database of a dump and returns its DSN.
func (db database) restore(t *testing.T, dsn string, dump []byte) string {
	t.Helper()
	switch db.kind {
	case "sqlite":
		path := file(t)
		if err := os.WriteFile(path, dump, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	case "postgres":
		server, elsewhere := server(t, "GATEPASS_POSTGRES"), name()
		administer(t, "pgx", server, "CREATE DATABASE "+elsewhere, "DROP DATABASE "+elsewhere)
		cmd := tool(t, "psql", "the package postgresql-client", nil,
			"--no-password", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname="+with(server, "dbname", elsewhere))
		cmd.Stdin = bytes.NewReader(dump)
		output(t, cmd)
		return with(dsn, "dbname", elsewhere)
	case "mysql":
		elsewhere := mysqlDatabase(t)
		cfg, err := mysqldriver.ParseDSN(elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		cmd := mariadb(t, "mariadb", elsewhere, cfg.DBName)
		cmd.Stdin = bytes.NewReader(dump)
		output(t, cmd)
		return elsewhere
	}
	t.Fatalf("no tool is known for %s", db.kind)
	return ""
}

// A backup that the database's own tool has made, restored elsewhere, has
// everybody with what is theirs, as long as Secret is the same.
func TestBackup(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn, svc := db.fresh(t), newService(t)
		a := newApp(t, db.open(t, dsn), svc.URL, 0, secret)
		cookie, id := a.mustLogin(t, "ada é") // as bytes: no tool may change one

		// It is taken while the app runs, and what comes later is not in it.
		copied := db.restore(t, dsn, db.dump(t, dsn))
		lost, _ := a.mustLogin(t, "bob")
		s := db.open(t, copied)
		b := newApp(t, s, svc.URL, 0, secret)
		u, err := b.who(cookie)
		if err != nil || u.ID != id || u.Name != "Person ada é" {
			t.Errorf("the session: got %v, %v; want one of user %s", u, err, id)
		}
		if err := b.call(t.Context(), id); err != nil {
			t.Errorf("the token: %v", err)
		}
		if _, err := b.who(lost); !errors.Is(err, middleware.ErrNoUser) {
			t.Errorf("a session from after the backup: got error %v, want %v", err, middleware.ErrNoUser)
		}
		checkWhole(t, sqlDB(t, s))

		// People go on there: as before, and as somebody new.
		if again, same := b.mustLogin(t, "ada é"); same != id || again == cookie {
			t.Errorf("the next login is user %s, want %s", same, id)
		}
		b.mustLogin(t, "bob")

		// With another Secret the same database gives neither.
		c := newApp(t, s, svc.URL, 0, newSecret)
		if _, err := c.who(cookie); !errors.Is(err, middleware.ErrNoUser) {
			t.Errorf("with another secret, the session: got error %v, want %v", err, middleware.ErrNoUser)
		}
		if err := c.call(t.Context(), id); !errors.Is(err, middleware.ErrNoToken) {
			t.Errorf("with another secret, the token: got error %v, want %v", err, middleware.ErrNoToken)
		}
	})
}
