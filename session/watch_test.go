package session_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// What the app changes through the store that it has given to the Manager holds
// at the next request, without Forget.
func TestChangesThroughTheStoreHoldAtOnce(t *testing.T) {
	for name, change := range map[string]func(ctx context.Context, db store.Store, u store.User, s *store.Session) error{
		"disabled": func(ctx context.Context, db store.Store, u store.User, _ *store.Session) error {
			u.Disabled = true
			return db.UpdateUser(ctx, &u)
		},
		"disabled in a transaction": func(ctx context.Context, db store.Store, u store.User, _ *store.Session) error {
			u.Disabled = true
			return store.Transact(ctx, db, func(tx store.Store) error { return tx.UpdateUser(ctx, &u) })
		},
		"deleted": func(ctx context.Context, db store.Store, u store.User, _ *store.Session) error {
			return db.DeleteUser(ctx, u.ID)
		},
		"session": func(ctx context.Context, db store.Store, _ store.User, s *store.Session) error {
			return db.DeleteSession(ctx, s.ID)
		},
		"sessions": func(ctx context.Context, db store.Store, u store.User, _ *store.Session) error {
			return db.DeleteUserSessions(ctx, u.ID, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			// Sessions are in one store and users in another, so that each counts.
			others := memstore.New()
			others.Now = w.clock.now
			for kind, m := range map[string]*session.Manager{
				"one store":  w.m,
				"two stores": w.manager(func(c *session.Config) { c.Store = others }),
			} {
				grace := newBrowser(t)
				w.loginAs(grace, m, w.newUser("grace of "+kind))
				u, b := w.newUser("ada of "+kind), newBrowser(t)
				s := w.loginAs(b, m, u)
				w.wantUser(b, m)
				w.wantUser(grace, m)
				var db store.Store = w.store
				if kind == "two stores" && (name == "session" || name == "sessions") {
					db = others
				}
				if err := change(t.Context(), db, *u, s); err != nil {
					t.Fatal(err)
				}
				if f, err := m.Resolve(b.request("GET")); !errors.Is(err, session.ErrNone) {
					t.Errorf("%s: got %v, %v, want ErrNone at once", kind, f, err)
				}
				asked := w.store.count()
				w.wantUser(grace, m)
				if n := w.store.count() - asked; n != 0 {
					t.Errorf("%s: the store was asked %d times about somebody else", kind, n)
				}
			}
		})
	}
}

// A name that is changed is seen at once, too.
func TestChangedUserIsSeenAtOnce(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	w.wantUser(b, w.m)
	u := *w.user
	u.Name = "Ada Lovelace"
	if err := w.store.UpdateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	if f := w.wantUser(b, w.m); f.User.Name != u.Name {
		t.Errorf("got name %q, want %q", f.User.Name, u.Name)
	}
}

// A change that comes while the store is being asked makes the answer stale.
func TestChangeWhileTheStoreIsAsked(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	u := *w.user
	u.Disabled = true
	w.store.onAnswer("SessionUser", func() {
		w.store.onAnswer("SessionUser", nil)
		if err := w.store.UpdateUser(t.Context(), &u); err != nil {
			t.Error(err)
		}
	})
	_, _ = w.m.Resolve(b.request("GET")) // it may have been answered before
	w.wantNone(b, w.m)
}

// A counted store knows who watches it.
type counted struct {
	store.Store
	watchers map[*int]func(store.Change)
	stopped  chan *int
	held     []any
}

func newCounted(s store.Store) *counted {
	return &counted{Store: s, watchers: map[*int]func(store.Change){}, stopped: make(chan *int, 1000)}
}

func (c *counted) Watch(f func(store.Change)) (stop func()) {
	id := new(int)
	c.watchers[id] = f
	return func() { c.stopped <- id }
}

func TestStoreIsWatchedOnce(t *testing.T) {
	w := newWorld(t)
	one, other := newCounted(w.store), newCounted(w.store)
	for _, test := range []struct {
		name           string
		change         func(*session.Config)
		inOne, inOther int
	}{
		{"store and users", func(c *session.Config) { c.Store, c.Users = one, one }, 1, 0},
		{"no users", func(c *session.Config) { c.Store, c.Users = one, nil }, 1, 0},
		{"two", func(c *session.Config) { c.Store, c.Users = one, other }, 1, 1},
		{"no cache", func(c *session.Config) { c.Store, c.Users, c.Cache = one, other, -1 }, 0, 0},
		{"no watcher", func(c *session.Config) { c.Store = struct{ store.Sessions }{one} }, 0, 0},
		{"not comparable", func(c *session.Config) {
			s := struct {
				store.Store
				_ []int
			}{Store: one}
			c.Store, c.Users = s, s
		}, 0, 0},
		{"mistaken", func(c *session.Config) { c.Store, c.Secret = one, "" }, 0, 0},
	} {
		clear(one.watchers)
		clear(other.watchers)
		cfg := w.cfg
		test.change(&cfg)
		if _, err := session.New(cfg); (err != nil) != (test.name == "mistaken") {
			t.Fatalf("%s: %v", test.name, err)
		}
		if len(one.watchers) != test.inOne || len(other.watchers) != test.inOther {
			t.Errorf("%s: got %d and %d watchers, want %d and %d", test.name, len(one.watchers), len(other.watchers), test.inOne, test.inOther)
		}
	}
}

// A Manager that nobody uses any more is let go, although its store lives on, and
// even if the store holds what holds the Manager.
func TestStoreKeepsNoManager(t *testing.T) {
	w := newWorld(t)
	c, selfish := newCounted(w.store), newCounted(w.store)
	const n = 100
	func() {
		for range n {
			w.manager(func(cfg *session.Config) { cfg.Store, cfg.Users = c, c })
			m := w.manager(func(cfg *session.Config) { cfg.Store, cfg.Users = selfish, selfish })
			selfish.held = append(selfish.held, m)
		}
	}()
	kept := w.manager(func(cfg *session.Config) { cfg.Store, cfg.Users = c, c })
	gone := map[*int]bool{}
	for range 10_000 {
		runtime.GC()
		select {
		case id := <-c.stopped:
			gone[id] = true
		default:
			runtime.Gosched()
		}
		if len(gone) == n {
			break
		}
	}
	if len(gone) != n || len(c.watchers) != n+1 {
		t.Errorf("%d of %d watches ended, want all but the one whose Manager is used", len(gone), len(c.watchers))
	}
	for _, f := range c.watchers {
		f(store.Change{UserID: w.user.ID}) // also to those who have gone
	}
	if _, err := kept.Find(httptest.NewRequest("GET", "/", nil)); !errors.Is(err, session.ErrNone) {
		t.Error(err)
	}
	// The other store and its Managers hold one another. That must keep nothing
	// alive once nobody has them.
	freed := make(chan struct{})
	runtime.AddCleanup(selfish, func(struct{}) { close(freed) }, struct{}{})
	selfish = nil
	for range 10_000 {
		runtime.GC()
		select {
		case <-freed:
			return
		default:
			runtime.Gosched()
		}
	}
	t.Error("a store and its Managers, which nobody uses, are kept")
}
