package databases_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

// lock lets someone else hold what a user's row is written by, until the
// function that it returns is called.
func lock(t *testing.T, db database, dsn, userID string) (release func()) {
	t.Helper()
	ctx := context.Background()
	conn, err := connect(t, db.driver, dsn).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	begin, query := "BEGIN", "SELECT id FROM gatepass_users WHERE id = '"+userID+"' FOR UPDATE"
	if db.kind == "sqlite" {
		begin, query = "BEGIN IMMEDIATE", "SELECT 1"
	}
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(ctx, query); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// A browser that goes while its request waits for the database does not keep
// the request there, and leaves nothing half done: what it wanted has happened
// or has not.
func TestCancelledWhileItWaits(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		s := db.open(t, dsn)
		u, a, session := signUp(t, s, "one")
		changed := *u
		changed.Name = "Changed"
		for what, f := range map[string]func(ctx context.Context) error{
			"UpdateUser": func(ctx context.Context) error { return s.UpdateUser(ctx, &changed) },
			"DeleteUser": func(ctx context.Context) error { return s.DeleteUser(ctx, u.ID) },
			"AddAccount": func(ctx context.Context) error {
				return s.AddAccount(ctx, &store.Account{Key: key("two"), UserID: u.ID})
			},
			"Transact": func(ctx context.Context) error {
				return s.Transact(ctx, func(tx store.Store) error {
					other, account := person("three")
					return errors.Join(tx.CreateUser(ctx, other, account), tx.DeleteSession(ctx, session.ID), tx.UpdateUser(ctx, &changed))
				})
			},
		} {
			release := lock(t, db, dsn, u.ID)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			begun := time.Now()
			err := f(ctx)
			took := time.Since(begun)
			cancel()
			if ctx.Err() == nil || err == nil {
				t.Errorf("%s: got error %v before its time, want one that its context ended", what, err)
			}
			if took > 3*time.Second {
				t.Errorf("%s: took %v after its context ended", what, took)
			}
			release()
			// A single statement may yet have happened; several have not in part.
			got, err := s.User(t.Context(), u.ID)
			if err != nil || got.Name != u.Name && what != "UpdateUser" {
				t.Fatalf("%s: got user %+v (%v)", what, got, err)
			}
			if err := s.UpdateUser(t.Context(), u); err != nil {
				t.Fatalf("%s: UpdateUser after it: %v", what, err)
			}
			list, err := s.UserAccounts(t.Context(), u.ID)
			if err != nil || len(list) != 1 || list[0].Key != a.Key {
				t.Errorf("%s: got accounts %v (%v)", what, list, err)
			}
			if _, _, err := s.SessionUser(t.Context(), session.ID); err != nil {
				t.Errorf("%s: SessionUser: %v", what, err)
			}
			if _, err := s.Account(t.Context(), key("three")); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: Account: got error %v, want %v", what, err, store.ErrNotFound)
			}
		}
		if db.kind == "sqlite" {
			wantPatience(t, s)
		}
	})
}

// wantPatience fails if a connection has been left that does not wait as long as
// the app's own statements may rely on.
func wantPatience(t *testing.T, s *gormstore.Store) {
	t.Helper()
	pool := sqlDB(t, s)
	for range max(pool.Stats().Idle, 1) + 1 {
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var got int
		if err := conn.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&got); err != nil || got != 10_000 {
			t.Errorf("busy_timeout: got %d, want 10000 (%v)", got, err)
		}
	}
}

// The same at each step of a transaction. Two connections are all there are: a
// transaction that kept one would be noticed by the third.
func TestCancelledInATransaction(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		sqlDB(t, s).SetMaxOpenConns(2)
		_, kept, _ := signUp(t, s, "kept")
		for round := range 12 {
			ctx, cancel := context.WithCancel(t.Context())
			step := 0
			at := func() {
				if step == round%6 {
					cancel()
				}
				step++
			}
			err := s.Transact(ctx, func(tx store.Store) error {
				at()
				u, a := person("new")
				if err := tx.CreateUser(ctx, u, a); err != nil {
					return err
				}
				at()
				if err := tx.PutToken(ctx, a.Key, sealedToken()); err != nil {
					return err
				}
				at()
				if err := tx.CreateSession(ctx, newSession(u.ID)); err != nil {
					return err
				}
				at()
				if err := tx.DeleteToken(ctx, kept.Key); err != nil {
					return err
				}
				at()
				if err := tx.Mark(ctx, "new", time.Now().Add(time.Hour)); err != nil {
					return err
				}
				at()
				return nil
			})
			cancel()
			if err == nil {
				t.Fatalf("cancelled at step %d: got no error", round%6)
			}
			for table, want := range map[string]int64{"gatepass_users": 1, "gatepass_accounts": 1, "gatepass_sessions": 1, "gatepass_marks": 0} {
				if got := count(t, s, table); got != want {
					t.Errorf("cancelled at step %d: %s has %d rows, want %d", round%6, table, got, want)
				}
			}
			if _, err := s.Token(t.Context(), kept.Key); err != nil {
				t.Errorf("cancelled at step %d: Token: %v", round%6, err)
			}
		}
		if open := sqlDB(t, s).Stats().InUse; open != 0 {
			t.Errorf("%d connections are still in use", open)
		}
	})
}

// Someone uses a mark again that is over, while it is swept away.
func TestSweepLeavesWhatWasMarkedAgain(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		s := db.open(t, dsn)
		ctx := t.Context()
		now := time.Now()
		if err := s.Mark(ctx, "again", now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		swept := make(chan error)
		err := s.Transact(ctx, func(tx store.Store) error {
			if err := tx.Mark(ctx, "again", now.Add(time.Hour)); err != nil {
				return err
			}
			other := db.open(t, dsn)
			go func() { swept <- other.DeleteExpired(ctx) }()
			return waiting(ctx, db, s, swept)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-swept; err != nil {
			t.Fatal(err)
		}
		if err := s.Mark(ctx, "again", now.Add(time.Hour)); !errors.Is(err, store.ErrExists) {
			t.Errorf("Mark: got error %v, want %v: it was swept away", err, store.ErrExists)
		}
	}, "postgres", "mysql")
}

// waiting returns once somebody waits for a lock in the database, or an error if
// done tells that nobody will.
func waiting(ctx context.Context, db database, s *gormstore.Store, done <-chan error) error {
	query := "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM gatepass_%'"
	if db.kind == "mysql" {
		query = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
	}
	pool, err := s.DB().DB()
	if err != nil {
		return err
	}
	// MariaDB shows the same again to who asks more often than every 100 ms.
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		var n int
		if err := pool.QueryRowContext(ctx, query).Scan(&n); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if n > 0 {
			return nil
		}
		select {
		case err := <-done:
			return errors.Join(errors.New("it did not wait"), err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
