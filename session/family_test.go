package session_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gorilla/sessions"
)

// Whoever ends a session somewhere means the browser: it must not be back at
// its next request. The one that is kept still is remembered.
func TestRevocationForgetsBrowsers(t *testing.T) {
	for _, test := range []struct {
		name   string
		revoke func(w *world, victim, kept *store.Session) error
	}{
		{"Revoke", func(w *world, victim, _ *store.Session) error { return w.m.Revoke(w.t.Context(), victim.ID) }},
		{"Revoke of the family", func(w *world, victim, _ *store.Session) error {
			return w.m.Revoke(w.t.Context(), victim.Family)
		}},
		{"EndAll", func(w *world, _, kept *store.Session) error { return w.m.EndAll(w.t.Context(), w.user.ID, kept.ID) }},
		{"EndAll but for the family", func(w *world, _, kept *store.Session) error {
			return w.m.EndAll(w.t.Context(), w.user.ID, kept.Family)
		}},
		{"EndProvider", func(w *world, _, kept *store.Session) error {
			return w.m.EndProvider(w.t.Context(), w.user.ID, "test", kept.ID)
		}},
	} {
		for _, over := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				w, kept := newRemembering(t)
				victim, stranger := newBrowser(t), newBrowser(t)
				vs, ks := w.remember(victim), w.wantUser(kept, w.m).Session
				ada := w.user
				w.user = w.newUser("grace")
				w.remember(stranger)
				w.user = ada
				if over {
					w.clock.add(idle) // only what remembers the browsers is left
					ks, vs = w.wantRestored(kept, w.m).Session, &store.Session{ID: vs.Family, Family: vs.Family}
				}
				if err := test.revoke(w, vs, ks); err != nil {
					t.Fatal(err)
				}
				w.wantNone(victim, w.m)
				if _, err := victim.restore(w.m); !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) {
					t.Errorf("over=%t: the victim: got %v", over, err)
				}
				if test.name != "EndAll but for the family" {
					w.wantUser(kept, w.m)
				}
				w.clock.add(idle)
				w.wantRestored(kept, w.m)
				if f, err := stranger.restore(w.m); err != nil || f.Session.UserID == ada.ID {
					t.Errorf("over=%t: the stranger: got %v, %v", over, f.Session, err)
				}
			})
		}
	}
}

func TestEndProviderLeavesOthersRemembered(t *testing.T) {
	w, b := newRemembering(t)
	if err := w.m.EndProvider(t.Context(), w.user.ID, "another", ""); err != nil {
		t.Fatal(err)
	}
	w.clock.add(idle)
	w.wantRestored(b, w.m)
}

// A page that shows where someone is logged in shows who will be back as well.
func TestListShowsRememberedBrowsers(t *testing.T) {
	w, away := newRemembering(t)
	w.clock.add(time.Hour)
	plain, here := newBrowser(t), newBrowser(t)
	w.login(plain)
	w.clock.add(idle)
	s := w.remember(here)
	list, err := w.m.List(t.Context(), w.user.ID)
	if err != nil || len(list) != 2 || list[0].ID != s.ID || list[0].Family == "" {
		t.Fatalf("got %+v, %v; want the session here, then the remembered browser", list, err)
	}
	if got := list[1]; got.ID != got.Family || got.Family == s.Family || got.UserID != w.user.ID || got.Provider != "test" || got.SID != "sid" ||
		!got.AuthTime.IsZero() || !got.CreatedAt.Equal(noon) || !got.SeenAt.Equal(noon) || !got.ExpiresAt.Equal(noon.Add(rememberFor)) ||
		got.UserAgent != "Mozilla/5.0 (test)" || got.IP != "192.0.2.1" {
		t.Errorf("got %+v", got)
	}
	if err := w.m.Revoke(t.Context(), list[1].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := away.restore(w.m); !errors.Is(err, session.ErrNone) {
		t.Errorf("got %v", err)
	}
	w.clock.add(rememberFor)
	if list, err := w.m.List(t.Context(), w.user.ID); err != nil || len(list) != 0 {
		t.Errorf("got %+v, %v, want none", list, err)
	}
}

func TestMaxPerUserBoundsFamilies(t *testing.T) {
	w := newWorld(t, remembering, func(c *session.Config) { c.MaxPerUser = 3 })
	var browsers []*browser
	for range 3 {
		w.clock.add(time.Minute)
		b := newBrowser(t)
		w.remember(b)
		browsers = append(browsers, b)
	}
	w.clock.add(idle)
	w.wantRestored(browsers[0], w.m) // so that it is not the one used longest ago
	fourth := newBrowser(t)
	w.remember(fourth)
	if n := len(w.families()); n != 3 {
		t.Errorf("got %d families", n)
	}
	w.clock.add(idle)
	if _, err := browsers[1].restore(w.m); !errors.Is(err, session.ErrNone) {
		t.Errorf("got %v", err)
	}
	for _, b := range []*browser{browsers[0], browsers[2], fourth} {
		w.wantRestored(b, w.m)
	}
	if n := len(w.sessions()); n != 3 {
		t.Errorf("got %d sessions", n)
	}
	// A browser's own family makes room for the next.
	w.remember(fourth)
	w.clock.add(idle)
	w.wantRestored(browsers[2], w.m)
}

// A session that is restored pushes the one seen longest ago out, as any does.
func TestMaxPerUserAtRestore(t *testing.T) {
	w, b := newRemembering(t, func(c *session.Config) { c.MaxPerUser = 2 })
	w.clock.add(idle)
	old, young := newBrowser(t), newBrowser(t)
	w.login(old)
	w.clock.add(time.Minute)
	w.login(young)
	w.wantRestored(b, w.m)
	w.wantNone(old, w.m)
	w.wantUser(young, w.m)
}

func TestBeginRememberedFailures(t *testing.T) {
	failed := map[string]bool{}
	for _, kind := range []func(*session.Config){func(*session.Config) {}, listing, least, func(c *session.Config) {
		c.Cookies = &broken{Store: sessions.NewCookieStore(gorillaKey), onSave: errDown}
	}} {
		for _, op := range []string{"UserRemembered", "CreateRemembered", "UserSessions", "CreateSession", "CreateCounted", "ReplaceSessions", "Session", "Remembered", "DeleteRemembered"} {
			w := newWorld(t, remembering)
			b := newBrowser(t)
			w.remember(b)
			b.forget(cookieName) // its session is not what is at stake
			m := w.manager(func(c *session.Config) { c.Remembers = w.store }, kind)
			w.store.failOnce(op, errDown)
			s := &store.Session{UserID: w.newUser("grace").ID}
			err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return m.BeginRemembered(rw, r, s) })
			if err == nil {
				continue // another kind of store does without
			}
			failed[op] = true
			if len(b.header) != 0 {
				t.Errorf("%s: the browser was told %v", op, b.header)
			}
			sessions, _ := w.store.Store.UserSessions(t.Context(), s.UserID)
			families, _ := w.store.Store.UserRemembered(t.Context(), s.UserID)
			if len(sessions)+len(families) > 0 {
				t.Errorf("%s: %d sessions and %d families remain whose keys nobody has", op, len(sessions), len(families))
			}
		}
	}
	if len(failed) != 9 {
		t.Errorf("only %v made a login fail", failed)
	}
}

// The store's answer is lost on the way: what it has stored is taken back.
func TestBeginRememberedWhenTheAnswerIsLost(t *testing.T) {
	w, b := newWorld(t, remembering), newBrowser(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.store.onAnswer("CreateRemembered", cancel)
	s := &store.Session{UserID: w.user.ID}
	err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		return w.m.BeginRemembered(rw, r.WithContext(ctx), s)
	})
	if !errors.Is(err, context.Canceled) || len(b.header) != 0 {
		t.Errorf("got %v, header %v", err, b.header)
	}
	w.wantNothing()
	w.store.onAnswer("CreateRemembered", nil)
	w.store.loseOnce("CreateRemembered", errDown)
	err = b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.BeginRemembered(rw, r, s) })
	if !errors.Is(err, errDown) || len(b.header) != 0 {
		t.Errorf("got %v, header %v", err, b.header)
	}
	w.wantNothing()
}

func TestEndWhenRememberedCannotBeForgotten(t *testing.T) {
	for _, op := range []string{"Session", "Remembered", "DeleteRemembered", "UserSessions"} {
		w, b := newRemembering(t)
		w.store.failOnce(op, errDown)
		if err := b.do("POST", w.m.End); !errors.Is(err, errDown) || len(b.header) != 0 {
			t.Errorf("%s: got %v, header %v; want the store's error and the keys kept for another try", op, err, b.header)
		}
		if err := b.do("POST", w.m.End); err != nil {
			t.Errorf("%s: %v", op, err)
		}
		w.wantNothing()
	}
	for _, op := range []string{"Session", "UserRemembered", "DeleteRemembered", "DeleteUserRemembered"} {
		w, b := newRemembering(t)
		s := w.wantUser(b, w.m).Session
		w.store.failAt(op, errDown)
		errs := map[string]error{
			"Revoke":               w.m.Revoke(t.Context(), s.ID),
			"EndAll":               w.m.EndAll(t.Context(), w.user.ID, s.ID),
			"EndProvider":          w.m.EndProvider(t.Context(), w.user.ID, "test", s.ID),
			"EndProvider and none": w.m.EndProvider(t.Context(), w.user.ID, "test", ""),
		}
		if op == "UserRemembered" {
			_, errs["List"] = w.m.List(t.Context(), w.user.ID)
		}
		failed := 0
		for _, err := range errs {
			if err != nil {
				failed++
				wantReason(t, err, "store")
			}
		}
		if failed == 0 {
			t.Errorf("%s: nothing failed", op)
		}
	}
}

// Families may be kept elsewhere than sessions, and are swept there.
func TestRemembersElsewhere(t *testing.T) {
	other := memstore.New()
	w := newWorld(t, remembering, func(c *session.Config) { c.Remembers, c.Users = other, nil })
	other.Now = w.clock.now
	b := newBrowser(t)
	w.remember(b)
	if n := len(w.families()); n != 0 {
		t.Errorf("the store has %d families", n)
	}
	w.clock.add(idle)
	f, err := b.restore(w.m)
	if err != nil || f.User != nil || f.Session.UserID != w.user.ID {
		t.Errorf("got %v, %v", f, err)
	}
	swept := &sweeping{Store: other, done: make(chan struct{}, 8)}
	m := w.manager(func(c *session.Config) { c.Remembers = swept })
	w.clock.add(2 * time.Minute)
	w.loginAs(newBrowser(t), m, w.user)
	<-swept.done
}

type sweeping struct {
	*memstore.Store
	done chan struct{}
}

func (s *sweeping) DeleteExpired(ctx context.Context) error {
	defer func() { s.done <- struct{}{} }()
	return s.Store.DeleteExpired(ctx)
}

// Without Remember, a login and a logout cost what they did.
func TestWithoutRememberNothingIsAsked(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	if _, err := w.m.List(t.Context(), w.user.ID); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.do("POST", w.m.End), w.m.Revoke(t.Context(), s.ID), w.m.EndAll(t.Context(), w.user.ID, "")); err != nil {
		t.Fatal(err)
	}
	if n := w.store.count("Remembered", "UserRemembered", "DeleteRemembered", "DeleteUserRemembered", "Session"); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	if got := b.names("__Host-session"); slices.Contains(got, rememberName) {
		t.Errorf("got %v", got)
	}
}

// A browser that had to make room for another must not come back by itself, and
// push that one out.
func TestMaxPerUserForgetsWhoMadeRoom(t *testing.T) {
	atOnceAndInSteps(t, func(t *testing.T, kind func(*session.Config)) {
		for name, begin := range map[string]func(w *world, b *browser){
			"login":            func(w *world, b *browser) { w.login(b) },
			"remembered login": func(w *world, b *browser) { w.remember(b) },
			"restore": func(w *world, b *browser) {
				w.wantRestored(b, w.m)
			},
		} {
			w, old := newRemembering(t, func(c *session.Config) { c.MaxPerUser, c.Remembers = 2, c.Store.(store.Rememberer) }, kind)
			b := newBrowser(t)
			if name == "restore" {
				w.clock.add(time.Minute)
				w.remember(b)
				w.clock.add(idle)
				w.wantRestored(old, w.m)
			}
			w.clock.add(time.Minute)
			young := newBrowser(t)
			w.login(young)
			w.clock.add(time.Minute)
			begin(w, b)
			if _, err := old.restore(w.m); !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) {
				t.Errorf("%s: got %v", name, err)
			}
			w.wantUser(young, w.m)
			w.wantUser(b, w.m)
		}
	})
}

// The browser's own family makes room first, and its session with it, also if
// the key of that was lost.
func TestMaxPerUserAndTheBrowsersOwnFamily(t *testing.T) {
	w, b := newRemembering(t, func(c *session.Config) { c.MaxPerUser = 2 })
	own := w.wantUser(b, w.m).Session
	w.clock.add(time.Minute)
	other := newBrowser(t)
	w.remember(other)
	if err := w.store.Store.TouchSession(t.Context(), own.ID, w.clock.now().Add(time.Second), noon.Add(idle)); err != nil {
		t.Fatal(err) // used in its session after the other, although remembered before
	}
	b.forget(cookieName)
	w.remember(b)
	if s, f := w.sessions(), w.families(); len(s) != 2 || len(f) != 2 {
		t.Errorf("got %d sessions and %d families", len(s), len(f))
	}
	w.wantUser(other, w.m)
}

// Browsers that were remembered before are forgotten while none is.
func TestEndingsWhileRememberIsZero(t *testing.T) {
	for _, r := range endings {
		w, b := newRemembering(t)
		m := w.manager(func(c *session.Config) { c.Remember, c.Remembers = 0, w.store })
		if err := r.do(w, b, m); err != nil {
			t.Error(err)
		}
		w.wantNothing()
		if _, err := b.restore(w.m); !errors.Is(err, session.ErrNone) {
			t.Errorf("%s: got %v", r.name, err)
		}
	}
}
