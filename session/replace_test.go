package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
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
			if err := b.do("POST", w.m.Renew); err != nil {
				t.Errorf("Renew of the session that stayed: %v", err)
			}
			w.wantOnly(w.wantUser(b, w.m).Session.ID)
		})
	}
}

// Once the session before has ended, there is no way back: a store that fails only
// at the end is asked again, also if the browser has gone.
func TestBeginFailsAtTheEnd(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		for name, fault := range map[string]func(w *world, leave func()){
			"fails": func(w *world, _ func()) { w.store.failOnce("Mark", errDown) },
			"loses": func(w *world, _ func()) { w.store.loseOnce("Mark", errDown) },
			"left": func(w *world, leave func()) {
				for _, op := range []string{"ReplaceSessions", "DeleteSession"} {
					w.store.onAnswer(op, leave)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				w, b := newWorld(t, kind), newBrowser(t)
				w.login(b)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				fault(w, leave)
				s := &store.Session{UserID: w.user.ID}
				if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.Begin(rw, r.WithContext(ctx), s) }); err != nil {
					t.Fatal(err)
				}
				w.wantUser(b, w.m)
				w.wantOnly(s.ID)
			})
		}
		// Nobody can say whether the session before was renewed: nobody is logged in.
		w, b := newWorld(t, kind), newBrowser(t)
		w.login(b)
		w.store.failAt("Mark", errDown)
		err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			return w.m.Begin(rw, r, &store.Session{UserID: w.user.ID})
		})
		if !errors.Is(err, errDown) || len(b.header) != 0 {
			t.Errorf("got %v, header %v, want the store's error", err, b.header)
		}
		w.wantOnly()
	})
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
	w, b := newWorld(t, listing, func(c *session.Config) { c.MaxPerUser = 2 }), newBrowser(t)
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

func (c *cannot) CreateCounted(context.Context, *store.Session) (int, error) {
	c.call("CreateCounted")
	return 0, fmt.Errorf("a store around another: %w", errors.ErrUnsupported)
}

func TestStoreIsAskedOnceWhetherItCan(t *testing.T) {
	w := newWorld(t)
	m := w.manager(func(c *session.Config) { c.Store = &cannot{w.store} })
	b := newBrowser(t)
	w.loginAs(b, m, w.user)
	b.forget(cookieName)
	if err := m.EndAll(t.Context(), w.user.ID, ""); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.loginAs(b, m, w.user)
		if err := b.do("POST", m.Renew); err != nil {
			t.Fatal(err)
		}
	}
	if n, counted := w.store.count("ReplaceSessions", "RenewSession"), w.store.count("CreateCounted"); n != 1 || counted != 1 {
		t.Errorf("asked %d times to replace, and %d times to count", n, counted)
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

// A forwarder is a store that does what the one behind it can, such as one that
// counts: of what that cannot do, it learns only when it is asked.
type forwarder struct{ store.Sessions }

func (f forwarder) ReplaceSessions(ctx context.Context, s *store.Session, values []byte, over []string) error {
	return store.ReplaceSessions(ctx, f.Sessions, s, values, over)
}

func (f forwarder) RenewSession(ctx context.Context, id string, s *store.Session) error {
	return store.RenewSession(ctx, f.Sessions, id, s)
}

func (f forwarder) CreateCounted(ctx context.Context, s *store.Session) (int, error) {
	return store.CreateCounted(ctx, f.Sessions, s)
}

func (f forwarder) SessionValues(ctx context.Context, id string) (*store.Session, []byte, error) {
	return store.SessionValues(ctx, f.Sessions, id)
}

func (f forwarder) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	return store.SwapSessionValues(ctx, f.Sessions, id, old, values)
}

func TestStoreThatForwards(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		w := newWorld(t, kind, func(c *session.Config) { c.Store = forwarder{c.Store} })
		b := newBrowser(t)
		w.login(b)
		if err := b.do("POST", w.m.Renew); err != nil {
			t.Errorf("Renew: %v", err)
		}
		first := b.clone()
		w.login(b)
		w.wantNone(first, w.m)
		w.wantUser(b, w.m)
	})
}
