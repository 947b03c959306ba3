package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

func TestRememberedBrowserComesBack(t *testing.T) {
	w, b := newRemembering(t)
	first, family := b.clone(), w.families()[0].ID
	if s := w.wantUser(b, w.m).Session; s.Family != family || !s.AuthTime.Equal(noon) {
		t.Errorf("got %+v, want a fresh session of family %s", s, family)
	}
	w.clock.add(idle)
	w.wantNone(b, w.m)
	before := b.value(rememberName)
	s := w.wantRestored(b, w.m).Session
	if now := w.clock.now(); s.Family != family || s.Key != (store.Key{Provider: "test", Subject: "ada"}) || s.SID != "sid" ||
		s.Issuer != "https://test.example.com" || !s.CreatedAt.Equal(now) || !s.SeenAt.Equal(now) || !s.ExpiresAt.Equal(now.Add(idle)) ||
		s.UserAgent != "Mozilla/5.0 (test)" || s.IP != "192.0.2.1" {
		t.Errorf("got %+v", s)
	}
	if b.value(rememberName) == before || b.value(cookieName) == first.value(cookieName) {
		t.Error("a key stayed")
	}
	if got, want := b.got[rememberName].MaxAge, int((rememberFor - idle).Seconds()); got != want {
		t.Errorf("Max-Age: got %d, want what is left since the family began, %d", got, want)
	}
	if got := b.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got %q", got)
	}
	// Again and again, until the family is over.
	for range 11 {
		w.clock.add(idle)
		w.wantNone(b, w.m)
		w.wantRestored(b, w.m)
	}
	w.clock.add(idle)
	if _, err := b.restore(w.m); !errors.Is(err, session.ErrNone) || b.value(rememberName) != "" {
		t.Errorf("after %v: got %v, cookie %q", 13*idle, err, b.value(rememberName))
	}
}

func TestRememberCookieAttributes(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*session.Config)
		want   string
	}{
		{"default", func(*session.Config) {}, "__Host-session-remember=V; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax"},
		{"insecure", func(c *session.Config) { c.Insecure = true }, "session-remember=V; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax"},
		{"named", func(c *session.Config) { c.Name = "id" }, "__Host-id-remember=V; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newRemembering(t, test.change)
			name, _, _ := strings.Cut(test.want, "=")
			if got := setCookies(b.header); !strings.Contains(got, strings.Replace(test.want, "=V;", "="+b.value(name)+";", 1)) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if n := len(b.value(name)); n != 86 {
				t.Errorf("the token has %d characters, want 86", n)
			}
			// Logging out must name the same cookie, or the browser keeps it.
			if err := b.do("POST", w.m.End); err != nil || len(b.cookies) != 0 {
				t.Errorf("got %v, and the browser still has %v", err, b.cookies)
			}
			if got := setCookies(b.header); !strings.Contains(got, name+"=; Path=/; Max-Age=0"+test.want[strings.Index(test.want, "; HttpOnly"):]) {
				t.Errorf("logout: got %s", got)
			}
		})
	}
}

// Another spelling of a label or of the format would forget every browser.
func TestRememberTokenFormat(t *testing.T) {
	w, b := newRemembering(t)
	ours := newSchedule(secretA, audience)
	family, secret := b.parts()
	if want := ours.rememberToken(family, secret); b.value(rememberName) != want {
		t.Fatalf("got %s, want %s", b.value(rememberName), want)
	}
	if began := binary.BigEndian.Uint64(append([]byte{0, 0}, family...)); began != uint64(noon.UnixMilli()) {
		t.Errorf("the family's ID says that it began at %d, want %d", began, noon.UnixMilli())
	}
	rec := w.families()[0]
	if rec.ID != b64.EncodeToString(family) || !bytes.Equal(rec.Validator, validator(family, secret)) || rec.Former != nil {
		t.Errorf("got %+v", rec)
	}
	w.clock.add(idle)
	s := w.wantRestored(b, w.m).Session
	next, random := ours.heirs(family, secret)
	if want := ours.rememberToken(family, next); b.value(rememberName) != want {
		t.Errorf("next: got %s, want %s", b.value(rememberName), want)
	}
	if want := ours.token(random); b.value(cookieName) != want || s.ID != sessionID(random) {
		t.Errorf("session: got %s with ID %s, want %s", b.value(cookieName), s.ID, want)
	}
	rec = w.families()[0]
	if !bytes.Equal(rec.Validator, validator(family, next)) || !bytes.Equal(rec.Former, validator(family, secret)) ||
		!rec.UsedAt.Equal(w.clock.now()) || !rec.CreatedAt.Equal(noon) || !rec.ExpiresAt.Equal(noon.Add(rememberFor)) {
		t.Errorf("got %+v", rec)
	}
	seen := map[string]bool{}
	for range 1000 {
		c := newBrowser(t)
		w.remember(c)
		family, secret := c.parts()
		if seen[string(family)] || seen[string(secret)] {
			t.Fatal("a token twice")
		}
		seen[string(family)], seen[string(secret)] = true, true
	}
}

// What Restore returns is found by whatever looks at the request afterwards.
func TestRestoreReturnsTheRequestAsItWillBe(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	b.set("theme", "dark")
	err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		rw.Header().Add("Set-Cookie", "own=1")
		rw.Header().Add("Set-Cookie", cookieName+"=stale")
		f, carrying, err := w.m.Restore(rw, r)
		if err != nil {
			return err
		}
		if s, err := w.m.Find(carrying); err != nil || s.ID != f.Session.ID {
			t.Errorf("got %v, %v", s, err)
		}
		if c, err := carrying.Cookie("theme"); err != nil || c.Value != "dark" {
			t.Errorf("the browser's other cookie: got %v, %v", c, err)
		}
		if n := len(carrying.CookiesNamed(rememberName)); n != 1 {
			t.Errorf("got %d remember cookies", n)
		}
		if s, err := w.m.Find(r); !errors.Is(err, session.ErrNone) {
			t.Errorf("the request itself was changed: %v", s)
		}
		return w.m.Renew(rw, carrying)
	})
	if err != nil || b.value("own") != "1" {
		t.Fatalf("got %v, cookies %v", err, b.cookies)
	}
	if s := w.wantUser(b, w.m).Session; s.Family != w.families()[0].ID {
		t.Errorf("the renewed session is of family %q", s.Family)
	}
}

// Who is no visitor for long must not pay for it.
func TestVisitorIsNotLookedFor(t *testing.T) {
	w, b := newRemembering(t)
	family, secret := b.parts()
	raw, _ := b64.DecodeString(b.value(rememberName))
	raw[63] ^= 1
	for name, value := range map[string]string{
		"none": "", "garbage": strings.Repeat("A", 86), "mark": b64.EncodeToString(raw), "long": b.value(rememberName) + "A",
		"other spelling": b.value(rememberName)[:85] + "B",
		"foreign":        newSchedule(secretB, audience).rememberToken(family, secret),
	} {
		b.cookies = nil
		if value != "" {
			b.set(rememberName, value)
		}
		w.store.reset()
		f, err := b.restore(w.m)
		if !errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrStolen) || f.Session != nil || len(b.header) != 0 {
			t.Errorf("%s: got %v, %v, header %v; want ErrNone and the cookie left alone", name, f, err, b.header)
		}
		if n := w.store.count(); n != 0 {
			t.Errorf("%s: the store was asked %d times", name, n)
		}
	}
	r, rec := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", "a=b; c=d")
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := w.m.Restore(rec, r); err != session.ErrNone {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations for a visitor, want none", n)
	}
}

// The lifetime of a login is the family's: what is restored late is over with it.
func TestRestoredSessionEndsWithItsFamily(t *testing.T) {
	w, b := newRemembering(t, func(c *session.Config) { c.Idle, c.Lifetime, c.Remember = time.Hour, 10*time.Hour, 24*time.Hour })
	w.clock.add(20 * time.Hour)
	s := w.wantRestored(b, w.m).Session
	if got := b.got[cookieName].MaxAge; got != 4*3600 {
		t.Errorf("Max-Age: got %d, want four hours", got)
	}
	for range 7 {
		w.clock.add(30 * time.Minute)
		f := w.wantUser(b, w.m)
		w.m.Touch(httptest.NewRecorder(), b.request("GET"), f)
	}
	w.clock.add(29 * time.Minute)
	w.wantUser(b, w.m)
	if got, _ := w.store.Store.Session(t.Context(), s.ID); !got.ExpiresAt.Equal(noon.Add(24 * time.Hour)) {
		t.Errorf("ExpiresAt: got %v, want the family's end", got.ExpiresAt)
	}
	w.clock.add(time.Minute)
	w.wantNone(b, w.m)
	if _, err := b.restore(w.m); !errors.Is(err, session.ErrNone) {
		t.Errorf("got %v", err)
	}
}

// A proof makes it as fresh as any other, under a new key of the same family.
func TestReauthenticatedAfterRestore(t *testing.T) {
	w, b := newRemembering(t)
	w.clock.add(idle)
	w.wantRestored(b, w.m)
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		return w.m.Reauthenticated(rw, r, w.clock.now(), true)
	}); err != nil {
		t.Fatal(err)
	}
	if s := w.wantUser(b, w.m).Session; !s.AuthTime.Equal(w.clock.now()) || s.Family != w.families()[0].ID {
		t.Errorf("got %+v", s)
	}
	w.clock.add(idle)
	w.wantRestored(b, w.m)
}

func TestRememberConfig(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*session.Config)
		want   string // "" if it is good
	}{
		{"as long as a session", func(c *session.Config) { c.Remember = 30 * 24 * time.Hour }, ""},
		{"as long as browsers keep cookies", func(c *session.Config) { c.Remember = 400 * 24 * time.Hour }, ""},
		{"longer", func(c *session.Config) { c.Remember = 400*24*time.Hour + 1 }, "Remember: want at most 9600h0m0s"},
		{"negative", func(c *session.Config) { c.Remember = -1 }, "Remember: want more than zero"},
		{"shorter than a session", func(c *session.Config) { c.Remember = 30*24*time.Hour - 1 }, "Remember: want at least Lifetime"},
		{"no use", func(c *session.Config) { c.Remember, c.Idle, c.Lifetime = time.Hour, time.Hour, time.Hour }, "Remember: want more than Idle"},
		{"nowhere to keep it", func(c *session.Config) {
			remembering(c)
			c.Store, c.Users = struct{ store.Sessions }{c.Store}, struct{ store.Users }{c.Users}
		}, "Remembers: want a store.Rememberer"},
		{"kept with users", func(c *session.Config) {
			remembering(c)
			c.Store = struct{ store.Sessions }{c.Store}
		}, ""},
		{"name of a remembered one", func(c *session.Config) { c.Name = "x-remember" }, "Name: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := newWorld(t).cfg
			test.change(&cfg)
			_, err := session.New(cfg)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Count(err.Error(), "\n") > 0) {
				t.Errorf("got %v, want %q alone", err, test.want)
			}
		})
	}
}

// An app that turns it off remembers nobody, and forgets nobody's session.
func TestRememberTurnedOff(t *testing.T) {
	w, b := newRemembering(t)
	off := w.manager(func(c *session.Config) { c.Remember = 0 })
	w.wantUser(b, off)
	w.clock.add(idle)
	if _, err := b.restore(off); !errors.Is(err, session.ErrNone) || len(b.header) != 0 {
		t.Errorf("got %v, header %v", err, b.header)
	}
	c := newBrowser(t)
	s := &store.Session{UserID: w.user.ID}
	if err := c.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return off.BeginRemembered(rw, r, s) }); err != nil {
		t.Fatal(err)
	}
	if c.value(rememberName) != "" || s.Family != "" || len(w.families()) != 1 {
		t.Errorf("got cookies %v, session %+v", c.cookies, s)
	}
}

// What the person wanted when the login began travels in its flow.
func TestFlowRemembers(t *testing.T) {
	w, b, day := newWorld(t), newBrowser(t), dayOf(noon)
	for flags, want := range []session.Flow{{}, {Reauth: true}, {Remember: true}, {Reauth: true, Remember: true}} {
		f := newFlow()
		f.Reauth, f.Remember = want.Reauth, want.Remember
		sealed := newSchedule(secretA, audience).seal("flow", day, make([]byte, 12), flowAAD(f.State), flowPlain(f, noon, byte(f.Purpose), byte(flags)))
		if err := b.begin(w.m, f); err != nil {
			t.Fatal(err)
		}
		f.Began = noon
		if got, err := b.clone().callback(w.m, f.State); err != nil || got != f {
			t.Errorf("got %+v, %v, want %+v", got, err, f)
		}
		// By hand as well, so that the flag stays where it is.
		b.set(flowName(f.State), sealed)
		if got, err := b.callback(w.m, f.State); !errors.Is(err, session.ErrUsed) || got != f {
			t.Errorf("got %+v, %v, want %+v", got, err, f)
		}
	}
}
