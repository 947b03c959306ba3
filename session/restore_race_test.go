package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// A restoreRace is what happens elsewhere while a Restore is under way.
type restoreRace struct {
	name  string
	meant bool // that the browser is in a session afterwards
	do    func(w *world, other *browser, elsewhere *session.Manager) error
}

// endings end the browser's session and family, and all others that there are.
var endings = []restoreRace{
	{"logout", false, func(w *world, other *browser, m *session.Manager) error { return other.do("POST", m.End) }},
	{"everywhere", false, func(w *world, _ *browser, m *session.Manager) error { return m.EndAll(w.t.Context(), w.user.ID, "") }},
	{"of the provider", false, func(w *world, _ *browser, m *session.Manager) error {
		return m.EndProvider(w.t.Context(), w.user.ID, "test", "")
	}},
	{"of all that is listed", false, func(w *world, _ *browser, m *session.Manager) error {
		list, err := m.List(w.t.Context(), w.user.ID)
		for _, s := range list {
			err = errors.Join(err, m.Revoke(w.t.Context(), s.ID))
		}
		return err
	}},
	{"deleted", false, func(w *world, _ *browser, m *session.Manager) error {
		return w.store.Store.DeleteUser(w.t.Context(), w.user.ID)
	}},
}

// heldID returns the ID of the session whose key the last answer gave to b.
func (b *browser) heldID() string {
	if b.got[cookieName] == nil {
		return ""
	}
	raw, err := b64.DecodeString(b.value(cookieName))
	if err != nil || len(raw) != 48 {
		b.t.Fatalf("got key %q", b.value(cookieName))
	}
	return sessionID(raw[1:33])
}

// What other requests do between any two steps of a Restore leaves one session
// of the family, or none if it was ended.
func TestRestoreRaces(t *testing.T) {
	for _, r := range append([]restoreRace{
		{"another request", true, func(w *world, other *browser, m *session.Manager) error {
			_, err := other.restore(m)
			return err
		}},
		{"another request that renews its key", true, func(w *world, other *browser, m *session.Manager) error {
			if _, err := other.restore(m); err != nil {
				return err
			}
			return other.do("POST", m.Renew)
		}},
	}, endings...) {
		t.Run(r.name, func(t *testing.T) {
			for step := 1; ; step++ {
				w, b := newRemembering(t)
				w.clock.add(idle)
				w.m = w.manager() // one that is not due to sweep
				other, elsewhere, n := b.clone(), w.manager(), 0
				w.store.between = func() {
					if n++; n == step {
						w.store.between = nil
						if err := r.do(w, other, elsewhere); err != nil {
							t.Errorf("step %d: %v", step, err)
						}
					}
				}
				f, err := b.restore(w.m)
				if n < step {
					if step < 8 {
						t.Errorf("Restore has only %d steps", n)
					}
					break
				}
				switch list := w.sessions(); {
				case errors.Is(err, session.ErrStolen), err != nil && !errors.Is(err, session.ErrNone):
					t.Errorf("step %d: got %v", step, err)
				case r.meant && (err != nil || len(list) != 1 || list[0].Family != f.Session.Family || !f.Session.AuthTime.IsZero()):
					t.Errorf("step %d: got %v, %v; the store has %d sessions", step, f.Session, err, len(list))
				case !r.meant && len(list)+len(w.families()) > 0:
					t.Errorf("step %d: the store has %d sessions and %d families", step, len(list), len(w.families()))
				}
				if id := b.heldID(); id != "" && id != f.Session.ID {
					t.Errorf("step %d: the answer is of session %s, its cookie of %s", step, f.Session.ID, id)
				}
				if r.meant {
					// In whatever order their answers arrive, the browser goes on.
					w.wantRestored(other, w.m)
				}
			}
		})
	}
}

// A Restore between any two steps of what ends the browser's session brings none
// back.
func TestRestoreWhileEnding(t *testing.T) {
	for _, r := range append([]restoreRace{
		{"theft", false, func(_ *world, stale *browser, m *session.Manager) error {
			if _, err := stale.restore(m); !errors.Is(err, session.ErrNone) {
				return err
			}
			return nil
		}},
	}, endings...) {
		t.Run(r.name, func(t *testing.T) {
			for step := 1; ; step++ {
				w, b := newRemembering(t)
				w.clock.add(idle)
				w.m = w.manager()
				if r.name == "deleted" {
					return // in one step
				}
				ender, elsewhere, n := b.clone(), w.manager(), 0
				if r.name == "theft" {
					w.wantRestored(b, w.m)
					w.clock.add(idle)
					w.m, elsewhere = w.manager(), w.manager()
				}
				w.store.between = func() {
					if n++; n == step {
						w.store.between = nil
						if _, err := b.restore(elsewhere); err != nil && !errors.Is(err, session.ErrNone) {
							t.Errorf("step %d: %v", step, err)
						}
					}
				}
				err := r.do(w, ender, w.m)
				if n < step {
					if step < 3 {
						t.Errorf("it has only %d steps", n)
					}
					break
				}
				if s, f := w.sessions(), w.families(); err != nil || len(s)+len(f) > 0 {
					t.Errorf("step %d: got %v; the store has %d sessions and %d families", step, err, len(s), len(f))
				}
			}
		})
	}
}

// An impatient store does nothing for a request that is over.
type impatient struct{ *backend }

func (s impatient) CreateSession(ctx context.Context, x *store.Session) error {
	return unlessOver(ctx, func() error { return s.backend.CreateSession(ctx, x) })
}

func (s impatient) DeleteSession(ctx context.Context, id string) error {
	return unlessOver(ctx, func() error { return s.backend.DeleteSession(ctx, id) })
}

func (s impatient) SwapRemembered(ctx context.Context, validator []byte, r *store.Remembered) error {
	return unlessOver(ctx, func() error { return s.backend.SwapRemembered(ctx, validator, r) })
}

func (s impatient) DeleteRemembered(ctx context.Context, id string) error {
	return unlessOver(ctx, func() error { return s.backend.DeleteRemembered(ctx, id) })
}

func (s impatient) Remembered(ctx context.Context, id string) (r *store.Remembered, err error) {
	return r, unlessOver(ctx, func() error { r, err = s.backend.Remembered(ctx, id); return err })
}

func unlessOver(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

// Who logs out leaves the page, so that its requests are over. One that was about
// to restore the session leaves none behind, however far it had come.
func TestRestoreOfABrowserThatDoesNotWait(t *testing.T) {
	for _, r := range endings {
		t.Run(r.name, func(t *testing.T) {
			for ended, over := 1, 1; ; over++ {
				w, b := newRemembering(t)
				s := impatient{w.store}
				w.cfg.Store, w.cfg.Users, w.cfg.Remembers = s, s, s
				w.clock.add(idle)
				w.m = w.manager()
				other, elsewhere, n := b.clone(), w.manager(), 0
				ctx, cancel := context.WithCancel(t.Context())
				var between func()
				between = func() {
					if n++; n == ended {
						w.store.between = nil
						if err := r.do(w, other, elsewhere); err != nil {
							t.Errorf("step %d: %v", ended, err)
						}
						w.store.between = between
					}
					if n == over {
						cancel()
					}
				}
				w.store.between = between
				err := b.do("GET", func(rw http.ResponseWriter, req *http.Request) error {
					_, _, err := w.m.Restore(rw, req.WithContext(ctx))
					return err
				})
				cancel()
				w.store.between = nil
				switch list := w.sessions(); {
				case n < ended:
					if ended < 8 {
						t.Errorf("Restore has only %d steps", n)
					}
					return
				case len(list)+len(w.families()) > 0:
					t.Errorf("ended at step %d, over at %d: got %v; the store has %d sessions and %d families", ended, over, err, len(list), len(w.families()))
				}
				if n < over {
					ended, over = ended+1, ended
				}
			}
		})
	}
}

// Whoever has the session stored, and is not told so, leaves none behind either.
func TestRestoreWithALostAnswerWhileEnding(t *testing.T) {
	for _, r := range endings {
		for step := 1; ; step++ {
			w, b := newRemembering(t)
			w.clock.add(idle)
			w.m = w.manager()
			other, elsewhere, n := b.clone(), w.manager(), 0
			w.store.between = func() {
				if n++; n == step {
					w.store.between = nil
					if err := r.do(w, other, elsewhere); err != nil {
						t.Errorf("step %d: %v", step, err)
					}
				}
			}
			w.store.loseOnce("CreateSession", errDown)
			_, err := b.restore(w.m)
			if n < step {
				break
			}
			if s, f := w.sessions(), w.families(); len(s)+len(f) > 0 {
				t.Errorf("%s at step %d: got %v; the store has %d sessions and %d families", r.name, step, err, len(s), len(f))
			}
		}
	}
}

// Who presses the button and closes the window has logged out.
func TestLogoutOfABrowserThatDoesNotWait(t *testing.T) {
	for step := 1; ; step++ {
		w, b := newRemembering(t)
		s := impatient{w.store}
		w.cfg.Store, w.cfg.Users, w.cfg.Remembers = s, s, s
		w.m = w.manager()
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		w.store.between = func() {
			if n++; n == step {
				cancel()
			}
		}
		err := b.clone().do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.End(rw, r.WithContext(ctx)) })
		cancel()
		w.store.between = nil
		if n < step {
			if step < 8 {
				t.Errorf("End has only %d steps", n)
			}
			return
		}
		if s, f := w.sessions(), w.families(); err != nil || len(s)+len(f) > 0 {
			t.Errorf("over at step %d: got %v; the store has %d sessions and %d families", step, err, len(s), len(f))
		}
	}
}
