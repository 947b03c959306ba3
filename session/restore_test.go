package session_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

// A page and its twenty requests, to two processes: one rotation, one session,
// and no alarm.
func TestRestoreAtTheSameTime(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	managers := []*session.Manager{w.m, w.manager()}
	var mu sync.Mutex
	ids, tokens := map[string]int{}, map[string]int{}
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range 20 {
		c := b.clone()
		all.Go(func() {
			<-start
			f, err := c.restore(managers[i%2])
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[f.Session.ID]++
			tokens[c.value(rememberName)+c.value(cookieName)]++
		})
	}
	close(start)
	all.Wait()
	if len(ids) != 1 || len(tokens) != 1 || len(w.sessions()) != 1 || len(w.families()) != 1 {
		t.Fatalf("got sessions %v, tokens %v, in the store %d and %d", ids, tokens, len(w.sessions()), len(w.families()))
	}
	w.wantRestored(b, w.m) // the grace goes on
	w.clock.add(idle)
	w.wantRestored(b, w.m)
}

// While the secret is being changed, one process has it already. Whichever is
// first, and whatever mark the browser's token bears, both reach one session.
func TestRestoreWhileTheSecretIsChanged(t *testing.T) {
	w, b := newRemembering(t, func(c *session.Config) { c.OldSecrets = []string{secretB} })
	ahead := w.manager(func(c *session.Config) { c.Secret, c.OldSecrets = secretB, []string{secretA} })
	for i, m := range []*session.Manager{w.m, ahead, ahead, w.m} {
		other := w.m
		if i%2 == 0 {
			other = ahead
		}
		w.clock.add(idle)
		late, twice := b.clone(), b.clone()
		first := w.wantRestored(b, m).Session
		for _, c := range []*browser{late, twice} {
			if s := w.wantRestored(c, other).Session; s.ID != first.ID {
				t.Fatalf("round %d: got two sessions", i)
			}
			w.wantUser(c, m)
		}
		if i == 2 {
			b = late // it bears the other mark, with the same secret
		}
	}
	// The same token under both marks, at once.
	w.clock.add(idle)
	family, secret := b.parts()
	c := b.clone()
	b.set(rememberName, newSchedule(secretA, audience).rememberToken(family, secret))
	c.set(rememberName, newSchedule(secretB, audience).rememberToken(family, secret))
	one, two := w.wantRestored(b, w.m).Session, w.wantRestored(c, ahead).Session
	if one.ID != two.ID || len(w.sessions()) != 1 {
		t.Errorf("got two sessions")
	}
	// Once the old one is gone, what it marked is left alone.
	w.clock.add(idle)
	b.set(rememberName, newSchedule(secretA, audience).rememberToken(b.parts()))
	after := w.manager(func(c *session.Config) { c.Secret, c.OldSecrets = secretB, nil })
	if _, err := b.restore(after); !errors.Is(err, session.ErrNone) || len(b.header) != 0 {
		t.Errorf("got %v, header %v", err, b.header)
	}
	c.set(rememberName, newSchedule(secretB, audience).rememberToken(b.parts()))
	w.wantRestored(c, after)
}

// A request that cannot reach the token that was given out is served in the
// family's session, as little fresh as any that is restored, and keeps its
// cookies.
func TestLateRequestAfterTheKeyWasRenewed(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	late := b.clone()
	w.wantRestored(b, w.m)
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		return w.m.Reauthenticated(rw, r, w.clock.now(), true)
	}); err != nil {
		t.Fatal(err)
	}
	f, err := late.restore(w.m)
	if err != nil || f.Session.ID != w.wantUser(b, w.m).Session.ID || !f.Session.AuthTime.IsZero() || f.Session.Reauthed {
		t.Errorf("got %+v, %v", f.Session, err)
	}
	if len(late.header) != 0 || len(w.sessions()) != 1 {
		t.Errorf("the answer has %v, the store %d sessions", late.header, len(w.sessions()))
	}
	// Without that session there is none to serve it in, and no reason for an alarm.
	if err := w.store.Store.DeleteSession(t.Context(), f.Session.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := late.restore(w.m); !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) || len(late.header) != 0 {
		t.Errorf("got %v, header %v", err, late.header)
	}
	w.wantRestored(b, w.m)
}

// An answer that the browser lost can be had again, for as long as the grace is.
func TestLostAnswer(t *testing.T) {
	for _, test := range []struct {
		later  time.Duration
		stolen bool
	}{
		{0, false}, {30*time.Second - 1, false}, {30 * time.Second, true}, {idle, true},
		{-maxAhead, false}, // the clock went back, or is another machine's
		{-maxAhead - 1, true},
	} {
		w, b := newRemembering(t)
		w.clock.add(idle)
		lost := b.clone()
		f := w.wantRestored(b, w.m)
		w.clock.add(test.later)
		if test.stolen {
			w.wantStolen(lost)
			continue
		}
		if again := w.wantRestored(lost, w.m); again.Session.ID != f.Session.ID || lost.value(rememberName) != b.value(rememberName) || lost.value(cookieName) != b.value(cookieName) {
			t.Errorf("%v later: got other keys", test.later)
		}
	}
}

// Whatever fails, nobody is taken for a visitor, the browser is told nothing,
// and its token is as good as it was, for as long as the failure lasts.
func TestRestoreWhenTheStoreFails(t *testing.T) {
	for _, op := range []string{"Remembered", "User", "UserSessions", "CreateSession", "DeleteSession", "SwapRemembered"} {
		t.Run(op, func(t *testing.T) {
			w, b := newRemembering(t)
			if err := w.store.Store.TouchSession(t.Context(), w.sessions()[0].ID, noon, noon.Add(2*idle)); err != nil {
				t.Fatal(err) // so that there is a session to end
			}
			w.clock.add(idle)
			w.store.failAt(op, errDown)
			cookies := len(b.cookies)
			for range 2 {
				f, err := b.restore(w.m)
				if !errors.Is(err, errDown) || errors.Is(err, session.ErrNone) || f.Session != nil || len(b.header) != 0 || len(b.cookies) != cookies {
					t.Fatalf("got %v, %v, header %v; want the store's error", f, err, b.header)
				}
				wantReason(t, err, "store")
				w.clock.add(time.Hour) // no grace lasts as long
			}
			w.store.failAt(op, nil)
			w.wantRestored(b, w.m)
			if n := len(w.sessions()); n != 1 {
				t.Errorf("got %d sessions", n)
			}
		})
	}
}

// A process that was stopped after the session was stored leaves nothing that
// the next request with the token does not find, also once that is over.
func TestRestoreStoppedHalfway(t *testing.T) {
	for _, later := range []time.Duration{0, time.Hour, idle, 2 * idle} {
		w, b := newRemembering(t)
		w.clock.add(idle)
		w.store.failOnce("SwapRemembered", errDown)
		if _, err := b.restore(w.m); !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		w.clock.add(later)
		w.wantRestored(b, w.m)
		if n := len(w.sessions()); n != 1 {
			t.Errorf("%v later: got %d sessions", later, n)
		}
	}
}

func TestTheftIsEndedDespiteFailures(t *testing.T) {
	for _, op := range []string{"Remembered", "UserSessions", "Mark", "DeleteSession", "DeleteRemembered"} {
		w, victim := newRemembering(t)
		w.clock.add(idle)
		thief := victim.clone()
		w.wantRestored(thief, w.m)
		w.clock.add(time.Minute)
		w.store.failAt(op, errDown)
		if _, err := victim.restore(w.m); !errors.Is(err, errDown) || errors.Is(err, session.ErrNone) || len(victim.header) != 0 {
			t.Errorf("%s: got %v, header %v", op, err, victim.header)
		}
		w.store.failAt(op, nil)
		w.wantStolen(victim)
		w.wantNothing()
		w.wantNone(thief, w.m)
	}
}

// The session that the family had before, if its key was lost, ends.
func TestRestoreEndsTheSessionBefore(t *testing.T) {
	w, b := newRemembering(t)
	elsewhere := newBrowser(t)
	w.remember(elsewhere)
	lost := b.clone()
	b.forget(cookieName)
	s := w.wantRestored(b, w.m).Session
	w.wantNone(lost, w.m)
	w.wantUser(elsewhere, w.m)
	for _, other := range w.sessions() {
		if other.Family == s.Family && other.ID != s.ID {
			t.Errorf("%s still lives", other.ID)
		}
	}
}

func TestRestoreWithAPluggedStore(t *testing.T) {
	w, b := newRemembering(t, func(c *session.Config) { c.Cookies = sessions.NewFilesystemStore(t.TempDir(), gorillaKey) })
	w.clock.add(idle)
	late := b.clone()
	err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		f, carrying, err := w.m.Restore(rw, r)
		if err != nil {
			return err
		}
		if s, err := w.m.Find(carrying); err != nil || s.ID != f.Session.ID {
			t.Errorf("got %v, %v", s, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := w.wantUser(b, w.m).Session, w.wantRestored(late, w.m).Session; a.ID != b.ID {
		t.Error("got two sessions")
	}
}

// A panic of a store is the caller's; nothing is left locked.
func TestRestoreAfterAPanic(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	w.store.onAnswer("CreateSession", func() { w.store.onAnswer("CreateSession", nil); panic("a store that panics") })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = b.clone().restore(w.m)
	}()
	w.wantRestored(b, w.m)
}

var _ store.Rememberer = (*backend)(nil)

// What someone put into their cart before they were seen to be remembered is
// theirs, as after a login.
func TestRestoreCarriesOver(t *testing.T) {
	w, b := newRemembering(t, carrying("cart"))
	w.clock.add(idle)
	put(t, b, w.m, "cart", "tea", 2)
	put(t, b, w.m, "other", "x", 1)
	w.store.failOnce("SwapRemembered", errDown)
	if _, err := b.restore(w.m); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	late := b.clone()
	w.wantRestored(b, w.m)
	w.wantRestored(late, w.m)
	for _, c := range []*browser{b, late} {
		wantValues(t, c, w.m, "cart", values{"tea": 2})
		wantValues(t, c, w.m, "other", nil)
	}
}

// A request that comes late keeps its values with its user, and the key that the
// browser has by now.
func TestLateRequestSavesValues(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	late, out := b.clone(), b.clone()
	w.wantRestored(b, w.m)
	if err := b.do("POST", w.m.Renew); err != nil {
		t.Fatal(err)
	}
	save := func(end bool) func(http.ResponseWriter, *http.Request) error {
		return func(rw http.ResponseWriter, r *http.Request) error {
			_, r, err := w.m.Restore(rw, r)
			if err != nil {
				return err
			}
			s, err := w.m.Get(r, "cart")
			if err != nil {
				return err
			}
			if s.Values["tea"] = 1; end {
				if err := w.m.End(rw, r); err != nil {
					return err
				}
			}
			return s.Save(r, rw)
		}
	}
	if err := late.do("POST", save(false)); err != nil || len(late.header) != 0 {
		t.Errorf("got %v, header %v", err, late.header)
	}
	wantValues(t, b, w.m, "cart", values{"tea": 1})
	if err := out.do("POST", save(true)); !errors.Is(err, session.ErrNone) {
		t.Errorf("after a logout in the same request: got %v", err)
	}
	w.wantNothing()
}
