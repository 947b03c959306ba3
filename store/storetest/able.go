package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A step is a call of a method beyond those that every store has.
type step struct {
	what string
	do   func() error
}

// ableRules are of all methods that a store has beyond those that it must.
func ableRules() []rule {
	return []rule{
		{"OptionalContextDone", "The methods of the optional interfaces too give up when their context is done: they return an error, and have changed nothing.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				u, _ := signUp(ctx, t, s, "ann")
				want := logIn(ctx, t, s, u, "done1")
				r, remembers := s.(store.Rememberer)
				b := browser(u, "b1")
				if remembers {
					must(t, "CreateRemembered", r.CreateRemembered(ctx, b))
				}
				over, cancel := context.WithCancel(ctx)
				cancel()
				steps := calls(over, s, u)
				if len(steps) == 0 {
					t.Skip("the store has none of these methods")
				}
				for _, call := range steps {
					if err := call.do(); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) {
						t.Errorf("%s: got error %v, want one that says that the context is done", call.what, err)
					}
				}
				wantSession(ctx, t, s, want)
				wantEnded(ctx, t, s, "done2", "done3", "done4", "done5")
				if v, ok := s.(store.SessionValuer); ok {
					wantValues(ctx, t, v, "done1", nil)
				}
				if remembers {
					wantRemembered(ctx, t, r, b)
					wantForgotten(ctx, t, r, "b2")
				}
			}},
		{"OptionalConcurrentUse", "The methods of the optional interfaces too are safe for concurrent use.",
			func(ctx context.Context, t testing.TB, s store.Store) {
				if len(calls(ctx, s, &store.User{})) == 0 {
					t.Skip("the store has none of these methods")
				}
				for _, err := range atOnce(8, func(i int) error { return moreLife(ctx, s, fmt.Sprint("life", i)) }) {
					if err != nil {
						t.Error(err)
					}
				}
			}},
	}
}

// calls returns a call of each method that s has, of which none has run.
func calls(ctx context.Context, s store.Store, u *store.User) []step {
	var all []step
	add := func(what string, do func() error) { all = append(all, step{what, do}) }
	if f, ok := s.(store.SessionUserFinder); ok {
		add("SessionUser", func() error { _, _, err := f.SessionUser(ctx, "done1"); return err })
	}
	if l, ok := s.(store.LoginKeeper); ok {
		add("AccountUser", func() error { _, _, _, err := l.AccountUser(ctx, key("ann")); return err })
		add("UpdateAccountToken", func() error {
			return l.UpdateAccountToken(ctx, &store.Account{Key: key("ann"), UserID: u.ID}, nil, token("sealed"))
		})
	}
	if l, ok := finisher(ctx, s); ok {
		add("FinishLogin", func() error {
			_, err := l.FinishLogin(ctx, &store.Account{Key: key("ann"), UserID: u.ID}, nil, token("sealed"), whole(u, "done5"))
			return err
		})
	}
	if l, ok := s.(store.AccountLister); ok {
		add("ListAccounts", func() error { _, err := l.ListAccounts(ctx, store.Key{}, 10); return err })
	}
	if r, ok := s.(store.SessionReplacer); ok {
		add("ReplaceSessions", func() error { return r.ReplaceSessions(ctx, whole(u, "done2"), nil, []string{"done1"}) })
		add("RenewSession", func() error { return r.RenewSession(ctx, "done1", whole(u, "done3")) })
	}
	if c, ok := s.(store.SessionCounter); ok {
		add("CreateCounted", func() error { _, err := c.CreateCounted(ctx, whole(u, "done4")); return err })
	}
	if v, ok := s.(store.SessionValuer); ok {
		add("SessionValues", func() error { _, _, err := v.SessionValues(ctx, "done1"); return err })
		add("SwapSessionValues", func() error { return v.SwapSessionValues(ctx, "done1", nil, []byte("cart")) })
	}
	if f, ok := s.(store.SIDFinder); ok {
		add("SIDSessions", func() error { _, err := f.SIDSessions(ctx, home, "sid-done1"); return err })
	}
	if f, ok := s.(store.MarkFinder); ok {
		add("Marked", func() error { return f.Marked(ctx, "m:one") })
	}
	if r, ok := s.(store.Rememberer); ok {
		b, other := browser(u, "b1"), browser(u, "b1")
		other.UserAgent = "Other/1.0"
		add("CreateRemembered", func() error { return r.CreateRemembered(ctx, browser(u, "b2")) })
		add("Remembered", func() error { _, err := r.Remembered(ctx, "b1"); return err })
		add("SwapRemembered", func() error { return r.SwapRemembered(ctx, b.Validator, other) })
		add("UserRemembered", func() error { _, err := r.UserRemembered(ctx, u.ID); return err })
		add("SIDRemembered", func() error { _, err := r.SIDRemembered(ctx, home, b.SID); return err })
		add("DeleteRemembered", func() error { return r.DeleteRemembered(ctx, "b1") })
		add("DeleteUserRemembered", func() error { return r.DeleteUserRemembered(ctx, u.ID, "") })
		add("DeleteExpired", func() error { return r.DeleteExpired(ctx) })
	}
	return all
}

// moreLife is what else happens to a person in a store that can do more, with
// nobody else's doings in it.
func moreLife(ctx context.Context, s store.Store, name string) error {
	u, a := person(name)
	if err := s.CreateUser(ctx, u, a); err != nil {
		return err
	}
	id := name
	if err := s.CreateSession(ctx, whole(u, id)); err != nil {
		return err
	}
	var all []step
	add := func(what string, do func() error) { all = append(all, step{what, do}) }
	v, keeps := s.(store.SessionValuer)
	wantOwn := func() error {
		_, got, err := v.SessionValues(ctx, id)
		if err == nil && string(got) != name {
			err = errors.New("got someone else's values")
		}
		return err
	}
	if keeps {
		add("SwapSessionValues", func() error { return v.SwapSessionValues(ctx, id, nil, []byte(name)) })
		add("SessionValues", wantOwn)
	}
	if r, ok := s.(store.SessionReplacer); ok {
		add("RenewSession", func() error {
			before := id
			id += "-2"
			return r.RenewSession(ctx, before, whole(u, id))
		})
		if keeps {
			add("SessionValues after RenewSession", wantOwn)
		}
		add("ReplaceSessions", func() error {
			before := id
			id += "-3"
			return r.ReplaceSessions(ctx, whole(u, id), nil, []string{before})
		})
	}
	if c, ok := s.(store.SessionCounter); ok {
		add("CreateCounted", func() error {
			n, err := c.CreateCounted(ctx, visit(u, name+"-counted"))
			if err == nil && n != 2 {
				err = fmt.Errorf("got %d sessions, want 2", n)
			}
			return err
		})
	}
	if l, ok := finisher(ctx, s); ok {
		add("FinishLogin", func() error {
			_, err := l.FinishLogin(ctx, a, nil, token(name), visit(u, name+"-finished"))
			return err
		})
		add("AccountUser", func() error {
			_, _, got, err := l.AccountUser(ctx, a.Key)
			if err == nil && (got == nil || string(got.Sealed) != name) {
				err = errors.New("got someone else's token")
			}
			return err
		})
	}
	if f, ok := s.(store.SIDFinder); ok {
		add("SIDSessions", func() error {
			list, err := f.SIDSessions(ctx, home, "sid-"+id)
			if err == nil && (len(list) != 1 || list[0].UserID != u.ID) {
				err = fmt.Errorf("got %q, want %s", ids(list), id)
			}
			return err
		})
	}
	if f, ok := s.(store.MarkFinder); ok {
		add("Mark", func() error { return s.Mark(ctx, "m:"+name, moment().Add(time.Hour)) })
		add("Marked", func() error { return f.Marked(ctx, "m:"+name) })
	}
	if r, ok := s.(store.Rememberer); ok {
		b, next := browser(u, name), browser(u, name)
		next.Validator = []byte(name)
		add("CreateRemembered", func() error { return r.CreateRemembered(ctx, b) })
		add("SwapRemembered", func() error { return r.SwapRemembered(ctx, b.Validator, next) })
		add("Remembered", func() error {
			got, err := r.Remembered(ctx, name)
			if err == nil && !bytes.Equal(got.Validator, next.Validator) {
				err = errors.New("got someone else's validator")
			}
			return err
		})
		add("UserRemembered", func() error {
			list, err := r.UserRemembered(ctx, u.ID)
			if err == nil && len(list) != 1 {
				err = fmt.Errorf("got %q, want %s", browserIDs(list), name)
			}
			return err
		})
		add("DeleteUserRemembered", func() error { return r.DeleteUserRemembered(ctx, u.ID, "") })
	}
	add("DeleteUser", func() error { return s.DeleteUser(ctx, u.ID) })
	for _, call := range all {
		if err := call.do(); err != nil {
			return fmt.Errorf("%s of %s among others: %w", call.what, name, err)
		}
	}
	return nil
}
