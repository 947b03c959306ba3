package databases_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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
