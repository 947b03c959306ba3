package redisstore_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/gatepass/gatepass/examples/redis/redisstore"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A watcher hears of what may have ended, and of users of either half.
func TestWatch(t *testing.T) {
	sessions := fresh(t, server(t, "Redis"))
	users := plain{memstore.New()}
	s := redisstore.With(users, sessions)
	u := signUp(t, s)
	var heard []store.Change
	stop, ok := store.Watch(s, func(c store.Change) { heard = append(heard, c) })
	if !ok {
		t.Fatal("what With returns is no Watcher")
	}
	for what, step := range map[string]struct {
		do   func() error
		want store.Change
	}{
		"UpdateUser":         {func() error { return s.UpdateUser(t.Context(), u) }, store.Change{UserID: u.ID}},
		"DeleteSession":      {func() error { return s.DeleteSession(t.Context(), "s1") }, store.Change{SessionID: "s1"}},
		"DeleteUserSessions": {func() error { return s.DeleteUserSessions(t.Context(), u.ID, "") }, store.Change{UserID: u.ID}},
		"ReplaceSessions": {func() error {
			return store.ReplaceSessions(t.Context(), s, newSession(rand.Text(), u.ID), nil, []string{"s3"})
		}, store.Change{SessionID: "s3"}},
		"RenewSession": {func() error {
			err := store.RenewSession(t.Context(), s, "s4", newSession(rand.Text(), u.ID))
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}, store.Change{SessionID: "s4"}},
	} {
		heard = nil
		must(t, step.do())
		if !slices.Contains(heard, step.want) {
			t.Errorf("%s: heard %v, want %v", what, heard, step.want)
		}
	}
	stop()
	heard = nil
	must(t, s.DeleteUser(t.Context(), u.ID))
	if len(heard) != 0 {
		t.Errorf("after stop: heard %v", heard)
	}
}

// In a transaction, what is changed is told of when it can be seen.
func TestWatchTransaction(t *testing.T) {
	users := memstore.New()
	s := redisstore.With(users, fresh(t, server(t, "Redis")))
	u := signUp(t, s)
	var heard []store.Change
	_, _ = store.Watch(s, func(c store.Change) {
		heard = append(heard, c)
		if got, err := users.User(t.Context(), u.ID); err != nil || got.Name != "Grace" {
			t.Errorf("told of %v: the user is %v (%v), want it changed", c, got, err)
		}
	})
	must(t, store.Transact(t.Context(), s, func(tx store.Store) error {
		return store.Transact(t.Context(), tx, func(tx store.Store) error {
			changed := *u
			changed.Name = "Grace"
			return tx.UpdateUser(t.Context(), &changed)
		})
	}))
	if !slices.Contains(heard, store.Change{UserID: u.ID}) {
		t.Errorf("heard %v, want the change of the user", heard)
	}
}
