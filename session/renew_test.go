package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

func TestRenewFailures(t *testing.T) {
	for _, test := range []struct {
		op   string
		kind func(*session.Config)
	}{
		{"SessionUser", nil}, {"RenewSession", nil},
		{"CreateSession", least}, {"Session", least}, {"DeleteSession", least},
	} {
		t.Run(fmt.Sprint(test.op, " in steps: ", test.kind != nil), func(t *testing.T) {
			w, b := newWorld(t, kinds(test.kind)...), newBrowser(t)
			old := w.login(b)
			w.store.failOnce(test.op, errDown)
			if err := b.do("POST", w.m.Renew); !errors.Is(err, errDown) || len(b.header) != 0 {
				t.Errorf("got %v, header %v, want the store's error", err, b.header)
			}
			w.wantUser(b, w.m)
			w.wantOnly(old.ID)
		})
	}
}

// There is no way back once the session has its new key: a store that fails only
// at the end is asked again, also if the browser has gone.
func TestRenewFailsAtTheEnd(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		w, b := newWorld(t, kind), newBrowser(t)
		w.login(b)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.store.failOnce("Mark", errDown)
		for _, op := range []string{"RenewSession", "DeleteSession"} {
			w.store.onAnswer(op, cancel)
		}
		if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.Renew(rw, r.WithContext(ctx)) }); err != nil {
			t.Fatal(err)
		}
		w.wantOnly(w.wantUser(b, w.m).Session.ID)
		w.store.onAnswer("RenewSession", func() {})
		w.store.onAnswer("DeleteSession", func() {})
		w.store.failAt("Mark", errDown)
		if err := b.do("POST", w.m.Renew); !errors.Is(err, errDown) || len(b.header) != 0 {
			t.Errorf("got %v, header %v, want the store's error", err, b.header)
		}
		w.wantOnly()
	})
}

// A logout that comes between any two calls that a Renew makes to the store must
// not be undone by it, whichever process it comes to.
func TestRenewDoesNotBringBack(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		for name, end := range map[string]func(w *world, m *session.Manager, b *browser, s *store.Session) error{
			"End": func(w *world, m *session.Manager, b *browser, _ *store.Session) error { return b.do("POST", m.End) },
			"Revoke": func(w *world, m *session.Manager, _ *browser, s *store.Session) error {
				return m.Revoke(w.t.Context(), s.ID)
			},
			"EndAll": func(w *world, m *session.Manager, _ *browser, s *store.Session) error {
				return m.EndAll(w.t.Context(), s.UserID, "")
			},
			"Begin": func(w *world, m *session.Manager, b *browser, _ *store.Session) error {
				w.loginAs(b, m, w.newUser("grace")) // who takes the browser over
				return nil
			},
			"EndProvider": func(w *world, m *session.Manager, _ *browser, s *store.Session) error {
				return m.EndProvider(w.t.Context(), s.UserID, "test", "")
			},
		} {
			for _, elsewhere := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " elsewhere: ", elsewhere), func(t *testing.T) {
					// At first nobody disturbs, so that the moments are known.
					for n, moments := -1, 0; n < moments; n++ {
						w, b := newWorld(t, kind), newBrowser(t)
						s := w.login(b)
						by, other := w.m, b.clone()
						if elsewhere {
							by = w.manager(func(c *session.Config) { c.Store = w.store.Store })
						}
						steps := w.at(n, func() {
							if err := end(w, by, other, s); err != nil {
								t.Error(err)
							}
						})
						err := b.do("POST", w.m.Renew)
						if n < 0 {
							// After the last answer, the session has a new key: the old
							// one ends nothing.
							if moments = *steps - 1; err != nil || moments < 5 {
								t.Fatalf("undisturbed: got %v, %d moments", err, moments)
							}
							continue
						}
						if err != nil && !errors.Is(err, session.ErrNone) {
							t.Errorf("moment %d: got %v, want ErrNone", n, err)
						}
						if list, _ := w.store.Store.UserSessions(t.Context(), w.user.ID); len(list) != 0 {
							t.Errorf("moment %d: %d sessions are back, error %v", n, len(list), err)
						}
					}
				})
			}
		}
	})
}

// Nor does the other way round work: a session that is renewed between any two
// calls of what ends it by what it began with does not get away.
func TestRenewDoesNotEscape(t *testing.T) {
	const issuer = "https://test.example.com"
	for name, end := range map[string]func(w *world) error{
		"EndProvider": func(w *world) error { return w.m.EndProvider(w.t.Context(), w.user.ID, "test", "") },
		"EndSID":      func(w *world) error { return w.m.EndSID(w.t.Context(), "test", issuer, "sid") },
	} {
		t.Run(name, func(t *testing.T) {
			for n, moments := -1, 0; n < moments; n++ {
				w, b := newWorld(t), newBrowser(t)
				w.loginAt(b, store.Session{Key: store.Key{Provider: "test"}, Issuer: issuer, SID: "sid"})
				other := w.manager(func(c *session.Config) { c.Store = w.store.Store })
				var renewed error
				steps := w.at(n, func() { renewed = b.do("POST", other.Renew) })
				if err := end(w); err != nil {
					t.Errorf("moment %d: %v", n, err)
				}
				if n < 0 {
					if moments = *steps; moments < 4 {
						t.Fatalf("%d moments only", moments)
					}
					continue
				}
				if renewed != nil && !errors.Is(renewed, session.ErrNone) {
					t.Errorf("moment %d: got %v", n, renewed)
				}
				if n < moments-1 {
					w.wantOnly()
				}
			}
		})
	}
}

// at runs f once, at the nth moment before a call to the store or after it, and
// returns where the moments are counted.
func (w *world) at(n int, f func()) *int {
	steps, busy := new(int), false
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.between = func() {
		if busy {
			return
		}
		if *steps == n {
			busy = true
			f()
			busy = false
		}
		*steps++
	}
	return steps
}

// Two requests of one browser at once, at two processes: one gets the new key,
// and no second session comes of it.
func TestTwoRenewsLeaveOneSession(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		for n := range 6 {
			w, b := newWorld(t, kind), newBrowser(t)
			w.login(b)
			other := w.manager(func(c *session.Config) { c.Store = w.store.Store }, kind)
			second := b.clone()
			var secondErr error
			w.at(n, func() { secondErr = second.do("POST", other.Renew) })
			firstErr := b.do("POST", w.m.Renew)
			w.wantOneRenewed(b, firstErr, second, secondErr)
		}
	})
}

func TestTwoRenewsAtOnce(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		for range 50 {
			w, b := newWorld(t, kind), newBrowser(t)
			w.login(b)
			other, second := w.manager(), b.clone()
			var errs [2]error
			var wg sync.WaitGroup
			wg.Go(func() { errs[0] = b.do("POST", w.m.Renew) })
			wg.Go(func() { errs[1] = second.do("POST", other.Renew) })
			wg.Wait()
			w.wantOneRenewed(b, errs[0], second, errs[1])
		}
	})
}

func (w *world) wantOneRenewed(first *browser, firstErr error, second *browser, secondErr error) {
	w.t.Helper()
	winner := first
	if firstErr != nil {
		winner, firstErr, secondErr = second, secondErr, firstErr
	}
	if firstErr != nil || !errors.Is(secondErr, session.ErrNone) {
		w.t.Fatalf("got %v and %v, want one success and one ErrNone", firstErr, secondErr)
	}
	f := w.wantUser(winner, w.manager())
	w.wantOnly(f.Session.ID)
}
