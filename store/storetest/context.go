package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

func contextRules() []rule {
	return []rule{
		{"ContextDone", "Every method gives up when its context is done: it returns an error, and has changed nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, a := signUp(ctx, t, s, "ann")
				b := link(ctx, t, s, u, key("ann-2"))
				putToken(ctx, t, s, a.Key, "sealed")
				logIn(ctx, t, s, u, "s1")
				over, cancel := context.WithCancel(ctx)
				cancel()
				for what, err := range callAll(over, s, u, a) {
					if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrLastAccount) {
						t.Errorf("%s: got error %v, want one that says that the context is done", what, err)
					}
				}
				user, err := s.User(ctx, u.ID)
				must(t, "User", err)
				wantSame(t, "the user", user, u)
				for _, k := range []store.Key{a.Key, b.Key} {
					_, err = s.Account(ctx, k)
					must(t, "Account", err)
				}
				for _, k := range []store.Key{key("new"), key("newer")} {
					_, err = s.Account(ctx, k)
					gone(t, "Account", err)
				}
				wantToken(ctx, t, s, a.Key, "sealed")
				_, err = s.Session(ctx, "s1")
				must(t, "Session", err)
				must(t, "Mark", s.Mark(ctx, "f:new", moment().Add(time.Hour)))
			}},
		{"ConcurrentUse", "Every method is safe for concurrent use.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				for _, err := range atOnce(16, func(i int) error { return life(ctx, s, fmt.Sprint("user", i)) }) {
					if err != nil {
						t.Error(err)
					}
				}
			}},
	}
}

// callAll calls every method, and returns the errors.
func callAll(ctx context.Context, s store.Store, u *store.User, a *store.Account) map[string]error {
	errs := map[string]error{}
	changed := *u
	changed.Name = "Changed"
	newUser, newAccount := person("new")
	_, errs["User"] = s.User(ctx, u.ID)
	errs["UpdateUser"] = s.UpdateUser(ctx, &changed)
	_, errs["UserByEmail"] = s.UserByEmail(ctx, u.Email)
	_, errs["Account"] = s.Account(ctx, a.Key)
	_, errs["UserAccounts"] = s.UserAccounts(ctx, u.ID)
	errs["CreateUser"] = s.CreateUser(ctx, newUser, newAccount)
	errs["AddAccount"] = s.AddAccount(ctx, &store.Account{Key: key("newer"), UserID: u.ID})
	errs["UpdateAccount"] = s.UpdateAccount(ctx, a)
	errs["RemoveAccount"] = s.RemoveAccount(ctx, a.Key, []string{home})
	_, errs["Token"] = s.Token(ctx, a.Key)
	errs["PutToken"] = s.PutToken(ctx, a.Key, token("new"))
	errs["SwapToken"] = s.SwapToken(ctx, a.Key, []byte("sealed"), token("new"))
	_, errs["LeaseToken"] = s.LeaseToken(ctx, a.Key, time.Minute)
	errs["DeleteToken"] = s.DeleteToken(ctx, a.Key)
	errs["CreateSession"] = s.CreateSession(ctx, visit(u, "new"))
	_, errs["Session"] = s.Session(ctx, "s1")
	_, errs["UserSessions"] = s.UserSessions(ctx, u.ID)
	errs["TouchSession"] = s.TouchSession(ctx, "s1", moment(), moment().Add(time.Hour))
	errs["DeleteSession"] = s.DeleteSession(ctx, "s1")
	errs["DeleteUserSessions"] = s.DeleteUserSessions(ctx, u.ID, "")
	errs["Mark"] = s.Mark(ctx, "f:new", moment().Add(time.Hour))
	errs["DeleteExpired"] = s.DeleteExpired(ctx)
	errs["DeleteUser"] = s.DeleteUser(ctx, u.ID)
	return errs
}

// life is all that happens to a person, with nobody else's doings in it.
func life(ctx context.Context, s store.Store, name string) error {
	u, a := person(name)
	session := &store.Session{ID: name, ExpiresAt: moment().Add(time.Hour)}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"CreateUser", func() error { return s.CreateUser(ctx, u, a) }},
		{"PutToken", func() error { return s.PutToken(ctx, a.Key, token(name)) }},
		{"Mark", func() error { return s.Mark(ctx, "f:"+name, moment().Add(time.Hour)) }},
		{"CreateSession", func() error { session.UserID = u.ID; return s.CreateSession(ctx, session) }},
		{"Session", func() error {
			got, err := s.Session(ctx, name)
			if err == nil && got.UserID != u.ID {
				err = fmt.Errorf("got someone else's session")
			}
			return err
		}},
		{"LeaseToken", func() error {
			got, err := s.LeaseToken(ctx, a.Key, time.Minute)
			if err == nil && string(got.Sealed) != name {
				err = fmt.Errorf("got someone else's token")
			}
			return err
		}},
		{"SwapToken", func() error { return s.SwapToken(ctx, a.Key, []byte(name), token("new "+name)) }},
		{"UserByEmail", func() error {
			got, err := s.UserByEmail(ctx, u.Email)
			if err == nil && got.ID != u.ID {
				err = fmt.Errorf("got someone else")
			}
			return err
		}},
		{"UpdateUser", func() error { return s.UpdateUser(ctx, u) }},
		{"UpdateAccount", func() error { return s.UpdateAccount(ctx, a) }},
		{"AddAccount", func() error { return s.AddAccount(ctx, &store.Account{Key: key(name + "-2"), UserID: u.ID}) }},
		{"TouchSession", func() error { return s.TouchSession(ctx, name, moment(), moment().Add(2*time.Hour)) }},
		{"DeleteExpired", func() error { return s.DeleteExpired(ctx) }},
		{"RemoveAccount", func() error { return s.RemoveAccount(ctx, a.Key, []string{home}) }},
		{"UserAccounts", func() error {
			list, err := s.UserAccounts(ctx, u.ID)
			if err == nil && len(list) != 1 {
				err = fmt.Errorf("got %q, want one account", subjects(list))
			}
			return err
		}},
		{"DeleteUserSessions", func() error { return s.DeleteUserSessions(ctx, u.ID, "") }},
		{"UserSessions", func() error {
			list, err := s.UserSessions(ctx, u.ID)
			if err == nil && len(list) != 0 {
				err = fmt.Errorf("got %q, want no sessions", ids(list))
			}
			return err
		}},
		{"DeleteUser", func() error { return s.DeleteUser(ctx, u.ID) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s of %s among others: %w", step.what, name, err)
		}
	}
	return nil
}
