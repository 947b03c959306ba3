package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func finderRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.SessionUserFinder)) func(context.Context, testing.TB, store.Store) {
		return needs("SessionUserFinder", check)
	}
	return []rule{
		{"SessionUserFinds", "SessionUser returns what Session and User return. A store that embeds another and keeps users of its own must have a SessionUser of its own as well.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.SessionUserFinder) {
				u, _ := signUp(ctx, t, s, "ann")
				other, _ := signUp(ctx, t, s, "bob")
				want := logIn(ctx, t, s, u, "s1")
				logIn(ctx, t, s, other, "s2")
				session, user, err := f.SessionUser(ctx, "s1")
				must(t, "SessionUser", err)
				wantSame(t, "the session", session, want)
				wantSame(t, "the user", user, u)
				u.Name, u.Disabled = "New", true
				must(t, "UpdateUser", s.UpdateUser(ctx, u))
				_, user, err = f.SessionUser(ctx, "s1")
				must(t, "SessionUser", err)
				if user.Name != "New" || !user.Disabled {
					t.Errorf("after UpdateUser: got %+v", user)
				}
			})},
		{"SessionUserNotThere", "SessionUser returns ErrNotFound if the session is not there or has expired.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.SessionUserFinder) {
				u, _ := signUp(ctx, t, s, "ann")
				over := visit(u, "over")
				over.ExpiresAt = moment().Add(-time.Second)
				must(t, "CreateSession", s.CreateSession(ctx, over))
				logIn(ctx, t, s, u, "deleted")
				must(t, "DeleteSession", s.DeleteSession(ctx, "deleted"))
				for _, id := range []string{"none", "", "over", "deleted"} {
					_, _, err := f.SessionUser(ctx, id)
					wantErr(t, "SessionUser("+id+")", err, store.ErrNotFound)
				}
			})},
		{"SessionUserNoUser", "SessionUser returns ErrNotFound if the user is not there.",
			with(func(ctx context.Context, t testing.TB, s store.Store, f store.SessionUserFinder) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "s1")
				must(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
				_, _, err := f.SessionUser(ctx, "s1")
				gone(t, "SessionUser", err)
			})},
	}
}

func transactionRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Transactor)) func(context.Context, testing.TB, store.Store) {
		return needs("Transactor", func(ctx context.Context, t testing.TB, _ store.Store, s store.Transactor) { check(ctx, t, s) })
	}
	// all changes something of every kind.
	all := func(ctx context.Context, s store.Store, u *store.User, a *store.Account) error {
		newUser, newAccount := person("new")
		changed := *u
		changed.Name = "Changed"
		return errors.Join(
			s.CreateUser(ctx, newUser, newAccount),
			s.PutToken(ctx, newAccount.Key, token("new")),
			s.Mark(ctx, "f:new", moment().Add(time.Hour)),
			s.CreateSession(ctx, visit(u, "new")),
			s.UpdateUser(ctx, &changed),
			s.AddAccount(ctx, &store.Account{Key: key("ann-2"), UserID: u.ID}),
			s.RemoveAccount(ctx, a.Key, []string{home}),
			s.DeleteSession(ctx, "s1"),
		)
	}
	// untouched fails if anything of that remains.
	untouched := func(ctx context.Context, t testing.TB, s store.Store, u *store.User, a *store.Account) {
		t.Helper()
		user, err := s.User(ctx, u.ID)
		must(t, "User", err)
		wantSame(t, "the user", user, u)
		acc, err := s.Account(ctx, a.Key)
		must(t, "Account", err)
		wantSame(t, "the account", acc, a)
		wantToken(ctx, t, s, a.Key, "sealed")
		for _, k := range []store.Key{key("new"), key("ann-2")} {
			_, err = s.Account(ctx, k)
			gone(t, "Account", err)
		}
		_, err = s.UserByEmail(ctx, "new@example.com")
		gone(t, "UserByEmail", err)
		_, err = s.Session(ctx, "new")
		gone(t, "Session", err)
		_, err = s.Session(ctx, "s1")
		must(t, "Session", err)
		must(t, "Mark", s.Mark(ctx, "f:new", moment().Add(time.Hour)))
	}
	setUp := func(ctx context.Context, t testing.TB, s store.Store) (*store.User, *store.Account) {
		t.Helper()
		u, a := signUp(ctx, t, s, "ann")
		putToken(ctx, t, s, a.Key, "sealed")
		logIn(ctx, t, s, u, "s1")
		return u, a
	}
	return []rule{
		{"TransactKeeps", "What f wrote remains when it returns nil.",
			with(func(ctx context.Context, t testing.TB, s store.Transactor) {
				u, a := setUp(ctx, t, s)
				must(t, "Transact", s.Transact(ctx, func(tx store.Store) error { return all(ctx, tx, u, a) }))
				_, err := s.UserByEmail(ctx, "new@example.com")
				must(t, "UserByEmail", err)
				wantToken(ctx, t, s, key("new"), "new")
				wantErr(t, "Mark", s.Mark(ctx, "f:new", moment().Add(time.Hour)), store.ErrExists)
				_, err = s.Session(ctx, "new")
				must(t, "Session", err)
				_, err = s.Session(ctx, "s1")
				gone(t, "Session that was deleted", err)
				_, err = s.Account(ctx, a.Key)
				gone(t, "Account that was removed", err)
				user, err := s.User(ctx, u.ID)
				must(t, "User", err)
				if user.Name != "Changed" {
					t.Errorf("name of the user: got %q, want Changed", user.Name)
				}
			})},
		{"TransactSeesItself", "In a transaction, what it has written is there.",
			with(func(ctx context.Context, t testing.TB, s store.Transactor) {
				u, a := setUp(ctx, t, s)
				must(t, "Transact", s.Transact(ctx, func(tx store.Store) error {
					if err := all(ctx, tx, u, a); err != nil {
						return err
					}
					_, err := tx.UserByEmail(ctx, "new@example.com")
					must(t, "UserByEmail", err)
					wantToken(ctx, t, tx, key("new"), "new")
					wantErr(t, "Mark", tx.Mark(ctx, "f:new", moment().Add(time.Hour)), store.ErrExists)
					_, err = tx.Account(ctx, a.Key)
					gone(t, "Account that was removed", err)
					list, err := tx.UserAccounts(ctx, u.ID)
					must(t, "UserAccounts", err)
					if len(list) != 1 {
						t.Errorf("accounts: got %q, want ann-2", subjects(list))
					}
					sessions, err := tx.UserSessions(ctx, u.ID)
					must(t, "UserSessions", err)
					if len(sessions) != 1 {
						t.Errorf("sessions: got %q, want new", ids(sessions))
					}
					return nil
				}))
			})},
		{"TransactUndoesOnError", "If f returns an error, nothing that it wrote remains, and Transact returns that error.",
			with(func(ctx context.Context, t testing.TB, s store.Transactor) {
				u, a := setUp(ctx, t, s)
				failed := errors.New("f failed")
				err := s.Transact(ctx, func(tx store.Store) error {
					must(t, "in the transaction", all(ctx, tx, u, a))
					return failed
				})
				wantErr(t, "Transact", err, failed)
				untouched(ctx, t, s, u, a)
			})},
		{"TransactUndoesOnPanic", "If f panics, nothing that it wrote remains, and the store works on.",
			with(func(ctx context.Context, t testing.TB, s store.Transactor) {
				u, a := setUp(ctx, t, s)
				func() {
					defer func() { _ = recover() }()
					_ = s.Transact(ctx, func(tx store.Store) error {
						must(t, "in the transaction", all(ctx, tx, u, a))
						panic("f panicked")
					})
				}()
				untouched(ctx, t, s, u, a)
				must(t, "the next Transact", s.Transact(ctx, func(tx store.Store) error { return nil }))
			})},
		{"TransactContextDone", "If the context ends in a transaction, it happens whole or, with an error, not at all.",
			with(func(ctx context.Context, t testing.TB, s store.Transactor) {
				u, a := setUp(ctx, t, s)
				during, cancel := context.WithCancel(ctx)
				defer cancel()
				err := s.Transact(during, func(tx store.Store) error {
					must(t, "in the transaction", all(during, tx, u, a))
					cancel()
					return nil
				})
				if err != nil {
					untouched(ctx, t, s, u, a)
				} else if _, err := s.UserByEmail(ctx, "new@example.com"); err != nil {
					t.Errorf("Transact returned nil, and the user is not there: %v", err)
				}
			})},
		{"TransactKeyTaken", "In a transaction too, a CreateUser whose key is taken leaves no user, and the transaction goes on.",
			with(func(ctx context.Context, t testing.TB, s store.Transactor) {
				signUp(ctx, t, s, "ann")
				must(t, "Transact", s.Transact(ctx, func(tx store.Store) error {
					u, a := person("ann")
					u.Email = "second@example.com"
					wantErr(t, "CreateUser", tx.CreateUser(ctx, u, a), store.ErrExists)
					_, err := tx.Account(ctx, a.Key)
					must(t, "Account", err)
					return tx.Mark(ctx, "f:one", moment().Add(time.Hour))
				}))
				_, err := s.UserByEmail(ctx, "second@example.com")
				gone(t, "UserByEmail of the second", err)
				wantErr(t, "Mark", s.Mark(ctx, "f:one", moment().Add(time.Hour)), store.ErrExists)
			})},
		{"TransactAtOnce", "Transactions at once that read and then write lose nothing and all end.",
			with(func(ctx context.Context, t testing.TB, s store.Transactor) {
				oneOf(t, "Transact", atOnce(20, func(int) error {
					return s.Transact(ctx, func(tx store.Store) error {
						if _, err := tx.Account(ctx, key("ann")); !errors.Is(err, store.ErrNotFound) {
							if err == nil {
								err = store.ErrExists
							}
							return err
						}
						u, a := person("ann")
						return tx.CreateUser(ctx, u, a)
					})
				}), store.ErrExists)
				_, err := s.UserByEmail(ctx, "ann@example.com")
				must(t, "UserByEmail", err)
			})},
	}
}
