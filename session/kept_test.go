package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// kept begins a session in b that keep stores.
func (w *world) kept(b *browser, m *session.Manager, s *store.Session, keep func(context.Context, *store.Session) (int, error)) error {
	return b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return m.BeginKept(rw, r, s, keep) })
}

// Whoever stores the session gets all of it, once, and the browser its key.
func TestBeginKept(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := &store.Session{UserID: w.user.ID, AuthTime: w.clock.now()}
	calls := 0
	err := w.kept(b, w.m, s, func(ctx context.Context, given *store.Session) (int, error) {
		calls++
		if given.ID == "" || given.UserID != w.user.ID || given.CreatedAt.IsZero() || !given.ExpiresAt.After(w.clock.now()) {
			t.Errorf("it was given %+v", given)
		}
		return w.store.CreateCounted(ctx, given)
	})
	if err != nil || calls != 1 || w.store.count() != 1 {
		t.Errorf("got %v, %d calls, %d of the store", err, calls, w.store.count())
	}
	w.wantUser(b, w.m)
}

// A Manager that has found its store unable to count leaves nothing of keep's out.
func TestBeginKeptWithAStoreThatCannotCount(t *testing.T) {
	w := newWorld(t, listing)
	w.login(newBrowser(t))
	b, calls := newBrowser(t), 0
	err := w.kept(b, w.m, &store.Session{UserID: w.user.ID}, func(ctx context.Context, s *store.Session) (int, error) {
		calls++
		return w.store.CreateCounted(ctx, s)
	})
	if err != nil || calls != 1 || len(w.sessions()) != 2 {
		t.Errorf("got %v, %d calls, %d sessions", err, calls, len(w.sessions()))
	}
	w.wantUser(b, w.m)
}

// The limit holds as with Begin.
func TestBeginKeptHoldsTheLimit(t *testing.T) {
	w, browsers, _ := crowded(t, 3, limit(3))
	b := newBrowser(t)
	if err := w.kept(b, w.m, &store.Session{UserID: w.user.ID}, w.store.CreateCounted); err != nil {
		t.Fatal(err)
	}
	w.wantNone(browsers[0], w.m)
	for _, b := range append(browsers[1:], b) {
		w.wantUser(b, w.m)
	}
	if n := len(w.sessions()); n != 3 {
		t.Errorf("got %d sessions, want 3", n)
	}
}

// What cannot be done in one step is not begun, and Begin does it then.
func TestBeginKeptUnsupported(t *testing.T) {
	unable := func(context.Context, *store.Session) (int, error) { return 0, errors.ErrUnsupported }
	never := func(context.Context, *store.Session) (int, error) { t.Error("it was asked"); return 0, errDown }
	for name, test := range map[string]struct {
		keep   func(context.Context, *store.Session) (int, error)
		before func(w *world, b *browser)
	}{
		"the store cannot":          {unable, func(*world, *browser) {}},
		"the browser has a session": {never, func(w *world, b *browser) { w.login(b) }},
		"it has one that has ended": {never, func(w *world, b *browser) { w.login(b); w.clock.add(1000 * time.Hour) }},
		"it has that of a visitor":  {never, func(w *world, b *browser) { put(t, b, w.m, "cart", "tea", 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := newWorld(t), newBrowser(t)
			test.before(w, b)
			had, calls := len(w.sessions()), w.store.count()
			clear(b.header)
			err := w.kept(b, w.m, &store.Session{UserID: w.user.ID}, test.keep)
			if !errors.Is(err, errors.ErrUnsupported) || len(b.header) > 0 || w.store.count() != calls || len(w.sessions()) != had {
				t.Errorf("got %v, header %v, %d calls", err, b.header, w.store.count()-calls)
			}
			w.login(b)
			w.wantUser(b, w.m)
			if n := w.store.count("CreateCounted"); name == "the store cannot" && n != 1 {
				t.Error("the store is not asked to count any more")
			}
		})
	}
}

// One that fails leaves nobody logged in, also if only its answer was lost.
func TestBeginKeptFails(t *testing.T) {
	w := newWorld(t)
	for name, keep := range map[string]func(context.Context, *store.Session) (int, error){
		"fails": func(context.Context, *store.Session) (int, error) { return 0, errDown },
		"its answer is lost": func(ctx context.Context, s *store.Session) (int, error) {
			return 0, errors.Join(w.store.CreateSession(ctx, s), errDown)
		},
	} {
		b := newBrowser(t)
		err := w.kept(b, w.m, &store.Session{UserID: w.user.ID}, keep)
		if !errors.Is(err, errDown) || len(b.header) > 0 || len(w.sessions()) != 0 {
			t.Errorf("%s: got %v, header %v, %d sessions", name, err, b.header, len(w.sessions()))
		}
	}
	if err := w.kept(newBrowser(t), w.m, &store.Session{}, w.store.CreateCounted); err == nil || len(w.sessions()) != 0 {
		t.Errorf("nobody's: got %v", err)
	}
}
