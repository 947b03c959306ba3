package databases_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A session that is renewed while those of its user are ended, one after the
// other, ends as well, wherever it goes meanwhile.
func TestEndOfAllOvertakesARenewal(t *testing.T) {
	for what, end := range map[string]func(context.Context, store.Store) error{
		"DeleteUser": func(ctx context.Context, s store.Store) error { return s.DeleteUser(ctx, "mona") },
		"DeleteUserSessions": func(ctx context.Context, s store.Store) error {
			return store.Transact(ctx, s, func(tx store.Store) error { return tx.DeleteUserSessions(ctx, "mona", "") })
		},
		"DeleteUserSessions except one": func(ctx context.Context, s store.Store) error {
			return store.Transact(ctx, s, func(tx store.Store) error { return tx.DeleteUserSessions(ctx, "mona", "z") })
		},
	} {
		t.Run(what, func(t *testing.T) {
			each(t, func(t *testing.T, db database) {
				dsn := db.fresh(t)
				s := db.open(t, dsn)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for _, id := range []string{"b", "c"} {
					session := newSession("mona")
					session.ID = id
					if err := s.CreateSession(ctx, session); err != nil {
						t.Fatal(err)
					}
				}
				other, err := connect(t, db.driver, dsn).BeginTx(ctx, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := other.ExecContext(ctx, "UPDATE gatepass_sessions SET ip = 'x' WHERE id = 'b'"); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- end(ctx, s) }()
				if err := waiting(ctx, db, s, ended); err != nil {
					t.Fatal(err)
				}
				fresh := newSession("mona")
				fresh.ID = "a" // before the one that is waited for
				if err := s.RenewSession(ctx, "c", fresh); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(other.Commit(), <-ended); err != nil {
					t.Fatal(err)
				}
				if got := count(t, s, "gatepass_sessions"); got != 0 {
					t.Errorf("%d sessions remain, want none", got)
				}
			}, "postgres", "mysql")
		})
	}
}

// A login that is being kept while its user is deleted leaves nothing of them: who
// deletes waits for the account, and ends the sessions then.
func TestDeleteUserWaitsForALogin(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		s, other, ctx := db.open(t, dsn), db.open(t, dsn), t.Context()
		u, a, _ := signUp(t, s, "one")
		session, deleted := newSession(u.ID), make(chan error, 1)
		err := s.Transact(ctx, func(tx store.Store) error {
			if err := store.UpdateAccountToken(ctx, tx, a, sealedToken(), nil); err != nil {
				return err
			}
			if _, err := store.CreateCounted(ctx, tx, session); err != nil {
				return err
			}
			go func() { deleted <- other.DeleteUser(ctx, u.ID) }()
			return waiting(ctx, db, s, deleted)
		})
		if err := errors.Join(err, <-deleted); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "gatepass_sessions"); n != 0 {
			t.Errorf("%d sessions remain of somebody who was deleted", n)
		}
	}, "postgres", "mysql")
}
