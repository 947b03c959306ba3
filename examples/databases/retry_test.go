package databases_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	mysqldriver "github.com/go-sql-driver/mysql"
)

// Two transactions that wait for each other: the database ends one of them,
// which runs again when the other is through.
func TestDeadlockIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		if db.kind == "postgres" {
			dsn = with(dsn, "deadlock_timeout", "50ms")
		}
		s := db.open(t, dsn)
		ctx := t.Context()
		one, _, _ := signUp(t, s, "one")
		two, _, _ := signUp(t, s, "two")
		var met, wg sync.WaitGroup
		met.Add(2)
		var runs atomic.Int32
		for i, order := range [][]*store.User{{one, two}, {two, one}} {
			wg.Go(func() {
				first := true
				err := s.Transact(ctx, func(tx store.Store) error {
					runs.Add(1)
					for j, u := range order {
						changed := *u
						changed.Name = fmt.Sprint("by ", i)
						if err := tx.UpdateUser(ctx, &changed); err != nil {
							return err
						}
						if first && j == 0 {
							first = false
							met.Done()
							met.Wait()
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("transaction %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if runs.Load() != 3 {
			t.Errorf("ran %d times, want 3: both, and one of them again", runs.Load())
		}
		a, err := s.User(ctx, one.ID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.User(ctx, two.ID)
		if err != nil || a.Name != b.Name || !strings.HasPrefix(a.Name, "by ") {
			t.Errorf("got %q and %q, want both by the same transaction (%v)", a.Name, b.Name, err)
		}
	}, "postgres", "mysql")
}

// Where transactions are serializable, two that have read what the other writes
// cannot both be. One of them runs again, and sees what the other did.
func TestSerializationFailureIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, with(db.fresh(t), "default_transaction_isolation", "serializable"))
		ctx := t.Context()
		u, _, _ := signUp(t, s, "one")
		var met, wg sync.WaitGroup
		met.Add(2)
		var runs atomic.Int32
		for range 2 {
			wg.Go(func() {
				first := true
				err := s.Transact(ctx, func(tx store.Store) error {
					runs.Add(1)
					got, err := tx.User(ctx, u.ID)
					if err != nil {
						return err
					}
					if first {
						first = false
						met.Done()
						met.Wait()
					}
					got.Name += "+"
					return tx.UpdateUser(ctx, got)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got, err := s.User(ctx, u.ID); err != nil || got.Name != u.Name+"++" {
			t.Errorf("got %q, want %q (%v)", got.Name, u.Name+"++", err)
		}
		if runs.Load() != 3 {
			t.Errorf("ran %d times, want 3", runs.Load())
		}
		// Single statements of several people at once meet the same conflicts.
		for range 5 {
			wg.Go(func() {
				if err := signUpAndIn(ctx, s); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}, "postgres")
}

// A conflict that does not end is told after four attempts, with nothing done.
// Any other error is told at once.
func TestRetriesHaveABound(t *testing.T) {
	raise := map[string]map[string]string{
		"postgres": {
			"serialization failure": "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$",
			"deadlock":              "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$",
			"other":                 "DO $$ BEGIN RAISE SQLSTATE '57014'; END $$",
		},
		"mysql": {
			"deadlock":  "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'",
			"lock wait": "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205, MESSAGE_TEXT = 'Lock wait timeout exceeded'",
			"other":     "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1644, MESSAGE_TEXT = 'No'",
		},
	}
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		for what, statement := range raise[db.kind] {
			runs, want := 0, 4
			if what == "other" {
				want = 1
			}
			err := s.Transact(t.Context(), func(tx store.Store) error {
				runs++
				u, a := person("one")
				if err := tx.CreateUser(t.Context(), u, a); err != nil {
					return err
				}
				return tx.(*gormstore.Store).DB().Exec(statement).Error
			})
			var pg interface{ SQLState() string }
			var my *mysqldriver.MySQLError
			if !errors.As(err, &pg) && !errors.As(err, &my) {
				t.Errorf("%s: got error %v, want the server's", what, err)
			}
			if runs != want {
				t.Errorf("%s: ran %d times, want %d", what, runs, want)
			}
			if got := count(t, s, "gatepass_users"); got != 0 {
				t.Errorf("%s: got %d users, want none", what, got)
			}
		}
	}, "postgres", "mysql")
}

// A deadlock within a transaction within another: MySQL takes back all of it, and
// whatever came after would be half of something, also if nobody minds the error.
func TestDeadlockWithin(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		if db.kind == "postgres" {
			dsn = with(dsn, "deadlock_timeout", "50ms")
		}
		s := db.open(t, dsn)
		ctx := t.Context()
		one, _, _ := signUp(t, s, "one")
		two, _, _ := signUp(t, s, "two")
		var met, wg sync.WaitGroup
		met.Add(2)
		for i, order := range [][]*store.User{{one, two}, {two, one}} {
			wg.Go(func() {
				first := true
				err := s.Transact(ctx, func(tx store.Store) error {
					before := fmt.Sprint("before ", i)
					if err := tx.Mark(ctx, before, time.Now().Add(time.Hour)); err != nil {
						return err
					}
					if err := tx.UpdateUser(ctx, order[0]); err != nil {
						return err
					}
					if first {
						first = false
						met.Done()
						met.Wait()
					}
					_ = store.Transact(ctx, tx, func(inner store.Store) error { return inner.UpdateUser(ctx, order[1]) })
					return tx.Mark(ctx, fmt.Sprint("after ", i), time.Now().Add(time.Hour))
				})
				if err != nil {
					t.Errorf("transaction %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		for i := range 2 {
			for _, when := range []string{"before", "after"} {
				if err := s.Marked(ctx, fmt.Sprint(when, " ", i)); err != nil {
					t.Errorf("what transaction %d did %s: got error %v, want it there", i, when, err)
				}
			}
		}
	}, "postgres", "mysql")
}

// Whoever cannot migrate for now lets others try, also while connections stay open.
func TestMigrateGivesItsLockBack(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		cfg, err := mysqldriver.ParseDSN(db.first(t))
		if err != nil {
			t.Fatal(err)
		}
		reader, err := connect(t, db.driver, cfg.FormatDSN()).BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reader.Rollback() }()
		var n int
		if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM gatepass_sessions").Scan(&n); err != nil {
			t.Fatal(err)
		}
		cfg.Params = map[string]string{"lock_wait_timeout": "0"}
		s := gormstore.New(db.app(t, cfg.FormatDSN()))
		if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "1205") {
			t.Fatalf("got error %v, want that somebody reads the table", err)
		}
		if err := reader.QueryRowContext(t.Context(), "SELECT IS_FREE_LOCK(left(concat('gatepass ', database()), 64))").Scan(&n); err != nil || n != 1 {
			t.Errorf("the lock is free: got %d (%v), want 1", n, err)
		}
		if err := reader.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("once nobody reads it: %v", err)
		}
	}, "mysql")
}
