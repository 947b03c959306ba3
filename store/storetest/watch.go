package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatepass/gatepass/store"
)

// A journal is what a watcher was told.
type journal struct {
	mu   sync.Mutex
	told []store.Change
}

func (j *journal) note(c store.Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.told = append(j.told, c)
}

// has reports whether a change of the session, if id is not empty, or of the
// user was told. One of a user is one of all their sessions as well.
func (j *journal) has(userID, id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.told {
		if c.SessionID == "" && c.UserID == userID && userID != "" || id != "" && c.SessionID == id {
			return true
		}
	}
	return false
}

func watchRules() []rule {
	with := func(check func(context.Context, testing.TB, store.Store, store.Watcher)) func(context.Context, testing.TB, store.Store) {
		return needs("Watcher", check)
	}
	type watchedTx interface {
		store.Watcher
		store.Transactor
	}
	inTx := func(check func(context.Context, testing.TB, store.Store, watchedTx)) func(context.Context, testing.TB, store.Store) {
		return needs("Watcher and Transactor", check)
	}
	return []rule{
		{"WatchSessions", "Whatever ends a session tells of it before it returns.",
			with(func(ctx context.Context, t testing.TB, s store.Store, w store.Watcher) {
				ways := map[string]func(u *store.User) error{
					"DeleteSession":      func(*store.User) error { return s.DeleteSession(ctx, "DeleteSession") },
					"DeleteUserSessions": func(u *store.User) error { return s.DeleteUserSessions(ctx, u.ID, "") },
					"DeleteUser":         func(u *store.User) error { return s.DeleteUser(ctx, u.ID) },
				}
				if r, ok := s.(store.SessionReplacer); ok {
					ways["ReplaceSessions"] = func(u *store.User) error {
						return r.ReplaceSessions(ctx, whole(u, "w1"), nil, []string{"ReplaceSessions"})
					}
					ways["RenewSession"] = func(u *store.User) error { return r.RenewSession(ctx, "RenewSession", whole(u, "w2")) }
				}
				for way, end := range ways {
					u, _ := signUp(ctx, t, s, way)
					logIn(ctx, t, s, u, way)
					var j journal
					stop := w.Watch(j.note)
					must(t, way, end(u))
					if !j.has(u.ID, way) {
						t.Errorf("%s told %+v, want a change of session %s or of its user", way, j.told, way)
					}
					stop()
				}
			})},
		{"WatchVisitors", "That a visitor's session ends is told as well.",
			needs("Watcher and SessionValuer", func(ctx context.Context, t testing.TB, s store.Store, w interface {
				store.Watcher
				store.SessionValuer
			}) {
				must(t, "CreateSession", s.CreateSession(ctx, stranger("v1")))
				var j journal
				defer w.Watch(j.note)()
				must(t, "DeleteSession", s.DeleteSession(ctx, "v1"))
				if !j.has("", "v1") {
					t.Errorf("DeleteSession told %+v, want a change of session v1", j.told)
				}
			})},
		{"WatchUsers", "Whatever changes or removes a user tells of it before it returns.",
			with(func(ctx context.Context, t testing.TB, s store.Store, w store.Watcher) {
				u, _ := signUp(ctx, t, s, "ann")
				for _, change := range []struct {
					what string
					do   func() error
				}{
					{"UpdateUser", func() error { u.Disabled = true; return s.UpdateUser(ctx, u) }},
					{"DeleteUser", func() error { return s.DeleteUser(ctx, u.ID) }},
				} {
					var j journal
					stop := w.Watch(j.note)
					must(t, change.what, change.do())
					if !j.has(u.ID, "") {
						t.Errorf("%s told %+v, want a change of the user", change.what, j.told)
					}
					stop()
				}
			})},
		{"WatchTransact", "What a transaction changes is told before Transact returns.",
			inTx(func(ctx context.Context, t testing.TB, s store.Store, w watchedTx) {
				u, _ := signUp(ctx, t, s, "ann")
				bob, _ := signUp(ctx, t, s, "bob")
				logIn(ctx, t, s, u, "late")
				var j journal
				defer w.Watch(j.note)()
				must(t, "Transact", w.Transact(ctx, func(tx store.Store) error {
					return errors.Join(tx.DeleteSession(ctx, "late"), tx.UpdateUser(ctx, bob))
				}))
				if !j.has(u.ID, "late") || !j.has(bob.ID, "") {
					t.Errorf("Transact told %+v, want a change of session late, and one of user %s", j.told, bob.ID)
				}
			})},
		{"WatchTransactEnd", "What a transaction changes is not told before it has ended, when others do not see it yet.",
			inTx(func(ctx context.Context, t testing.TB, s store.Store, w watchedTx) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "early")
				var within atomic.Bool
				defer w.Watch(func(c store.Change) {
					if within.Load() {
						t.Errorf("told %+v while the transaction was under way", c)
					}
				})()
				must(t, "Transact", w.Transact(ctx, func(tx store.Store) error {
					within.Store(true)
					defer within.Store(false)
					return errors.Join(tx.DeleteSession(ctx, "early"), tx.UpdateUser(ctx, u))
				}))
			})},
		{"WatchStop", "A watcher is not called any more once stop has returned, and others still are.",
			with(func(ctx context.Context, t testing.TB, s store.Store, w store.Watcher) {
				u, _ := signUp(ctx, t, s, "ann")
				logIn(ctx, t, s, u, "stopped")
				var ended, stay journal
				stop := w.Watch(ended.note)
				defer w.Watch(stay.note)()
				stop()
				must(t, "DeleteSession", s.DeleteSession(ctx, "stopped"))
				if len(ended.told) != 0 {
					t.Errorf("told %+v after stop", ended.told)
				}
				if !stay.has(u.ID, "stopped") {
					t.Errorf("another watcher was told %+v, want a change of session stopped", stay.told)
				}
			})},
		{"WatchAtOnce", "Watch and stop are safe for concurrent use, beside changes of which none is missed.",
			with(func(ctx context.Context, t testing.TB, s store.Store, w store.Watcher) {
				u, _ := signUp(ctx, t, s, "ann")
				const n = 8
				for i := range n {
					logIn(ctx, t, s, u, fmt.Sprint("once", i))
				}
				var all journal
				defer w.Watch(all.note)()
				for _, err := range atOnce(n, func(i int) error {
					var stopped atomic.Bool
					stop := w.Watch(func(store.Change) {
						if stopped.Load() {
							t.Error("called after stop had returned")
						}
					})
					defer stopped.Store(true)
					defer stop()
					return s.DeleteSession(ctx, fmt.Sprint("once", i))
				}) {
					must(t, "DeleteSession", err)
				}
				for i := range n {
					if id := fmt.Sprint("once", i); !all.has(u.ID, id) {
						t.Errorf("was not told of the end of session %s", id)
					}
				}
			})},
	}
}
