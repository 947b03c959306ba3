package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

func TestForgedCookieCostsNoQuery(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	w.wantUser(b, w.m) // the true one is in the cache
	good := b.value(cookieName)
	ours, foreign := newSchedule(secretA, audience), newSchedule(secretB, audience)
	random := []byte(strings.Repeat("r", 32))
	raw, _ := b64.DecodeString(good)
	changed := func(i int) string {
		c := append([]byte(nil), raw...)
		c[i] ^= 1
		return b64.EncodeToString(c)
	}
	forgeries := map[string]string{
		"empty":            "",
		"one short":        good[:63],
		"one long":         good + "A",
		"padded":           good[:62] + "==",
		"standard base64":  strings.Repeat("+/", 32),
		"newlines":         good[:60] + "\n\r\n\r",
		"quoted":           `"` + good[:62] + `"`,
		"quoted, whole":    `"` + good + `"`,
		"not base64":       strings.Repeat("!", 64),
		"other secret":     foreign.token(random),
		"other audience":   newSchedule(secretA, "https://app.example.com/admin").token(random),
		"no audience":      newSchedule(secretA, "").token(random),
		"kid":              changed(0),
		"random":           changed(1),
		"random, last":     changed(32),
		"mark":             changed(33),
		"mark, last":       changed(47),
		"4 KB":             strings.Repeat("A", 4096),
		"kid alone":        b64.EncodeToString(append(ours.key("session kid", 1), make([]byte, 47)...)),
		"a marked, b's":    ours.token(random)[:44] + good[44:],
		"upper case":       strings.ToUpper(good),
		"of a flow's kind": ours.seal("flow", dayOf(noon), make([]byte, 12), nil, make([]byte, 16)),
	}
	before := w.store.count()
	for name, value := range forgeries {
		if value == good {
			t.Fatalf("%s is no forgery", name)
		}
		r := newBrowser(t).request("GET")
		r.Header["Cookie"] = []string{cookieName + "=" + value}
		if _, err := w.m.Resolve(r); !errors.Is(err, session.ErrNone) {
			t.Errorf("%s: got %v, want ErrNone", name, err)
		}
		if _, err := w.m.ResolveNow(r); !errors.Is(err, session.ErrNone) {
			t.Errorf("%s: got %v, want ErrNone", name, err)
		}
	}
	if n := w.store.count() - before; n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	w.wantUser(b, w.m)
}

// What is marked well but not in the store is none, and is never adopted.
func TestUnknownKey(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	b.set(cookieName, newSchedule(secretA, audience).token(make([]byte, 32)))
	w.wantNone(b, w.m)
	if n := w.store.count("CreateSession", "TouchSession", "DeleteSession"); n != 0 {
		t.Errorf("%d writes", n)
	}
	// Nothing is remembered of it: another process may be making it just now.
	s := &store.Session{ID: sessionID(make([]byte, 32)), UserID: w.user.ID, CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(time.Hour)}
	if err := w.store.Store.CreateSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.wantUser(b, w.m)
}

func TestCookieHeaders(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	good := b.value(cookieName)
	ours := cookieName + "=" + good
	many := strings.Repeat("other=value; ", 3000)
	for _, test := range []struct {
		name  string
		lines []string
		found bool
	}{
		{"alone", []string{ours}, true},
		{"among others", []string{"a=b; " + ours + "; c=d"}, true},
		{"without spaces", []string{"a=b;" + ours + ";c=d"}, true},
		{"with spaces", []string{" \t" + ours + " \t;"}, true},
		{"second header", []string{"a=b", ours}, true},
		{"3,000 others", []string{many + ours}, true},
		{"of a longer name", []string{"x" + ours}, false},
		{"of a shorter name", []string{ours[1:]}, false},
		{"as a value", []string{"a=" + ours}, false},
		{"other case", []string{strings.ToLower(cookieName) + "=" + good}, false},
		{"twice", []string{ours + "; " + ours}, false},
		{"twice, second header", []string{ours, ours}, false},
		{"twice, other first", []string{cookieName + "=x; " + ours}, false},
		{"twice, empty", []string{ours + "; " + cookieName + "="}, false},
		{"name alone", []string{cookieName}, false},
		{"no headers", nil, false},
		{"empty", []string{"", ";", "; ;", "=", "==;="}, false},
	} {
		r := newBrowser(t).request("GET")
		r.Header["Cookie"] = test.lines
		for range 2 { // from the store, then from the cache
			_, err := w.m.Resolve(r)
			if found := err == nil; found != test.found || !found && !errors.Is(err, session.ErrNone) {
				t.Errorf("%s: got %v, want found=%t", test.name, err, test.found)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name        string
		change      func(*session.Config)
		every, last time.Duration // used every so often, it is good until last
	}{
		{"idle", nil, 0, 7 * day},
		{"absolute", nil, day, 30 * day},
		{"short", func(c *session.Config) { c.Lifetime, c.Idle = time.Hour, 10*time.Minute }, 9 * time.Minute, time.Hour},
		{"idle by default at most the lifetime", func(c *session.Config) { c.Lifetime = time.Hour }, 0, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.change == nil {
				test.change = func(*session.Config) {}
			}
			w, b := newWorld(t, test.change), newBrowser(t)
			w.login(b)
			if test.every == 0 {
				test.every = test.last
			}
			for passed := test.every; passed < test.last; passed += test.every {
				w.clock.add(test.every)
				f := w.wantUser(b, w.m)
				if err := b.do("GET", func(rw http.ResponseWriter, r *http.Request) error { w.m.Touch(rw, r, f); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			w.clock.add(noon.Add(test.last - time.Millisecond).Sub(w.clock.now()))
			w.wantUser(b, w.m)
			w.clock.add(time.Millisecond) // within the cache's second
			w.wantNone(b, w.m)
		})
	}
}

// The limits are the Manager's, whatever the row says: a shorter lifetime must
// hold for sessions that began before.
func TestLimitsOfStoredRows(t *testing.T) {
	w := newWorld(t)
	restored := w.manager(func(c *session.Config) { c.NotBefore = noon.Add(-time.Hour) })
	far := noon.AddDate(100, 0, 0)
	for _, test := range []struct {
		name                   string
		created, seen, expires time.Time
		found                  bool
	}{
		{"good", noon, noon, noon.Add(time.Second), true},
		{"expired", noon, noon, noon, false},
		{"nearly older than lifetime", noon.Add(-30*24*time.Hour + time.Millisecond), noon, far, true},
		{"older than lifetime", noon.Add(-30 * 24 * time.Hour), noon, far, false},
		{"idle", noon.Add(-59 * time.Minute), noon.Add(-7 * 24 * time.Hour), far, false},
		{"at NotBefore", noon.Add(-time.Hour), noon, far, true},
		{"before NotBefore", noon.Add(-time.Hour - 1), noon, far, false},
		{"another clock is ahead", noon.Add(5 * time.Minute), noon.Add(5 * time.Minute), far, true},
		{"from the future", noon.Add(5*time.Minute + 1), noon, far, false},
		{"without times", time.Time{}, time.Time{}, far, false},
		{"year 2400", noon, noon, time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			random := []byte(strings.Repeat(test.name, 32)[:32])
			row := &store.Session{ID: sessionID(random), UserID: w.user.ID, CreatedAt: test.created, SeenAt: test.seen, ExpiresAt: test.expires}
			if err := w.store.Store.CreateSession(t.Context(), row); err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t)
			b.set(cookieName, newSchedule(secretA, audience).token(random))
			m := w.m
			if strings.HasSuffix(test.name, "NotBefore") {
				m = restored
			}
			if test.found {
				w.wantUser(b, m)
				w.wantUser(b, m)
			} else {
				w.wantNone(b, m)
			}
			list, err := m.List(t.Context(), w.user.ID)
			if err != nil {
				t.Fatal(err)
			}
			listed := false
			for _, s := range list {
				listed = listed || s.ID == row.ID
			}
			if listed != test.found {
				t.Errorf("List: got %t, want %t", listed, test.found)
			}
		})
	}
}

func TestClockGoesBack(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	w.wantUser(b, w.m)
	w.clock.add(-5 * time.Minute)
	before := w.store.count("SessionUser")
	w.wantUser(b, w.m)
	if w.store.count("SessionUser") == before {
		t.Error("the cache answered from the future")
	}
	w.clock.add(-time.Second)
	w.wantNone(b, w.m)
	// Moments in the past neither shorten nor lengthen what is stored.
	w.clock.add(time.Second)
	f := w.wantUser(b, w.m)
	if err := b.do("GET", func(rw http.ResponseWriter, r *http.Request) error { w.m.Touch(rw, r, f); return nil }); err != nil {
		t.Fatal(err)
	}
	if s, _ := w.m.Find(b.request("GET")); !s.SeenAt.Equal(noon) {
		t.Errorf("SeenAt moved to %v", s.SeenAt)
	}
}

func TestDisabledUser(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	u := *w.user
	u.Disabled = true
	if err := w.store.UpdateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	w.wantNone(b, w.m)
	u.Disabled = false
	if err := w.store.UpdateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	w.wantUser(b, w.m)
}

func TestStoreFailureIsNoVisitor(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	w.store.failAt("SessionUser", errDown)
	for _, method := range []string{"GET", "POST"} {
		f, err := w.m.Resolve(b.request(method))
		if !errors.Is(err, errDown) || errors.Is(err, session.ErrNone) || f.Session != nil || f.User != nil {
			t.Errorf("%s: got %v, %v, want the store's error", method, f, err)
		}
		wantReason(t, err, "store")
		if strings.Contains(err.Error(), s.ID) || strings.Contains(err.Error(), b.value(cookieName)) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	if _, err := w.m.Find(b.request("GET")); !errors.Is(err, errDown) {
		t.Errorf("Find: got %v", err)
	}
	w.store.failAt("SessionUser", nil)
	w.wantUser(b, w.m) // the failure is not remembered
}

// A wrongful store must not make anyone someone else.
func TestStoreThatAnswersWrongly(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s, other := w.login(b), w.newUser("grace")
	for name, answer := range map[string]func() (*store.Session, *store.User, error){
		"another session": func() (*store.Session, *store.User, error) {
			c := *s
			c.ID = strings.ToUpper(c.ID)
			return &c, w.user, nil
		},
		"another user": func() (*store.Session, *store.User, error) { return s, other, nil },
		"no user":      func() (*store.Session, *store.User, error) { return s, nil, nil },
		"no session":   func() (*store.Session, *store.User, error) { return nil, w.user, nil },
		"nothing":      func() (*store.Session, *store.User, error) { return nil, nil, nil },
	} {
		m := w.manager(func(c *session.Config) {
			liar := &liar{w.store, answer}
			c.Store, c.Users = liar, liar
		})
		for range 2 {
			if f, err := m.Resolve(b.request("GET")); err == nil {
				t.Errorf("%s: got %v", name, f)
			}
		}
	}
}

type liar struct {
	*backend
	answer func() (*store.Session, *store.User, error)
}

func (l *liar) SessionUser(context.Context, string) (*store.Session, *store.User, error) {
	return l.answer()
}

func TestWithoutUsers(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.Users = nil }), newBrowser(t)
	s := w.login(b)
	for range 2 {
		if f, err := w.m.Resolve(b.request("GET")); err != nil || f.User != nil || f.Session.ID != s.ID {
			t.Errorf("got %v, %v", f, err)
		}
	}
}

// Sessions in one store, users in another: two questions.
func TestUsersElsewhere(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	users := newBackend(w.clock)
	u := &store.User{Name: "ada"}
	if err := users.CreateUser(t.Context(), u, &store.Account{Key: store.Key{Provider: "test", Subject: "ada"}}); err != nil {
		t.Fatal(err)
	}
	m := w.manager(func(c *session.Config) { c.Users = users })
	w.loginAs(b, m, u)
	if f := w.wantUser(b, m); f.User.Name != "ada" {
		t.Errorf("got %v", f.User)
	}
}

// Two programs on localhost share cookies over their ports. Neither may take
// the other's session away by looking at it.
func TestTwoAppsOnLocalhost(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.Insecure = true })
	other := w.manager(func(c *session.Config) { c.Insecure, c.Secret = true, secretB })
	b := newBrowser(t)
	w.login(b)
	for range 3 {
		w.wantNone(b, other)
		if err := b.do("POST", other.End); err != nil || len(b.header) != 0 {
			t.Fatalf("got %v, header %v", err, b.header)
		}
		w.wantUser(b, w.m)
	}
}

// Two Auths with one secret on one host accept nothing of each other's.
func TestTwoAudiences(t *testing.T) {
	w := newWorld(t)
	admin := w.manager(func(c *session.Config) { c.Audience = "https://app.example.com/admin/auth" })
	named := w.manager(func(c *session.Config) { c.Name = "admin" })
	b := newBrowser(t)
	s := w.login(b)
	w.wantNone(b, admin)
	w.loginAs(b, named, w.newUser("root"))
	if got := w.wantUser(b, w.m); got.Session.ID != s.ID {
		t.Error("a login at one ended the other's")
	}
	if got := w.wantUser(b, named); got.User.Name != "root" {
		t.Errorf("got %v", got.User)
	}
	if w.m.ValidCSRF(s.ID, "/x", admin.CSRF(s.ID, "/x")) {
		t.Error("a form of one is good at the other")
	}
	f := session.Flow{Purpose: session.Login, Provider: "test", State: session.NewState()}
	if err := b.begin(w.m, f); err != nil {
		t.Fatal(err)
	}
	_, err := b.callback(admin, f.State)
	wantReason(t, err, "tx_invalid")
	if err := b.keepPost(w.m, map[string][]string{"state": {f.State}, "code": {"c"}}); err != nil {
		t.Fatal(err)
	}
	_, err = b.takePost(admin, f.State)
	wantReason(t, err, "post_invalid")
}
