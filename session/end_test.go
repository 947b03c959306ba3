package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

func TestEnd(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	w.wantUser(b, w.m)
	copied := b.clone()
	if err := b.do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	if b.value(cookieName) != "" {
		t.Error("the browser still has a key")
	}
	w.wantNone(b, w.m)
	w.wantNone(copied, w.m)
	if _, err := w.store.Store.Session(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the store still has it: %v", err)
	}
}

func TestEndOfVisitor(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	// Another app on the same host may have set what we cannot read.
	for _, value := range []string{"", newSchedule(secretB, audience).token(make([]byte, 32)), "garbage"} {
		b.cookies = nil
		if value != "" {
			b.set(cookieName, value)
		}
		if err := b.do("POST", w.m.End); err != nil || len(b.header) != 0 {
			t.Errorf("%q: got %v, header %v", value, err, b.header)
		}
	}
	if n := w.store.count(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestEndWhenTheStoreFails(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	w.store.failAt("DeleteSession", errDown)
	if err := b.do("POST", w.m.End); !errors.Is(err, errDown) || len(b.header) != 0 {
		t.Errorf("got %v, header %v; want the store's error and the key kept for another try", err, b.header)
	}
	w.store.failAt("DeleteSession", nil)
	w.wantUser(b, w.m)
	if err := b.do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	w.wantNone(b, w.m)
}

// A sibling domain can plant a second cookie where there is no prefix. Logging
// out ends what is ours among them.
func TestEndWithTwoCookies(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.Insecure = true })
	b := newBrowser(t)
	w.login(b)
	b.cookies = append([]*http.Cookie{{Name: "session", Value: "planted"}}, b.cookies...)
	w.wantNone(b, w.m)
	real := b.clone()
	real.cookies = real.cookies[1:]
	w.wantUser(real, w.m)
	if err := b.do("POST", w.m.End); err != nil || len(b.header["Set-Cookie"]) != 1 {
		t.Fatalf("got %v, header %v", err, b.header)
	}
	w.wantNone(real, w.m)
}

func TestRenew(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	before := w.login(b)
	token := w.m.CSRF(before.ID, "/auth/link")
	w.clock.add(time.Hour)
	w.wantUser(b, w.m)
	old := b.clone()
	if err := b.do("POST", w.m.Renew); err != nil {
		t.Fatal(err)
	}
	if got := b.got[cookieName].MaxAge; got != int((30*24-1)*3600) {
		t.Errorf("Max-Age: got %d, want what remains of the lifetime", got)
	}
	w.wantNone(old, w.m)
	after := w.wantUser(b, w.m).Session
	if after.ID == before.ID || !after.AuthTime.Equal(before.AuthTime) || !after.CreatedAt.Equal(before.CreatedAt) ||
		after.Key != before.Key || after.Reauthed || !after.SeenAt.Equal(w.clock.now()) {
		t.Errorf("got %+v, was %+v", after, before)
	}
	if w.m.ValidCSRF(after.ID, "/auth/link", token) {
		t.Error("a form from before still is good")
	}
	if list, _ := w.m.List(t.Context(), w.user.ID); len(list) != 1 {
		t.Errorf("got %d sessions, want 1", len(list))
	}
}

func TestRenewWhenTheClockWentBack(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	w.clock.add(-4 * time.Minute)
	if err := b.do("POST", w.m.Renew); err != nil {
		t.Fatal(err)
	}
	if s := w.wantUser(b, w.m).Session; !s.SeenAt.Equal(noon) || !s.CreatedAt.Equal(noon) {
		t.Errorf("got %+v", s)
	}
}

func TestReauthenticated(t *testing.T) {
	for _, test := range []struct {
		name     string
		at, want time.Duration // after the clock
		vouched  bool
	}{
		{"past", -time.Minute, -time.Minute, true},
		{"future", time.Hour, 0, true},
		{"unvouched", 0, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newWorld(t), newBrowser(t)
			before := w.login(b)
			w.clock.add(time.Hour)
			if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
				return w.m.Reauthenticated(rw, r, w.clock.now().Add(test.at), test.vouched)
			}); err != nil {
				t.Fatal(err)
			}
			got := w.wantUser(b, w.m).Session
			if want := w.clock.now().Add(test.want); !got.AuthTime.Equal(want) || got.Reauthed != test.vouched || got.ID == before.ID {
				t.Errorf("got %+v, want AuthTime %v", got, want)
			}
		})
	}
}

func TestRenewWithoutSession(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	if err := b.do("POST", w.m.Renew); !errors.Is(err, session.ErrNone) || len(b.header) != 0 {
		t.Errorf("got %v, header %v", err, b.header)
	}
}

func TestRevocation(t *testing.T) {
	for _, test := range []struct {
		name   string
		revoke func(w *world, m *session.Manager, victim, kept *store.Session) error
	}{
		{"Revoke", func(w *world, m *session.Manager, victim, _ *store.Session) error {
			return m.Revoke(w.t.Context(), victim.ID)
		}},
		{"EndAll", func(w *world, m *session.Manager, _, kept *store.Session) error {
			return m.EndAll(w.t.Context(), w.user.ID, kept.ID)
		}},
		{"EndProvider", func(w *world, m *session.Manager, victim, kept *store.Session) error {
			return m.EndProvider(w.t.Context(), w.user.ID, "test", kept.ID)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			elsewhere := w.manager(elsewhere)
			victim, kept, stranger := newBrowser(t), newBrowser(t), newBrowser(t)
			vs, ks := w.login(victim), w.login(kept)
			w.loginAs(stranger, w.m, w.newUser("grace"))
			for _, b := range []*browser{victim, kept, stranger} {
				w.wantUser(b, w.m)
				w.wantUser(b, elsewhere)
			}
			if err := test.revoke(w, w.m, vs, ks); err != nil {
				t.Fatal(err)
			}
			w.wantUser(kept, w.m)
			w.wantUser(stranger, w.m)
			if _, err := w.m.Resolve(victim.request("GET")); !errors.Is(err, session.ErrNone) {
				t.Errorf("in the process that revoked: got %v, want ErrNone at once", err)
			}
			// Reads elsewhere go on for the cache's second, no longer; writes do not.
			w.wantUser(victim, elsewhere)
			if _, err := elsewhere.ResolveNow(victim.request("POST")); !errors.Is(err, session.ErrNone) {
				t.Errorf("a write elsewhere: got %v, want ErrNone at once", err)
			}
			w.wantNone(victim, elsewhere)
		})
	}
}

func TestRevocationIsSeenElsewhereWithinTheCachesSecond(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	elsewhere := w.manager(elsewhere)
	s := w.login(b)
	w.wantUser(b, elsewhere)
	if err := w.m.Revoke(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Second - time.Nanosecond)
	w.wantUser(b, elsewhere)
	w.clock.add(time.Nanosecond)
	if _, err := elsewhere.Resolve(b.request("GET")); !errors.Is(err, session.ErrNone) {
		t.Errorf("after a second: got %v, want ErrNone", err)
	}
}

func TestEndProviderLeavesOthers(t *testing.T) {
	w := newWorld(t)
	a, b := newBrowser(t), newBrowser(t)
	w.login(a)
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		return w.m.Begin(rw, r, &store.Session{UserID: w.user.ID, Key: store.Key{Provider: "password", Subject: "ada"}})
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.m.EndProvider(t.Context(), w.user.ID, "test", ""); err != nil {
		t.Fatal(err)
	}
	w.wantNone(a, w.m)
	w.wantUser(b, w.m)
}

func TestRevocationFailures(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	for _, op := range []string{"DeleteSession", "DeleteUserSessions", "UserSessions"} {
		w.store.failAt(op, errDown)
	}
	for name, err := range map[string]error{
		"Revoke":      w.m.Revoke(t.Context(), s.ID),
		"EndAll":      w.m.EndAll(t.Context(), w.user.ID, ""),
		"EndProvider": w.m.EndProvider(t.Context(), w.user.ID, "test", ""),
	} {
		if !errors.Is(err, errDown) {
			t.Errorf("%s: got %v", name, err)
		}
		wantReason(t, err, "store")
		if strings.Contains(err.Error(), s.ID) {
			t.Errorf("%s: the error shows the session's ID: %v", name, err)
		}
	}
	if _, err := w.m.List(t.Context(), w.user.ID); !errors.Is(err, errDown) {
		t.Errorf("List: got %v", err)
	}
}

func TestForget(t *testing.T) {
	w, b := newWorld(t, elsewhere), newBrowser(t)
	w.login(b)
	w.wantUser(b, w.m)
	u := *w.user
	u.Disabled = true
	if err := w.store.UpdateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	w.m.Forget(u.ID)
	w.wantNone(b, w.m)
}

func TestDeletedUser(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	if err := w.store.DeleteUser(t.Context(), w.user.ID); err != nil {
		t.Fatal(err)
	}
	w.wantNone(b, w.m)
	// A session row without its user, as a plug-in store may leave one.
	s := &store.Session{ID: sessionID(make([]byte, 32)), UserID: "gone", CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(time.Hour)}
	if err := w.store.Store.CreateSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	b.set(cookieName, newSchedule(secretA, audience).token(make([]byte, 32)))
	w.wantNone(b, w.m)
}

func TestTouchDoesNotBringBack(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	w.clock.add(2 * time.Minute)
	f := w.wantUser(b, w.m)
	if err := b.clone().do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	w.m.Touch(rec, b.request("GET"), f)
	if len(rec.Header()) != 0 {
		t.Errorf("the answer got %v", rec.Header())
	}
	if _, err := w.store.Store.Session(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session is back: %v", err)
	}
}

// A session that ended elsewhere is found out when it is touched.
func TestTouchCorrectsTheCache(t *testing.T) {
	w, b := newWorld(t, elsewhere), newBrowser(t)
	s := w.login(b)
	w.clock.add(2 * time.Minute)
	f := w.wantUser(b, w.m)
	if err := w.store.Store.DeleteSession(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	w.wantUser(b, w.m)
	w.m.Touch(httptest.NewRecorder(), b.request("GET"), f)
	w.wantNone(b, w.m)
}

// Nobody's session has an ID that the store cannot even look for.
func TestRevokeWhatCannotBeAnID(t *testing.T) {
	for _, op := range []string{"Mark", "DeleteSession"} {
		w, b := newWorld(t), newBrowser(t)
		w.login(b)
		w.store.failAt(op, fmt.Errorf("too long: %w", store.ErrBadText))
		if err := w.m.Revoke(t.Context(), "from a URL"); err != nil {
			t.Errorf("%s: got %v", op, err)
		}
		w.wantUser(b, w.m)
	}
}
