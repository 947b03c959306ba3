package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// failNth lets the store fail once: at a call that begins at the nth moment, if
// one does. It returns where the moments are counted.
func (w *world) failNth(n int) *int {
	steps := new(int)
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.between = func() {
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		clear(w.store.once)
		if *steps == n {
			for _, op := range []string{
				"CreateSession", "Session", "SessionUser", "UserSessions", "ReplaceSessions", "CreateCounted", "SessionValues", "SwapSessionValues", "DeleteSession",
				"Mark", "CreateRemembered", "Remembered", "UserRemembered", "DeleteRemembered",
			} {
				w.store.once[op] = errDown
			}
		}
		*steps++
	}
	return steps
}

func (w *world) failNoMore() {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.between = nil
	clear(w.store.once)
}

// Whichever call of a login the store fails at, once: either the person is logged
// in by it, or the browser's session is as good as it was, also to be renewed.
func TestBeginHarmsNoSessionByAFailure(t *testing.T) {
	for _, remembered := range []bool{false, true} {
		for name, kind := range map[string]func(*session.Config){"at once": func(*session.Config) {}, "in steps": least} {
			t.Run(fmt.Sprintf("%s, remembered: %t", name, remembered), func(t *testing.T) {
				for n := 0; ; n++ {
					w, b := newWorld(t, remembering), newBrowser(t)
					begin := w.login
					if remembered {
						begin = w.remember
					}
					old := begin(b)
					m := w.manager(func(c *session.Config) { c.Remembers = w.store }, kind)
					s := &store.Session{UserID: w.newUser("grace").ID}
					steps := w.failNth(n)
					err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return m.BeginRemembered(rw, r, s) })
					w.failNoMore()
					if *steps <= n {
						if n < 10 {
							t.Errorf("a login has only %d moments", n)
						}
						break
					}
					w.wantUnharmed(n, m, b, old, s, err)
				}
			})
		}
	}
}

func (w *world) wantUnharmed(n int, m *session.Manager, b *browser, old, begun *store.Session, err error) {
	w.t.Helper()
	f, found := m.ResolveNow(b.request("POST"))
	switch {
	case found != nil:
		w.t.Errorf("moment %d: got %v, and the browser is in no session: %v", n, err, found)
	case err == nil:
		if f.Session.ID != begun.ID {
			w.t.Errorf("moment %d: the browser is in session %s", n, f.Session.ID)
		}
		w.wantOnly()
	case !errors.Is(err, errDown) || len(b.header) > 0 || f.Session.ID != old.ID:
		w.t.Errorf("moment %d: got %v, header %v, session %s", n, err, b.header, f.Session.ID)
	default:
		if err := b.do("POST", m.Renew); err != nil {
			w.t.Errorf("moment %d: Renew: %v", n, err)
		}
	}
}

// So is it if the login ends another of the user's sessions, since they have too
// many, and forgets that one's browser, also if its own does not wait.
func TestBeginHarmsNoSessionInACrowd(t *testing.T) {
	for name, kind := range map[string]func(*session.Config){"at once": func(*session.Config) {}, "in steps": least} {
		for _, leaves := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, leaves: %t", name, leaves), func(t *testing.T) {
				for n := 0; ; n++ {
					w, b := newWorld(t, remembering), newBrowser(t)
					grace, old := w.newUser("grace"), w.login(b)
					if err := newBrowser(t).do("POST", func(rw http.ResponseWriter, r *http.Request) error {
						return w.m.BeginRemembered(rw, r, &store.Session{UserID: grace.ID})
					}); err != nil {
						t.Fatal(err)
					}
					m := w.manager(func(c *session.Config) { c.Remembers, c.MaxPerUser = w.store, 1 }, kind)
					s := &store.Session{UserID: grace.ID}
					ctx, leave := context.WithCancel(t.Context())
					defer leave()
					steps := w.at(n, leave)
					if !leaves {
						steps = w.failNth(n)
					}
					err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return m.Begin(rw, r.WithContext(ctx), s) })
					w.failNoMore()
					if *steps <= n {
						if n < 8 {
							t.Errorf("a login has only %d moments", n)
						}
						break
					}
					if f, found := m.ResolveNow(b.request("POST")); found != nil || f.Session.ID != old.ID && f.Session.ID != s.ID {
						t.Errorf("moment %d: got %v, and the browser is in no session: %v", n, err, found)
					}
				}
			})
		}
	}
}

// A forgetful store forgets a browser when it is told to, and loses the answer.
type forgetful struct {
	*backend
	before func()
}

func (s *forgetful) DeleteRemembered(ctx context.Context, id string) error {
	f := s.before
	if f == nil {
		return s.backend.DeleteRemembered(ctx, id)
	}
	s.before = nil
	f()
	return errors.Join(s.backend.DeleteRemembered(ctx, id), errDown)
}

// A browser that comes back just before it is forgotten by a login, which does not
// learn that it was, does not stay behind.
func TestBeginEndsWhoComesBackMeanwhile(t *testing.T) {
	w, b := newRemembering(t)
	other, elsewhere := b.clone(), w.manager()
	s := &forgetful{backend: w.store}
	m := w.manager(func(c *session.Config) { c.Store, c.Users, c.Remembers = s, s, s })
	s.before = func() {
		if _, err := other.restore(elsewhere); err != nil {
			t.Error(err)
		}
	}
	w.loginAs(b, m, w.newUser("grace"))
	if s.before != nil {
		t.Error("the browser was not forgotten")
	}
	w.wantNothing()
}
