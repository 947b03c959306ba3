package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// write lets n goroutines sign people up and log them in, many times, and
// reports every error.
func write(tb testing.TB, n, times int, of func(i int) store.Store) {
	tb.Helper()
	var wg sync.WaitGroup
	for i := range n {
		s := of(i)
		wg.Go(func() {
			for range times {
				if err := signUpAndIn(tb.Context(), s); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func signUpAndIn(ctx context.Context, s store.Store) error {
	u, a := newPerson()
	session := newSession("")
	err := store.Transact(ctx, s, func(tx store.Store) error {
		// A read first: where SQLite begins without the write lock, this is the
		// transaction that cannot go on.
		if _, err := tx.Account(ctx, a.Key); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("Account: %w", err)
		}
		if err := tx.CreateUser(ctx, u, a); err != nil {
			return fmt.Errorf("CreateUser: %w", err)
		}
		session.UserID = u.ID
		return tx.CreateSession(ctx, session)
	})
	if err != nil {
		return err
	}
	if err := s.PutToken(ctx, a.Key, &store.Token{Sealed: []byte("x")}); err != nil {
		return fmt.Errorf("PutToken: %w", err)
	}
	if _, _, err := store.SessionUser(ctx, s, s, session.ID); err != nil {
		return fmt.Errorf("SessionUser: %w", err)
	}
	return s.TouchSession(ctx, session.ID, time.Now(), time.Now().Add(2*time.Hour))
}

// own opens a database as an app does that has its own settings, or none.
func own(tb testing.TB, d gorm.Dialector) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if db, err := db.DB(); err == nil {
			db.Close()
		}
	})
	return db
}

func migrated(tb testing.TB, db *gorm.DB) *gormstore.Store {
	tb.Helper()
	s := gormstore.New(db)
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestManyWriters(t *testing.T) {
	t.Run("Open", func(t *testing.T) {
		s := open(t, file(t))
		write(t, 16, 10, func(int) store.Store { return s })
	})
	t.Run("two pools on one file", func(t *testing.T) {
		name := file(t)
		both := []store.Store{open(t, name), open(t, name)}
		write(t, 16, 10, func(i int) store.Store { return both[i%2] })
	})
	t.Run("New with a database of the app's", func(t *testing.T) {
		s := migrated(t, own(t, sqlite.Open(file(t))))
		write(t, 16, 5, func(int) store.Store { return s })
	})
	t.Run("two of them, with GORM's prepared statements", func(t *testing.T) {
		name := file(t)
		var both []store.Store
		for range 2 {
			db := own(t, sqlite.Open(name))
			both = append(both, migrated(t, db.Session(&gorm.Session{PrepareStmt: true})))
		}
		write(t, 16, 5, func(i int) store.Store { return both[i%2] })
	})
	t.Run("Open with a connection of the app's", func(t *testing.T) {
		db, err := sql.Open(sqlite.DriverName, file(t))
		if err != nil {
			t.Fatal(err)
		}
		s, err := gormstore.Open(sqlite.New(sqlite.Config{Conn: db}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		write(t, 16, 5, func(int) store.Store { return s })
	})
}

// TestOtherProcess is what TestTwoProcesses runs in other processes.
func TestOtherProcess(t *testing.T) {
	name := os.Getenv("GATEPASS_TEST_DB")
	if name == "" {
		t.Skip("only TestTwoProcesses runs it")
	}
	s := open(t, name) // several processes make the tables at once
	write(t, 4, 20, func(int) store.Store { return s })
}

func TestTwoProcesses(t *testing.T) {
	name := file(t)
	var wg sync.WaitGroup
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcess$")
		cmd.Env = append(os.Environ(), "GATEPASS_TEST_DB="+name)
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	var n int64
	if err := open(t, name).DB().Table("gatepass_users").Count(&n).Error; err != nil || n != 3*4*20 {
		t.Errorf("got %d users, want %d (%v)", n, 3*4*20, err)
	}
}

func TestInMemory(t *testing.T) {
	for _, dsn := range []string{
		":memory:", "file::memory:", "file::memory:?cache=shared", "file:one?mode=memory", "file:two?mode=memory&cache=shared",
		":memory:?_busy_timeout=100", "",
	} {
		t.Run(dsn, func(t *testing.T) {
			s := open(t, dsn)
			write(t, 16, 5, func(int) store.Store { return s })
			ctx := t.Context()
			id := signUp(t, s)

			// A request that is cancelled in a transaction makes database/sql drop
			// the connection. Here the database would go with it.
			for range 20 {
				during, cancel := context.WithCancel(ctx)
				err := s.Transact(during, func(tx store.Store) error {
					if err := tx.Mark(during, "m", time.Now().Add(time.Hour)); err != nil {
						t.Error(err)
					}
					cancel()
					for range 500 { // until database/sql has noticed
						if _, err := tx.Session(ctx, id); err != nil {
							break
						}
					}
					return nil
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got error %v, want %v", err, context.Canceled)
				}
				during, cancel = context.WithTimeout(ctx, 50*time.Microsecond)
				_, _, _ = s.SessionUser(during, id)
				_ = s.Mark(during, "other", time.Now())
				cancel()
			}
			if _, _, err := s.SessionUser(ctx, id); err != nil {
				t.Errorf("after cancelled requests: %v", err)
			}
			if err := s.Mark(ctx, "m", time.Now().Add(time.Hour)); err != nil {
				t.Errorf("Mark: %v", err)
			}
		})
	}
}

// What Open adds to the name of a SQLite database shows in its connections.
func TestOpenSetsSQLite(t *testing.T) {
	name := file(t)
	for _, test := range []struct {
		dsn               string
		wait, foreignKeys string
	}{
		{name, "10000", "1"},
		{"file:" + name, "10000", "1"},
		{"file:" + name + "?cache=private", "10000", "1"},
		{name + "?_busy_timeout=77&_fk=0", "77", "0"},
		{name + "?_timeout=78", "78", "1"},
	} {
		d := sqlite.Open(test.dsn)
		s, err := gormstore.Open(d)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		db, err := s.DB().DB()
		if err != nil {
			t.Fatal(err)
		}
		var conns []*sql.Conn // at the same time, so that they are different ones
		for range 3 {
			c, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		for _, c := range conns {
			for pragma, want := range map[string]string{"busy_timeout": test.wait, "foreign_keys": test.foreignKeys, "journal_mode": "wal"} {
				var got string
				if err := c.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
					t.Errorf("%s: %s: got %s, want %s (%v)", test.dsn, pragma, got, want, err)
				}
			}
			c.Close()
		}
		if got := d.(*sqlite.Dialector).DSN; got != test.dsn {
			t.Errorf("the caller's dialector has changed: got %s, want %s", got, test.dsn)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		d    gorm.Dialector
		want string
	}{
		{sqlite.Open("/nowhere/at/all/test.db"), "unable to open"},
		{oracle{}, `got "oracle"`},
	} {
		_, err := gormstore.Open(test.d)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got error %v, want one with %q", err, test.want)
		}
	}
	s := gormstore.New(&gorm.DB{Config: &gorm.Config{Dialector: oracle{}}, Statement: &gorm.Statement{}})
	if _, err := s.User(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "oracle") {
		t.Errorf("New with an unknown database: got error %v", err)
	}
	if err := s.Migrate(t.Context()); err == nil {
		t.Error("Migrate of an unknown database: got no error")
	}
}

type oracle struct{ gorm.Dialector }

func (oracle) Name() string { return "oracle" }

// onlyConn returns the one connection that the app may have from now on.
func onlyConn(t *testing.T, s *gormstore.Store) *sql.Conn {
	t.Helper()
	db, err := s.DB().DB()
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// A request that waits for a connection goes when its browser does, and one that
// comes after that asks nothing.
func TestReadsEndWithTheirContext(t *testing.T) {
	s := open(t, file(t))
	id := signUp(t, s)
	held := onlyConn(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for _, when := range []string{"while it waits", "before it begins"} {
		if _, _, err := s.SessionUser(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got error %v, want %v", when, err, context.DeadlineExceeded)
		}
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	live, stop := context.WithCancel(t.Context())
	defer stop()
	for range 3 { // each gives its connection back
		if _, _, err := s.SessionUser(live, id); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(live, "nobody"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
}
