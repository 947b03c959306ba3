package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// wantOnly looks at the store itself: of the world's user, only the sessions
// with those IDs may be there.
func (w *world) wantOnly(ids ...string) {
	w.t.Helper()
	list, err := w.store.Store.UserSessions(w.t.Context(), w.user.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range list {
		known := false
		for _, id := range ids {
			known = known || s.ID == id
		}
		if !known {
			w.t.Errorf("session %s is there, of which nobody has the key", s.ID)
		}
	}
}

func TestBeginFailures(t *testing.T) {
	for _, test := range []struct {
		op   string
		kind func(*session.Config)
	}{
		{"UserSessions", nil}, {"ReplaceSessions", nil},
		{"UserSessions", least}, {"CreateSession", least}, {"DeleteSession", least},
	} {
		t.Run(fmt.Sprint(test.op, " in steps: ", test.kind != nil), func(t *testing.T) {
			w, b := newWorld(t, kinds(test.kind)...), newBrowser(t)
			old := w.login(b)
			value := b.value(cookieName)
			// If the old session cannot be removed, removing the new one works.
			w.store.failOnce(test.op, errDown)
			s := &store.Session{UserID: w.user.ID}
			err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.Begin(rw, r, s) })
			if !errors.Is(err, errDown) {
				t.Fatalf("got %v, want the store's error", err)
			}
			wantReason(t, err, "store")
			if len(b.header) != 0 || b.value(cookieName) != value {
				t.Errorf("the browser was told %v", b.header)
			}
			w.wantOnly(old.ID)
			w.wantUser(b, w.m)
		})
	}
}

func kinds(f func(*session.Config)) []func(*session.Config) {
	if f == nil {
		return nil
	}
	return []func(*session.Config){f}
}

// A store may do what it is asked and fail to say so. No session remains whose
// key nobody was given.
func TestLostAnswers(t *testing.T) {
	for _, test := range []struct {
		op   string
		kind func(*session.Config)
		f    string
	}{
		{"ReplaceSessions", nil, "Begin"}, {"CreateSession", least, "Begin"}, {"DeleteSession", least, "Begin"},
		{"RenewSession", nil, "Renew"}, {"Mark", nil, "Renew"},
		{"CreateSession", least, "Renew"}, {"DeleteSession", least, "Renew"}, {"Mark", least, "Renew"},
	} {
		t.Run(fmt.Sprint(test.f, " ", test.op, " in steps: ", test.kind != nil), func(t *testing.T) {
			w, b := newWorld(t, kinds(test.kind)...), newBrowser(t)
			old := w.login(b)
			w.store.loseOnce(test.op, errDown)
			err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
				if test.f == "Begin" {
					return w.m.Begin(rw, r, &store.Session{UserID: w.user.ID})
				}
				return w.m.Renew(rw, r)
			})
			if !errors.Is(err, errDown) || len(b.header) != 0 {
				t.Errorf("got %v, header %v, want the store's error", err, b.header)
			}
			w.wantOnly(old.ID)
		})
	}
}

// Who gives up while the steps of a login are taken is not logged in by it.
func TestBeginRollsBackWhenTheRequestIsGivenUp(t *testing.T) {
	w, b := newWorld(t, least), newBrowser(t)
	w.login(b)
	ctx, cancel := context.WithCancel(t.Context())
	w.store.onAnswer("CreateSession", cancel)
	s := &store.Session{UserID: w.user.ID}
	if err := w.m.Begin(httptest.NewRecorder(), b.request("POST").WithContext(ctx), s); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that the request was given up", err)
	}
	if _, err := w.store.Store.Session(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the new session remains: %v", err)
	}
}

// A login is one step for the store, if it can: whoever looks meanwhile sees the
// session before or the one after.
func TestBeginInOneStep(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.MaxPerUser = 2 }), newBrowser(t)
	for range 2 {
		w.clock.add(time.Second)
		w.login(newBrowser(t))
	}
	calls := w.store.count()
	w.login(b)
	if n := w.store.count() - calls; n != 2 {
		t.Errorf("%d calls at a login, want 2: the user's sessions, and the step", n)
	}
	w.wantUser(b, w.m)
	before := b.clone()
	calls = w.store.count()
	w.login(b)
	if n := w.store.count("ReplaceSessions"); n != 4 {
		t.Errorf("%d steps, want 4", n)
	}
	if n := w.store.count() - calls; n != 4 {
		t.Errorf("%d calls at another login in that browser, want 4: the user's sessions, the values and the mark of the one before, and the step", n)
	}
	w.wantNone(before, w.m)
	if list, _ := w.m.List(t.Context(), w.user.ID); len(list) != 2 {
		t.Errorf("got %d sessions, want 2", len(list))
	}
}

// A store that says only when it is asked that it cannot is asked once.
type cannot struct{ *backend }

func (c *cannot) ReplaceSessions(context.Context, *store.Session, []byte, []string) error {
	c.call("ReplaceSessions")
	return fmt.Errorf("a store around another: %w", errors.ErrUnsupported)
}

func TestStoreIsAskedOnceWhetherItCan(t *testing.T) {
	w := newWorld(t)
	m := w.manager(func(c *session.Config) { c.Store = &cannot{w.store} })
	b := newBrowser(t)
	for range 3 {
		w.loginAs(b, m, w.user)
		if err := b.do("POST", m.Renew); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.store.count("ReplaceSessions", "RenewSession"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.wantUser(b, m)
	if list, _ := m.List(t.Context(), w.user.ID); len(list) != 1 {
		t.Errorf("got %d sessions, want 1", len(list))
	}
}

// When MaxPerUser is lowered, one login does not pay for thousands of sessions.
func TestCrowdEndsByAndBy(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		w := newWorld(t, kind, func(c *session.Config) { c.MaxPerUser = 10 })
		for i := range 350 {
			at := noon.Add(time.Duration(i) * time.Millisecond)
			if err := w.store.Store.CreateSession(t.Context(), &store.Session{
				ID: fmt.Sprint("s", i), UserID: w.user.ID, CreatedAt: at, SeenAt: at, ExpiresAt: noon.Add(time.Hour),
			}); err != nil {
				t.Fatal(err)
			}
		}
		w.clock.add(time.Minute)
		for _, want := range []int{251, 152, 53, 10, 10} {
			w.login(newBrowser(t))
			list, err := w.store.Store.UserSessions(t.Context(), w.user.ID)
			if err != nil || len(list) != want {
				t.Fatalf("got %d sessions, %v, want %d", len(list), err, want)
			}
			if last := list[len(list)-1]; want > 10 && last.ID != fmt.Sprint("s", 350-want+len(w.fresh(list))) {
				t.Errorf("with %d sessions left, the oldest is %s", want, last.ID)
			}
		}
	})
}

// fresh returns which of the sessions began by a login.
func (w *world) fresh(list []store.Session) []store.Session {
	var fresh []store.Session
	for _, s := range list {
		if s.UserAgent != "" {
			fresh = append(fresh, s)
		}
	}
	return fresh
}

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
