package session_test

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

const cookieName = "__Host-session"

func TestBeginAndFind(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := &store.Session{UserID: w.user.ID, Key: store.Key{Provider: "test", Subject: "ada"}, SID: "sid", AuthTime: noon.Add(-time.Hour)}
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		r.RemoteAddr = "[2001:db8::7]:4711"
		r.Header.Set("User-Agent", "Mozilla/5.0\x07 (\u0085test)"+strings.Repeat("é", 200))
		return w.m.Begin(rw, r, s)
	}); err != nil {
		t.Fatal(err)
	}
	got, err := w.m.Find(b.request("GET"))
	if err != nil {
		t.Fatal(err)
	}
	if *got != *s {
		t.Errorf("found %+v, want %+v", *got, *s)
	}
	if !got.CreatedAt.Equal(noon) || !got.SeenAt.Equal(noon) || !got.ExpiresAt.Equal(noon.Add(7*24*time.Hour)) || !got.AuthTime.Equal(noon.Add(-time.Hour)) {
		t.Errorf("times: %+v", got)
	}
	if got.IP != "2001:db8::7" {
		t.Errorf("IP: got %q", got.IP)
	}
	if ua := got.UserAgent; !strings.HasPrefix(ua, "Mozilla/5.0 (test)é") || len(ua) > 256 || len(ua) < 255 || strings.ToValidUTF8(ua, "?") != ua {
		t.Errorf("UserAgent: got %q, %d bytes", ua, len(ua))
	}
	got.UserID = "changed by the caller"
	if f := w.wantUser(b, w.m); f.Session.UserID != w.user.ID {
		t.Error("what Find returned is shared")
	}
}

func TestSessionCookieAttributes(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*session.Config)
		want   string
	}{
		{"default", func(*session.Config) {}, "__Host-session=V; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
		{"insecure", func(c *session.Config) { c.Insecure = true }, "session=V; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"named", func(c *session.Config) { c.Name = "id"; c.Lifetime = time.Hour }, "__Host-id=V; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newWorld(t, test.change), newBrowser(t)
			w.login(b)
			name, _, _ := strings.Cut(test.want, "=")
			if got := strings.Replace(b.header.Get("Set-Cookie"), b.value(name), "V", 1); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := b.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: got %q", got)
			}
			if len(b.value(name)) != 64 {
				t.Errorf("the key has %d characters, want 64", len(b.value(name)))
			}
			// Logging out must name the same cookie, or the browser keeps it.
			if err := b.do("POST", w.m.End); err != nil {
				t.Fatal(err)
			}
			want := name + "=" + strings.Replace(test.want[strings.Index(test.want, ";"):], b.maxAge(test.want), "Max-Age=0", 1)
			if got := b.header.Get("Set-Cookie"); got != want {
				t.Errorf("logout: got %s, want %s", got, want)
			}
		})
	}
}

func (b *browser) maxAge(line string) string {
	i := strings.Index(line, "Max-Age=")
	return line[i : i+strings.IndexByte(line[i:], ';')]
}

func TestStoreHoldsNoKey(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	raw, err := b64.DecodeString(b.value(cookieName))
	if err != nil {
		t.Fatal(err)
	}
	if want := sessionID(raw[1:33]); s.ID != want {
		t.Errorf("ID: got %s, want the hash %s", s.ID, want)
	}
	// The ID, as a copy of the table gives it away, must not log anyone in.
	id, _ := b64.DecodeString(s.ID)
	thief := newBrowser(t)
	for _, value := range []string{s.ID, newSchedule("", audience).token(id), hex.EncodeToString(id)} {
		thief.set(cookieName, value)
		w.wantNone(thief, w.m)
	}
}

func TestBeginAlwaysUnderNewKey(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	first := w.login(b)
	w.wantUser(b, w.m) // and now it is in the cache
	before := b.clone()
	second := w.login(b)
	if first.ID == second.ID {
		t.Error("the ID stayed")
	}
	w.wantNone(before, w.m)
	if f := w.wantUser(b, w.m); f.Session.ID != second.ID {
		t.Errorf("got session %s, want %s", f.Session.ID, second.ID)
	}
	if list, err := w.m.List(t.Context(), w.user.ID); err != nil || len(list) != 1 {
		t.Errorf("got %d sessions, %v, want 1", len(list), err)
	}
}

// A key that someone chose, and put into a victim's browser, must not become
// that of the victim's session.
func TestSessionFixation(t *testing.T) {
	w, attacker, victim := newWorld(t), newBrowser(t), newBrowser(t)
	mallory := w.newUser("mallory")
	w.loginAs(attacker, w.m, mallory)
	if err := attacker.do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	for _, planted := range []string{
		attacker.value(cookieName),                             // of a session that ended
		newSchedule(secretA, audience).token(make([]byte, 32)), // of none
		strings.Repeat("A", 64),
	} {
		victim.set(cookieName, planted)
		w.login(victim)
		if victim.value(cookieName) == planted {
			t.Error("the planted key was kept")
		}
		attacker.set(cookieName, planted)
		w.wantNone(attacker, w.m)
	}
}

func TestBeginWithoutUser(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.Begin(rw, r, &store.Session{}) })
	wantReason(t, err, "no_user")
	if n := w.store.count(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestMaxPerUser(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.MaxPerUser = 3 })
	other := newBrowser(t)
	w.loginAs(other, w.m, w.newUser("grace"))
	var browsers []*browser
	for range 3 {
		w.clock.add(time.Minute)
		b := newBrowser(t)
		w.login(b)
		browsers = append(browsers, b)
	}
	// The first was begun first, but seen last.
	w.clock.add(2 * time.Minute)
	f := w.wantUser(browsers[0], w.m)
	w.m.Touch(httptest.NewRecorder(), browsers[0].request("GET"), f)
	w.clock.add(time.Minute)

	fourth := newBrowser(t)
	w.login(fourth)
	w.wantNone(browsers[1], w.m)
	for _, b := range []*browser{browsers[0], browsers[2], fourth, other} {
		w.wantUser(b, w.m)
	}
	// A login in place of one's own session pushes nobody out.
	w.login(fourth)
	w.wantUser(browsers[2], w.m)
}

func TestBeginSweeps(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	swept := make(chan struct{}, 8)
	w.store.onAnswer("DeleteExpired", func() { swept <- struct{}{}; panic("a store that panics") })
	w.login(b)
	w.clock.add(2 * time.Minute)
	w.login(b)
	<-swept
	w.login(b)
	w.clock.add(9 * time.Minute)
	w.login(b)
	if n := w.store.count("DeleteExpired"); n != 1 {
		t.Errorf("swept %d times in ten minutes, want once", n)
	}
	w.clock.add(2 * time.Minute)
	w.login(b)
	<-swept
}

func TestClientIP(t *testing.T) {
	w := newWorld(t, func(c *session.Config) {
		c.ClientIP = func(r *http.Request) string { return r.Header.Get("X-Real-IP") }
	})
	b := newBrowser(t)
	s := &store.Session{UserID: w.user.ID}
	err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		r.Header.Set("X-Real-IP", "203.0.113.9\x00"+strings.Repeat("x", 99))
		return w.m.Begin(rw, r, s)
	})
	if err != nil || len(s.IP) != 45 || !strings.HasPrefix(s.IP, "203.0.113.9xxx") {
		t.Errorf("got IP %q, %v", s.IP, err)
	}
}
