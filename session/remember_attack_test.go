package session_test

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// wantStolen fails unless b's token is found to be stolen: everything that came
// of it ends, and the browser forgets it.
func (w *world) wantStolen(b *browser) {
	w.t.Helper()
	family, _ := b.parts()
	value := b.value(rememberName)
	f, err := b.restore(w.m)
	if !errors.Is(err, session.ErrStolen) || !errors.Is(err, session.ErrNone) || f.Session != nil {
		w.t.Fatalf("got %v, %v, want ErrStolen, which is an ErrNone", f, err)
	}
	var e *session.Error
	if !errors.As(err, &e) || e.Reason != "stolen" || e.UserID != w.user.ID {
		w.t.Errorf("got %+v, want that it says whose it was", e)
	}
	if text := err.Error(); strings.Contains(text, value) || strings.Contains(text, b64.EncodeToString(family)) {
		w.t.Errorf("the error shows the token: %s", text)
	}
	if b.value(rememberName) != "" || len(b.header["Set-Cookie"]) != 1 {
		w.t.Errorf("the answer sets %s", setCookies(b.header))
	}
}

func TestStolenRememberTokenUsedByTheThiefFirst(t *testing.T) {
	w, victim := newRemembering(t)
	elsewhere := newBrowser(t) // another computer of the same person's
	w.remember(elsewhere)
	w.clock.add(idle)
	thief := newBrowser(t)
	thief.set(rememberName, victim.value(rememberName))
	w.wantRestored(thief, w.m)
	w.clock.add(time.Minute)
	w.wantStolen(victim)
	w.wantNone(thief, w.m)
	if _, err := thief.restore(w.m); !errors.Is(err, session.ErrNone) {
		t.Errorf("the thief's next token: got %v", err)
	}
	w.wantRestored(elsewhere, w.m)
}

func TestStolenRememberTokenUsedByTheVictimFirst(t *testing.T) {
	w, victim := newRemembering(t)
	w.clock.add(idle)
	thief := newBrowser(t)
	thief.set(rememberName, victim.value(rememberName))
	w.wantRestored(victim, w.m)
	w.clock.add(time.Minute)
	w.wantStolen(thief)
	w.wantNone(victim, w.m)
	if _, err := victim.restore(w.m); !errors.Is(err, session.ErrNone) {
		t.Errorf("the victim's next token: got %v", err)
	}
	w.wantNothing()
}

// Within the grace a thief gets what the victim got, and no more: the next use
// by either is found out.
func TestStolenRememberTokenUsedAtTheSameTime(t *testing.T) {
	w, victim := newRemembering(t)
	w.clock.add(idle)
	thief := victim.clone()
	a := w.wantRestored(victim, w.m)
	b := w.wantRestored(thief, w.m)
	if a.Session.ID != b.Session.ID || len(w.sessions()) != 1 {
		t.Errorf("got two sessions")
	}
	w.clock.add(idle)
	w.wantRestored(thief, w.m)
	w.clock.add(time.Minute)
	w.wantStolen(victim)
	w.wantNothing()
}

func TestOldRememberTokens(t *testing.T) {
	w, b := newRemembering(t)
	var old []*browser
	for range 3 {
		old = append(old, b.clone())
		w.clock.add(idle)
		w.wantRestored(b, w.m)
	}
	// One from two uses ago is no lost answer, however quick.
	w.wantStolen(old[1])
	w.wantNothing()
	if _, err := old[0].restore(w.m); !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) {
		t.Errorf("after the alarm: got %v, want ErrNone and no second one", err)
	}
}

func TestRememberTokenAfterLogout(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser) error{
		"in its session": func(w *world, b *browser) error { return b.do("POST", w.m.End) },
		"without the session's cookie": func(w *world, b *browser) error {
			b.forget(cookieName)
			return b.do("POST", w.m.End)
		},
		"without the remember cookie": func(w *world, b *browser) error {
			b.forget(rememberName)
			return b.do("POST", w.m.End)
		},
		"when the session was over": func(w *world, b *browser) error {
			w.clock.add(idle)
			return b.do("POST", w.m.End)
		},
		"in a restored one": func(w *world, b *browser) error {
			w.clock.add(idle)
			w.wantRestored(b, w.m)
			return b.do("POST", w.m.End)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := newRemembering(t)
			copied := b.clone()
			if err := end(w, b); err != nil {
				t.Fatal(err)
			}
			w.wantNothing()
			for _, c := range []*browser{b, copied} {
				w.wantNone(c, w.m)
				if _, err := c.restore(w.m); !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestForgedRememberTokens(t *testing.T) {
	w, b := newRemembering(t)
	family, secret := b.parts()
	token, raw := newSchedule(secretA, audience), func(s string) []byte { b, _ := b64.DecodeString(s); return b }
	rec := w.families()[0]
	s := w.wantUser(b, w.m).Session
	w.clock.add(idle)
	w.store.reset()
	for name, value := range map[string]string{
		"a session token":               b.value(cookieName),
		"a session token made long":     b64.EncodeToString(append(raw(b.value(cookieName)), make([]byte, 16)...)),
		"marked for sessions":           b64.EncodeToString(slices.Concat(token.key("session kid", 1), family, secret, hmacSum(token.key("session mark", 22), family, secret)[:15])),
		"what the table holds":          b64.EncodeToString(slices.Concat(token.key("remember kid", 1), family, rec.Validator, raw(b.value(rememberName))[49:])),
		"of another Auth":               newSchedule(secretA, "https://app.example.com/admin").rememberToken(family, secret),
		"of another secret":             newSchedule(secretB, audience).rememberToken(family, secret),
		"of a secret of theirs":         newSchedule("", audience).rememberToken(family, secret),
		"another family under its mark": b64.EncodeToString(slices.Concat(raw(b.value(rememberName))[:1], make([]byte, 16), raw(b.value(rememberName))[17:])),
		"another secret under its mark": b64.EncodeToString(slices.Concat(raw(b.value(rememberName))[:17], make([]byte, 32), raw(b.value(rememberName))[49:])),
		"the session's ID and the rest": b64.EncodeToString(slices.Concat(raw(b.value(rememberName))[:17], raw(s.ID), raw(b.value(rememberName))[49:])),
		"twice, in one value":           b.value(rememberName) + b.value(rememberName),
		"with the mark of one shorter":  b.value(rememberName)[:84],
		"with a mark of zeros":          b64.EncodeToString(append(slices.Clone(raw(b.value(rememberName))[:49]), make([]byte, 15)...)),
	} {
		thief := newBrowser(t)
		thief.cookies = []*http.Cookie{{Name: rememberName, Value: value}}
		if f, err := thief.restore(w.m); !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) || f.Session != nil || len(thief.header) != 0 {
			t.Errorf("%s: got %v, %v, header %v", name, f.Session, err, thief.header)
		}
		// Nor is it a session, and logging out with it ends nobody's.
		thief.set(cookieName, value)
		if name != "a session token" {
			w.wantNone(thief, w.m)
			if err := thief.do("POST", w.m.End); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n := w.store.count("Remembered", "DeleteRemembered", "UserSessions"); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	// A remember token is no session either.
	thief := newBrowser(t)
	thief.set(cookieName, b.value(rememberName)[:64])
	w.wantNone(thief, w.m)
	w.wantRestored(b, w.m)
}

// Whoever has the secret alone, or with the table as well, has no remember token.
// With the secret one can name a family, which ends it and lets nobody in.
func TestRememberTokenMadeWithTheSecretAlone(t *testing.T) {
	w, b := newRemembering(t)
	family, _ := b.parts()
	w.clock.add(idle)
	thief, rec := newBrowser(t), w.families()[0]
	for _, secret := range [][]byte{make([]byte, 32), rec.Validator} {
		thief.set(rememberName, newSchedule(secretA, audience).rememberToken(family, secret))
		if f, err := thief.restore(w.m); !errors.Is(err, session.ErrNone) || f.Session != nil {
			t.Errorf("got %v, %v", f, err)
		}
	}
	w.wantNothing()
}

func TestRememberedUserIsGone(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"disabled": func(w *world) {
			u := *w.user
			u.Disabled = true
			if err := w.store.UpdateUser(w.t.Context(), &u); err != nil {
				w.t.Fatal(err)
			}
		},
		"deleted": func(w *world) {
			if err := w.store.DeleteUser(w.t.Context(), w.user.ID); err != nil {
				w.t.Fatal(err)
			}
		},
		"deleted where families are not": func(w *world) {
			rec := w.families()[0]
			if err := w.store.DeleteUser(w.t.Context(), w.user.ID); err != nil {
				w.t.Fatal(err)
			}
			if err := w.store.CreateRemembered(w.t.Context(), &rec); err != nil {
				w.t.Fatal(err)
			}
		},
		"family over": func(w *world) { w.clock.add(rememberFor) },
		"family expired in the store alone": func(w *world) {
			rec := w.families()[0]
			rec.ExpiresAt = noon.Add(time.Hour)
			if err := w.store.Store.SwapRemembered(w.t.Context(), rec.Validator, &rec); err != nil {
				w.t.Fatal(err)
			}
		},
		"backup restored": func(w *world) {
			w.m = w.manager(func(c *session.Config) { c.NotBefore = noon.Add(time.Millisecond) })
		},
		"Remember made shorter": func(w *world) {
			w.m = w.manager(func(c *session.Config) { c.Lifetime, c.Remember = idle, idle+1 })
			w.clock.add(1)
		},
		"family ended": func(w *world) {
			if err := w.store.Store.DeleteRemembered(w.t.Context(), w.families()[0].ID); err != nil {
				w.t.Fatal(err)
			}
		},
		"clock far behind": func(w *world) { w.clock.add(-idle - maxAhead - 1) },
	} {
		t.Run(name, func(t *testing.T) {
			w, b := newRemembering(t)
			w.clock.add(idle)
			change(w)
			sessions := len(w.sessions())
			f, err := b.restore(w.m)
			if !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) || f.Session != nil {
				t.Errorf("got %v, %v, want ErrNone", f, err)
			}
			if b.value(rememberName) != "" || b.got[cookieName] != nil {
				t.Errorf("the answer sets %s, want that the cookie expires", setCookies(b.header))
			}
			if got := len(w.sessions()); got != sessions {
				t.Errorf("got %d sessions, were %d", got, sessions)
			}
		})
	}
}

const maxAhead = 5 * time.Minute

// A store that compares IDs without regard to case would find another's.
func TestRememberedOfAnotherID(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	m := w.manager(func(c *session.Config) { c.Remembers = swapped{w.store} })
	if f, err := b.restore(m); !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) || f.Session != nil || len(w.families()) != 1 {
		t.Errorf("got %v, %v, want ErrNone and that other family left alone", f, err)
	}
	m = w.manager(func(c *session.Config) { c.Remembers = empty{w.store} })
	c := newBrowser(t)
	w.remember(c)
	w.clock.add(idle)
	if f, err := c.restore(m); err == nil || errors.Is(err, session.ErrNone) || f.Session != nil || len(c.header) != 0 {
		t.Errorf("neither a record nor an error: got %v, %v", f, err)
	}
}

// Two cookies of the name, of which only a planted one may be the browser's own.
func TestTwoRememberCookies(t *testing.T) {
	w, b := newRemembering(t, func(c *session.Config) { c.Insecure = true })
	w.clock.add(idle)
	b.cookies = append([]*http.Cookie{{Name: "session-remember", Value: "planted"}}, b.cookies...)
	if f, err := b.restore(w.m); !errors.Is(err, session.ErrNone) || f.Session != nil || len(b.header) != 0 {
		t.Errorf("got %v, %v, header %v", f, err, b.header)
	}
	if err := b.do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	w.wantNothing()
}

func TestLoginForgetsWhoWasRememberedBefore(t *testing.T) {
	for name, begin := range map[string]func(w *world, b *browser, s *store.Session) error{
		"not remembered": func(w *world, b *browser, s *store.Session) error {
			return b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.Begin(rw, r, s) })
		},
		"remembered": func(w *world, b *browser, s *store.Session) error {
			return b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.BeginRemembered(rw, r, s) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, lost := range []string{"", cookieName, rememberName} {
				w, b := newRemembering(t)
				old := b.clone()
				b.forget(lost)
				grace := w.newUser("grace")
				if err := begin(w, b, &store.Session{UserID: grace.ID, Family: "chosen by the caller"}); err != nil {
					t.Fatal(err)
				}
				w.wantNothing()
				w.wantNone(old, w.m)
				s, token := w.wantUser(b, w.m).Session, b.value(rememberName)
				w.clock.add(idle)
				if _, err := old.restore(w.m); !errors.Is(err, session.ErrNone) {
					t.Errorf("lost %q: the one before: got %v", lost, err)
				}
				f, err := b.restore(w.m)
				if name == "remembered" {
					if err != nil || f.Session.UserID != grace.ID || f.Session.Family != s.Family {
						t.Errorf("lost %q: got %v, %v", lost, f.Session, err)
					}
				} else if !errors.Is(err, session.ErrNone) || s.Family != "" || token != "" {
					t.Errorf("lost %q: got %v, family %q", lost, err, s.Family)
				}
			}
		})
	}
}

// The table shows neither the secret nor anything that the browser sends.
func TestStoreHoldsNoRememberToken(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	w.wantRestored(b, w.m)
	_, secret := b.parts()
	rec := w.families()[0]
	for _, held := range [][]byte{rec.Validator, rec.Former} {
		if len(held) != 32 || bytes.Equal(held, secret) {
			t.Errorf("got %x", held)
		}
	}
}
